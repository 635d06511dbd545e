//! What the calls about ephemeral resources have to do around one.

use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::task::JoinError;
use tracing::Instrument as _;

use super::respond::to_wire;
use super::served::Served;
use super::{Service, deferred};
use crate::protocol::diagnostic::Diagnostics;
use crate::protocol::ephemeral::{EphemeralResource, Opened};
use crate::protocol::resource::Context;
use crate::protocol::value::Value;
use crate::protocol::wire::tfplugin6 as wire;

type Resource = Served<dyn EphemeralResource>;

/// Opens one, in a task of its own: a host that goes away meanwhile drops the call, and what was opened
/// for it is closed again.
pub async fn open(
    service: &Service,
    request: wire::open_ephemeral_resource::Request,
) -> Result<wire::open_ephemeral_resource::Response, Diagnostics> {
    let resource = Arc::clone(service.ephemeral(&request.type_name)?);
    let described = resource.description();
    let config = described.decode("configuration", request.config.as_ref())?;
    let cx = service.context(request.client_capabilities);
    if service.has_to_wait(&cx) {
        return Ok(wire::open_ephemeral_resource::Response {
            result: Some(described.encode("result", Value::UNKNOWN)?),
            deferred: deferred(&cx),
            ..Default::default()
        });
    }
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let work = async move {
        let opened = resource.it.open(&cx, config).await;
        let response = match opened {
            Ok(opened) => respond(&resource, &cx, opened).await,
            Err(diagnostics) => Err(diagnostics),
        };
        if let Err(Ok(unheard)) = sender.send(response) {
            tracing::warn!("nobody waits for what was opened: closing it");
            let private = unheard.private.unwrap_or_default();
            resource.it.close(&cx, private).await;
        }
    };
    let work = tokio::spawn(work.in_current_span());
    match receiver.await {
        Ok(response) => response,
        // Only a panic drops the other end unsent.
        Err(_) => Err(work.await.map_or_else(again, |()| Vec::new())),
    }
}

/// The answer for what was opened; where there can be none, it is closed again.
async fn respond(
    resource: &Resource,
    cx: &Context,
    opened: Opened,
) -> Result<wire::open_ephemeral_resource::Response, Diagnostics> {
    let result = match resource.description().encode("result", opened.value) {
        Ok(result) => result,
        Err(mut diagnostics) => {
            diagnostics.extend(resource.it.close(cx, opened.private).await);
            return Err(diagnostics);
        }
    };
    Ok(wire::open_ephemeral_resource::Response {
        diagnostics: to_wire(&opened.diagnostics),
        renew_at: opened.renew_at.map(Into::into),
        result: Some(result),
        private: Some(opened.private),
        deferred: deferred(cx),
    })
}

/// Keeps one open.
pub async fn renew(
    service: &Service,
    request: wire::renew_ephemeral_resource::Request,
) -> Result<wire::renew_ephemeral_resource::Response, Diagnostics> {
    let resource = service.ephemeral(&request.type_name)?;
    let cx = service.context(None);
    let private = request.private.unwrap_or_default();
    let renewed = resource.it.renew(&cx, private).await?;
    Ok(wire::renew_ephemeral_resource::Response {
        diagnostics: to_wire(&renewed.diagnostics),
        renew_at: renewed.renew_at.map(Into::into),
        private: Some(renewed.private),
    })
}

/// Closes one, in a task of its own, which a host that goes away does not break off.
pub async fn close(
    service: &Service,
    request: wire::close_ephemeral_resource::Request,
) -> Result<wire::close_ephemeral_resource::Response, Diagnostics> {
    let resource = Arc::clone(service.ephemeral(&request.type_name)?);
    let cx = service.context(None);
    let private = request.private.unwrap_or_default();
    let work = async move { resource.it.close(&cx, private).await };
    let closed = tokio::spawn(work.in_current_span()).await;
    let diagnostics = closed.unwrap_or_else(again);
    Ok(wire::close_ephemeral_resource::Response {
        diagnostics: to_wire(&diagnostics),
    })
}

/// Goes on with the panic of a task in the call that has begun it.
fn again(error: JoinError) -> Diagnostics {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        // Only a runtime that ends breaks a task off.
        Err(_) => Vec::new(),
    }
}
