//! Of several components, some are done and some fail.

use serde_json::json;

use super::{application, at, created, index, part, record, text};
use crate::ADDRESS;
use crate::support::{Workspace, servers};

/// Takes the name of a job of an application.
fn occupy(id: &str) {
    servers().nomad.register(&json!({
        "ID": id, "Name": id, "Type": "batch", "Datacenters": ["*"],
        "Periodic": { "Enabled": true, "Specs": ["0 0 1 1 *"], "SpecType": "cron" },
        "TaskGroups": [{ "Name": "job", "Tasks": [{
            "Name": "job", "Driver": "raw_exec", "Config": { "command": "/bin/true" },
        }]}],
    }));
}

#[test]
fn of_an_update_that_fails_half_way_the_rest_is_done_next() {
    let name = "guar-half";
    let work = Workspace::new(servers(), &application(name, &part("a", "1")));
    work.apply();
    occupy("guar-half-b");
    let all = part("a", "2") + &part("b", "2") + &part("c", "2");
    work.change(&application(name, &all));
    let told = text(&work.try_apply().failed());
    assert!(told.contains("guar-half-b already exists"), "{told}");
    let state = work.state(ADDRESS).unwrap();
    assert!(!work.tainted(ADDRESS));
    assert_eq!(state["status"], "applying");
    assert_eq!(at(&state, "/component/a/env/A"), "2");
    let components = state["component"].as_object().unwrap();
    assert_eq!(components.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(servers().nomad.job("default", "guar-half-c"), None);

    let before = index("guar-half-a");
    servers().nomad.stop("default", "guar-half-b", true);
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    assert_eq!(
        at(change, "/before/component/a"),
        at(change, "/after/component/a")
    );
    work.apply_plan(&plan).succeeded();
    assert_eq!(index("guar-half-a"), before, "it was written twice");
    let jobs = servers().nomad.job_ids("guar-half-");
    assert_eq!(jobs, ["guar-half-a", "guar-half-b", "guar-half-c"]);
    assert_eq!(work.state(ADDRESS).unwrap()["status"], "settled");
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_creation_that_fails_half_way_is_in_the_state_and_made_anew() {
    let name = "guar-begun";
    occupy("guar-begun-b");
    let all = part("a", "1") + &part("b", "1") + &part("c", "1");
    let work = Workspace::new(servers(), &application(name, &all));
    let told = text(&work.try_apply().failed());
    assert!(told.contains("guar-begun-b already exists"), "{told}");
    // Terraform taints whatever fails in its creation.
    assert!(work.tainted(ADDRESS));
    let state = work.state(ADDRESS).unwrap();
    let components = state["component"].as_object().unwrap();
    assert_eq!(components.keys().collect::<Vec<_>>(), ["a"]);
    let mine = created("guar-begun-b");
    servers().nomad.stop("default", "guar-begun-b", true);
    work.apply();
    let jobs = servers().nomad.job_ids("guar-begun-");
    assert_eq!(jobs, ["guar-begun-a", "guar-begun-b", "guar-begun-c"]);
    assert_ne!(created("guar-begun-b"), mine);
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(record(name), None);
}
