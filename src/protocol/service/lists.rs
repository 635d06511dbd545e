//! What `ListResource` has to do around a list.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::calls::StreamOf;
use super::respond::to_wire;
use super::served::Served;
use super::{About, Service, run};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::list_resource::{Finds, Found, ListRequest};
use crate::protocol::resource::Resource;
use crate::protocol::wire::tfplugin6 as wire;

type Event = wire::list_resource::Event;

/// How many objects wait for a slow host.
const AHEAD: usize = 16;

/// Lists into a stream. Whatever goes wrong becomes the last event.
pub fn list(service: &Service, request: wire::list_resource::Request) -> StreamOf<Event> {
    match start(service, request) {
        Ok(events) => events,
        Err(diagnostics) => Box::pin(tokio_stream::once(Ok(failed(&diagnostics)))),
    }
}

fn start(
    service: &Service,
    request: wire::list_resource::Request,
) -> Result<StreamOf<Event>, Diagnostics> {
    let listing = Arc::clone(service.list_of(&request.type_name)?);
    let resource = Arc::clone(service.resource(&request.type_name)?);
    let mut cx = service.context(None);
    // A host that goes away wants no more.
    cx.cancel = cx.cancel.child_token();
    let guard = cx.cancel.clone().drop_guard();
    let (sender, receiver) = mpsc::channel(AHEAD);
    let limit = u64::try_from(request.limit).ok().filter(|&limit| limit > 0);
    let span = About::Resource(&request.type_name).span("ListResource");
    tokio::spawn(async move {
        let mut finds = Finds::new(limit, sender.clone());
        let work = async {
            let described = listing.description();
            let config = described.decode("configuration", request.config.as_ref())?;
            let request = ListRequest {
                config,
                include_resource: request.include_resource_object,
            };
            listing.it.list(&cx, request, &mut finds).await
        };
        if let Err(diagnostics) = run("ListResource", span, work).await {
            let _ = sender.send(Err(diagnostics)).await;
        }
    });
    let events = ReceiverStream::new(receiver).map(move |found| {
        let _ends_with_the_stream = &guard;
        let event = found.and_then(|found| event(&resource, found));
        Ok(event.unwrap_or_else(|diagnostics| failed(&diagnostics)))
    });
    Ok(Box::pin(events))
}

fn event(resource: &Served<dyn Resource>, found: Found) -> Result<Event, Diagnostics> {
    let described = resource.description();
    let identity = described.encode_identity(&found.identity)?;
    if identity.is_none() && found.diagnostics.is_empty() {
        return Err(vec![Diagnostic::error(
            "The provider has a bug",
            "It has listed an object without an identity. Please report this.",
        )]);
    }
    let object = found
        .resource
        .map(|state| described.encode("state", state))
        .transpose()?;
    Ok(Event {
        identity,
        display_name: found.display_name,
        resource_object: object,
        diagnostic: to_wire(&found.diagnostics),
    })
}

fn failed(diagnostics: &[Diagnostic]) -> Event {
    Event {
        diagnostic: to_wire(diagnostics),
        ..Event::default()
    }
}
