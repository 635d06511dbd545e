//! The calls about lists.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tonic::Request;

use super::identities::identity;
use super::{Sample, Service, msgpack_of, service, thing};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::list_resource::{Finds, Found, ListRequest, ListResource};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, Block, Mode, Schema};
use crate::protocol::value::Value;
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::provider_server::Provider as _;

/// Lists the things `a` to `c`; told when it has been stopped.
pub struct Names(pub Arc<Notify>);

#[async_trait]
impl ListResource for Names {
    fn schema(&self) -> Schema {
        let how = Attribute::new("how", super::Type::String, Mode::Optional, "");
        Schema {
            version: 0,
            block: Block {
                attributes: vec![how],
                ..Default::default()
            },
        }
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        match config.get("how").as_str() {
            Some("panic") => panic!("as asked"),
            Some("bad") => vec![Diagnostic::error("Bad", "").at(AttributePath::new("how"))],
            _ => Vec::new(),
        }
    }

    async fn list(
        &self,
        cx: &Context,
        request: ListRequest,
        finds: &mut Finds,
    ) -> Result<(), Diagnostics> {
        for name in ["a", "b", "c"] {
            let value = || Value::from([("name", name.into()), ("secret", "hush".into())]);
            let found = Found {
                identity: Value::from([("name", name.into()), ("at", Value::Null)]),
                display_name: name.to_uppercase(),
                resource: request.include_resource.then(value),
                diagnostics: Vec::new(),
            };
            let more = finds.put(found).await;
            match request.config.get("how").as_str() {
                Some("panic") => panic!("as asked"),
                Some("bad") => return Err(vec![Diagnostic::error("Bad", "")]),
                Some("warned") => {
                    let warning = vec![Diagnostic::warning("Odd", "")];
                    finds.put(Found::unlisted(warning)).await;
                }
                Some("nameless") => {
                    finds.put(Found::unlisted(Vec::new())).await;
                }
                Some("mistyped") => {
                    let identity = Value::from([("name", 1.into()), ("at", Value::Null)]);
                    let found = Found {
                        identity,
                        ..Found::unlisted(Vec::new())
                    };
                    finds.put(found).await;
                }
                Some("slow") => {
                    cx.cancel.cancelled().await;
                    self.0.notify_one();
                }
                _ if !more => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn config(how: &str) -> Option<wire::DynamicValue> {
    let ty = Names(Arc::default()).schema().implied_type();
    Some(msgpack_of(&Value::from([("how", how.into())]), &ty))
}

fn request(type_name: &str, config: Option<wire::DynamicValue>) -> wire::list_resource::Request {
    wire::list_resource::Request {
        type_name: type_name.to_owned(),
        config,
        ..Default::default()
    }
}

async fn list(request: wire::list_resource::Request) -> Vec<wire::list_resource::Event> {
    let response = service().list_resource(Request::new(request)).await;
    let stream = response.unwrap().into_inner();
    stream.map(Result::unwrap).collect().await
}

/// What each event says: the name or the summary of its first diagnostic.
fn said(events: &[wire::list_resource::Event]) -> Vec<&str> {
    events
        .iter()
        .map(|event| match event.diagnostic.first() {
            Some(first) => first.summary.as_str(),
            None => event.display_name.as_str(),
        })
        .collect()
}

#[tokio::test]
async fn a_list_has_identities_and_states_where_asked() {
    let events = list(request("sample_thing", None)).await;
    assert_eq!(said(&events), ["A", "B", "C"]);
    assert_eq!(events[1].identity, identity("b".into()));
    assert_eq!(events[1].resource_object, None);
    let events = list(wire::list_resource::Request {
        include_resource_object: true,
        ..request("sample_thing", None)
    })
    .await;
    assert_eq!(events[2].resource_object, thing("c", None));
}

#[tokio::test]
async fn a_list_ends_at_its_limit_and_warnings_do_not_count() {
    for (how, limit, want) in [
        ("", 2, &["A", "B"][..]),
        ("", 3, &["A", "B", "C"]),
        ("", 9, &["A", "B", "C"]),
        ("warned", 2, &["A", "Odd", "B"]),
    ] {
        let events = list(wire::list_resource::Request {
            limit,
            ..request("sample_thing", config(how))
        })
        .await;
        assert_eq!(said(&events), want, "{how} {limit}");
    }
}

#[tokio::test]
async fn whatever_goes_wrong_is_the_last_event() {
    let bug = "The provider has a bug";
    let garbage = Some(wire::DynamicValue {
        msgpack: vec![0x81, 0xa3, b'h', b'o', b'w', 0x05],
        json: Vec::new(),
    });
    for (type_name, config, want) in [
        ("sample_thing", config("bad"), &["A", "Bad"][..]),
        ("sample_thing", config("panic"), &["A", bug]),
        ("sample_thing", garbage, &["Unreadable configuration"]),
        ("sample_other", None, &["Unknown list of the resource type"]),
    ] {
        let events = list(request(type_name, config)).await;
        assert_eq!(said(&events), want);
    }
    for (how, want) in [("nameless", bug), ("mistyped", "Unreadable identity")] {
        let events = list(request("sample_thing", config(how))).await;
        assert_eq!(said(&events)[..2], ["A", want]);
    }
}

#[tokio::test]
async fn a_host_that_goes_away_stops_the_list() {
    let sample = Sample::default();
    let stopped = Arc::clone(&sample.waiting);
    let service = Service::new(Arc::new(sample), CancellationToken::new());
    let request = request("sample_thing", config("slow"));
    let response = service.list_resource(Request::new(request)).await;
    let mut stream = response.unwrap().into_inner();
    assert_eq!(stream.next().await.unwrap().unwrap().display_name, "A");
    drop(stream);
    let stopped = tokio::time::timeout(Duration::from_secs(10), stopped.notified());
    assert!(stopped.await.is_ok(), "it goes on");
    assert!(!service.context(None).cancel.is_cancelled());
}

#[tokio::test]
async fn each_bad_configuration_is_one_diagnostic() {
    let service = service();
    for (type_name, config, summary) in [
        ("sample_thing", config(""), None),
        ("sample_thing", None, None),
        ("sample_thing", config("bad"), Some("Bad")),
        (
            "sample_thing",
            config("panic"),
            Some("The provider has a bug"),
        ),
        (
            "sample_other",
            None,
            Some("Unknown list of the resource type"),
        ),
    ] {
        let request = wire::validate_list_resource_config::Request {
            type_name: type_name.to_owned(),
            config,
            ..Default::default()
        };
        let response = service
            .validate_list_resource_config(Request::new(request))
            .await;
        let diagnostics = response.unwrap().into_inner().diagnostics;
        let first = diagnostics.first().map(|it| it.summary.as_str());
        assert_eq!(first, summary);
    }
}
