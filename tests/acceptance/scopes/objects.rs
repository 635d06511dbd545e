//! Scopes alone: what they leave in Consul and, with and without `create`, in Nomad.

use serde_json::json;

use super::{at, namespace, pool, record, scope, servers, text, workspace};

#[test]
fn a_network_scope_lives_from_create_to_destroy() {
    let prefix = "sc-net";
    let address = "oam_network_scope.mesh";
    let work = workspace(prefix, &scope("network", "mesh", ""));
    let plan = work.plan();
    let planned = at(plan.change(address), "/after").clone();
    assert_eq!(planned["id"], "network/mesh");
    assert_eq!(planned["revision"], 1);
    work.apply();
    assert_eq!(work.state(address).unwrap(), planned);
    let made = record(prefix, "network/mesh").unwrap();
    assert_eq!(
        (&made["phase"], &made["owns"]),
        (&json!("settled"), &json!(false))
    );
    assert_eq!(made["properties"], json!({}));
    work.plan().assert_empty();

    work.change(&scope(
        "network",
        "mesh",
        "dns_servers = [\"10.0.0.53\"]\n  service_mesh = true",
    ));
    assert_eq!(work.plan().actions(address), ["update"]);
    work.apply();
    let changed = record(prefix, "network/mesh").unwrap();
    assert_eq!(
        changed["properties"],
        json!({ "dnsServers": ["10.0.0.53"], "serviceMesh": true })
    );
    assert_eq!(changed["revision"], 2);
    work.plan().assert_empty();

    // An empty list says the same as none.
    work.change(&scope("network", "mesh", "dns_servers = []"));
    work.apply();
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(
        servers().consul.keys(&format!("{prefix}/")),
        Vec::<String>::new()
    );
}

#[test]
fn a_namespace_scope_makes_its_namespace_and_takes_it_away() {
    let prefix = "sc-ns";
    let address = "oam_namespace_scope.team";
    let with = |more: &str| {
        scope(
            "namespace",
            "team",
            &format!("namespace = \"sc-team\"\n  create = true\n  {more}"),
        )
    };
    let work = workspace(prefix, &with("description = \"one\""));
    work.apply();
    let live = namespace("sc-team").unwrap();
    assert_eq!(live["Description"], "one");
    assert_eq!(at(&live, "/Meta/oam.scope"), "namespace/team");
    assert_eq!(at(&live, "/Meta/oam.prefix"), prefix);
    let made = record(prefix, "namespace/team").unwrap();
    assert_eq!(made["owns"], true);
    assert_eq!(made["properties"], json!({ "namespace": "sc-team" }));
    work.plan().assert_empty();

    work.change(&with("description = \"two\""));
    assert_eq!(work.plan().actions(address), ["update"]);
    work.apply();
    assert_eq!(namespace("sc-team").unwrap()["Description"], "two");
    work.plan().assert_empty();

    // Without a description, and with an empty one.
    for more in ["", "description = \"\""] {
        work.change(&with(more));
        work.apply();
        assert_eq!(namespace("sc-team").unwrap()["Description"], "");
        work.plan().assert_empty();
    }
    work.destroy();
    assert_eq!(namespace("sc-team"), None);
    assert_eq!(record(prefix, "namespace/team"), None);
}

#[test]
fn a_node_pool_scope_makes_its_pool_and_takes_it_away() {
    let prefix = "sc-pool";
    let with = |description: &str| {
        let constraint =
            "constraint {\n    attribute = \"node.class\"\n    value     = \"big\"\n  }";
        scope(
            "node_pool",
            "gpu",
            &format!(
                "pool_name = \"sc_gpu\"\n  create = true\n  description = \"{description}\"\n  {constraint}"
            ),
        )
    };
    let work = workspace(prefix, &with("one"));
    work.apply();
    let live = pool("sc_gpu").unwrap();
    assert_eq!(live["Description"], "one");
    assert_eq!(at(&live, "/Meta/oam.scope"), "node-pool/gpu");
    work.plan().assert_empty();
    work.change(&with("two"));
    work.apply();
    assert_eq!(pool("sc_gpu").unwrap()["Description"], "two");
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(pool("sc_gpu"), None);
}

#[test]
fn a_scope_that_only_refers_changes_nothing_in_nomad() {
    let prefix = "sc-refer";
    servers().nomad.namespace("sc-others");
    let before = namespace("sc-others").unwrap();
    let work = workspace(
        prefix,
        &(scope("namespace", "others", "namespace = \"sc-others\"")
            + &scope(
                "node_pool",
                "usual",
                "pool_name = \"default\"\n  datacenter = [\"dc1\"]",
            )),
    );
    work.apply();
    work.plan().assert_empty();
    assert_eq!(
        work.state("oam_namespace_scope.others").unwrap()["create"],
        false
    );
    work.destroy();
    assert_eq!(namespace("sc-others").unwrap(), before);
    assert!(pool("default").is_some());
    servers().nomad.delete("/v1/namespace/sc-others");
}

#[test]
fn what_is_referred_to_and_not_there_is_told() {
    let prefix = "sc-absent";
    let work = workspace(
        prefix,
        &scope("namespace", "none", "namespace = \"sc-nobodys\""),
    );
    let told = text(&work.try_apply().failed());
    assert!(
        told.contains("sc-nobodys") && told.contains("create = true"),
        "{told}"
    );
    assert!(
        told.contains("namespace = \"sc-nobodys\""),
        "not at the attribute: {told}"
    );
    assert_eq!(record(prefix, "namespace/none"), None);
    // Nomad makes a pool by itself, when the first node registers.
    work.change(&scope("node_pool", "none", "pool_name = \"sc-nobodys\""));
    let run = work.apply();
    let warned: Vec<_> = run
        .diagnostics
        .iter()
        .map(|it| it.summary.as_str())
        .collect();
    assert!(
        warned.iter().any(|it| it.contains("sc-nobodys")),
        "{warned:?}"
    );
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn what_somebody_else_has_made_is_not_taken_over() {
    let prefix = "sc-exists";
    servers().nomad.namespace("sc-taken");
    servers()
        .nomad
        .put("/v1/node/pool/sc-taken", &json!({ "Name": "sc-taken" }));
    let before = (namespace("sc-taken"), pool("sc-taken"));
    for (kind, field) in [("namespace", "namespace"), ("node_pool", "pool_name")] {
        let fields = format!("{field} = \"sc-taken\"");
        let work = workspace(
            prefix,
            &scope(kind, "mine", &format!("{fields}\n  create = true")),
        );
        let told = text(&work.try_apply().failed());
        assert!(
            told.contains("already exists") && told.contains("create = false"),
            "{told}"
        );
        assert_eq!(
            servers().consul.keys(&format!("{prefix}/")),
            Vec::<String>::new()
        );
        // Nor when it was referred to so far; the scope can be used as before.
        work.change(&scope(kind, "mine", &fields));
        work.apply();
        work.change(&scope(kind, "mine", &format!("{fields}\n  create = true")));
        let told = text(&work.try_apply().failed());
        assert!(told.contains("already exists"), "{told}");
        work.change(&scope(kind, "mine", &fields));
        work.plan().assert_empty();
        work.destroy();
    }
    // Another scope's is somebody else's.
    let owner = scope(
        "namespace",
        "owner",
        "namespace = \"sc-owned\"\n  create = true",
    );
    let first = workspace(prefix, &owner);
    first.apply();
    let second = workspace("sc-exists-2", &owner);
    let told = text(&second.try_apply().failed());
    assert!(
        told.contains("namespace/owner") && told.contains(prefix),
        "{told}"
    );
    first.destroy();
    assert_eq!((namespace("sc-taken"), pool("sc-taken")), before);
    servers().nomad.delete("/v1/namespace/sc-taken");
    servers().nomad.delete("/v1/node/pool/sc-taken");
}

#[test]
fn what_is_handed_over_stays() {
    let prefix = "sc-hand";
    let with = |create: bool| {
        scope(
            "namespace",
            "team",
            &format!("namespace = \"sc-handed\"\n  create = {create}"),
        )
    };
    let work = workspace(prefix, &with(true));
    work.apply();
    work.change(&with(false));
    assert_eq!(work.plan().actions("oam_namespace_scope.team"), ["update"]);
    work.apply();
    let live = namespace("sc-handed").unwrap();
    assert_eq!(live["Meta"].get("oam.scope"), None, "{live:#}");
    assert_eq!(record(prefix, "namespace/team").unwrap()["owns"], false);
    work.plan().assert_empty();
    work.destroy();
    assert!(namespace("sc-handed").is_some());
    servers().nomad.delete("/v1/namespace/sc-handed");
}

#[test]
fn drift_of_what_a_scope_has_made_is_repaired() {
    let prefix = "sc-drift";
    let address = "oam_namespace_scope.team";
    let fields = "namespace = \"sc-drifting\"\n  create = true\n  description = \"ours\"";
    let work = workspace(prefix, &scope("namespace", "team", fields));
    work.apply();
    let nomad = &servers().nomad;

    let mut edited = namespace("sc-drifting").unwrap();
    edited["Description"] = "theirs".into();
    nomad.put("/v1/namespace/sc-drifting", &edited);
    let plan = work.plan();
    assert_eq!(at(plan.change(address), "/before/description"), "theirs");
    assert_eq!(at(plan.change(address), "/after/description"), "ours");
    work.apply();
    assert_eq!(namespace("sc-drifting").unwrap()["Description"], "ours");
    work.plan().assert_empty();

    // Replaced by one that says nothing of who made it.
    nomad.put(
        "/v1/namespace/sc-drifting",
        &json!({ "Name": "sc-drifting" }),
    );
    assert_eq!(at(work.plan().change(address), "/before/create"), false);
    work.apply();
    let live = namespace("sc-drifting").unwrap();
    assert_eq!(at(&live, "/Meta/oam.scope"), "namespace/team");
    assert_eq!(live["Description"], "ours");

    nomad.delete("/v1/namespace/sc-drifting");
    let plan = work.plan();
    assert_eq!(plan.actions(address), ["update"]);
    assert_eq!(at(plan.change(address), "/before/create"), false);
    work.apply();
    assert_eq!(namespace("sc-drifting").unwrap()["Description"], "ours");
    work.plan().assert_empty();

    // The record, too.
    let key = format!("{prefix}/scopes/namespace/team");
    servers().consul.delete(&format!("/v1/kv/{key}"));
    assert_eq!(work.plan().actions(address), ["create"]);
    work.apply();
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(namespace("sc-drifting"), None);
}

#[test]
fn what_is_not_ours_any_more_is_left_alone_by_a_destroy() {
    let work = workspace(
        "sc-alone",
        &scope(
            "node_pool",
            "gpu",
            "pool_name = \"sc-alone\"\n  create = true",
        ),
    );
    work.apply();
    servers()
        .nomad
        .put("/v1/node/pool/sc-alone", &json!({ "Name": "sc-alone" }));
    let run = work.destroy();
    let warned: String = run
        .diagnostics
        .iter()
        .map(|it| it.summary.as_str())
        .collect();
    assert!(warned.contains("left alone"), "{warned}");
    assert!(pool("sc-alone").is_some());
    servers().nomad.delete("/v1/node/pool/sc-alone");
}

#[test]
fn a_namespace_that_is_not_empty_stays_until_it_is() {
    let prefix = "sc-full";
    let fields = "namespace = \"sc-full\"\n  create = true";
    let work = workspace(prefix, &scope("namespace", "full", fields));
    work.apply();
    servers().nomad.put(
        "/v1/var/some/secret?namespace=sc-full",
        &json!({ "Path": "some/secret", "Namespace": "sc-full", "Items": { "a": "b" } }),
    );
    let run = work.run(&["destroy", "-json", "-auto-approve"]);
    let told = text(&run.failed());
    assert!(
        told.contains("not empty") && told.contains("variables"),
        "{told}"
    );
    assert_eq!(
        record(prefix, "namespace/full").unwrap()["phase"],
        "destroying"
    );
    // An apply turns it back.
    work.apply();
    assert_eq!(
        record(prefix, "namespace/full").unwrap()["phase"],
        "settled"
    );
    work.plan().assert_empty();
    work.run(&["destroy", "-json", "-auto-approve"]).failed();
    servers()
        .nomad
        .delete("/v1/var/some/secret?namespace=sc-full");
    // And another destroy goes on.
    work.destroy();
    assert_eq!(namespace("sc-full"), None);
    assert_eq!(record(prefix, "namespace/full"), None);
}

#[test]
fn a_quota_needs_nomad_enterprise() {
    let prefix = "sc-quota";
    let fields = "namespace = \"sc-quota\"\n  create = true\n  quota = \"small\"";
    let work = workspace(prefix, &scope("namespace", "q", fields));
    let errors = work.try_apply().failed();
    let told = text(&errors);
    assert!(
        told.contains("quota = \"small\""),
        "not at the attribute: {told}"
    );
    assert!(
        told.contains("Enterprise") && told.contains("non-existent"),
        "{told}"
    );
    assert_eq!(namespace("sc-quota"), None);
    assert_eq!(record(prefix, "namespace/q"), None);
    // Of a scope that is there, too: it can be used as before.
    let without = scope(
        "namespace",
        "q",
        "namespace = \"sc-quota\"\n  create = true",
    );
    work.change(&without);
    work.apply();
    work.change(&scope("namespace", "q", fields));
    work.try_apply().failed();
    assert_eq!(record(prefix, "namespace/q").unwrap()["phase"], "settled");
    work.change(&without);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn another_name_in_nomad_is_made_first_and_the_old_one_goes() {
    let prefix = "sc-rename";
    let with = |name: &str| {
        scope(
            "node_pool",
            "gpu",
            &format!("pool_name = \"{name}\"\n  create = true"),
        )
    };
    let work = workspace(prefix, &with("sc-old"));
    work.apply();
    work.change(&with("sc-new"));
    assert_eq!(work.plan().actions("oam_node_pool_scope.gpu"), ["update"]);
    work.apply();
    assert!(pool("sc-new").is_some());
    assert_eq!(pool("sc-old"), None);
    work.plan().assert_empty();
    // Another name of the scope is another scope, and cannot have the same pool before that is gone.
    work.change(&with("sc-new").replace("name = \"gpu\"", "name = \"other\""));
    assert_eq!(
        work.plan().actions("oam_node_pool_scope.gpu"),
        ["delete", "create"]
    );
    work.apply();
    assert_eq!(
        at(&pool("sc-new").unwrap(), "/Meta/oam.scope"),
        "node-pool/other"
    );
    assert_eq!(record(prefix, "node-pool/gpu"), None);
    work.destroy();
    assert_eq!(pool("sc-new"), None);
}

#[test]
fn mistakes_are_told_at_their_attribute() {
    for (kind, fields, says, code) in [
        ("network", "subnet = \"10.0.0.0/24\"", "overlay", "subnet"),
        (
            "network",
            "network_mode = \"vlan\"",
            "overlay",
            "network_mode",
        ),
        (
            "namespace",
            "namespace = \"a_b\"",
            "underscore",
            "namespace",
        ),
        (
            "namespace",
            "namespace = \"default\"\n  create = true",
            "Nomad's own",
            "namespace",
        ),
        (
            "namespace",
            "namespace = \"a\"\n  description = \"x\"",
            "create",
            "description",
        ),
        (
            "namespace",
            "namespace = \"a\"\n  quota = \"x\"",
            "create",
            "quota",
        ),
        ("node_pool", "create = true", "pool_name", "resource"),
        (
            "node_pool",
            "pool_name = \"all\"\n  create = true",
            "Nomad's own",
            "pool_name",
        ),
        (
            "node_pool",
            "constraint {\n    attribute = \"node.class\"\n    value = \"\"\n  }",
            "empty",
            "value",
        ),
    ] {
        let work = workspace("sc-mistakes", &scope(kind, "x", fields));
        let errors = work.validate();
        assert_eq!(errors.len(), 1, "{fields}: {errors:?}");
        let whole = format!("{} {}", errors[0].summary, errors[0].detail);
        assert!(
            whole.to_lowercase().contains(&says.to_lowercase()),
            "{fields}: {whole}"
        );
        assert!(
            errors[0].code.starts_with(code),
            "{fields}: {:?}",
            errors[0]
        );
    }
    let work = workspace("sc-mistakes", &scope("network", "Big", ""));
    assert_eq!(work.validate()[0].code, "name = \"Big\"");
    // What is unknown is passed over, and checked when it is known.
    let unknown = "resource \"terraform_data\" \"x\" {\n  input = \"a_b\"\n}\n".to_owned()
        + &scope("namespace", "late", "namespace = terraform_data.x.output");
    work.change(&unknown);
    assert_eq!(work.validate().len(), 0);
    let told = text(&work.try_apply().failed());
    assert!(told.contains("underscore"), "{told}");
}

#[test]
fn a_scope_is_imported_by_its_name_and_by_its_id() {
    let prefix = "sc-import";
    let address = "oam_namespace_scope.team";
    let fields = "namespace = \"sc-imported\"\n  create = true\n  description = \"ours\"";
    let configuration = scope("namespace", "team", fields);
    let first = workspace(prefix, &configuration);
    first.apply();
    for id in ["team", "namespace/team"] {
        let second = workspace(prefix, &configuration);
        second
            .run(&["import", "-no-color", address, id])
            .succeeded();
        second.plan().assert_empty();
    }
    let other = workspace(prefix, &configuration);
    for (id, says) in [
        ("nobody", "nobody"),
        ("network/team", "another kind"),
        ("a/b/c", "NAME"),
    ] {
        let run = other.run(&["import", "-no-color", address, id]);
        assert_ne!(run.code, Some(0));
        assert!(run.errors.contains(says), "{id}: {}", run.errors);
    }
    // One that is there is not created again.
    let told = text(&other.try_apply().failed());
    assert!(told.contains("terraform import"), "{told}");
    first.destroy();
}
