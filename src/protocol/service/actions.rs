//! What `InvokeAction` has to do around an action.

use std::sync::Arc;

use futures_util::stream;
use tokio::sync::mpsc;

use super::calls::StreamOf;
use super::respond::to_wire;
use super::{About, Service, run};
use crate::protocol::action::{Progress, Told};
use crate::protocol::diagnostic::Diagnostic;
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::invoke_action::event;

type Event = wire::invoke_action::Event;

/// Does it, and streams how far it is; the last event says how it ended, also where it did not begin.
pub fn invoke(service: &Service, request: wire::invoke_action::Request) -> StreamOf<Event> {
    let action = match service.action(&request.action_type) {
        Ok(action) => Arc::clone(action),
        Err(diagnostics) => return Box::pin(tokio_stream::once(Ok(completed(&diagnostics)))),
    };
    let mut cx = service.context(request.client_capabilities);
    // A host that goes away wants it to stop.
    cx.cancel = cx.cancel.child_token();
    let guard = cx.cancel.clone().drop_guard();
    let (sender, receiver) = mpsc::unbounded_channel();
    let span = About::Action(&request.action_type).span("InvokeAction");
    tokio::spawn(async move {
        let work = async {
            let described = action.description();
            let config = described.decode("configuration", request.config.as_ref())?;
            let progress = Progress::new(sender.clone());
            Ok(action.it.invoke(&cx, config, progress).await)
        };
        let said = run("InvokeAction", span, work).await;
        let _ = sender.send(Told::End(said.unwrap_or_else(|diagnostics| diagnostics)));
    });
    let events = stream::unfold(Some((receiver, guard)), |state| async {
        let (mut receiver, guard) = state?;
        Some(match receiver.recv().await {
            Some(Told::Progress(message)) => (Ok(progress(message)), Some((receiver, guard))),
            Some(Told::End(diagnostics)) => (Ok(completed(&diagnostics)), None),
            // Only a runtime that ends drops the other end unsent.
            None => (Ok(completed(&[])), None),
        })
    });
    Box::pin(events)
}

fn progress(message: String) -> Event {
    let progress = event::Progress { message };
    Event {
        r#type: Some(event::Type::Progress(progress)),
    }
}

fn completed(diagnostics: &[Diagnostic]) -> Event {
    let diagnostics = to_wire(diagnostics);
    let completed = event::Completed { diagnostics };
    Event {
        r#type: Some(event::Type::Completed(completed)),
    }
}
