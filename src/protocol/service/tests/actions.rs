//! The calls about actions.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tonic::Request;

use super::{Sample, Service, msgpack_of, service};
use crate::protocol::action::{Action, Progress};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, Block, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::invoke_action::event::Type as Event;
use crate::protocol::wire::tfplugin6::provider_server::Provider as _;

/// Does as its configuration says; told when it has been stopped.
pub struct Act(pub Arc<Notify>);

impl Act {
    fn said(config: &Value) -> Diagnostics {
        match config.get("how").as_str() {
            Some("panic") => panic!("as asked"),
            Some("bad") => vec![Diagnostic::error("Bad", "").at(AttributePath::new("how"))],
            _ => Vec::new(),
        }
    }
}

#[async_trait]
impl Action for Act {
    fn schema(&self) -> Schema {
        let how = Attribute::new("how", Type::String, Mode::Optional, "");
        Schema {
            version: 0,
            block: Block {
                attributes: vec![how],
                ..Default::default()
            },
        }
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        Self::said(config)
    }

    async fn plan(&self, _: &Context, config: &Value) -> Diagnostics {
        Self::said(config)
    }

    async fn invoke(&self, cx: &Context, config: Value, progress: Progress) -> Diagnostics {
        progress.say("begun");
        if config.get("how").as_str() == Some("wait") {
            cx.cancel.cancelled().await;
            self.0.notify_one();
        }
        if config.get("how").as_str() == Some("leak") {
            // Somebody still holds what nobody listens to.
            std::mem::forget(progress.clone());
        }
        let said = Self::said(&config);
        progress.say("done");
        said
    }
}

fn config(how: &str) -> Option<wire::DynamicValue> {
    let ty = Act(Arc::default()).schema().implied_type();
    Some(msgpack_of(&Value::from([("how", how.into())]), &ty))
}

fn request(action_type: &str, how: &str) -> wire::invoke_action::Request {
    wire::invoke_action::Request {
        action_type: action_type.to_owned(),
        config: config(how),
        ..Default::default()
    }
}

const BUG: &str = "The provider has a bug";

#[tokio::test]
async fn an_action_tells_how_far_it_is_and_how_it_ended() {
    for (action_type, how, want) in [
        ("sample_act", "", &["begun", "done", "!"][..]),
        ("sample_act", "leak", &["begun", "done", "!"]),
        ("sample_act", "bad", &["begun", "done", "!Bad"]),
        ("sample_act", "panic", &["begun", &format!("!{BUG}")]),
        ("sample_other", "", &["!Unknown action"]),
    ] {
        let request = Request::new(request(action_type, how));
        let response = service().invoke_action(request).await.unwrap();
        let events = response
            .into_inner()
            .map(|event| match event.unwrap().r#type {
                Some(Event::Progress(progress)) => progress.message,
                Some(Event::Completed(completed)) => {
                    let first = completed.diagnostics.first();
                    format!("!{}", first.map_or("", |it| it.summary.as_str()))
                }
                None => panic!("an empty event"),
            });
        let events: Vec<_> = events.collect().await;
        assert_eq!(events, want);
    }
}

#[tokio::test]
async fn an_action_is_stopped_with_the_rest_or_with_its_host() {
    for by_stop in [true, false] {
        let sample = Sample::default();
        let stopped = Arc::clone(&sample.waiting);
        let service = Service::new(Arc::new(sample), CancellationToken::new());
        let request = Request::new(request("sample_act", "wait"));
        let response = service.invoke_action(request).await.unwrap();
        let mut stream = response.into_inner();
        stream.next().await.unwrap().unwrap();
        match by_stop {
            true => service.stop(),
            false => drop(stream),
        }
        let stopped = tokio::time::timeout(Duration::from_secs(10), stopped.notified());
        assert!(stopped.await.is_ok(), "it goes on");
    }
}

#[tokio::test]
async fn each_bad_configuration_is_one_diagnostic() {
    let service = service();
    for (name, how, summary) in [
        ("sample_act", "", None),
        ("sample_act", "bad", Some("Bad")),
        ("sample_act", "panic", Some(BUG)),
        ("sample_other", "", Some("Unknown action")),
    ] {
        let request = wire::validate_action_config::Request {
            type_name: name.to_owned(),
            config: config(how),
        };
        let validated = service.validate_action_config(Request::new(request)).await;
        let validated = validated.unwrap().into_inner().diagnostics;
        let request = wire::plan_action::Request {
            action_type: name.to_owned(),
            config: config(how),
            ..Default::default()
        };
        let planned = service.plan_action(Request::new(request)).await;
        let planned = planned.unwrap().into_inner().diagnostics;
        for diagnostics in [validated, planned] {
            let first = diagnostics.first().map(|it| it.summary.as_str());
            assert_eq!(first, summary);
        }
    }
}
