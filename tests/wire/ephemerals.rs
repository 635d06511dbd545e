//! The ephemeral resource as a host calls it, also one that can wait.

use super::support::servers;
use super::*;
use oam_provider::provider::ephemeral;

const TOKEN: &str = "oam_tenant_token";

fn token_type() -> Type {
    let all = ephemeral::all(&std::sync::Arc::default());
    let (_, token) = all.into_iter().find(|(it, _)| *it == TOKEN).unwrap();
    token.schema().implied_type()
}

fn token(config: &Json) -> Option<wire::DynamicValue> {
    let ty = token_type();
    Some(wired(&value(config, &ty), &ty))
}

impl Host {
    async fn open(
        &mut self,
        config: &Json,
        deferral_allowed: bool,
    ) -> wire::open_ephemeral_resource::Response {
        let request = wire::open_ephemeral_resource::Request {
            type_name: TOKEN.to_owned(),
            config: token(config),
            client_capabilities: Some(wire::ClientCapabilities {
                deferral_allowed,
                ..Default::default()
            }),
        };
        let response = self.client.open_ephemeral_resource(request).await;
        response.unwrap().into_inner()
    }

    async fn close(&mut self, private: &[u8]) -> Said {
        let request = wire::close_ephemeral_resource::Request {
            type_name: TOKEN.to_owned(),
            private: Some(private.to_vec()),
        };
        let response = self.client.close_ephemeral_resource(request).await;
        response.unwrap().into_inner().diagnostics
    }
}

#[tokio::test]
async fn tokens_are_checked_before_any_server_is_asked() {
    let mut host = Host::new(servers(), "wire-token").await;
    let metadata = host.client.get_metadata(wire::get_metadata::Request {});
    let named = metadata.await.unwrap().into_inner().ephemeral_resources;
    let named: Vec<_> = named.iter().map(|it| it.type_name.as_str()).collect();
    assert_eq!(named, [TOKEN]);
    for (config, want) in [
        (json!({ "tenant": "acme" }), None),
        (json!({ "tenant": "acme", "ttl": "1h" }), None),
        (json!({ "tenant": "default" }), Some("tenant")),
        (json!({ "tenant": "acme", "ttl": "1s" }), Some("ttl")),
    ] {
        let request = wire::validate_ephemeral_resource_config::Request {
            type_name: TOKEN.to_owned(),
            config: token(&config),
        };
        let said = host.client.validate_ephemeral_resource_config(request);
        let said = said.await.unwrap().into_inner().diagnostics;
        let paths: Vec<_> = said.into_iter().map(|it| it.attribute).collect();
        let want = want.map(|name| AttributePath::new(name).to_wire());
        assert_eq!(paths, Vec::from_iter(want), "{config}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_opened_and_what_is_not_known_waits() {
    let config = json!({ "tenant": "wiretokens", "ttl": "5m" });
    let mut host = Host::new(servers(), "wire-token").await;
    for can_wait in [false, true] {
        let opened = host.open(&config, can_wait).await;
        let [error] = &opened.diagnostics[..] else {
            panic!("{opened:?}")
        };
        assert_eq!(error.summary, "No tenant \"wiretokens\"");
        assert_eq!(error.attribute, AttributePath::new("tenant").to_wire());
        assert_eq!((opened.result, opened.deferred), (None, None));
    }

    let ty = OamProvider::new(|_| None).schema().implied_type();
    let mut block = value(&json!({ "nomad": {}, "consul": {} }), &ty);
    let nomad = block.as_map_mut().unwrap().get_mut("nomad").unwrap();
    let nomad = nomad.as_map_mut().unwrap();
    nomad.insert("address".to_owned(), Value::UNKNOWN);
    let mut host = Host::configured(block).await;
    let opened = host.open(&config, true).await;
    let reason = opened.deferred.map(|it| it.reason());
    assert_eq!(reason, Some(Reason::ProviderConfigUnknown));

    let opened = host.open(&config, false).await;
    assert_eq!((opened.diagnostics, opened.deferred), (vec![], None));
    let result = msgpack::decode(&opened.result.unwrap().msgpack, &token_type()).unwrap();
    assert!(result.get("nomad_token").is_unknown() && result.get("consul_token").is_unknown());
    assert_eq!(result.get("namespace").as_str(), Some("wiretokens"));
    assert_eq!(result.get("ttl").as_str(), Some("5m"));
    assert_eq!(opened.renew_at, None);
    // There is nothing to be revoked, so that no server is asked.
    assert_eq!(host.close(&opened.private.unwrap()).await, []);
}

#[tokio::test]
async fn a_close_says_what_it_cannot_revoke() {
    let mut host = Host::new(servers(), "wire-token").await;
    let said = host.close(b"what another version has kept").await;
    assert_eq!(errors(&said), ["Tokens that cannot be revoked"]);
    let kept = json!({ "tenant": "acme", "nomad": "11111111-1111-4111-8111-111111111111" });
    // On servers without access control any more, no token is good for anything.
    assert_eq!(host.close(kept.to_string().as_bytes()).await, []);
}
