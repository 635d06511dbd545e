//! What was changed behind Terraform's back: the next plan shows it where it belongs, and applying
//! repairs it.

use super::support::{Plan, Workspace, eventually, servers};
use super::{ADDRESS, application, at, worker, yearly};
use serde_json::{Value, json};

/// What somebody does to a job, or to a task of it.
type Change = fn(&mut Value);

/// One edit of the job, and what the plan must then say was found at which attribute.
struct Edit {
    what: &'static str,
    edit: Change,
    attribute: &'static str,
    found: Value,
    wanted: Value,
}

#[test]
fn an_edited_job_shows_at_the_attribute_that_owns_the_field() {
    let servers = servers();
    let configuration = application(
        "edited",
        &yearly(
            "job",
            "image = \"example:1\"\n    command = [\"run\"]\n    env = { A = \"1\", B = \"2\" }\n    \
             resources {\n cpu = \"200m\"\n memory = \"64Mi\"\n }",
        ),
    );
    let work = Workspace::new(servers, &configuration);
    work.apply();
    let task = "/component/job";
    let edits = [
        Edit {
            what: "image",
            edit: |task| task["Config"]["image"] = "example:2".into(),
            attribute: "/image",
            found: "example:2".into(),
            wanted: "example:1".into(),
        },
        Edit {
            what: "a variable's value",
            edit: |task| task["Env"]["A"] = "changed".into(),
            attribute: "/env",
            found: json!({ "A": "changed", "B": "2" }),
            wanted: json!({ "A": "1", "B": "2" }),
        },
        Edit {
            what: "a variable added",
            edit: |task| task["Env"]["C"] = "3".into(),
            attribute: "/env",
            found: json!({ "A": "1", "B": "2", "C": "3" }),
            wanted: json!({ "A": "1", "B": "2" }),
        },
        Edit {
            what: "a variable taken away",
            edit: |task| {
                task["Env"].as_object_mut().unwrap().remove("B");
            },
            attribute: "/env",
            found: json!({ "A": "1" }),
            wanted: json!({ "A": "1", "B": "2" }),
        },
        Edit {
            what: "memory",
            edit: |task| task["Resources"]["MemoryMB"] = 128.into(),
            attribute: "/resources/memory",
            found: "128Mi".into(),
            wanted: "64Mi".into(),
        },
        Edit {
            what: "cpu",
            edit: |task| task["Resources"]["CPU"] = 300.into(),
            attribute: "/resources/cpu",
            found: "300m".into(),
            wanted: "200m".into(),
        },
    ];
    for edit in edits {
        servers.nomad.edit("default", "edited-job", |job| {
            (edit.edit)(&mut job["TaskGroups"][0]["Tasks"][0]);
        });
        let plan = work.plan();
        let pointer = format!("{task}{}", edit.attribute);
        let drift = plan
            .drift(ADDRESS)
            .unwrap_or_else(|| panic!("{}: no drift in the plan", edit.what));
        assert_eq!(at(&drift["after"], &pointer), &edit.found, "{}", edit.what);
        let change = plan.change(ADDRESS);
        assert_eq!(change["actions"], json!(["update"]), "{}", edit.what);
        assert_eq!(
            at(&change["before"], &pointer),
            &edit.found,
            "{}",
            edit.what
        );
        assert_eq!(
            at(&change["after"], &pointer),
            &edit.wanted,
            "{}",
            edit.what
        );
        work.apply_plan(&plan).succeeded();
        work.plan().assert_empty();
    }
    work.destroy();
}

#[test]
fn a_block_that_was_never_written_shows_when_it_drifts() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &application(
            "blockless",
            &yearly("job", "driver = \"raw_exec\"\n command = [\"/bin/true\"]"),
        ),
    );
    work.apply();
    servers.nomad.edit("default", "blockless-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Resources"]["MemoryMB"] = 999.into();
    });
    let plan = work.plan();
    assert_eq!(
        at(
            &plan.change(ADDRESS)["before"],
            "/component/job/resources/memory"
        ),
        "999Mi"
    );
    work.apply_plan(&plan).succeeded();
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn what_no_attribute_owns_still_shows() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &application(
            "unowned",
            &yearly("job", "driver = \"raw_exec\"\n command = [\"/bin/true\"]"),
        ),
    );
    work.apply();
    let edits: [(&str, Change); 4] = [
        ("Constraints", |job| {
            job["Constraints"] = json!([{
                "LTarget": "${attr.kernel.name}", "RTarget": "linux", "Operand": "=",
            }]);
        }),
        ("Priority", |job| job["Priority"] = 70.into()),
        ("Templates", |job| {
            job["TaskGroups"][0]["Tasks"][0]["Templates"] = json!([{
                "EmbeddedTmpl": "x", "DestPath": "local/x",
            }]);
        }),
        ("Tasks", |job| {
            let mut second = job["TaskGroups"][0]["Tasks"][0].clone();
            second["Name"] = "second".into();
            job["TaskGroups"][0]["Tasks"]
                .as_array_mut()
                .unwrap()
                .push(second);
        }),
    ];
    for (field, edit) in edits {
        servers.nomad.edit("default", "unowned-job", edit);
        let plan = work.plan();
        assert_eq!(plan.actions(ADDRESS), ["update"], "{field}");
        let drift = at(&plan.change(ADDRESS)["before"], "/drift")
            .as_array()
            .unwrap();
        assert!(
            drift
                .iter()
                .any(|one| one["path"].as_str().unwrap().contains(field)),
            "{field} is not in {drift:?}"
        );
        work.apply_plan(&plan).succeeded();
        work.plan().assert_empty();
        assert_eq!(work.state(ADDRESS).unwrap()["drift"], json!([]));
    }
    work.destroy();
}

/// A worker that is running, with its plan empty.
fn running(name: &str) -> Workspace {
    let work = Workspace::new(
        servers(),
        &application(name, &worker("web", "scaler { replicas = 1 }")),
    );
    work.apply();
    work.plan().assert_empty();
    work
}

fn repair(work: &Workspace, plan: &Plan, job: &str) {
    work.apply_plan(plan).succeeded();
    work.plan().assert_empty();
    eventually("the job runs again", || {
        let all = servers().nomad.allocations("default", job);
        (all.iter()
            .filter(|it| it["ClientStatus"] == "running")
            .count()
            == 1)
            .then_some(())
    });
    work.destroy();
}

#[test]
fn another_count_shows_as_the_replicas() {
    let work = running("counted");
    servers().nomad.edit("default", "counted-web", |job| {
        job["TaskGroups"][0]["Count"] = 2.into()
    });
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    let replicas = "/component/web/scaler/replicas";
    assert_eq!(at(&change["before"], replicas), 2);
    assert_eq!(at(&change["after"], replicas), 1);
    repair(&work, &plan, "counted-web");
}

#[test]
fn a_stopped_job_shows_and_is_started() {
    let work = running("halted");
    servers().nomad.stop("default", "halted-web", false);
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    assert_eq!(change["actions"], json!(["update"]));
    assert_eq!(at(&change["before"], "/jobs/web/stopped"), true);
    assert_eq!(at(&change["after"], "/jobs/web/stopped"), false);
    repair(&work, &plan, "halted-web");
}

#[test]
fn a_purged_job_shows_as_a_component_to_add() {
    let work = running("purged");
    servers().nomad.stop("default", "purged-web", true);
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    assert_eq!(change["actions"], json!(["update"]));
    assert_eq!(change["before"].pointer("/component/web"), None);
    assert!(at(&change["after"], "/component/web").is_object());
    repair(&work, &plan, "purged-web");
}

#[test]
fn a_deleted_record_is_written_again_and_the_jobs_adopted() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &application(
            "forgotten",
            &yearly("job", "driver = \"raw_exec\"\n command = [\"/bin/true\"]"),
        ),
    );
    work.apply();
    servers
        .consul
        .delete("/v1/kv/oam/applications/default/forgotten");
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    work.apply_plan(&plan).succeeded();
    assert!(
        servers
            .consul
            .record("oam", "default", "forgotten")
            .is_some()
    );
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(servers.nomad.job_ids("forgotten"), Vec::<String>::new());
}

#[test]
fn what_is_gone_altogether_is_created_again() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &application(
            "vanished",
            &yearly("job", "driver = \"raw_exec\"\n command = [\"/bin/true\"]"),
        ),
    );
    work.apply();
    servers
        .consul
        .delete("/v1/kv/oam/applications/default/vanished");
    servers.nomad.stop("default", "vanished-job", true);
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    work.apply_plan(&plan).succeeded();
    work.plan().assert_empty();
    work.destroy();
}
