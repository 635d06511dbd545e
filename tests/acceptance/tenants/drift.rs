//! What somebody changes beside Terraform in what was made for a tenant.

use serde_json::{Value, json};

use super::{find, guarded, made, record, tenant, workspace};
use crate::support::{Servers, Workspace};

const ADDRESS: &str = "oam_tenant.tdacme";

fn one(servers: &Servers, kind: &str) -> Value {
    let all = made("td", "tdacme");
    let (_, path) = all.iter().find(|(it, _)| *it == kind).unwrap();
    find(servers, kind, path).unwrap()
}

/// Changes one thing in each of them, as an operator would.
fn edit(servers: &Servers, kind: &str) {
    let (nomad, consul) = (&servers.nomad, &servers.consul);
    let mut now = one(servers, kind);
    match kind {
        "namespace" => {
            now["Description"] = json!("edited");
            nomad.put("/v1/namespace/tdacme", &now);
        }
        "nomad_policy" => {
            now["Rules"] = json!("namespace \"*\" { policy = \"write\" }");
            nomad.put("/v1/acl/policy/td-tdacme", &now);
        }
        "consul_policy" | "consul_tasks_policy" => {
            now["Rules"] = json!("key_prefix \"\" { policy = \"write\" }");
            let id = now["ID"].as_str().unwrap().to_owned();
            consul.put(&format!("/v1/acl/policy/{id}"), &now);
        }
        "consul_role" => {
            now["ServiceIdentities"] = json!([{ "ServiceName": "other" }]);
            let id = now["ID"].as_str().unwrap().to_owned();
            consul.put(&format!("/v1/acl/role/{id}"), &now);
        }
        "consul_binding_rule" => {
            now["Selector"] = json!("");
            let id = now["ID"].as_str().unwrap().to_owned();
            consul.put(&format!("/v1/acl/binding-rule/{id}"), &now);
        }
        "vault_policy" => servers.vault().rules(
            "td-tdacme",
            "path \"secret/*\" { capabilities = [\"read\"] }",
        ),
        "vault_role" => {
            let mut role = now["data"].clone();
            role["bound_claims"] = json!({ "nomad_namespace": "*" });
            servers
                .vault()
                .post("/v1/auth/jwt-nomad/role/td-tdacme", &role);
        }
        _ => unreachable!("{kind}"),
    }
}

fn delete(servers: &Servers, kind: &str) {
    let now = one(servers, kind);
    let id = || now["ID"].as_str().unwrap();
    match kind {
        "namespace" => servers.nomad.delete("/v1/namespace/tdacme"),
        "nomad_policy" => servers.nomad.delete("/v1/acl/policy/td-tdacme"),
        "consul_role" => servers.consul.delete(&format!("/v1/acl/role/{}", id())),
        "consul_binding_rule" => servers
            .consul
            .delete(&format!("/v1/acl/binding-rule/{}", id())),
        "vault_policy" => servers.vault().delete("/v1/sys/policies/acl/td-tdacme"),
        "vault_role" => servers.vault().delete("/v1/auth/jwt-nomad/role/td-tdacme"),
        _ => servers.consul.delete(&format!("/v1/acl/policy/{}", id())),
    };
}

/// The plan shows a difference at a place that begins so, and the apply takes it back to `before`.
fn repaired(work: &Workspace, servers: &Servers, kind: &str, before: &Value) {
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"], "{kind}");
    let drift = plan.change(ADDRESS)["before"]["drift"].clone();
    let places = drift.as_array().unwrap().iter();
    let places: Vec<_> = places.map(|it| it["path"].as_str().unwrap()).collect();
    assert!(
        !places.is_empty() && places.iter().all(|place| place.starts_with(kind)),
        "{kind}: {drift:#}"
    );
    work.apply();
    work.plan().assert_empty();
    let plain = |value: &Value| {
        let mut value = value.clone();
        for changing in ["ModifyIndex", "CreateIndex", "Hash", "ID", "request_id"] {
            value.as_object_mut().unwrap().remove(changing);
        }
        if let Some(data) = value.get_mut("data").and_then(Value::as_object_mut) {
            // Of logins of another kind; once given, they are empty instead of null.
            data.retain(|name, _| !matches!(&**name, "allowed_redirect_uris" | "oidc_scopes"));
        }
        for policy in value["Policies"].as_array_mut().into_iter().flatten() {
            policy.as_object_mut().unwrap().remove("ID");
        }
        value
    };
    assert_eq!(plain(&one(servers, kind)), plain(before), "{kind}");
}

#[test]
fn what_was_edited_or_deleted_outside_shows_and_is_put_right() {
    let servers = guarded();
    let work = workspace(
        servers,
        "td",
        &tenant("tdacme", "domain = \"td.example.com\""),
    );
    work.apply();
    for (kind, _) in made("td", "tdacme") {
        let before = one(servers, kind);
        edit(servers, kind);
        assert_ne!(one(servers, kind), before, "{kind}");
        repaired(&work, servers, kind, &before);
        delete(servers, kind);
        if kind == "consul_tasks_policy" {
            // A role loses a policy that is deleted.
            work.apply();
            work.plan().assert_empty();
            let links = &one(servers, "consul_role")["Policies"];
            assert_eq!(links[0]["Name"], "td-tdacme-tasks");
            continue;
        }
        repaired(&work, servers, kind, &before);
    }
    work.destroy();
}

#[test]
fn what_was_changed_in_the_record_shows_at_its_attribute() {
    let (servers, prefix, name) = (guarded(), "tz", "tzacme");
    let work = workspace(servers, prefix, &tenant(name, ""));
    work.apply();
    let mut now = record(servers, prefix, name).unwrap();
    now["display_name"] = json!("edited");
    now["quotas"] = json!({ "max_jobs": 3 });
    servers
        .consul
        .write_key(&format!("{prefix}/tenants/{name}"), &now.to_string());
    let plan = work.plan();
    let change = plan.change("oam_tenant.tzacme");
    assert_eq!(change["before"]["display_name"], "edited");
    assert_eq!(change["before"]["quotas"]["max_jobs"], 3);
    work.apply();
    work.plan().assert_empty();
    // A record that is no more: the tenant is made again.
    servers
        .consul
        .delete(&format!("/v1/kv/{prefix}/tenants/{name}"));
    assert_eq!(work.plan().actions("oam_tenant.tzacme"), ["create"]);
    work.apply();
    work.plan().assert_empty();
    work.destroy();
}
