//! Deleting an application: first its jobs, then its record.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use tokio::time::Instant;

use super::config::{self, Operation, Said};
use super::private::Private;
use super::purge::Purge;
use super::{adopt, failure, plan};
use crate::oam;
use crate::protocol::diagnostic::{Diagnostics, has_error};
use crate::protocol::resource::{ApplyRequest, ApplyResponse, Context};
use crate::protocol::value::Value;
use crate::provider::Clients;
use crate::store::{Expect, FORMAT, JobRecord, Phase, Record};

/// Purges the jobs of an application and removes its record.
pub async fn destroy(clients: &Clients, cx: &Context, request: ApplyRequest) -> ApplyResponse {
    match destroyed(clients, cx, &request).await {
        Ok(diagnostics) => ApplyResponse {
            state: Value::Null,
            private: Vec::new(),
            diagnostics,
        },
        Err((private, diagnostics)) => ApplyResponse {
            state: request.prior,
            private: private.unwrap_or(request.private),
            diagnostics,
        },
    }
}

type Failed = (Option<Vec<u8>>, Diagnostics);

async fn destroyed(
    clients: &Clients,
    cx: &Context,
    request: &ApplyRequest,
) -> Result<Diagnostics, Failed> {
    let prior = &request.prior;
    let private = Private::read(&request.private);
    let Some(key) = config::key(prior) else {
        // Jobs that were to be adopted, and that no application has yet.
        let jobs = adopt::jobs(prior, &private);
        return Ok(jobs.iter().map(failure::never_adopted).collect());
    };
    let timeout = config::timeout(prior, Operation::Delete).map_err(|d| (None, vec![d]))?;
    let deadline = Instant::now() + timeout;
    let said = Said::of(prior).map_err(|d| (None, d))?;
    let spaces = config::spaces(prior).unwrap_or_default();
    let target = config::target(clients, key.tenant(), &spaces);
    let translated = plan::translated(&said.resolved, &target);
    let refs = super::apply::jobs_of(prior, &translated, &target, &key);
    let jobs: BTreeMap<_, _> = refs
        .iter()
        .map(|(key, job)| {
            let record = JobRecord {
                id: job.id.clone(),
                namespace: job.namespace.clone(),
                version: None,
                job_modify_index: None,
            };
            (key.clone(), record)
        })
        .collect();
    let revision = prior
        .get("revision")
        .as_i64()
        .and_then(|r| u64::try_from(r).ok());
    let document = oam::to_document(&said.written);
    let intent = Record {
        format: FORMAT,
        revision: revision.unwrap_or(1),
        phase: Phase::Destroying,
        document,
        jobs,
        applied_scopes: super::apply::applied_scopes(prior),
        namespaces: config::spaces(prior).unwrap_or_default(),
        leaving: BTreeSet::new(),
        reserved: None,
        operation: None,
    };
    let version = match private.version() {
        Some(version) => version,
        None => {
            let found = clients.store.version_at::<Record>(&key, revision).await;
            found.map_err(|error| (None, vec![failure::store(&error)]))?
        }
    };
    let store = &clients.store;
    let begin = |version| store.begin(&key, Expect::Version(version), intent.clone(), &[]);
    let begun = store.removing::<Record, _, _>(&key, revision, version, begin);
    let held = match cx.cancel.run_until_cancelled(begun).await {
        Some(Ok(held)) => held,
        Some(Err(error)) => return Err((None, vec![failure::store(&error)])),
        None => return Err((None, vec![failure::cancelled()])),
    };
    let mut diagnostics = Vec::new();
    let purge = Purge {
        clients,
        key: &key,
        cancel: &cx.cancel,
        deadline,
    };
    for purged in join_all(refs.values().map(|job| purge.job(job))).await {
        match purged {
            Ok(warning) => diagnostics.extend(warning),
            Err(error) => diagnostics.push(error),
        }
    }
    if has_error(&diagnostics) {
        let abandoned = clients.store.abandon(held, intent).await;
        let record = match abandoned {
            Ok(version) => Some(version.to_string()),
            Err(error) => {
                diagnostics.push(failure::store(&error));
                None
            }
        };
        let private = Private { record, ..private };
        return Err((Some(private.write()), diagnostics));
    }
    match clients.store.remove(held).await {
        Ok(()) => Ok(diagnostics),
        Err(error) => {
            diagnostics.push(failure::store(&error));
            Err((None, diagnostics))
        }
    }
}
