//! A change of a scope and the applications in it: one plan, one apply.

use serde_json::{Value, json};

use super::{IT, at, in_scopes, namespace, pool, scope, servers, workspace};

/// The name servers of the group of a job.
fn dns(namespace: &str, id: &str) -> Value {
    let job = servers().nomad.job(namespace, id).unwrap();
    at(&job, "/TaskGroups/0/Networks/0/DNS/Servers").clone()
}

/// The application `name`, at `oam_application.<name>`.
fn named(name: &str, references: &str) -> String {
    in_scopes(name, references).replace("\"it\"", &format!("\"{name}\""))
}

#[test]
fn a_change_of_a_scope_shows_in_the_same_plan_at_those_who_use_it() {
    let mesh = |server: &str| scope("network", "mesh", &format!("dns_servers = [\"{server}\"]"));
    let rest = scope("network", "quiet", "dns_servers = [\"10.0.0.1\"]")
        + &named("sr-one", "oam_network_scope.mesh.id")
        + &named("sr-two", "\"network/mesh\"")
            .replace("\n}\n", "\n  depends_on = [oam_network_scope.mesh]\n}\n")
        + &named("sr-other", "oam_network_scope.quiet.id")
        + &named("sr-none", "");
    // The scopes and the applications in one apply.
    let work = workspace("sr-change", &(mesh("10.0.0.53") + &rest));
    let plan = work.plan();
    let planned = at(
        plan.change("oam_application.sr-one"),
        "/after/applied_scopes",
    );
    assert_eq!(planned["network/mesh"], "{\"dnsServers\":[\"10.0.0.53\"]}");
    work.apply();
    work.plan().assert_empty();
    let untouched = servers().nomad.job("default", "sr-other-job").unwrap();
    for id in ["sr-one-job", "sr-two-job"] {
        assert_eq!(dns("default", id), json!(["10.0.0.53"]));
    }

    work.change(&(mesh("10.0.0.54") + &rest));
    let plan = work.plan();
    for (address, actions) in [
        ("oam_network_scope.mesh", "update"),
        ("oam_network_scope.quiet", "no-op"),
        ("oam_application.sr-one", "update"),
        ("oam_application.sr-two", "update"),
        ("oam_application.sr-other", "no-op"),
        ("oam_application.sr-none", "no-op"),
    ] {
        assert_eq!(plan.actions(address), [actions], "{address}");
    }
    // What was planned is what is applied, from the saved plan as well.
    work.apply_plan(&plan).succeeded();
    for id in ["sr-one-job", "sr-two-job"] {
        assert_eq!(dns("default", id), json!(["10.0.0.54"]));
    }
    let now = servers().nomad.job("default", "sr-other-job").unwrap();
    assert_eq!(now["JobModifyIndex"], untouched["JobModifyIndex"]);
    work.plan().assert_empty();

    // Of the scope alone, and then of what uses it.
    work.change(&(mesh("10.0.0.55") + &rest));
    let target = [
        "apply",
        "-json",
        "-auto-approve",
        "-target=oam_network_scope.mesh",
    ];
    work.run(&target).succeeded();
    assert_eq!(dns("default", "sr-one-job"), json!(["10.0.0.54"]));
    let plan = work.plan();
    assert_eq!(plan.actions("oam_network_scope.mesh"), ["no-op"]);
    assert_eq!(plan.actions("oam_application.sr-one"), ["update"]);
    // An application brings its scope along.
    work.change(&(mesh("10.0.0.56") + &rest));
    let target = [
        "apply",
        "-json",
        "-auto-approve",
        "-target=oam_application.sr-one",
    ];
    work.run(&target).succeeded();
    assert_eq!(dns("default", "sr-one-job"), json!(["10.0.0.56"]));
    assert_eq!(dns("default", "sr-two-job"), json!(["10.0.0.54"]));
    work.apply();
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(servers().consul.keys("sr-change/"), Vec::<String>::new());
}

#[test]
fn another_namespace_moves_the_jobs_and_the_old_one_goes() {
    let with = |name: &str| {
        let fields = format!("namespace = \"{name}\"\n  create = true");
        scope("namespace", "team", &fields)
            + &named("sr-mover", "oam_namespace_scope.team.id")
            + &named("sr-follower", "oam_namespace_scope.team.id")
    };
    let nomad = &servers().nomad;
    let work = workspace("sr-move", &with("sr-before"));
    work.apply();
    work.plan().assert_empty();
    assert!(nomad.job("sr-before", "sr-mover-job").is_some());

    work.change(&with("sr-after"));
    let plan = work.plan();
    let change = plan.change("oam_application.sr-mover");
    assert_eq!(at(change, "/before/jobs/job/namespace"), "sr-before");
    assert_eq!(at(change, "/after/jobs/job/namespace"), "sr-after");
    work.apply_plan(&plan).succeeded();
    for id in ["sr-mover-job", "sr-follower-job"] {
        assert!(nomad.job("sr-after", id).is_some());
        assert_eq!(nomad.job_ids(id), [id]);
    }
    assert_eq!(
        namespace("sr-before"),
        None,
        "the last to leave takes it away"
    );
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(namespace("sr-after"), None);
    assert_eq!(nomad.job_ids("sr-mover"), Vec::<String>::new());
}

#[test]
fn what_could_not_be_left_shows_until_it_is_gone() {
    let address = "oam_node_pool_scope.gpu";
    let with = |name: &str| {
        let fields = format!("pool_name = \"{name}\"\n  create = true");
        scope("node_pool", "gpu", &fields) + &in_scopes("sr-left", "oam_node_pool_scope.gpu.id")
    };
    let nomad = &servers().nomad;
    let work = workspace("sr-left", &with("sr-left-old"));
    work.apply();
    // Somebody else's job is in it, which no apply of ours moves.
    nomad.register(&json!({
        "ID": "sr-foreign", "Name": "sr-foreign", "Type": "batch", "Datacenters": ["*"],
        "NodePool": "sr-left-old",
        "Periodic": { "Enabled": true, "Specs": ["0 0 1 1 *"], "SpecType": "cron" },
        "TaskGroups": [{ "Name": "job", "Tasks": [{
            "Name": "job", "Driver": "raw_exec", "Config": { "command": "/bin/true" },
        }]}],
    }));
    work.change(&with("sr-left-new"));
    work.apply();
    let job = nomad.job("default", "sr-left-job").unwrap();
    assert_eq!(job["NodePool"], "sr-left-new");
    assert!(pool("sr-left-old").is_some());
    let plan = work.plan();
    assert_eq!(plan.actions(address), ["update"]);
    assert_eq!(plan.actions(IT), ["no-op"]);
    assert_eq!(
        at(plan.change(address), "/before/leaving"),
        &json!(["sr-left-old"])
    );
    let run = work.apply();
    let warned: String = run
        .diagnostics
        .iter()
        .map(|it| it.summary.as_str())
        .collect();
    assert!(warned.contains("sr-left-old"), "{warned}");
    nomad.stop("default", "sr-foreign", true);
    work.apply();
    assert_eq!(pool("sr-left-old"), None);
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(pool("sr-left-new"), None);
}

#[test]
fn an_unknown_in_a_scope_is_an_unknown_in_the_application() {
    let with = |server: &str| {
        format!("resource \"terraform_data\" \"dns\" {{\n  input = \"{server}\"\n}}\n")
            + &scope(
                "network",
                "late",
                "dns_servers = [terraform_data.dns.output]",
            )
            + &in_scopes("sr-late", "oam_network_scope.late.id")
    };
    let work = workspace("sr-unknown", &with("10.0.0.53"));
    let plan = work.plan();
    let unknown = at(plan.change(IT), "/after_unknown/applied_scopes");
    assert_eq!(unknown["network/late"], true);
    work.apply_plan(&plan).succeeded();
    assert_eq!(dns("default", "sr-late-job"), json!(["10.0.0.53"]));
    work.plan().assert_empty();
    work.change(&with("10.0.0.54"));
    let plan = work.plan();
    assert_eq!(plan.actions(IT), ["update"]);
    work.apply_plan(&plan).succeeded();
    assert_eq!(dns("default", "sr-late-job"), json!(["10.0.0.54"]));
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_scope_is_renamed_before_it_is_left() {
    let with = |name: &str| {
        let fields =
            "dns_servers = [\"10.0.0.53\"]\n  lifecycle {\n    create_before_destroy = true\n  }";
        scope("network", "mesh", fields).replace("name = \"mesh\"", &format!("name = \"{name}\""))
            + &in_scopes("sr-renamed", "oam_network_scope.mesh.id")
    };
    let work = workspace("sr-rename", &with("one"));
    work.apply();
    work.change(&with("two"));
    let plan = work.plan();
    assert_eq!(plan.actions("oam_network_scope.mesh"), ["create", "delete"]);
    assert_eq!(plan.actions(IT), ["update"]);
    work.apply_plan(&plan).succeeded();
    let keys = servers().consul.keys("sr-rename/scopes/");
    assert_eq!(keys, ["sr-rename/scopes/network/two"]);
    work.plan().assert_empty();
    // Taken out of the application and away in one apply.
    work.change(&in_scopes("sr-renamed", ""));
    work.apply();
    assert_eq!(
        servers().consul.keys("sr-rename/scopes/"),
        Vec::<String>::new()
    );
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_manifest_refers_to_a_scope_as_well() {
    let with = |server: &str| {
        scope("network", "mesh", &format!("dns_servers = [\"{server}\"]"))
            + r#"
resource "oam_application" "it" {
  manifest = yamlencode({
    apiVersion = "core.oam.dev/v1alpha2"
    kind       = "Application"
    metadata   = { name = "sr-manifest" }
    spec = {
      scopes = [{ scopeRef = {
        apiVersion = "core.oam.dev/v1alpha2"
        kind       = "networkscope.nomad.oam.dev"
        name       = oam_network_scope.mesh.name
      } }]
      components = [{
        name       = "job"
        type       = "cron-task"
        properties = { image = "example/report:1", schedule = "0 0 1 1 *" }
      }]
    }
  })
}
"#
    };
    let work = workspace("sr-manifest", &with("10.0.0.53"));
    work.apply();
    work.plan().assert_empty();
    work.change(&with("10.0.0.54"));
    assert_eq!(work.plan().actions(IT), ["update"]);
    work.apply();
    assert_eq!(dns("default", "sr-manifest-job"), json!(["10.0.0.54"]));
    work.plan().assert_empty();
    work.destroy();
}
