//! The calls that make one thing of another: a state of another type's, a configuration of a state.

use tonic::Request;

use super::identities::identity;
use super::{service, thing};
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::provider_server::Provider as _;

#[tokio::test]
async fn a_state_moves_where_its_new_type_knows_how() {
    let service = service();
    let bug = "The provider has a bug";
    for (target, source, json, summary) in [
        ("sample_thing", "other_thing", r#"{"title":"a"}"#, None),
        ("sample_thing", "other_thing", "{", Some("Bad")),
        ("sample_thing", "other_thing", "{}", Some(bug)),
        (
            "sample_thing",
            "third_thing",
            "{}",
            Some("Unsupported move"),
        ),
        (
            "sample_other",
            "other_thing",
            "{}",
            Some("Unknown resource type"),
        ),
    ] {
        let request = wire::move_resource_state::Request {
            source_provider_address: "example.com/a/b".to_owned(),
            source_type_name: source.to_owned(),
            source_state: Some(wire::RawState {
                json: json.as_bytes().to_vec(),
                ..Default::default()
            }),
            source_private: b"kept".to_vec(),
            target_type_name: target.to_owned(),
            ..Default::default()
        };
        let response = service.move_resource_state(Request::new(request)).await;
        let response = response.unwrap().into_inner();
        let first = response.diagnostics.first().map(|it| it.summary.as_str());
        assert_eq!(first, summary);
        if summary.is_none() {
            // What is write-only does not come along.
            assert_eq!(response.target_state, thing("a", None));
            assert_eq!(response.target_identity, identity("a".into()));
            assert_eq!(response.target_private, b"kept");
        }
    }
}

#[tokio::test]
async fn a_configuration_is_made_of_a_state() {
    let service = service();
    let bug = Some("The provider has a bug");
    let unknown = Some("Unknown resource type");
    for (type_name, state, config, summary) in [
        (
            "sample_thing",
            thing("a", Some("hush")),
            thing("a", None),
            None,
        ),
        ("sample_thing", thing("old", None), thing("new", None), None),
        ("sample_thing", thing("panic", None), None, bug),
        ("sample_other", thing("a", None), None, unknown),
    ] {
        let request = wire::generate_resource_config::Request {
            type_name: type_name.to_owned(),
            state,
        };
        let response = service
            .generate_resource_config(Request::new(request))
            .await;
        let response = response.unwrap().into_inner();
        let first = response.diagnostics.first().map(|it| it.summary.as_str());
        assert_eq!((response.config.clone(), first), (config, summary));
    }
}
