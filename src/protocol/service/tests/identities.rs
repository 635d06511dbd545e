//! The calls about identities.

use tonic::Request;

use super::{Thing, msgpack_of, service, thing};
use crate::protocol::resource::Resource as _;
use crate::protocol::value::Value;
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::provider_server::Provider as _;

pub fn identity(name: Value) -> Option<wire::ResourceIdentityData> {
    let ty = Thing(Default::default()).identity().unwrap().implied_type();
    let value = Value::from([("name", name), ("at", Value::Null)]);
    let identity_data = Some(msgpack_of(&value, &ty));
    Some(wire::ResourceIdentityData { identity_data })
}

#[tokio::test]
async fn identities_have_a_schema() {
    let request = Request::new(wire::get_resource_identity_schemas::Request {});
    let response = service().get_resource_identity_schemas(request).await;
    let schemas = response.unwrap().into_inner().identity_schemas;
    let schema = &schemas["sample_thing"];
    assert_eq!(schema.version, 2);
    let [name, at] = &schema.identity_attributes[..] else {
        panic!("{schema:?}")
    };
    assert_eq!(
        (name.name.as_str(), &name.r#type[..]),
        ("name", &b"\"string\""[..])
    );
    assert!(name.required_for_import && !name.optional_for_import);
    assert!(at.optional_for_import && !at.required_for_import);
}

#[tokio::test]
async fn every_state_that_is_answered_has_its_identity() {
    let service = service();
    let a = || identity("a".into());
    let read = wire::read_resource::Request {
        type_name: "sample_thing".to_owned(),
        current_state: thing("a", None),
        ..Default::default()
    };
    let read = service.read_resource(Request::new(read)).await.unwrap();
    assert_eq!(read.into_inner().new_identity, a());
    let plan = wire::plan_resource_change::Request {
        type_name: "sample_thing".to_owned(),
        proposed_new_state: thing("a", None),
        config: thing("a", None),
        ..Default::default()
    };
    let plan = service.plan_resource_change(Request::new(plan)).await;
    assert_eq!(plan.unwrap().into_inner().planned_identity, a());
    let apply = wire::apply_resource_change::Request {
        type_name: "sample_thing".to_owned(),
        planned_state: thing("a", None),
        config: thing("a", None),
        ..Default::default()
    };
    let apply = service.apply_resource_change(Request::new(apply)).await;
    assert_eq!(apply.unwrap().into_inner().new_identity, a());
    let import = wire::import_resource_state::Request {
        type_name: "sample_thing".to_owned(),
        id: "a".to_owned(),
        ..Default::default()
    };
    let import = service.import_resource_state(Request::new(import)).await;
    let imported = &import.unwrap().into_inner().imported_resources;
    assert_eq!(imported[0].identity, a());
}

#[tokio::test]
async fn what_is_not_there_or_not_known_has_no_identity() {
    let service = service();
    let unknown = Value::from([("name", Value::UNKNOWN), ("secret", Value::Null)]);
    for proposed in [unknown, Value::Null] {
        let plan = wire::plan_resource_change::Request {
            type_name: "sample_thing".to_owned(),
            proposed_new_state: Some(msgpack_of(&proposed, &super::ty())),
            ..Default::default()
        };
        let plan = service.plan_resource_change(Request::new(plan)).await;
        let plan = plan.unwrap().into_inner();
        assert_eq!((plan.planned_identity, plan.diagnostics), (None, vec![]));
    }
}

#[tokio::test]
async fn a_failed_apply_keeps_the_identity() {
    let apply = wire::apply_resource_change::Request {
        type_name: "sample_thing".to_owned(),
        prior_state: thing("before", None),
        planned_state: thing("panic", None),
        config: thing("panic", None),
        planned_identity: identity("before".into()),
        ..Default::default()
    };
    let response = service().apply_resource_change(Request::new(apply)).await;
    let response = response.unwrap().into_inner();
    assert_eq!(response.new_identity, identity("before".into()));
}

#[tokio::test]
async fn an_import_by_identity_is_one_by_the_id_for_it() {
    let service = service();
    for (type_name, name, summary) in [
        ("sample_thing", "a".into(), None),
        ("sample_thing", "bad".into(), Some("Bad")),
        (
            "sample_thing",
            "panic".into(),
            Some("The provider has a bug"),
        ),
        ("sample_thing", Value::Null, Some("Incomplete identity")),
        ("sample_other", "a".into(), Some("Unknown resource type")),
    ] {
        let import = wire::import_resource_state::Request {
            type_name: type_name.to_owned(),
            identity: identity(name),
            ..Default::default()
        };
        let import = service.import_resource_state(Request::new(import)).await;
        let import = import.unwrap().into_inner();
        let first = import.diagnostics.first().map(|it| it.summary.as_str());
        assert_eq!(first, summary);
        let state = import.imported_resources.into_iter().next();
        let want = summary.is_none().then(|| thing("a", None).unwrap());
        assert_eq!(state.and_then(|it| it.state), want);
    }
}

#[tokio::test]
async fn an_identity_comes_from_any_version_but_a_newer_one() {
    let service = service();
    let a = || identity("a".into());
    for (type_name, version, json, want, summary) in [
        ("sample_thing", 2, r#"{"name":"a"}"#, a(), None),
        ("sample_thing", 1, r#"{"title":"a"}"#, a(), None),
        (
            "sample_thing",
            3,
            "{}",
            None,
            Some("Identity from a newer provider"),
        ),
        ("sample_thing", 2, "{", None, Some("Unreadable identity")),
        (
            "sample_thing",
            1,
            "{}",
            None,
            Some("The provider has a bug"),
        ),
        ("sample_other", 2, "{}", None, Some("Unknown resource type")),
    ] {
        let request = wire::upgrade_resource_identity::Request {
            type_name: type_name.to_owned(),
            version,
            raw_identity: Some(wire::RawState {
                json: json.as_bytes().to_vec(),
                ..Default::default()
            }),
        };
        let response = service
            .upgrade_resource_identity(Request::new(request))
            .await;
        let response = response.unwrap().into_inner();
        let first = response.diagnostics.first().map(|it| it.summary.as_str());
        assert_eq!((response.upgraded_identity.clone(), first), (want, summary));
    }
}
