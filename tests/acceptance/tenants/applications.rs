//! Tenants and their applications.

use super::super::ADDRESS as IT;
use super::{application_of, namespace, record, tenant, text, workspace};
use crate::support::servers;

#[test]
fn a_tenant_and_its_application_are_made_and_destroyed_together() {
    let (servers, prefix) = (servers(), "ta");
    let both = tenant("taacme", "") + &application_of("ta-shop", "oam_tenant.taacme.name");
    let work = workspace(servers, prefix, &both);
    work.apply();
    work.plan().assert_empty();
    assert!(servers.nomad.job("taacme", "ta-shop-job").is_some());
    // The tenant alone cannot go.
    let fork = work.fork();
    fork.run(&["state", "rm", IT]).succeeded();
    fork.change(&tenant("taacme", ""));
    let told = text(&fork.run(&["destroy", "-json", "-auto-approve"]).failed());
    assert!(told.contains("taacme/ta-shop"), "{told}");
    assert_eq!(
        record(servers, prefix, "taacme").unwrap()["phase"],
        "settled"
    );
    assert!(namespace(servers, "taacme").is_some());
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(namespace(servers, "taacme"), None);
    assert_eq!(
        servers.consul.keys(&format!("{prefix}/")),
        ["ta/domains"; 0]
    );
}

#[test]
fn a_tenant_that_is_not_active_gets_nothing_new() {
    let (servers, prefix) = (servers(), "ti");
    let owner = workspace(servers, prefix, &tenant("tiacme", ""));
    owner.apply();
    let shop = application_of("ti-shop", "\"tiacme\"");
    let user = workspace(servers, prefix, &shop);
    user.apply();
    owner.change(&tenant("tiacme", "active = false"));
    owner.apply();
    // What runs goes on, and the plan without a change is empty.
    user.plan().assert_empty();
    assert!(servers.nomad.job("tiacme", "ti-shop-job").is_some());
    let changed = shop.replace("example/report:1", "example/report:2");
    user.change(&changed);
    let told = text(&user.try_plan().failed());
    assert!(told.contains("tenant tiacme is not active"), "{told}");
    assert!(told.contains("tenant = \"tiacme\""), "{told}");
    let other = workspace(servers, prefix, &application_of("ti-new", "\"tiacme\""));
    let told = text(&other.try_apply().failed());
    assert!(told.contains("not active"), "{told}");
    // A plan from before does not get through.
    owner.change(&tenant("tiacme", ""));
    owner.apply();
    let plan = user.plan();
    owner.change(&tenant("tiacme", "active = false"));
    owner.apply();
    let told = text(&user.apply_plan(&plan).failed());
    assert!(told.contains("not active"), "{told}");
    assert_eq!(
        servers.consul.record(prefix, "tiacme", "ti-shop").unwrap()["revision"],
        1
    );
    // It is activated and the application changes in the same run.
    let both = tenant("tiacme", "active = true")
        + &changed.replace("\"tiacme\"", "oam_tenant.tiacme.name");
    user.change(&both);
    user.run(&["import", "oam_tenant.tiacme", "tiacme"])
        .succeeded();
    user.apply();
    user.plan().assert_empty();
    // And destroyed while the tenant is not active.
    user.change(&both.replace("active = true", "active = false"));
    user.apply();
    user.destroy();
    assert_eq!(namespace(servers, "tiacme"), None);
}

#[test]
fn an_application_of_a_tenant_that_nobody_manages_goes_on_as_before() {
    let (servers, prefix) = (servers(), "tu");
    servers.nomad.namespace("tuacme");
    let user = workspace(servers, prefix, &application_of("tu-shop", "\"tuacme\""));
    user.apply();
    user.plan().assert_empty();
    // Its namespace is somebody's own, and no tenant's.
    let owner = workspace(servers, prefix, &tenant("tuacme", ""));
    let told = text(&owner.try_apply().failed());
    assert!(told.contains("already exists"), "{told}");
    user.destroy();
    servers.nomad.delete("/v1/namespace/tuacme");
}

#[test]
fn an_application_whose_tenant_goes_in_the_same_plan_is_told_so() {
    let (servers, prefix) = (servers(), "tg");
    let both = tenant("tgacme", "")
        + &application_of("tg-shop", "\"tgacme\"")
            .replace("  tenant", "  depends_on = [oam_tenant.tgacme]\n  tenant");
    let work = workspace(servers, prefix, &both);
    work.apply();
    let renamed = both
        .replace("name = \"tgacme\"", "name = \"tgother\"")
        .replace("report:1", "report:2");
    work.change(&renamed);
    let told = text(&work.try_plan().failed());
    assert!(told.contains("tgacme is destroyed in this plan"), "{told}");
    work.change(&both);
    work.destroy();
}
