//! What has to wait for another apply.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tonic::Request;

use super::identities::identity;
use super::{Sample, Service, data_sources, ephemerals, msgpack_of, thing, ty};
use crate::protocol::data_source::DataSource as _;
use crate::protocol::ephemeral::EphemeralResource as _;
use crate::protocol::value::{Value, msgpack};
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::deferred::Reason;
use crate::protocol::wire::tfplugin6::provider_server::Provider as _;

fn service(unknown: bool) -> Service {
    let sample = Sample {
        unknown,
        ..Default::default()
    };
    Service::new(Arc::new(sample), CancellationToken::new())
}

fn host(deferral_allowed: bool) -> Option<wire::ClientCapabilities> {
    Some(wire::ClientCapabilities {
        deferral_allowed,
        ..Default::default()
    })
}

fn why(deferred: Option<wire::Deferred>) -> Option<Reason> {
    deferred.map(|it| it.reason())
}

const PROVIDER: Option<Reason> = Some(Reason::ProviderConfigUnknown);

#[tokio::test]
async fn an_unknown_provider_block_defers_where_the_host_can_wait() {
    for (unknown, can_wait) in [(true, true), (true, false), (false, true)] {
        let service = service(unknown);
        let want = PROVIDER.filter(|_| unknown && can_wait);
        let read = wire::read_resource::Request {
            type_name: "sample_thing".to_owned(),
            current_state: thing("a", None),
            private: b"kept".to_vec(),
            client_capabilities: host(can_wait),
            current_identity: identity("a".into()),
            ..Default::default()
        };
        let read = service.read_resource(Request::new(read)).await.unwrap();
        let read = read.into_inner();
        assert_eq!(why(read.deferred), want);
        assert_eq!(
            (read.new_state, read.private),
            (thing("a", None), b"kept".to_vec())
        );
        assert_eq!(read.new_identity, identity("a".into()));

        let plan = wire::plan_resource_change::Request {
            type_name: "sample_thing".to_owned(),
            proposed_new_state: thing("a", None),
            config: thing("a", None),
            client_capabilities: host(can_wait),
            ..Default::default()
        };
        let plan = service.plan_resource_change(Request::new(plan)).await;
        let plan = plan.unwrap().into_inner();
        assert_eq!(why(plan.deferred), want);
        assert_eq!(plan.planned_state, thing("a", None));

        let import = wire::import_resource_state::Request {
            type_name: "sample_thing".to_owned(),
            id: "a".to_owned(),
            client_capabilities: host(can_wait),
            ..Default::default()
        };
        let import = service.import_resource_state(Request::new(import)).await;
        let import = import.unwrap().into_inner();
        assert_eq!(why(import.deferred), want);
        assert_eq!(import.imported_resources.is_empty(), want.is_some());

        let size = data_sources::Size.schema().implied_type();
        let config = [
            ("name", "ab".into()),
            ("secret", Value::Null),
            ("size", Value::Null),
        ];
        let find = wire::read_data_source::Request {
            type_name: "sample_size".to_owned(),
            config: Some(msgpack_of(&Value::from(config), &size)),
            client_capabilities: host(can_wait),
            ..Default::default()
        };
        let found = service.read_data_source(Request::new(find)).await.unwrap();
        let found = found.into_inner();
        assert_eq!(why(found.deferred), want);
        let state = msgpack::decode(&found.state.unwrap().msgpack, &size).unwrap();
        assert_eq!(state.is_unknown(), want.is_some());

        let door = ephemerals::Door::default().schema().implied_type();
        let config = Value::from([("how", "a".into()), ("key", Value::Null)]);
        let open = wire::open_ephemeral_resource::Request {
            type_name: "sample_door".to_owned(),
            config: Some(msgpack_of(&config, &door)),
            client_capabilities: host(can_wait),
        };
        let opened = service.open_ephemeral_resource(Request::new(open)).await;
        let opened = opened.unwrap().into_inner();
        assert_eq!(why(opened.deferred), want);
        let result = msgpack::decode(&opened.result.unwrap().msgpack, &door).unwrap();
        assert_eq!(result.is_unknown(), want.is_some());

        let act = wire::plan_action::Request {
            action_type: "sample_act".to_owned(),
            client_capabilities: host(can_wait),
            ..Default::default()
        };
        let act = service.plan_action(Request::new(act)).await.unwrap();
        assert_eq!(why(act.into_inner().deferred), want);
    }
}

#[tokio::test]
async fn a_resource_can_say_what_it_waits_for() {
    let unknown = Value::from([("name", Value::UNKNOWN), ("secret", Value::Null)]);
    for (unknown_provider, can_wait, want) in [
        (false, true, Some(Reason::ResourceConfigUnknown)),
        (false, false, None),
        // The reason that came first.
        (true, true, PROVIDER),
    ] {
        let plan = wire::plan_resource_change::Request {
            type_name: "sample_thing".to_owned(),
            proposed_new_state: Some(msgpack_of(&unknown, &ty())),
            config: Some(msgpack_of(&unknown, &ty())),
            client_capabilities: host(can_wait),
            ..Default::default()
        };
        let service = service(unknown_provider);
        let plan = service.plan_resource_change(Request::new(plan)).await;
        let plan = plan.unwrap().into_inner();
        assert_eq!(why(plan.deferred), want);
        assert!(plan.planned_state.is_some() && plan.diagnostics.is_empty());
    }
}
