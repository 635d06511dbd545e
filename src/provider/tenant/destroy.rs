//! Deleting a tenant: first what was made for it on the servers, then its record.

use super::kind::Kind;
use super::objects::Objects;
use super::{config, enterprise, failure, limits};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::{ApplyRequest, ApplyResponse, Context};
use crate::protocol::value::Value;
use crate::provider::Clients;
use crate::provider::scope::private::Private;
use crate::store::TenantRecord;
use crate::tenants::Names;

/// Deletes what was made for a tenant and removes its record, where it has no applications.
pub async fn destroy(clients: &Clients, cx: &Context, request: ApplyRequest) -> ApplyResponse {
    match destroyed(clients, cx, &request).await {
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
    clients: &Clients,
    cx: &Context,
    request: &ApplyRequest,
) -> Result<Diagnostics, Failed> {
    let failed = |diagnostic: Diagnostic| (None, vec![diagnostic]);
    let prior = &request.prior;
    let Some(key) = config::key(prior) else {
        return Ok(Vec::new());
    };
    let revision = prior.get("revision").as_i64();
    let revision = revision.and_then(|revision| u64::try_from(revision).ok());
    let version = match Private::read(&request.private).version() {
        Some(version) => version,
        None => {
            let found = clients
                .store
                .version_at::<TenantRecord>(&key, revision)
                .await;
            found.map_err(|error| failed(failure::store(&error)))?
        }
    };
    let store = &clients.store;
    let begin = |version| store.begin_tenant_removal(&key, version);
    let begun = store.removing::<TenantRecord, _, _>(&key, revision, version, begin);
    let removal = match cx.cancel.run_until_cancelled(begun).await {
        Some(Ok(removal)) => removal,
        Some(Err(error)) => return Err(failed(failure::not_removed(&error))),
        None => return Err(failed(failure::cancelled())),
    };
    let goes_on = || {
        if cx.cancel.is_cancelled() {
            return Err(failure::cancelled());
        }
        match removal.is_lost() {
            true => Err(failure::lost(&key)),
            false => Ok(()),
        }
    };
    let objects = Objects::to_delete(clients, removal.record(), key.name());
    let deleted = match objects.delete_all(removal.record(), goes_on).await {
        Ok(diagnostics) => lift(clients, &objects.aim.names)
            .await
            .map(|()| diagnostics),
        Err(diagnostic) => Err(diagnostic),
    };
    match deleted {
        Ok(diagnostics) => match clients.store.remove_tenant(removal).await {
            Ok(()) => Ok(diagnostics),
            Err(error) => Err(failed(failure::store(&error))),
        },
        Err(diagnostic) => {
            let mut diagnostics = vec![diagnostic];
            let private = match clients.store.abandon_tenant_removal(removal).await {
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

/// Takes away what limits a tenant that is no more: Nomad's quota, and what its further namespaces have of it.
async fn lift(clients: &Clients, names: &Names) -> Result<(), Diagnostic> {
    enterprise::lift(&clients.nomad, names).await?;
    let lifted = limits::lift(&clients.nomad, names).await;
    lifted.map_err(|error| failure::refused(Kind::Namespace, &error))
}
