//! The options of a plan: a target, no refresh, a refresh alone, a replacement; and tainted objects.

use super::{application, at, created, greeting, index, job, part, record, text};
use crate::ADDRESS;
use crate::support::{Workspace, servers};

/// Two applications and what only one of them needs.
fn pair(a: &str, b: &str) -> String {
    let both = application("guar-target-a", &part("job", a)).replace("\"it\"", "\"a\"")
        + &application("guar-target-b", &part("job", b)).replace("\"it\"", "\"b\"");
    both + "output \"revision\" {\n  value = oam_application.a.revision\n}\n"
}

#[test]
fn a_target_touches_nothing_else() {
    let servers = servers();
    let work = Workspace::new(servers, &pair("1", "1"));
    let one = [
        "apply",
        "-json",
        "-auto-approve",
        "-target=oam_application.a",
    ];
    work.run(&one).succeeded();
    assert_eq!(servers.nomad.job_ids("guar-target"), ["guar-target-a-job"]);
    assert_eq!(record("guar-target-b"), None);
    work.apply();
    let before = index("guar-target-b-job");
    work.change(&pair("2", "2"));
    work.run(&one).succeeded();
    assert_eq!(greeting("guar-target-a-job"), "2");
    assert_eq!(index("guar-target-b-job"), before);
    assert_eq!(work.plan().actions("oam_application.b"), ["update"]);
    work.run(&[
        "destroy",
        "-json",
        "-auto-approve",
        "-target=oam_application.a",
    ])
    .succeeded();
    assert_eq!(servers.nomad.job_ids("guar-target"), ["guar-target-b-job"]);
    work.destroy();
}

#[test]
fn a_plan_without_a_refresh_overwrites_nothing_it_has_not_seen() {
    let name = "guar-stale";
    let work = Workspace::new(servers(), &application(name, &part("job", "1")));
    work.apply();
    work.plan_with(&["-refresh=false"]).assert_empty();
    // Without a change from outside it is as good as with one.
    work.change(&application(name, &part("job", "2")));
    let plan = work.plan_with(&["-refresh=false"]);
    work.apply_plan(&plan).succeeded();
    assert_eq!(greeting("guar-stale-job"), "2");
    work.plan_with(&["-refresh=false"]).assert_empty();

    servers().nomad.edit("default", "guar-stale-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = "outsider".into();
    });
    work.plan_with(&["-refresh=false"]).assert_empty();
    work.change(&application(name, &part("job", "3")));
    let plan = work.plan_with(&["-refresh=false"]);
    let told = text(&work.apply_plan(&plan).failed());
    assert!(
        told.contains("guar-stale-job has changed since the plan"),
        "{told}"
    );
    assert_eq!(greeting("guar-stale-job"), "outsider");
    work.apply();
    assert_eq!(greeting("guar-stale-job"), "3");
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_refresh_alone_shows_and_stores_drift_and_writes_nothing() {
    let name = "guar-refresh";
    let work = Workspace::new(
        servers(),
        &application(name, &(part("job", "1") + &part("other", "1"))),
    );
    work.apply();
    servers().nomad.edit("default", "guar-refresh-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = "outsider".into();
        job["Priority"] = 70.into();
    });
    let (live, kept) = (index("guar-refresh-job"), record(name));
    let plan = work.plan_with(&["-refresh-only"]);
    let drift = plan.drift(ADDRESS).unwrap();
    assert_eq!(at(drift, "/before/component/job/env/A"), "1");
    assert_eq!(at(drift, "/after/component/job/env/A"), "outsider");
    assert_eq!(
        at(drift, "/after/drift/0/path"),
        "guar-refresh-job/Priority"
    );
    work.run(&["apply", "-refresh-only", "-json", "-auto-approve"])
        .succeeded();
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(at(&state, "/component/job/env/A"), "outsider");
    assert_eq!(at(&state, "/drift/0/live"), "70");
    assert_eq!((index("guar-refresh-job"), record(name)), (live, kept));

    // It is in the state and no news any more, and what the configuration says still counts.
    let other = index("guar-refresh-other");
    let plan = work.plan();
    assert!(plan.drift(ADDRESS).is_none());
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    work.apply_plan(&plan).succeeded();
    assert_eq!(greeting("guar-refresh-job"), "1");
    assert_eq!(job("guar-refresh-job")["Priority"], 50);
    assert_eq!(index("guar-refresh-other"), other);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_forced_replacement_and_a_tainted_application_are_made_anew_once() {
    let name = "guar-anew";
    let work = Workspace::new(servers(), &application(name, &part("job", "1")));
    work.apply();
    work.change(&application(name, &part("job", "2")));
    work.apply();
    let mut before = created("guar-anew-job");
    let replace = format!("-replace={ADDRESS}");
    let plan = work.plan_with(&[&replace]);
    assert_eq!(plan.actions(ADDRESS), ["delete", "create"]);
    work.apply_plan(&plan).succeeded();
    assert_ne!(created("guar-anew-job"), before);
    assert_eq!(work.state(ADDRESS).unwrap()["revision"], 1);
    assert_eq!(record(name).unwrap()["revision"], 1);
    work.plan().assert_empty();

    before = created("guar-anew-job");
    work.run(&["taint", ADDRESS]).succeeded();
    assert!(work.tainted(ADDRESS));
    assert_eq!(work.plan().actions(ADDRESS), ["delete", "create"]);
    work.run(&["untaint", ADDRESS]).succeeded();
    work.plan().assert_empty();
    assert_eq!(created("guar-anew-job"), before);
    work.run(&["taint", ADDRESS]).succeeded();
    work.apply();
    assert_ne!(created("guar-anew-job"), before);
    assert!(!work.tainted(ADDRESS));
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(record(name), None);
}
