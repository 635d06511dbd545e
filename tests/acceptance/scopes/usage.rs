//! What is in use stays, and what the data sources say of it.

use serde_json::json;

use super::{IT, in_scopes, namespace, record, scope, servers, text, workspace};

#[test]
fn a_scope_that_another_workspace_uses_is_not_destroyed() {
    let prefix = "su-shared";
    let fields = "namespace = \"su-shared\"\n  create = true";
    let first = workspace(prefix, &scope("namespace", "team", fields));
    first.apply();
    let second = workspace(prefix, &in_scopes("su-user", "\"namespace/team\""));
    second.apply();
    let before = (record(prefix, "namespace/team"), namespace("su-shared"));
    let run = first.run(&["destroy", "-json", "-auto-approve"]);
    let told = text(&run.failed());
    assert!(
        told.contains("in use") && told.contains("default/su-user"),
        "{told}"
    );
    assert_eq!(
        (record(prefix, "namespace/team"), namespace("su-shared")),
        before
    );
    // All goes on: the scope is in the state, and the application can be changed.
    first.plan().assert_empty();
    let more = in_scopes("su-user", "\"namespace/team\"").replace("report:1", "report:2");
    second.change(&more);
    second.apply();
    // A change shows in the other workspace's next plan.
    servers().nomad.namespace("su-shared-2");
    first.change(&scope("namespace", "team", "namespace = \"su-shared-2\""));
    first.apply();
    assert_eq!(second.plan().actions(IT), ["update"]);
    second.apply();
    assert!(servers().nomad.job("su-shared-2", "su-user-job").is_some());
    second.plan().assert_empty();
    second.destroy();
    first.destroy();
    // It was made here, and handed over with the rename to one that was not.
    assert!(namespace("su-shared").is_some());
    servers().nomad.delete("/v1/namespace/su-shared");
    servers().nomad.delete("/v1/namespace/su-shared-2");
}

#[test]
fn an_application_and_its_scope_come_and_go_together() {
    let prefix = "su-together";
    let fields = "namespace = \"su-together\"\n  create = true";
    let both = scope("namespace", "team", fields)
        + &in_scopes("su-together", "oam_namespace_scope.team.id");
    let work = workspace(prefix, &both);
    work.apply();
    let plan = work.plan();
    plan.assert_empty();
    // Both taken out of the configuration at once.
    work.change("");
    work.apply();
    assert_eq!(
        servers().consul.keys(&format!("{prefix}/")),
        Vec::<String>::new()
    );
    assert_eq!(namespace("su-together"), None);
    assert_eq!(servers().nomad.job_ids("su-together"), Vec::<String>::new());
}

#[test]
fn a_scope_that_was_overtaken_is_not_overwritten() {
    let prefix = "su-overtaken";
    let with = |server: &str| scope("network", "mesh", &format!("dns_servers = [\"{server}\"]"));
    let first = workspace(prefix, &with("10.0.0.1"));
    first.apply();
    let second = first.fork();
    first.change(&with("10.0.0.2"));
    let plan = first.plan();
    second.change(&with("10.0.0.3"));
    second.apply();
    let now = record(prefix, "network/mesh");
    let told = text(&first.apply_plan(&plan).failed());
    assert!(told.contains("changed since the plan"), "{told}");
    let stale = ["apply", "-json", "-auto-approve", "-refresh=false"];
    let told = text(&first.run(&stale).failed());
    assert!(told.contains("Run the plan again"), "{told}");
    let stale = ["destroy", "-json", "-auto-approve", "-refresh=false"];
    let told = text(&first.run(&stale).failed());
    assert!(told.contains("Run the plan again"), "{told}");
    assert_eq!(record(prefix, "network/mesh"), now);
    first.apply();
    first.plan().assert_empty();
    first.destroy();
}

#[test]
fn data_sources_say_what_a_scope_is_and_who_uses_it() {
    let prefix = "su-data";
    let constraint = "constraint {\n    attribute = \"node.class\"\n    value     = \"big\"\n  }";
    let first = workspace(
        prefix,
        &(scope(
            "node_pool",
            "gpu",
            &format!("datacenter = [\"dc1\"]\n  {constraint}"),
        ) + &scope("network", "mesh", "service_mesh = true")
            + &in_scopes("su-data", "oam_node_pool_scope.gpu.id")),
    );
    first.apply();
    let second = workspace(
        prefix,
        "data \"oam_node_pool_scope\" \"gpu\" {\n  name = \"gpu\"\n}\n\
         data \"oam_network_scope\" \"mesh\" {\n  name = \"mesh\"\n}\n",
    );
    second.apply();
    let gpu = second.state("data.oam_node_pool_scope.gpu").unwrap();
    assert_eq!(gpu["id"], "node-pool/gpu");
    assert_eq!(gpu["revision"], 1);
    assert_eq!(gpu["datacenter"], json!(["dc1"]));
    assert_eq!(gpu["pool_name"], json!(null));
    assert_eq!(
        gpu["constraint"],
        json!([{ "attribute": "node.class", "operator": null, "value": "big" }])
    );
    assert_eq!(gpu["applications"], json!(["default/su-data"]));
    let mesh = second.state("data.oam_network_scope.mesh").unwrap();
    assert_eq!(mesh["service_mesh"], true);
    assert_eq!(mesh["applications"], json!([]));
    second.change("data \"oam_namespace_scope\" \"none\" {\n  name = \"none\"\n}\n");
    let told = text(&second.try_plan().failed());
    assert!(
        told.contains("No such scope") && told.contains("namespace/none"),
        "{told}"
    );
    first.destroy();
}

#[test]
fn a_scope_is_left_before_it_is_destroyed() {
    let prefix = "su-leave";
    let mesh = scope("network", "mesh", "");
    let work = workspace(
        prefix,
        &(mesh.clone() + &in_scopes("su-leave", "oam_network_scope.mesh.id")),
    );
    work.apply();
    // Terraform destroys the scope first, which is refused.
    work.change(&in_scopes("su-leave", ""));
    let told = text(&work.try_apply().failed());
    assert!(
        told.contains("in use") && told.contains("create_before_destroy"),
        "{told}"
    );
    assert!(record(prefix, "network/mesh").is_some());
    work.change(&(mesh + &in_scopes("su-leave", "")));
    work.apply();
    work.change(&in_scopes("su-leave", ""));
    work.apply();
    assert_eq!(record(prefix, "network/mesh"), None);
    work.plan().assert_empty();
    work.destroy();
}
