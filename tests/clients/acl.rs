//! Policies, roles and tokens of the real servers, with their ACLs on and off.

use std::time::Duration;

use oam_provider::http::{Acl, Endpoint, Error, Kind, Server, Settings};
use oam_provider::vault::{JwtRole, KvVersion};
use oam_provider::{consul, nomad, vault};
use serde_json::{Value, json};

use super::endpoint;
use super::support::proxy::{Action, Proxy};
use super::support::{Options, Servers, guarded, servers};

struct Clients {
    nomad: nomad::Client,
    consul: consul::Client,
    vault: vault::Client,
}

/// Clients with the tokens that may do everything.
fn clients() -> Clients {
    let servers = guarded();
    let (nomad, consul, vault) = (&servers.nomad, &servers.consul, servers.vault());
    Clients {
        nomad: nomad_at(&nomad.address, nomad.token.as_deref()),
        consul: consul_at(&consul.address, consul.token.as_deref()),
        vault: vault_at(&vault.address, vault.token.as_deref()),
    }
}

fn nomad_at(address: &str, token: Option<&str>) -> nomad::Client {
    nomad::Client::new(endpoint(Server::Nomad, address, token))
}

fn consul_at(address: &str, token: Option<&str>) -> consul::Client {
    consul::Client::new(endpoint(Server::Consul, address, token))
}

fn vault_at(address: &str, token: Option<&str>) -> vault::Client {
    vault::Client::new(endpoint(Server::Vault, address, token))
}

fn nomad_policy(name: &str, level: &str) -> nomad::AclPolicy {
    nomad::AclPolicy {
        name: name.to_owned(),
        description: format!("{level} it"),
        rules: format!("namespace \"{name}\" {{ policy = \"{level}\" }}"),
        ..nomad::AclPolicy::default()
    }
}

fn consul_policy(name: &str, level: &str) -> consul::AclPolicy {
    consul::AclPolicy {
        name: name.to_owned(),
        description: format!("{level} it"),
        rules: format!("key_prefix \"{name}/\" {{ policy = \"{level}\" }}"),
        ..consul::AclPolicy::default()
    }
}

/// A rule of the auth method of Nomad's services, which is there; it gives nobody anything.
fn binding_rule(name: &str) -> consul::BindingRule {
    consul::BindingRule {
        description: name.to_owned(),
        auth_method: "nomad-workloads".to_owned(),
        selector: "value.nomad_namespace == \"none\"".to_owned(),
        bind_type: "role".to_owned(),
        bind_name: name.to_owned(),
        ..consul::BindingRule::default()
    }
}

/// The one rule with this description.
async fn the_rule(consul: &consul::Client, description: &str) -> consul::BindingRule {
    let rules = consul.binding_rules().await.unwrap().on().unwrap();
    let mut rules = rules.into_iter();
    let rule = rules.find(|it| it.description == description).unwrap();
    assert!(rules.all(|it| it.description != description));
    rule
}

fn denied(error: &Error) -> bool {
    matches!(error.kind, Kind::Unauthorized { .. })
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn servers_with_acls_off_are_told_apart() {
    let nomad = super::nomad_at(&servers().nomad.address);
    let consul = super::consul_at(&servers().consul.address);
    assert!(!nomad.has_acls().await.unwrap());
    assert!(!consul.has_acls().await.unwrap());
    assert_eq!(nomad.self_token().await.unwrap(), Acl::Off);
    assert_eq!(nomad.acl_policy("any").await.unwrap(), Acl::Off);
    assert_eq!(nomad.acl_policies().await.unwrap(), Acl::Off);
    let policy = nomad_policy("any", "read");
    assert_eq!(nomad.write_acl_policy(&policy).await.unwrap(), Acl::Off);
    assert_eq!(nomad.delete_acl_policy("any").await.unwrap(), Acl::Off);
    let token = nomad::NewAclToken {
        name: "any".to_owned(),
        policies: vec!["any".to_owned()],
        global: false,
        ttl: HOUR,
    };
    assert_eq!(nomad.create_acl_token(&token).await.unwrap(), Acl::Off);
    assert_eq!(nomad.delete_acl_token("any").await.unwrap(), Acl::Off);

    assert_eq!(consul.acl_policy("any").await.unwrap(), Acl::Off);
    let policy = consul_policy("any", "read");
    assert_eq!(consul.write_acl_policy(&policy).await.unwrap(), Acl::Off);
    assert_eq!(consul.delete_acl_policy("any").await.unwrap(), Acl::Off);
    assert_eq!(consul.acl_role("any").await.unwrap(), Acl::Off);
    let role = consul::AclRole::default();
    assert_eq!(consul.write_acl_role(&role).await.unwrap(), Acl::Off);
    assert_eq!(consul.delete_acl_role("any").await.unwrap(), Acl::Off);
    let token = consul::NewAclToken {
        description: "any".to_owned(),
        policies: Vec::new(),
        roles: Vec::new(),
        local: false,
        ttl: HOUR,
    };
    assert_eq!(consul.create_acl_token(&token).await.unwrap(), Acl::Off);
    assert_eq!(consul.delete_acl_token("any").await.unwrap(), Acl::Off);
}

#[tokio::test]
async fn policies_live_from_creation_to_deletion() {
    let Clients { nomad, consul, .. } = clients();
    assert!(nomad.has_acls().await.unwrap());
    assert!(consul.has_acls().await.unwrap());
    let name = "acl-life";

    assert_eq!(nomad.acl_policy(name).await.unwrap(), Acl::On(None));
    for level in ["read", "write"] {
        let policy = nomad_policy(name, level);
        nomad.write_acl_policy(&policy).await.unwrap();
        assert_eq!(nomad.acl_policy(name).await.unwrap(), Acl::On(Some(policy)));
    }
    let names = nomad.acl_policies().await.unwrap().on().unwrap();
    assert!(names.contains(&name.to_owned()), "{names:?}");
    for _ in 0..2 {
        assert_eq!(nomad.delete_acl_policy(name).await.unwrap(), Acl::On(()));
    }
    assert_eq!(nomad.acl_policy(name).await.unwrap(), Acl::On(None));

    assert_eq!(consul.acl_policy(name).await.unwrap(), Acl::On(None));
    let made = consul.write_acl_policy(&consul_policy(name, "read")).await;
    let made = made.unwrap().on().unwrap();
    assert!(!made.id.is_empty() && made.same(&consul_policy(name, "read")));
    // A second one of that name is refused, and the first stays.
    let second = consul.write_acl_policy(&consul_policy(name, "deny")).await;
    assert!(second.unwrap_err().is_conflict());
    assert_eq!(
        consul.acl_policy(name).await.unwrap(),
        Acl::On(Some(made.clone()))
    );
    let wider = consul::AclPolicy {
        id: made.id.clone(),
        ..consul_policy(name, "write")
    };
    consul.write_acl_policy(&wider).await.unwrap();
    assert_eq!(consul.acl_policy(name).await.unwrap(), Acl::On(Some(wider)));
    for there in [true, false] {
        let deleted = consul.delete_acl_policy(&made.id).await.unwrap();
        assert_eq!(deleted, Acl::On(there));
    }
    assert_eq!(consul.acl_policy(name).await.unwrap(), Acl::On(None));
}

#[tokio::test]
async fn a_role_lives_from_creation_to_deletion() {
    let Clients { consul, .. } = clients();
    let name = "acl-role";
    let policy = consul.write_acl_policy(&consul_policy(name, "read")).await;
    let policy = policy.unwrap().on().unwrap();
    let role = consul::AclRole {
        name: name.to_owned(),
        description: "one".to_owned(),
        policies: vec![consul::AclLink::to(name)],
        ..consul::AclRole::default()
    };
    assert_eq!(consul.acl_role(name).await.unwrap(), Acl::On(None));
    let made = consul.write_acl_role(&role).await.unwrap().on().unwrap();
    assert!(made.same(&role) && made.policies[0].id == policy.id);
    let second = consul.write_acl_role(&role).await.unwrap_err();
    assert!(second.is_conflict(), "{second:?}");

    // What somebody else has added shows, and a write takes it away again.
    let mut edited = guarded().consul.get(&format!("/v1/acl/role/name/{name}"));
    edited["ServiceIdentities"] = json!([{ "ServiceName": "other" }]);
    guarded()
        .consul
        .put(&format!("/v1/acl/role/{}", made.id), &edited);
    let live = consul.acl_role(name).await.unwrap().on().unwrap().unwrap();
    assert!(!live.same(&role) && live.service_identities.len() == 1);
    consul.write_acl_role(&made).await.unwrap();
    let live = consul.acl_role(name).await.unwrap();
    assert_eq!(live, Acl::On(Some(made.clone())));

    // Its policy gone, the role has none.
    consul.delete_acl_policy(&policy.id).await.unwrap();
    let live = consul.acl_role(name).await.unwrap().on().unwrap().unwrap();
    assert_eq!(live.policies, []);
    for there in [true, false] {
        let deleted = consul.delete_acl_role(&made.id).await.unwrap();
        assert_eq!(deleted, Acl::On(there));
    }
    assert_eq!(consul.acl_role(name).await.unwrap(), Acl::On(None));
}

#[tokio::test]
async fn a_token_may_do_what_its_policies_say_until_it_is_deleted() {
    let Clients { nomad, consul, .. } = clients();
    let name = "acl-token";
    nomad
        .write_acl_policy(&nomad_policy(name, "read"))
        .await
        .unwrap();
    let token = nomad::NewAclToken {
        name: name.to_owned(),
        policies: vec![name.to_owned()],
        global: true,
        ttl: HOUR,
    };
    let made = nomad.create_acl_token(&token).await.unwrap().on().unwrap();
    let raw = guarded()
        .nomad
        .get(&format!("/v1/acl/token/{}", made.accessor));
    assert_eq!(
        (&raw["Type"], &raw["Global"], &raw["ExpirationTTL"]),
        (&json!("client"), &json!(true), &json!("1h0m0s"))
    );
    assert!(made.expiration_time.is_some());
    let holder = nomad_at(&guarded().nomad.address, Some(made.secret.expose()));
    let own = holder.self_token().await.unwrap().on().unwrap();
    assert_eq!(
        (own.accessor.as_str(), own.kind.as_str(), own.policies),
        (made.accessor.as_str(), "client", vec![name.to_owned()])
    );
    holder.jobs(name, "").await.unwrap();
    assert!(denied(&holder.jobs("acl-other", "").await.unwrap_err()));
    // It may not make itself more than it is.
    let wider = holder.write_acl_policy(&nomad_policy(name, "write")).await;
    assert!(denied(&wider.unwrap_err()));
    assert!(holder.has_acls().await.unwrap());
    for there in [true, false] {
        let deleted = nomad.delete_acl_token(&made.accessor).await.unwrap();
        assert_eq!(deleted, Acl::On(there));
    }
    assert!(denied(&holder.jobs(name, "").await.unwrap_err()));
    assert!(holder.has_acls().await.unwrap());

    consul
        .write_acl_policy(&consul_policy(name, "read"))
        .await
        .unwrap();
    let token = consul::NewAclToken {
        description: name.to_owned(),
        policies: vec![name.to_owned()],
        roles: Vec::new(),
        local: false,
        ttl: HOUR,
    };
    let made = consul.create_acl_token(&token).await.unwrap().on().unwrap();
    assert!(made.expiration_time.is_some());
    let holder = consul_at(&guarded().consul.address, Some(made.secret.expose()));
    assert_eq!(holder.get("acl-token/a").await.unwrap(), None);
    assert!(denied(&holder.get("acl-other/a").await.unwrap_err()));
    assert!(holder.has_acls().await.unwrap());
    for there in [true, false] {
        let deleted = consul.delete_acl_token(&made.accessor).await.unwrap();
        assert_eq!(deleted, Acl::On(there));
    }
    assert!(denied(&holder.get("acl-token/a").await.unwrap_err()));
    let text = format!("{made:?}");
    assert!(!text.contains(made.secret.expose()), "{text}");
}

#[tokio::test]
async fn what_the_servers_do_not_accept_is_told() {
    let Clients {
        nomad,
        consul,
        vault,
    } = clients();
    let mut policy = nomad_policy("acl-wrong", "read");
    policy.rules = "namespace {".to_owned();
    let error = nomad.write_acl_policy(&policy).await.unwrap_err();
    assert!(
        matches!(error.kind, Kind::Rejected { status: 400, .. }),
        "{error:?}"
    );
    let short = nomad::NewAclToken {
        name: "acl-wrong".to_owned(),
        policies: vec!["acl-wrong".to_owned()],
        global: false,
        ttl: Duration::from_secs(1),
    };
    let error = nomad.create_acl_token(&short).await.unwrap_err();
    assert!(error.to_string().contains("expiration"), "{error}");

    let mut policy = consul_policy("acl-wrong", "read");
    policy.rules = "key_prefix {".to_owned();
    consul.write_acl_policy(&policy).await.unwrap_err();
    let role = consul::AclRole {
        name: "acl-wrong".to_owned(),
        policies: vec![consul::AclLink::to("acl-none")],
        ..consul::AclRole::default()
    };
    let error = consul.write_acl_role(&role).await.unwrap_err();
    assert!(error.to_string().contains("No such ACL policy"), "{error}");
    assert_eq!(consul.acl_role("acl-wrong").await.unwrap(), Acl::On(None));

    let error = vault.write_policy("acl-wrong", "path {").await.unwrap_err();
    assert!(
        matches!(error.kind, Kind::Rejected { status: 400, .. }),
        "{error:?}"
    );
    // Vault's words, and not its JSON.
    assert!(!error.to_string().contains("errors"), "{error}");
    assert_eq!(vault.policy("acl-wrong").await.unwrap(), None);
}

#[tokio::test]
async fn vaults_policies_and_roles_live_from_creation_to_deletion() {
    let Clients { vault, .. } = clients();
    let (name, login) = ("acl-life", super::support::vault::LOGIN);
    assert_eq!(vault.policy(name).await.unwrap(), None);
    for rules in [
        "path \"secret/data/a/*\" { capabilities = [\"read\"] }",
        "path \"secret/data/b/*\" { capabilities = [\"read\"] }",
    ] {
        vault.write_policy(name, rules).await.unwrap();
        assert_eq!(vault.policy(name).await.unwrap().as_deref(), Some(rules));
    }
    assert_eq!(vault.jwt_role(login, name).await.unwrap(), None);
    let role = JwtRole::of_namespace("acme", "vault.io", name);
    vault.write_jwt_role(login, name, &role).await.unwrap();
    let live = vault.jwt_role(login, name).await.unwrap();
    assert_eq!(live.as_ref(), Some(&role));
    // What somebody else has changed shows, and a write takes it away again.
    for change in [
        json!({ "bound_claims": {} }),
        json!({ "token_policies": [name, "root-like"] }),
        json!({ "bound_claims_type": "glob" }),
        json!({ "token_period": 3600 }),
        json!({ "bound_audiences": ["vault.io", "other"] }),
    ] {
        let path = format!("/v1/auth/{login}/role/{name}");
        let mut edited = serde_json::to_value(&role).unwrap();
        for (field, value) in change.as_object().unwrap() {
            edited[field] = value.clone();
        }
        guarded().vault().post(&path, &edited);
        let live = vault.jwt_role(login, name).await.unwrap().unwrap();
        assert_ne!(live, role, "{change}");
        vault.write_jwt_role(login, name, &role).await.unwrap();
        let live = vault.jwt_role(login, name).await.unwrap();
        assert_eq!(live.as_ref(), Some(&role), "{change}");
    }
    for _ in 0..2 {
        vault.delete_jwt_role(login, name).await.unwrap();
        vault.delete_policy(name).await.unwrap();
    }
    assert_eq!(vault.jwt_role(login, name).await.unwrap(), None);
    assert_eq!(vault.policy(name).await.unwrap(), None);
    // A login that is not there is no role that is not there.
    let error = vault.jwt_role("jwt-none", name).await.unwrap_err();
    assert!(error.to_string().contains("no handler"), "{error}");
}

#[tokio::test]
async fn vaults_mounts_and_health_are_read() {
    let Clients { vault, .. } = clients();
    let api = guarded().vault();
    api.post(
        "/v1/sys/mounts/team/kv",
        &json!({ "type": "kv", "options": { "version": "2" } }),
    );
    api.post("/v1/sys/mounts/transit", &json!({ "type": "transit" }));
    for (mount, version) in [
        ("secret", Some(KvVersion::Two)),
        ("team/kv", Some(KvVersion::Two)),
        (super::support::vault::VERSION_1, Some(KvVersion::One)),
        ("transit", None),
    ] {
        assert_eq!(vault.kv_version(mount).await.unwrap(), version, "{mount}");
    }
    assert!(denied(&vault.kv_version("none").await.unwrap_err()));
    // Somebody without a token may ask for its health, and for nothing else.
    let nobody = vault_at(&api.address, None);
    let health = nobody.health().await.unwrap();
    assert!(health.initialized && !health.sealed && !health.enterprise);
    assert!(denied(&nobody.policy("default").await.unwrap_err()));
}

#[tokio::test]
async fn community_builds_are_told_apart() {
    let Clients {
        nomad,
        consul,
        vault,
    } = clients();
    assert!(!nomad.is_enterprise().await.unwrap());
    assert_eq!(nomad.requests(), 1);
    assert!(!consul.is_enterprise().await.unwrap());
    assert!(!vault.health().await.unwrap().enterprise);
    // Nobody needs a right to ask.
    let servers = guarded();
    let (nomad, consul) = (
        nomad_at(&servers.nomad.address, None),
        consul_at(&servers.consul.address, None),
    );
    assert!(!nomad.is_enterprise().await.unwrap());
    assert!(!consul.is_enterprise().await.unwrap());
}

#[tokio::test]
async fn a_lost_answer_is_found_out_about_and_nothing_is_sent_twice() {
    let servers = guarded();
    let name = "acl-lost";
    let lost = |proxy: &Proxy| {
        proxy.rule(|seen| match seen.method.as_str() {
            "GET" => Action::Forward,
            _ => Action::LoseAnswer,
        });
    };
    let writes = |proxy: &Proxy| {
        let seen = proxy.take_seen();
        seen.iter().filter(|seen| seen.method != "GET").count()
    };

    let proxy = Proxy::start(&servers.nomad.address);
    let nomad = nomad_at(&proxy.address, servers.nomad.token.as_deref());
    lost(&proxy);
    nomad
        .write_acl_policy(&nomad_policy(name, "read"))
        .await
        .unwrap();
    nomad.delete_acl_policy(name).await.unwrap();
    assert_eq!(writes(&proxy), 2);
    assert_eq!(nomad.acl_policy(name).await.unwrap(), Acl::On(None));

    let proxy = Proxy::start(&servers.consul.address);
    let consul = consul_at(&proxy.address, servers.consul.token.as_deref());
    lost(&proxy);
    let made = consul.write_acl_policy(&consul_policy(name, "read")).await;
    let made = made.unwrap().on().unwrap();
    assert!(!made.id.is_empty());
    let role = consul::AclRole {
        name: name.to_owned(),
        policies: vec![consul::AclLink::to(name)],
        ..consul::AclRole::default()
    };
    let role = consul.write_acl_role(&role).await.unwrap().on().unwrap();
    assert!(!role.id.is_empty());
    let rule = binding_rule(name);
    consul.write_binding_rule(&rule).await.unwrap();
    assert_eq!(writes(&proxy), 3);
    let made = the_rule(&consul, name).await;
    let wider = consul::BindingRule {
        bind_name: "other".to_owned(),
        ..made.clone()
    };
    consul.write_binding_rule(&wider).await.unwrap();
    assert_eq!(writes(&proxy), 1);
    assert_eq!(the_rule(&consul, name).await, wider);
    // What was not done is not taken for done.
    proxy.rule(|seen| match seen.method.as_str() {
        "GET" => Action::Forward,
        _ => Action::Close,
    });
    let error = consul.write_binding_rule(&made).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Interrupted { .. }), "{error:?}");
    proxy.rule(|_| Action::Forward);
    consul.delete_binding_rule(&made.id).await.unwrap();

    let proxy = Proxy::start(&servers.vault().address);
    let vault = vault_at(&proxy.address, servers.vault().token.as_deref());
    let login = super::support::vault::LOGIN;
    lost(&proxy);
    vault.write_policy(name, "# none").await.unwrap();
    let role = JwtRole::of_namespace(name, "vault.io", name);
    vault.write_jwt_role(login, name, &role).await.unwrap();
    vault.delete_jwt_role(login, name).await.unwrap();
    vault.delete_policy(name).await.unwrap();
    assert_eq!(writes(&proxy), 4);
    assert_eq!(vault.policy(name).await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_found_out_about() {
    let consul = &guarded().consul;
    let proxy = Proxy::start(&consul.address);
    let consul = consul_at(&proxy.address, consul.token.as_deref());
    let name = "acl-half";
    proxy.rule(|seen| match seen.method.as_str() {
        "GET" => Action::Forward,
        _ => Action::Truncate,
    });
    let made = consul.write_acl_policy(&consul_policy(name, "read")).await;
    let made = made.unwrap().on().unwrap();
    assert!(consul_policy(name, "read").same(&made), "{made:?}");
    let role = consul::AclRole {
        name: name.to_owned(),
        policies: vec![consul::AclLink::to(name)],
        ..consul::AclRole::default()
    };
    let role = consul.write_acl_role(&role).await.unwrap().on().unwrap();
    assert_eq!(consul.acl_role(name).await.unwrap().on(), Some(Some(role)));
}

#[tokio::test]
async fn a_wrong_vault_token_is_told_and_never_shown() {
    let wrong = "hvs.not-a-token-of-this-vault";
    let vault = vault_at(&guarded().vault().address, Some(wrong));
    let error = vault.policy("default").await.unwrap_err();
    assert!(denied(&error), "{error:?}");
    assert_eq!(error.attempts, 1);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("VAULT_TOKEN") && !text.contains(wrong),
        "{text}"
    );
}

#[tokio::test]
async fn all_three_speak_mutual_tls() {
    let servers = tokio::task::spawn_blocking(|| {
        Servers::start(Options {
            acl: true,
            tls: true,
            mutual_tls: true,
            vault: true,
            ..Options::default()
        })
    })
    .await
    .unwrap();
    let client = servers.client.as_ref().unwrap();
    let file = |path: &std::path::Path| Some(path.display().to_string());
    let complete = Settings {
        ca_pem: servers.authority.as_ref().map(|it| it.pem.clone()),
        cert_file: file(&client.certificate),
        key_file: file(&client.key),
        ..Settings::default()
    };
    let unknown = Settings {
        ca_pem: None,
        ..complete.clone()
    };
    let anonymous = Settings {
        cert_file: None,
        key_file: None,
        ..complete.clone()
    };
    for (settings, advice) in [
        (&complete, None),
        (&unknown, Some("`ca_file` or `ca_pem`")),
        (&anonymous, Some("`cert_file` and `key_file`")),
    ] {
        for (server, api) in [
            (Server::Nomad, &*servers.nomad),
            (Server::Consul, &*servers.consul),
            (Server::Vault, &**servers.vault()),
        ] {
            let settings = Settings {
                address: Some(api.address.clone()),
                token: api.token.as_deref().map(Into::into),
                ..settings.clone()
            };
            let endpoint = Endpoint::from(server, settings, &|_| None).unwrap();
            let result = match server {
                Server::Nomad => nomad::Client::new(endpoint).acl_policies().await.map(drop),
                Server::Consul => consul::Client::new(endpoint)
                    .acl_policy("any")
                    .await
                    .map(drop),
                Server::Vault => vault::Client::new(endpoint).policy("any").await.map(drop),
            };
            match (advice, result) {
                (None, result) => result.unwrap_or_else(|error| panic!("{server}: {error}")),
                (Some(advice), Ok(())) => panic!("{advice} was not missed by {server}"),
                (Some(advice), Err(error)) => {
                    assert!(matches!(error.kind, Kind::Tls { .. }), "{error:?}");
                    assert!(error.detail().contains(advice), "{server}: {error}");
                }
            }
        }
    }
    // Nomad's tasks can log in to both with their identities.
    let methods: Value = servers.consul.get("/v1/acl/auth-methods");
    assert_eq!(methods[0]["Name"], "nomad-workloads");
    tokio::task::spawn_blocking(move || drop(servers))
        .await
        .unwrap();
}
