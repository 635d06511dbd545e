//! A tenant from its creation to its end.

use serde_json::json;

use super::{
    behind, domains, everything, find, guarded, made, namespace, record, tenant, text, there,
    workspace,
};
use crate::support::{Action, servers};

#[test]
fn a_tenant_lives_on_servers_with_access_control() {
    let (servers, prefix, name) = (guarded(), "tl", "tlacme");
    let address = "oam_tenant.tlacme";
    let quotas = "quotas {\n    max_jobs = 50\n    max_memory_mb = 16384\n  }";
    let fields = format!("domain = \"tl.example.com\"\n  {quotas}");
    let work = workspace(servers, prefix, &tenant(name, &fields));
    work.apply();
    work.plan().assert_empty();
    let state = work.state(address).unwrap();
    for (field, expected) in [
        ("namespace", "tlacme"),
        ("nomad_policy", "tl-tlacme"),
        ("consul_tasks_policy", "tl-tlacme-tasks"),
        ("consul_role", "nomad-tlacme-tasks"),
        ("consul_policy", "tl-tlacme"),
        (
            "consul_binding_rule",
            "\"nomad_service\" not in value and value.nomad_namespace matches \"^tlacme-\"",
        ),
        ("vault_policy", "tl-tlacme"),
        ("vault_role", "tl-tlacme"),
        ("service_prefix", "tlacme-"),
        ("key_prefix", "tlacme/"),
        ("secrets_path", "secret/tlacme/"),
        ("status", "settled"),
    ] {
        assert_eq!(state[field], expected, "{field}");
    }
    assert_eq!(state["active"], true);
    assert_eq!(state["id"].as_str().unwrap().len(), 36);
    assert_eq!(there(servers, prefix, name), everything());

    let now = record(servers, prefix, name).unwrap();
    assert_eq!(now["phase"], "settled");
    assert_eq!(now["domain"], "tl.example.com");
    assert_eq!(
        now["quotas"],
        json!({ "max_jobs": 50, "max_memory_mb": 16384 })
    );
    assert_eq!(now["made"]["vault_role"], "jwt-nomad/tl-tlacme");
    assert_eq!(
        domains(servers, prefix),
        json!({ "tl.example.com": "tlacme" })
    );

    let read = |kind: &str| {
        let all = made(prefix, name);
        let (_, path) = all.iter().find(|(it, _)| *it == kind).unwrap();
        find(servers, kind, path).unwrap()
    };
    let space = read("namespace");
    assert_eq!(space["Description"], "The tlacme");
    assert_eq!(
        space["Meta"],
        json!({ "oam.tenant": "tlacme", "oam.prefix": "tl" })
    );
    let rules = |kind: &str| match kind {
        "vault_policy" => read(kind)["data"]["policy"].clone(),
        kind => read(kind)["Rules"].clone(),
    };
    assert!(
        rules("nomad_policy")
            .as_str()
            .unwrap()
            .contains("submit-job")
    );
    assert!(
        rules("consul_policy")
            .as_str()
            .unwrap()
            .contains("tl/applications/tlacme/")
    );
    assert!(
        rules("vault_policy")
            .as_str()
            .unwrap()
            .contains("secret/data/tlacme/*")
    );
    let role = read("consul_role");
    assert_eq!(role["Policies"][0]["Name"], "tl-tlacme-tasks");
    let role = read("vault_role");
    assert_eq!(role["data"]["token_policies"], json!(["tl-tlacme"]));
    assert_eq!(
        role["data"]["bound_claims"]["nomad_namespace"],
        json!(["tlacme", "tlacme-*"])
    );

    // The data source tells the same.
    let looked = workspace(
        servers,
        prefix,
        "data \"oam_tenant\" \"it\" { name = \"tlacme\" }\n",
    );
    looked.apply();
    let found = looked.state("data.oam_tenant.it").unwrap();
    assert_eq!(
        (&found["managed"], &found["applications"]),
        (&json!(true), &json!([]))
    );
    for (field, value) in found.as_object().unwrap() {
        if !matches!(
            field.as_str(),
            "managed" | "applications" | "namespace_exists"
        ) {
            assert_eq!(*value, state[field], "{field}");
        }
    }

    // Its own fields change in place.
    let id = state["id"].clone();
    let changed = tenant(
        name,
        "domain = \"tl2.example.com\"\n  quotas {\n    max_jobs = 7\n  }",
    )
    .replace("The tlacme", "ACME \\\"Corp\\\" ü");
    work.change(&changed);
    assert_eq!(work.plan().actions(address), ["update"]);
    work.apply();
    work.plan().assert_empty();
    let state = work.state(address).unwrap();
    assert_eq!((&state["id"], &state["revision"]), (&id, &json!(2)));
    assert_eq!(read("namespace")["Description"], "ACME \"Corp\" ü");
    assert_eq!(
        domains(servers, prefix),
        json!({ "tl2.example.com": "tlacme" })
    );
    let now = record(servers, prefix, name).unwrap();
    assert_eq!(now["quotas"], json!({ "max_jobs": 7 }));

    // Not active: it only reads, and gets no secrets any more.
    work.change(&changed.replace("domain =", "active = false\n  domain ="));
    work.apply();
    work.plan().assert_empty();
    let state = work.state(address).unwrap();
    assert_eq!(
        (&state["active"], &state["vault_role"]),
        (&json!(false), &json!(null))
    );
    for kind in ["nomad_policy", "consul_policy"] {
        let rules = rules(kind);
        let rules = rules.as_str().unwrap();
        assert!(
            !rules.contains("write") && !rules.contains("submit"),
            "{rules}"
        );
    }
    let mut without = everything();
    without.retain(|kind| *kind != "vault_role");
    assert_eq!(there(servers, prefix, name), without);
    work.change(&changed);
    work.apply();
    work.plan().assert_empty();
    assert_eq!(there(servers, prefix, name), everything());

    // Somebody else takes it over.
    let other = workspace(servers, prefix, &changed);
    other.run(&["import", address, name]).succeeded();
    other.plan().assert_empty();
    other.run(&["state", "rm", address]).succeeded();
    for (id, why) in [
        ("nobody", "No such tenant"),
        ("a/b", "Unreadable import ID"),
    ] {
        let run = other.run(&["import", address, id]);
        assert_ne!(run.code, Some(0));
        assert!(run.errors.contains(why), "{}", run.errors);
    }

    work.destroy();
    assert_eq!(there(servers, prefix, name), Vec::<&str>::new());
    assert_eq!(record(servers, prefix, name), None);
    assert_eq!(domains(servers, prefix), json!({}));
}

#[test]
fn a_tenant_lives_on_servers_without_access_control() {
    let (servers, prefix, name) = (servers(), "tn", "tnacme");
    let work = workspace(servers, prefix, &tenant(name, ""));
    work.apply();
    work.plan().assert_empty();
    let state = work.state("oam_tenant.tnacme").unwrap();
    assert_eq!(state["namespace"], "tnacme");
    for field in [
        "nomad_policy",
        "consul_policy",
        "consul_tasks_policy",
        "consul_role",
        "consul_binding_rule",
        "consul_namespace",
        "vault_namespace",
        "vault_policy",
        "vault_role",
        "secrets_path",
        "domain",
    ] {
        assert_eq!(state[field], json!(null), "{field}");
    }
    assert!(namespace(servers, name).is_some());
    assert_eq!(
        record(servers, prefix, name).unwrap()["made"],
        json!({ "namespace": "tnacme" })
    );
    // A namespace that somebody has deleted is made again.
    servers.nomad.delete("/v1/namespace/tnacme");
    let plan = work.plan();
    assert_eq!(plan.actions("oam_tenant.tnacme"), ["update"]);
    work.apply();
    assert!(namespace(servers, name).is_some());
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(namespace(servers, name), None);
    assert_eq!(record(servers, prefix, name), None);
}

#[test]
fn another_name_is_another_tenant() {
    let (servers, prefix) = (servers(), "tr");
    let work = workspace(
        servers,
        prefix,
        &tenant("trone", "domain = \"tr.example.com\""),
    );
    work.apply();
    let id = work.state("oam_tenant.trone").unwrap()["id"].clone();
    let other = tenant("trone", "domain = \"tr.example.com\"")
        .replace("name = \"trone\"", "name = \"trtwo\"");
    work.change(&other);
    assert_eq!(
        work.plan().actions("oam_tenant.trone"),
        ["delete", "create"]
    );
    work.apply();
    work.plan().assert_empty();
    assert_ne!(work.state("oam_tenant.trone").unwrap()["id"], id);
    assert_eq!(record(servers, prefix, "trone"), None);
    assert_eq!(namespace(servers, "trone"), None);
    assert_eq!(
        domains(servers, prefix),
        json!({ "tr.example.com": "trtwo" })
    );
    work.destroy();
}

#[test]
fn what_a_tenant_cannot_be_is_told_at_its_attribute() {
    let servers = servers();
    let good = ("teacme", "ACME", "");
    for ((name, display, fields), code, summary) in [
        (("te-x", good.1, ""), "name = \"te-x\"", "Unusable name"),
        (
            ("default", good.1, ""),
            "name = \"default\"",
            "Unusable name",
        ),
        (
            (good.0, good.1, "domain = \"example\""),
            "domain = \"example\"",
            "domain of its own",
        ),
        (
            (good.0, good.1, "domain = \"a b.c\""),
            "domain = \"a b.c\"",
            "not a domain",
        ),
        ((good.0, "", ""), "display_name = \"\"", "0 characters"),
        (
            (good.0, good.1, "quotas {\n    max_jobs = -1\n  }"),
            "max_jobs = -1",
            "whole number",
        ),
        (
            (good.0, good.1, "quotas {\n    max_cpu_mhz = 1.5\n  }"),
            "max_cpu_mhz = 1.5",
            "whole number",
        ),
    ] {
        let all = format!(
            "resource \"oam_tenant\" \"it\" {{\n  name = \"{name}\"\n  display_name = \"{display}\"\n  {fields}\n}}\n"
        );
        let found = workspace(servers, "te", &all).validate();
        let one = found.iter().find(|it| it.summary.contains(summary));
        let one = one.unwrap_or_else(|| panic!("{all}: {found:?}"));
        assert_eq!(one.code, code);
    }
    // What only the provider block tells, at the plan.
    let work = workspace(servers, "teacme", &tenant("teacme", ""));
    let told = text(&work.try_plan().failed());
    assert!(told.contains("No tenant can be called"), "{told}");
    assert!(told.contains("name = \"teacme\""), "{told}");
}

#[test]
fn a_plan_that_does_not_get_to_know_the_servers_says_so() {
    let work = workspace(servers(), "tt-untold", &tenant("untold", ""));
    let consul = behind(&work, "tt-untold");
    let mut asked = 0;
    consul.rule(move |seen| {
        asked += usize::from(seen.path.starts_with("/v1/agent/version"));
        // The second plan is the one that Terraform makes in the apply.
        match asked == 2 && seen.path.starts_with("/v1/agent/version") {
            true => Action::Truncate,
            false => Action::Forward,
        }
    });
    let errors = work.try_apply().failed();
    let [error] = &errors[..] else {
        panic!("not one error: {errors:#?}")
    };
    assert_eq!(
        error.summary,
        "The tenant's Consul namespace: The answer of Consul cannot be understood"
    );
    work.apply();
    work.plan().assert_empty();
    work.destroy();
}
