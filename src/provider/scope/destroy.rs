//! Deleting a scope: first what it has made in Nomad, then its record.

use super::kind::Kind;
use super::object::Objects;
use super::private::Private;
use super::{config, failure};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::{ApplyRequest, ApplyResponse, Context};
use crate::protocol::value::Value;
use crate::provider::Clients;
use crate::store::ScopeRecord;

/// Deletes what a scope has made and removes its record, where no application uses it.
pub async fn destroy(
    kind: Kind,
    clients: &Clients,
    cx: &Context,
    request: ApplyRequest,
) -> ApplyResponse {
    match destroyed(kind, clients, cx, &request).await {
        Ok(diagnostics) => ApplyResponse {
            state: Value::Null,
            private: Vec::new(),
            diagnostics,
        },
        Err((private, diagnostics)) => ApplyResponse {
            state: request.prior,
            private: private.map_or(request.private, |private| private.write()),
            diagnostics,
        },
    }
}

type Failed = (Option<Private>, Diagnostics);

async fn destroyed(
    kind: Kind,
    clients: &Clients,
    cx: &Context,
    request: &ApplyRequest,
) -> Result<Diagnostics, Failed> {
    let failed = |diagnostic: Diagnostic| (None, vec![diagnostic]);
    let prior = &request.prior;
    let Some(key) = config::key(kind, prior) else {
        return Ok(Vec::new());
    };
    let revision = prior.get("revision").as_i64();
    let revision = revision.and_then(|revision| u64::try_from(revision).ok());
    let version = match Private::read(&request.private).version() {
        Some(version) => version,
        None => {
            let found = clients
                .store
                .version_at::<ScopeRecord>(&key, revision)
                .await;
            found.map_err(|error| failed(failure::store(&error)))?
        }
    };
    let store = &clients.store;
    let begin = |version| store.begin_scope_removal(&key, version);
    let begun = store.removing::<ScopeRecord, _, _>(&key, revision, version, begin);
    let removal = match cx.cancel.run_until_cancelled(begun).await {
        Some(Ok(removal)) => removal,
        Some(Err(error)) => return Err(failed(failure::not_removed(&error))),
        None => return Err(failed(failure::cancelled())),
    };
    let record = removal.record().clone();
    let mut result = Ok(Vec::new());
    if cx.cancel.is_cancelled() {
        result = Err(failure::cancelled());
    } else if let Some(objects) = Objects::of(kind, clients, &key)
        && (record.owns || config::creates(prior))
    {
        result = objects.delete_all(&record, || removal.is_lost()).await;
    }
    match result {
        Ok(diagnostics) => match clients.store.remove_scope(removal).await {
            Ok(()) => Ok(diagnostics),
            Err(error) => Err(failed(failure::store(&error))),
        },
        Err(diagnostic) => {
            let mut diagnostics = vec![diagnostic];
            let private = match clients.store.abandon_scope_removal(removal).await {
                Ok(version) => Private::of(version),
                Err(error) => {
                    diagnostics.push(failure::store(&error));
                    Private::default()
                }
            };
            Err((Some(private), diagnostics))
        }
    }
}
