//! Jobs written by hand that an application takes over as they run, by an import of their IDs.

use super::applies::{APPLY, crash, for_each_crash, gone, settled, two};
use super::support::{Workspace, servers};
use super::{ADDRESS, application, at, worker, yearly};
use serde_json::{Value, json};

/// A service written by hand, unlike anything that a component would make.
fn by_hand(id: &str, more: &Value) {
    let mut job = json!({
        "ID": id, "Name": "by hand", "Type": "service", "Datacenters": ["*"], "Priority": 40,
        "TaskGroups": [{ "Name": "group", "Tasks": [{
            "Name": "task", "Driver": "raw_exec",
            "Config": { "command": "/bin/sleep", "args": ["100000"] },
            "Resources": { "CPU": 20, "MemoryMB": 20 },
        }] }],
    });
    for (name, value) in more.as_object().unwrap() {
        job[name] = value.clone();
    }
    servers().nomad.register(&job);
}

/// A periodic job written by hand, as `yearly` would make one.
fn yearly_by_hand(id: &str) {
    let periodic = json!({ "Enabled": true, "Specs": ["0 0 2 2 *"], "SpecType": "cron" });
    by_hand(id, &json!({ "Type": "batch", "Periodic": periodic }));
}

fn import(id: &str) -> String {
    format!("import {{\n  to = {ADDRESS}\n  id = \"{id}\"\n}}\n")
}

fn job(id: &str) -> Value {
    servers().nomad.job("default", id).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array().unwrap().iter();
    list.map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn a_job_written_by_hand_is_taken_over_as_the_plan_says() {
    by_hand("taken-over-web", &json!({}));
    let before = job("taken-over-web");
    let configuration = application(
        "taken-over",
        &(worker("web", "") + &yearly("job", "image = \"a:1\"")),
    );
    let id = "nomad:default/taken-over-web";
    let work = Workspace::new(servers(), &(configuration.clone() + &import(id)));
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    let change = plan.change(ADDRESS);
    assert_eq!(at(change, "/importing/id"), id);
    assert_eq!(at(change, "/after/component/web/command/0"), "/bin/sleep");
    let changes = texts(at(change, "/after/jobs/web/changes"));
    for place in [
        "Meta/oam.application",
        "Priority",
        "TaskGroups/group",
        "TaskGroups/web",
    ] {
        assert!(changes.contains(&place), "{place} is not in {changes:?}");
    }
    // One that is new has none.
    assert_eq!(at(change, "/after/jobs/job/changes"), &json!([]));

    work.apply_plan(&plan).succeeded();
    let after = job("taken-over-web");
    assert_eq!(after["CreateIndex"], before["CreateIndex"], "another job");
    assert_eq!(at(&after, "/Meta/oam.application"), "default/taken-over");
    assert_eq!(after["Priority"], 50);
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(state["id"], "default/taken-over");
    assert_eq!(state["revision"], 1);
    assert_eq!(texts(at(&state, "/jobs/web/changes")), changes);
    settled("taken-over");
    // The block is a memory of it, and may go.
    work.plan().assert_empty();
    work.change(&configuration);
    work.plan().assert_empty();
    work.destroy();
    gone("taken-over");
}

#[test]
fn several_jobs_become_one_application() {
    for id in ["several-one", "several-two"] {
        yearly_by_hand(id);
    }
    let before = ["several-one", "several-two"].map(|id| job(id)["CreateIndex"].clone());
    let work = Workspace::new(
        servers(),
        &(application("several", &two("1")) + &import("nomad:default/several-one,several-two")),
    );
    work.apply();
    let after = ["several-one", "several-two"].map(|id| job(id)["CreateIndex"].clone());
    assert_eq!(after, before);
    work.plan().assert_empty();
    work.destroy();
    gone("several");
}

#[test]
fn what_cannot_be_taken_over_is_left_alone() {
    by_hand(
        "refused-web",
        &json!({ "Meta": { "oam.application": "default/other" } }),
    );
    by_hand("refused-batch", &json!({ "Type": "batch" }));
    by_hand("refused-job", &json!({ "Type": "batch" }));
    let index = |id: &str| job(id)["JobModifyIndex"].clone();
    let ids = ["refused-web", "refused-batch", "refused-job"];
    let before = ids.map(index);
    for (components, id, says) in [
        (
            worker("web", ""),
            "refused-web",
            "belongs to the application default/other",
        ),
        (worker("batch", ""), "refused-batch", "is of another type"),
        (
            yearly("job", "image = \"a:1\""),
            "refused-job",
            "is of another type",
        ),
        (
            worker("api", ""),
            "refused-batch",
            "would not be one of the application's",
        ),
    ] {
        let work = Workspace::new(
            servers(),
            &(application("refused", &components) + &import(&format!("nomad:default/{id}"))),
        );
        let errors = work.try_plan().failed();
        let summary = &errors[0].summary;
        assert!(summary.contains(says), "{errors:#?}");
        assert!(work.state(ADDRESS).is_none());
    }
    let work = Workspace::new(
        servers(),
        &(application("refused", &worker("web", "")) + &import("nomad:refused-web")),
    );
    let errors = work.try_plan().failed();
    assert_eq!(errors[0].summary, "Unreadable import ID");
    assert_eq!(ids.map(index), before);
    assert_eq!(servers().consul.record("oam", "default", "refused"), None);
    for id in ids {
        servers().nomad.stop("default", id, true);
    }
}

#[test]
fn a_job_that_changes_after_the_plan_is_not_taken_over() {
    by_hand("raced-web", &json!({}));
    let work = Workspace::new(
        servers(),
        &(application("raced", &worker("web", "")) + &import("nomad:default/raced-web")),
    );
    let plan = work.plan();
    servers()
        .nomad
        .edit("default", "raced-web", |job| job["Priority"] = 60.into());
    let before = job("raced-web")["JobModifyIndex"].clone();
    let errors = work.apply_plan(&plan).failed();
    let summary = &errors[0].summary;
    assert_eq!(summary, "The job raced-web has changed since the plan");
    assert_eq!(job("raced-web")["JobModifyIndex"], before);
    assert_eq!(servers().consul.record("oam", "default", "raced"), None);
    // One that is gone is not made anew without saying so.
    let plan = work.plan();
    servers().nomad.stop("default", "raced-web", true);
    let errors = work.apply_plan(&plan).failed();
    assert_eq!(errors[0].summary, *summary);
    work.apply();
    work.plan().assert_empty();
    work.destroy();
    gone("raced");
}

#[test]
fn an_import_that_was_never_applied_leaves_the_job_alone() {
    by_hand("undone-web", &json!({}));
    let before = job("undone-web");
    let work = Workspace::new(servers(), &application("undone", &worker("web", "")));
    work.run(&["import", "-no-color", ADDRESS, "nomad:default/undone-web"])
        .succeeded();
    assert_eq!(work.plan().actions(ADDRESS), ["update"]);
    let run = work.destroy();
    let told = run
        .diagnostics
        .iter()
        .any(|it| it.summary.contains("undone-web is left as it is"));
    assert!(told, "{:#?}", run.diagnostics);
    assert_eq!(
        job("undone-web")["JobModifyIndex"],
        before["JobModifyIndex"]
    );
    servers().nomad.stop("default", "undone-web", true);
}

#[test]
fn a_crash_anywhere_in_an_adoption_leaves_nothing_lost() {
    for_each_crash(|at| {
        let name = format!("adopt-{}", at.name);
        let ids = [format!("{name}-one"), format!("{name}-two")];
        ids.iter().for_each(|id| yearly_by_hand(id));
        let before = ids.clone().map(|id| job(&id)["CreateIndex"].clone());
        let id = format!("nomad:default/{name}-one,{name}-two");
        let mut work = Workspace::bare(&(application(&name, &two("1")) + &import(&id)));
        crash(&mut work, at, APPLY);
        work.apply();
        work.plan().assert_empty();
        settled(&name);
        assert_eq!(
            ids.clone().map(|id| job(&id)["CreateIndex"].clone()),
            before
        );
        work.destroy();
        gone(&name);
    });
}
