//! Calls as Terraform makes them, against a provider made for the purpose.

#![allow(clippy::unwrap_used, clippy::panic)]

mod actions;
mod data_sources;
mod deferral;
mod ephemerals;
mod functions;
mod identities;
mod lists;
mod states;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request};

use super::Service;
use crate::protocol::action::Action;
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::ephemeral::EphemeralResource;
use crate::protocol::function::Function;
use crate::protocol::identity::{IdentityAttribute, IdentitySchema, Import};
use crate::protocol::list_resource::ListResource;
use crate::protocol::path::AttributePath;
use crate::protocol::resource::{
    ApplyRequest, ApplyResponse, Context, Deferral, MoveRequest, PlanRequest, PlanResponse,
    Provider, ReadRequest, ReadResponse, Resource, Unchanged,
};
use crate::protocol::schema::{Attribute, Block, Mode, Schema};
use crate::protocol::value::{Type, Value, msgpack};
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::provider_server::Provider as _;

#[derive(Default)]
struct Sample {
    /// Told when an apply that waits has begun to.
    waiting: Arc<Notify>,
    /// Whether the provider block is not known far enough.
    unknown: bool,
    door: ephemerals::Door,
}

#[async_trait]
impl Provider for Sample {
    fn schema(&self) -> Schema {
        Schema::default()
    }

    fn resources(&self) -> Vec<(&'static str, Arc<dyn Resource>)> {
        vec![("sample_thing", Arc::new(Thing(Arc::clone(&self.waiting))))]
    }

    fn data_sources(&self) -> Vec<(&'static str, Arc<dyn DataSource>)> {
        vec![("sample_size", Arc::new(data_sources::Size))]
    }

    fn ephemeral_resources(&self) -> Vec<(&'static str, Arc<dyn EphemeralResource>)> {
        vec![("sample_door", Arc::new(self.door.clone()))]
    }

    fn functions(&self) -> Vec<(&'static str, Arc<dyn Function>)> {
        functions::functions()
    }

    fn list_resources(&self) -> Vec<(&'static str, Arc<dyn ListResource>)> {
        let waiting = Arc::clone(&self.waiting);
        vec![("sample_thing", Arc::new(lists::Names(waiting)))]
    }

    fn actions(&self) -> Vec<(&'static str, Arc<dyn Action>)> {
        let waiting = Arc::clone(&self.waiting);
        vec![("sample_act", Arc::new(actions::Act(waiting)))]
    }

    fn is_config_known(&self) -> bool {
        !self.unknown
    }

    async fn validate(&self, _: &Value) -> Diagnostics {
        Vec::new()
    }

    async fn configure(&self, _: &Value) -> Diagnostics {
        Vec::new()
    }
}

struct Thing(Arc<Notify>);

#[async_trait]
impl Resource for Thing {
    fn schema(&self) -> Schema {
        let attributes = vec![
            Attribute::new("name", Type::String, Mode::Required, ""),
            Attribute::new("secret", Type::String, Mode::Optional, "").write_only(),
        ];
        Schema {
            version: 2,
            block: Block {
                attributes,
                ..Default::default()
            },
        }
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        match config.get("name").as_str() {
            Some("panic") => panic!("as asked"),
            Some("bad") => vec![Diagnostic::error("Bad", "").at(AttributePath::new("name"))],
            _ => Vec::new(),
        }
    }

    fn upgrade(&self, version: i64, state: &[u8]) -> Result<Value, Diagnostics> {
        assert_eq!(version, 1);
        let old: serde_json::Value = serde_json::from_slice(state).unwrap();
        Ok(Value::from([(
            "name",
            old["title"].as_str().unwrap().into(),
        )]))
    }

    async fn read(&self, _: &Context, request: ReadRequest) -> ReadResponse {
        ReadResponse {
            same: request.state.get("name").as_str() == Some("same"),
            state: request.state,
            private: request.private,
            diagnostics: Vec::new(),
        }
    }

    async fn is_as_it_was(&self, _: &Context, it: Unchanged<'_>) -> bool {
        it.state.get("name").as_str() == Some("same") && it.config == it.state
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> PlanResponse {
        if request.config.get("name").is_unknown() {
            cx.defer(Deferral::ResourceConfigUnknown);
        }
        PlanResponse {
            state: request.proposed,
            requires_replace: vec![AttributePath::new("name")],
            private: request.private,
            diagnostics: Vec::new(),
        }
    }

    async fn apply(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        match request.planned.get("name").as_str() {
            Some("panic") => panic!("as asked"),
            Some("wait") => {
                self.0.notify_one();
                cx.cancel.cancelled().await;
            }
            _ => {}
        }
        ApplyResponse {
            state: request.planned,
            private: request.private,
            diagnostics: Vec::new(),
        }
    }

    async fn import(&self, _: &Context, id: &str) -> Result<(Value, Vec<u8>), Diagnostics> {
        Ok((Value::from([("name", id.into())]), Vec::new()))
    }

    fn identity(&self) -> Option<IdentitySchema> {
        Some(IdentitySchema {
            version: 2,
            attributes: vec![
                IdentityAttribute::text("name", Import::Required, "Its name."),
                IdentityAttribute::text("at", Import::Optional, ""),
            ],
        })
    }

    fn identify(&self, state: &Value) -> Value {
        match state.get("name") {
            Value::Null => Value::Null,
            name => Value::from([("name", name.clone()), ("at", Value::Null)]),
        }
    }

    fn upgrade_identity(&self, version: i64, identity: &[u8]) -> Result<Value, Diagnostics> {
        assert_eq!(version, 1);
        let old: serde_json::Value = serde_json::from_slice(identity).unwrap();
        let name = old["title"].as_str().unwrap().into();
        Ok(Value::from([("name", name), ("at", Value::Null)]))
    }

    fn import_id(&self, identity: &Value) -> Result<String, Diagnostics> {
        match identity.get("name").as_str() {
            Some("panic") => panic!("as asked"),
            Some("bad") => Err(vec![Diagnostic::error("Bad", "")]),
            name => Ok(name.unwrap().to_owned()),
        }
    }

    fn move_state(&self, request: &MoveRequest) -> Result<Option<(Value, Vec<u8>)>, Diagnostics> {
        if request.type_name != "other_thing" {
            return Ok(None);
        }
        let old: serde_json::Value = serde_json::from_slice(&request.state)
            .map_err(|_| vec![Diagnostic::error("Bad", "")])?;
        let name = old["title"].as_str().unwrap();
        let state = Value::from([("name", name.into()), ("secret", "hush".into())]);
        Ok(Some((state, request.private.clone())))
    }

    fn generate(&self, state: &Value, mut config: Value) -> Value {
        match state.get("name").as_str() {
            Some("panic") => panic!("as asked"),
            Some("old") => {
                let entries = config.as_map_mut().unwrap();
                entries.insert("name".to_owned(), "new".into());
            }
            _ => {}
        }
        config
    }
}

fn service() -> Service {
    Service::new(Arc::new(Sample::default()), CancellationToken::new())
}

fn ty() -> Type {
    Thing(Arc::default()).schema().implied_type()
}

fn thing(name: &str, secret: Option<&str>) -> Option<wire::DynamicValue> {
    let secret = secret.map_or(Value::Null, Value::from);
    let value = Value::from([("name", name.into()), ("secret", secret)]);
    Some(msgpack_of(&value, &ty()))
}

fn msgpack_of(value: &Value, ty: &Type) -> wire::DynamicValue {
    wire::DynamicValue {
        msgpack: msgpack::encode(value, ty).unwrap(),
        json: Vec::new(),
    }
}

async fn validate(
    service: &Service,
    type_name: &str,
    config: Option<wire::DynamicValue>,
) -> Vec<wire::Diagnostic> {
    let request = wire::validate_resource_config::Request {
        type_name: type_name.to_owned(),
        config,
        ..Default::default()
    };
    let response = service
        .validate_resource_config(Request::new(request))
        .await;
    response.unwrap().into_inner().diagnostics
}

#[tokio::test]
async fn each_bad_request_is_one_diagnostic() {
    let service = service();
    let garbage = Some(wire::DynamicValue {
        msgpack: vec![0x81, 0xa4, b'n', b'a', b'm', b'e', 0x05],
        json: Vec::new(),
    });
    for (type_name, config, summary, path) in [
        ("sample_thing", thing("bad", None), "Bad", Some("name")),
        (
            "sample_thing",
            garbage,
            "Unreadable configuration",
            Some("name"),
        ),
        (
            "sample_thing",
            thing("panic", None),
            "The provider has a bug",
            None,
        ),
        (
            "sample_other",
            thing("a", None),
            "Unknown resource type",
            None,
        ),
    ] {
        let diagnostics = validate(&service, type_name, config).await;
        assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
        assert_eq!(diagnostics[0].summary, summary);
        let path = path.and_then(|name| AttributePath::new(name).to_wire());
        assert_eq!(diagnostics[0].attribute, path);
    }
    // The service is as good as before the panic.
    assert!(
        validate(&service, "sample_thing", thing("a", None))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_panic_in_an_apply_keeps_the_state() {
    let request = wire::apply_resource_change::Request {
        type_name: "sample_thing".to_owned(),
        prior_state: thing("before", None),
        planned_state: thing("panic", None),
        config: thing("panic", None),
        ..Default::default()
    };
    let response = service().apply_resource_change(Request::new(request)).await;
    let response = response.unwrap().into_inner();
    assert_eq!(response.diagnostics.len(), 1);
    assert_eq!(response.new_state, thing("before", None));
}

#[tokio::test]
async fn write_only_values_stay_in_the_configuration() {
    let service = service();
    let plan = wire::plan_resource_change::Request {
        type_name: "sample_thing".to_owned(),
        proposed_new_state: thing("a", Some("hush")),
        config: thing("a", Some("hush")),
        ..Default::default()
    };
    let planned = service.plan_resource_change(Request::new(plan)).await;
    assert_eq!(
        planned.unwrap().into_inner().planned_state,
        thing("a", None)
    );
    let read = wire::read_resource::Request {
        type_name: "sample_thing".to_owned(),
        current_state: thing("a", Some("hush")),
        ..Default::default()
    };
    let read = service.read_resource(Request::new(read)).await;
    assert_eq!(read.unwrap().into_inner().new_state, thing("a", None));
}

/// Values in a form that nobody here would write.
fn in_json(name: &str) -> Option<wire::DynamicValue> {
    let json = format!("{{\"name\": {name:?}, \"secret\": null}}").into_bytes();
    Some(wire::DynamicValue {
        msgpack: Vec::new(),
        json,
    })
}

#[tokio::test]
async fn what_is_as_it_was_goes_back_in_the_bytes_that_came() {
    let service = service();
    for (name, config, answered) in [
        ("same", "same", in_json("same")),
        ("same", "other", thing("same", None)),
        ("other", "other", thing("other", None)),
    ] {
        let plan = wire::plan_resource_change::Request {
            type_name: "sample_thing".to_owned(),
            prior_state: in_json(name),
            proposed_new_state: in_json(name),
            config: in_json(config),
            prior_private: b"kept".to_vec(),
            ..Default::default()
        };
        let planned = service.plan_resource_change(Request::new(plan)).await;
        let planned = planned.unwrap().into_inner();
        assert_eq!(planned.planned_state, answered, "{name} {config}");
        assert_eq!(planned.planned_private, b"kept");
        assert!(planned.planned_identity.is_some());
        assert_eq!(
            planned.requires_replace.is_empty(),
            answered == in_json("same")
        );
    }
    for (name, answered) in [("same", in_json("same")), ("other", thing("other", None))] {
        let read = wire::read_resource::Request {
            type_name: "sample_thing".to_owned(),
            current_state: in_json(name),
            ..Default::default()
        };
        let read = service.read_resource(Request::new(read)).await;
        assert_eq!(read.unwrap().into_inner().new_state, answered, "{name}");
    }
}

#[tokio::test]
async fn a_state_comes_from_any_version_but_a_newer_one() {
    let service = service();
    let upgrade = |version, json: &str| {
        let request = wire::upgrade_resource_state::Request {
            type_name: "sample_thing".to_owned(),
            version,
            raw_state: Some(wire::RawState {
                json: json.as_bytes().to_vec(),
                ..Default::default()
            }),
        };
        let service = &service;
        async move {
            let response = service.upgrade_resource_state(Request::new(request)).await;
            let response = response.unwrap().into_inner();
            let summary = response.diagnostics.first().map(|d| d.summary.clone());
            (response.upgraded_state, summary)
        }
    };
    assert_eq!(
        upgrade(2, r#"{"name":"a","gone":1}"#).await,
        (thing("a", None), None)
    );
    assert_eq!(
        upgrade(1, r#"{"title":"a"}"#).await,
        (thing("a", None), None)
    );
    let newer = Some("State from a newer provider".to_owned());
    assert_eq!(upgrade(3, "{}").await, (None, newer));
    let unreadable = Some("Unreadable state".to_owned());
    assert_eq!(upgrade(2, "{").await, (None, unreadable));
    let flatmap = Some("State from before Terraform 0.12".to_owned());
    assert_eq!(upgrade(2, "").await, (None, flatmap));
}

#[tokio::test]
async fn stop_cancels_what_is_under_way_and_nothing_after() {
    let sample = Sample::default();
    let has_begun = Arc::clone(&sample.waiting);
    let service = Arc::new(Service::new(Arc::new(sample), CancellationToken::new()));
    let apply = |name: &str| {
        let service = Arc::clone(&service);
        let request = wire::apply_resource_change::Request {
            type_name: "sample_thing".to_owned(),
            planned_state: thing(name, None),
            config: thing(name, None),
            ..Default::default()
        };
        async move { service.apply_resource_change(Request::new(request)).await }
    };
    let waiting = tokio::spawn(apply("wait"));
    has_begun.notified().await;
    service
        .stop_provider(Request::new(wire::stop_provider::Request {}))
        .await
        .unwrap();
    assert_eq!(
        waiting.await.unwrap().unwrap().into_inner().new_state,
        thing("wait", None)
    );
    assert!(!service.context(None).cancel.is_cancelled());
    assert!(apply("a").await.is_ok());
}

#[tokio::test]
async fn a_call_that_is_not_served_says_so() {
    let service = service();
    let request = Request::new(wire::get_states::Request::default());
    let status = service.get_states(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let request = Request::new(wire::read_state_bytes::Request::default());
    let Err(status) = service.read_state_bytes(request).await else {
        panic!("served")
    };
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn what_is_served_is_said() {
    let service = service();
    let request = Request::new(wire::get_metadata::Request {});
    let metadata = service.get_metadata(request).await.unwrap().into_inner();
    let capabilities = metadata.server_capabilities.unwrap();
    assert!(capabilities.move_resource_state && capabilities.generate_resource_config);
    assert_eq!(metadata.list_resources[0].type_name, "sample_thing");
    assert_eq!(metadata.actions[0].type_name, "sample_act");
    let request = Request::new(wire::get_provider_schema::Request {});
    let schema = service.get_provider_schema(request).await.unwrap();
    let schema = schema.into_inner();
    assert!(schema.list_resource_schemas.contains_key("sample_thing"));
    assert!(schema.action_schemas["sample_act"].schema.is_some());
}
