//! What a tenant has for itself on Enterprise builds. There is none to run here: before the real servers
//! stand some that say that they are ([`facade`]), so what is proven are the requests, and what the provider
//! makes of the answers.

mod facade;

use serde_json::{Value, json};

use super::{application_of, find, guarded, made, record, tenant, text, workspace};
use crate::support::terraform::provider_block_with;
use crate::support::{Servers, Tokens, Workspace};
use crate::yearly;
use facade::{Asked, Facade};

/// A Nomad, a Consul and a Vault that say that they are Enterprise builds.
struct Enterprise {
    nomad: Facade,
    consul: Facade,
    vault: Facade,
}

impl Enterprise {
    fn before(servers: &Servers) -> Self {
        Self {
            nomad: Facade::nomad(&servers.nomad.address),
            consul: Facade::consul(&servers.consul.address),
            vault: Facade::vault(&servers.vault().address),
        }
    }

    /// Has the provider of a workspace speak to these.
    fn give(&self, servers: &Servers, prefix: &str, work: &Workspace) {
        // With the tokens that may do everything: those of the guide are for community builds.
        let block = provider_block_with(servers, prefix, &Tokens::management(servers))
            .replace(&servers.nomad.address, &self.nomad.address)
            .replace(&servers.consul.address, &self.consul.address)
            .replace(&servers.vault().address, &self.vault.address);
        work.write("provider.tf", &block);
    }

    fn take_writes(&self) -> [Vec<Asked>; 3] {
        [&self.nomad, &self.consul, &self.vault].map(Facade::take_writes)
    }
}

/// The one write of all that begins so; gives its namespace and its body.
fn one<'a>(writes: &'a [Asked], what: &str) -> (&'a str, &'a Value) {
    let found: Vec<_> = writes
        .iter()
        .filter(|it| it.what.starts_with(what))
        .collect();
    assert_eq!(found.len(), 1, "{what}: {writes:#?}");
    (found[0].space.as_deref().unwrap_or("-"), &found[0].body)
}

fn of_name<'a>(writes: &'a [Asked], name: &str) -> (&'a str, &'a Value) {
    let found: Vec<_> = writes.iter().filter(|it| it.body["Name"] == name).collect();
    assert_eq!(found.len(), 1, "{name}: {writes:#?}");
    (found[0].space.as_deref().unwrap_or("-"), &found[0].body)
}

const LIMITS: &str = "quotas {\n    max_cpu_mhz = 8000\n  }";

#[test]
fn a_tenant_has_namespaces_of_its_own_in_consul_and_vault() {
    let (servers, prefix, name) = (guarded(), "ena", "enacme");
    let address = "oam_tenant.enacme";
    let enterprise = Enterprise::before(servers);
    let mark = json!({ "oam.tenant": name, "oam.prefix": prefix });
    let work = workspace(servers, prefix, &tenant(name, LIMITS));
    enterprise.give(servers, prefix, &work);

    let plan = work.plan();
    let after = &plan.change(address)["after"];
    for field in ["consul_namespace", "vault_namespace"] {
        assert_eq!(after[field], name, "{field}");
    }
    enterprise.take_writes();
    work.apply();
    let [nomad, consul, vault] = enterprise.take_writes();
    assert_eq!(one(&nomad, "PUT /v1/quota").1["Name"], "ena-enacme");
    // Consul: the namespace, what tasks get in it, and what is where the records are.
    let (space, body) = one(&consul, "PUT /v1/namespace/enacme");
    assert_eq!(
        (space, &body["Name"], &body["Meta"]),
        ("-", &json!(name), &mark)
    );
    let (space, body) = of_name(&consul, "ena-enacme-tasks");
    assert_eq!(space, name);
    let rules = body["Rules"].as_str().unwrap();
    assert!(
        rules.contains("key_prefix \"enacme/\"") && !rules.contains("ena/"),
        "{rules}"
    );
    let (space, body) = of_name(&consul, "nomad-enacme-tasks");
    assert_eq!(
        (space, &body["Policies"][0]["Name"]),
        (name, &json!("ena-enacme-tasks"))
    );
    let (space, body) = of_name(&consul, "ena-enacme");
    let rules = body["Rules"].as_str().unwrap();
    assert_eq!(space, "-");
    assert!(
        rules.contains("namespace \"enacme\" {\nkey_prefix \"enacme/\""),
        "{rules}"
    );
    assert!(rules.contains("ena/applications/enacme/"), "{rules}");
    let (space, body) = one(&consul, "PUT /v1/acl/binding-rule");
    assert_eq!(
        (space, &body["BindName"]),
        ("-", &json!("nomad-enacme-tasks"))
    );
    // Vault: the namespace, what it needs, and what tasks get in it.
    let (space, body) = one(&vault, "POST /v1/sys/namespaces/enacme");
    assert_eq!((space, &body["custom_metadata"]), ("-", &mark));
    let (space, body) = one(&vault, "POST /v1/sys/auth/jwt-nomad");
    assert_eq!((space, &body["type"]), (name, &json!("jwt")));
    let (space, body) = one(&vault, "POST /v1/auth/jwt-nomad/config");
    let jwks = format!("{}/.well-known/jwks.json", servers.nomad.address);
    assert_eq!((space, &body["jwks_url"]), (name, &json!(jwks)));
    let (space, body) = one(&vault, "POST /v1/sys/mounts/secret");
    assert_eq!((space, &body["type"]), (name, &json!("kv")));
    let (space, body) = one(&vault, "POST /v1/sys/policies/acl/ena-enacme");
    assert_eq!(space, name);
    assert!(
        body["policy"]
            .as_str()
            .unwrap()
            .contains("secret/data/enacme/*")
    );
    let (space, body) = one(&vault, "POST /v1/auth/jwt-nomad/role/ena-enacme");
    assert_eq!(
        (space, &body["token_policies"]),
        (name, &json!(["ena-enacme"]))
    );

    let recorded = record(servers, prefix, name).unwrap();
    assert_eq!(
        recorded["namespaces"],
        json!({ "consul": name, "vault": name })
    );
    work.plan().assert_empty();

    // The jobs of its applications name them.
    let key = "image = \"a:1\"\n    env_from \"A\" {\n      consul_key {\n        key = \"enacme/a\"\n      }\n    }";
    let shop = |more: &str| {
        let shop = super::super::application(
            "ena-shop",
            &format!("  tenant = \"{name}\"\n{}{more}", yearly("job", key)),
        );
        let shops = workspace(servers, prefix, &shop);
        enterprise.give(servers, prefix, &shops);
        shops
    };
    let shops = shop("");
    shops.apply();
    shops.plan().assert_empty();
    let job = servers.nomad.job(name, "ena-shop-job").unwrap();
    let group = &job["TaskGroups"][0];
    assert_eq!(group["Consul"]["Namespace"], name);
    assert_eq!(group["Tasks"][0]["Consul"]["Namespace"], name);
    let state = shops.state("oam_application.it").unwrap();
    for field in ["consul_namespace", "vault_namespace"] {
        assert_eq!(state[field], name, "{field}");
    }
    // Somebody changes it in Nomad.
    servers.nomad.edit(name, "ena-shop-job", |job| {
        job["TaskGroups"][0]["Consul"]["Namespace"] = json!("other");
    });
    assert_eq!(shops.plan().actions("oam_application.it"), ["update"]);
    shops.apply();
    shops.plan().assert_empty();
    shops.destroy();

    // An import finds them, and another one is another tenant.
    work.run(&["state", "rm", address]).succeeded();
    work.run(&["import", address, name]).succeeded();
    work.plan().assert_empty();
    work.change(&tenant(
        name,
        &format!("consul_namespace = \"other\"\n  {LIMITS}"),
    ));
    assert_eq!(work.plan().actions(address), ["delete", "create"]);
    work.change(&tenant(name, LIMITS));

    // What is in a namespace is not deleted with it.
    enterprise
        .consul
        .edit(|kept| drop(kept.insert("/v1/kv/".to_owned(), json!(["enacme/a"]))));
    let told = text(&work.run(&["destroy", "-json", "-auto-approve"]).failed());
    assert!(told.contains("the key enacme/a"), "{told}");
    enterprise.consul.edit(|kept| drop(kept.remove("/v1/kv/")));
    enterprise
        .vault
        .edit(|kept| drop(kept.insert("enacme names".to_owned(), json!(["db"]))));
    let told = text(&work.run(&["destroy", "-json", "-auto-approve"]).failed());
    assert!(told.contains("secrets in secret"), "{told}");
    assert!(enterprise.consul.kept("/v1/namespace/enacme").is_some());
    enterprise
        .vault
        .edit(|kept| drop(kept.remove("enacme names")));
    enterprise.take_writes();
    work.destroy();
    let [nomad, consul, vault] = enterprise.take_writes();
    one(&nomad, "DELETE /v1/quota/ena-enacme");
    assert_eq!(one(&consul, "DELETE /v1/namespace/enacme").0, "-");
    assert_eq!(
        one(&vault, "DELETE /v1/auth/jwt-nomad/role/ena-enacme").0,
        name
    );
    assert_eq!(one(&vault, "DELETE /v1/sys/namespaces/enacme").0, "-");
    for (kind, path) in made(prefix, name) {
        assert_eq!(find(servers, kind, &path), None, "{kind}");
    }
}

#[test]
fn what_is_changed_in_an_enterprise_server_shows_and_is_put_right() {
    let (servers, prefix, name) = (guarded(), "enb", "enbeta");
    let enterprise = Enterprise::before(servers);
    let work = workspace(servers, prefix, &tenant(name, LIMITS));
    enterprise.give(servers, prefix, &work);
    work.apply();
    let (space, quota) = ("/v1/namespace/enbeta", "/v1/quota/enb-enbeta");
    let folder = "/v1/sys/namespaces/enbeta";
    type Edit<'a> = (&'a Facade, &'a str, fn(&mut Option<Value>), &'a str);
    let edits: [Edit<'_>; 8] = [
        (
            &enterprise.consul,
            space,
            |it| it.as_mut().unwrap()["Description"] = json!("edited"),
            "consul_namespace.description",
        ),
        (
            &enterprise.consul,
            space,
            |it| it.as_mut().unwrap()["Meta"] = json!({ "team": "x" }),
            "consul_namespace.meta.oam.prefix",
        ),
        (
            &enterprise.consul,
            space,
            |it| *it = None,
            "consul_namespace",
        ),
        (
            &enterprise.vault,
            folder,
            |it| *it = Some(json!({ "team": "x" })),
            "vault_namespace.custom_metadata.oam.prefix",
        ),
        (
            &enterprise.vault,
            folder,
            |it| *it = None,
            "vault_namespace",
        ),
        (
            &enterprise.nomad,
            quota,
            |it| it.as_mut().unwrap()["Limits"][0]["RegionLimit"]["CPU"] = json!(1),
            "nomad_quota.limits",
        ),
        (&enterprise.nomad, quota, |it| *it = None, "nomad_quota"),
        (
            &enterprise.nomad,
            space,
            |it| *it = Some(json!("")),
            "namespace.quota",
        ),
    ];
    for (server, path, edit, place) in edits {
        let before = server.kept(path);
        server.edit(|kept| {
            let mut it = kept.remove(path);
            edit(&mut it);
            if let Some(it) = it {
                kept.insert(path.to_owned(), it);
            }
        });
        assert_ne!(server.kept(path), before, "{place}");
        let plan = work.plan();
        assert_eq!(plan.actions("oam_tenant.enbeta"), ["update"], "{place}");
        let drift = &plan.change("oam_tenant.enbeta")["before"]["drift"];
        let places: Vec<_> = drift
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["path"])
            .collect();
        assert!(places.contains(&&json!(place)), "{place}: {drift:#}");
        if place == "consul_namespace" {
            // They would have gone with it.
            for kind in ["consul_role", "consul_tasks_policy"] {
                let all = made(prefix, name);
                let (_, path) = all.iter().find(|(it, _)| *it == kind).unwrap();
                let id = find(servers, kind, path).unwrap()["ID"].clone();
                let folder = path.split_once("/name/").unwrap().0;
                servers
                    .consul
                    .delete(&format!("{folder}/{}", id.as_str().unwrap()));
            }
        }
        work.apply();
        work.plan().assert_empty();
        // What others have set stays where it is.
        let plain = |mut value: Value| {
            for place in ["/Meta", ""] {
                let fields = value.pointer_mut(place).and_then(Value::as_object_mut);
                fields.and_then(|fields| fields.remove("team"));
            }
            value
        };
        let now = server.kept(path).unwrap();
        assert_eq!(plain(now), plain(before.unwrap()), "{place}");
    }
    work.destroy();
}

/// What a tenant has does not change with the servers.
#[test]
fn a_tenant_keeps_what_it_has_when_the_servers_become_another_build() {
    let (servers, prefix, name) = (guarded(), "enc", "encorp");
    let address = "oam_tenant.encorp";
    let work = workspace(servers, prefix, "");
    // A community build says so at the attribute.
    for (field, words) in [
        ("consul_namespace", "Only Consul Enterprise has them"),
        ("vault_namespace", "Only Vault Enterprise has them"),
    ] {
        work.change(&tenant(name, &format!("{field} = \"own\"")));
        let errors = work.try_plan().failed();
        assert!(text(&errors).contains(words), "{}", text(&errors));
        assert_eq!(errors[0].code, format!("{field} = \"own\""));
    }
    work.change(&tenant(name, ""));
    work.apply();
    let shop = workspace(
        servers,
        prefix,
        &application_of("enc-shop", &format!("\"{name}\"")),
    );
    shop.apply();
    let enterprise = Enterprise::before(servers);
    for work in [&work, &shop] {
        enterprise.give(servers, prefix, work);
        work.plan().assert_empty();
    }
    // Nor by a change of something else, or by saying that it has none.
    work.change(&tenant(
        name,
        "domain = \"enc.example.com\"\n  consul_namespace = \"\"\n  vault_namespace = \"\"",
    ));
    assert_eq!(work.plan().actions(address), ["update"]);
    work.apply();
    work.plan().assert_empty();
    shop.plan().assert_empty();
    let state = work.state(address).unwrap();
    assert_eq!(state["consul_namespace"], "");
    assert_eq!(
        record(servers, prefix, name).unwrap().get("namespaces"),
        None
    );
    assert_eq!(enterprise.consul.kept("/v1/namespace/encorp"), None);
    shop.destroy();
    work.destroy();
    // One that is new says so to have none.
    work.apply();
    let state = work.state(address).unwrap();
    assert_eq!(
        (&state["consul_namespace"], &state["vault_namespace"]),
        (&json!(""), &json!(""))
    );
    assert_eq!(enterprise.vault.kept("/v1/sys/namespaces/encorp"), None);
    work.plan().assert_empty();
    work.destroy();
}
