//! From create to destroy, and what each step leaves in Nomad and Consul.

use super::support::{Workspace, servers};
use super::{ADDRESS, application, at, worker, yearly};
use serde_json::json;

#[test]
fn an_application_lives_from_create_to_destroy() {
    let servers = servers();
    let (nomad, consul) = (&servers.nomad, &servers.consul);
    let configuration = |greeting: &str| {
        application(
            "life",
            &(worker("web", &format!("env = {{ GREETING = \"{greeting}\" }}"))
                + &yearly(
                    "report",
                    "command = [\"/bin/true\"]\n driver = \"raw_exec\"",
                )),
        )
    };
    let work = Workspace::new(servers, &configuration("hello"));

    work.apply();
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(state["id"], "default/life");
    assert_eq!(state["revision"], 1);
    assert_eq!(state["status"], "settled");
    assert_eq!(at(&state, "/jobs/web/id"), "life-web");
    assert_eq!(at(&state, "/jobs/web/type"), "service");
    assert_eq!(at(&state, "/jobs/web/stopped"), false);
    assert_eq!(at(&state, "/jobs/report/type"), "batch");
    let job = nomad.job("default", "life-web").unwrap();
    assert_eq!(at(&job, "/TaskGroups/0/Tasks/0/Env/GREETING"), "hello");
    assert_eq!(at(&job, "/Meta/oam.application"), "default/life");
    // Create waited: what it says is done runs.
    assert_eq!(
        nomad.allocations("default", "life-web")[0]["ClientStatus"],
        "running"
    );
    let record = consul.record("oam", "default", "life").unwrap();
    assert_eq!(record["revision"], 1);
    work.plan().assert_empty();

    work.change(&configuration("goodbye"));
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    work.apply();
    let changed = nomad.job("default", "life-web").unwrap();
    assert_eq!(
        at(&changed, "/TaskGroups/0/Tasks/0/Env/GREETING"),
        "goodbye"
    );
    assert_eq!(
        changed["CreateIndex"], job["CreateIndex"],
        "the job was replaced instead of updated"
    );
    assert_eq!(work.state(ADDRESS).unwrap()["revision"], 2);
    work.plan().assert_empty();

    work.destroy();
    assert_eq!(nomad.job_ids("life-"), Vec::<String>::new());
    assert_eq!(consul.record("oam", "default", "life"), None);
    let sockets = std::fs::read_dir(work.folder()).unwrap();
    let left =
        sockets.filter(|it| it.as_ref().unwrap().path().extension() == Some("sock".as_ref()));
    assert_eq!(left.count(), 0, "the provider leaves its sockets behind");
}

#[test]
fn a_component_comes_and_goes_without_touching_the_others() {
    let servers = servers();
    let nomad = &servers.nomad;
    let work = Workspace::new(servers, &application("parts", &worker("one", "")));
    work.apply();
    let one = nomad.job("default", "parts-one").unwrap();

    work.change(&application(
        "parts",
        // Sorted before the other: a map keyed by name does not care.
        &(worker("another", "") + &worker("one", "")),
    ));
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    assert_eq!(
        at(change, "/before/component/one"),
        at(change, "/after/component/one")
    );
    work.apply();
    assert!(nomad.job("default", "parts-another").is_some());

    work.change(&application("parts", &worker("one", "")));
    work.apply();
    assert_eq!(nomad.job("default", "parts-another"), None);
    let still = nomad.job("default", "parts-one").unwrap();
    assert_eq!(still["JobModifyIndex"], one["JobModifyIndex"]);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_rename_replaces() {
    let servers = servers();
    let part = yearly("job", "command = [\"/bin/true\"]\n driver = \"raw_exec\"");
    let work = Workspace::new(servers, &application("old-name", &part));
    work.apply();
    work.change(&application("new-name", &part));
    assert_eq!(work.plan().actions(ADDRESS), ["delete", "create"]);
    work.apply();
    assert_eq!(servers.nomad.job_ids("old-name"), Vec::<String>::new());
    assert_eq!(servers.nomad.job_ids("new-name"), ["new-name-job"]);
    assert_eq!(servers.consul.record("oam", "default", "old-name"), None);
    assert_eq!(work.state(ADDRESS).unwrap()["id"], "default/new-name");
    work.destroy();
}

#[test]
fn a_tenant_has_a_namespace_of_its_own() {
    let servers = servers();
    servers.nomad.namespace("acme");
    let part = yearly("job", "command = [\"/bin/true\"]\n driver = \"raw_exec\"");
    let work = Workspace::new(
        servers,
        &application("owned", &format!("tenant = \"acme\"\n{part}")),
    );
    work.apply();
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(state["id"], "acme/owned");
    assert_eq!(at(&state, "/jobs/job/namespace"), "acme");
    let job = servers.nomad.job("acme", "owned-job").unwrap();
    assert_eq!(at(&job, "/Meta/oam.application"), "acme/owned");
    assert!(servers.consul.record("oam", "acme", "owned").is_some());

    work.change(&application("owned", &part));
    assert_eq!(work.plan().actions(ADDRESS), ["delete", "create"]);
    work.apply();
    assert_eq!(servers.nomad.job("acme", "owned-job"), None);
    assert!(servers.nomad.job("default", "owned-job").is_some());
    work.destroy();
}

#[test]
fn an_application_is_imported_by_its_id() {
    let servers = servers();
    let configuration = application(
        "imported",
        &yearly(
            "job",
            "command = [\"/bin/true\"]\n driver = \"raw_exec\"\n env = { A = \"1\" }",
        ),
    );
    let first = Workspace::new(servers, &configuration);
    first.apply();
    for id in ["imported", "default/imported"] {
        let second = Workspace::new(servers, &configuration);
        second
            .run(&["import", "-no-color", ADDRESS, id])
            .succeeded();
        assert_eq!(
            at(&second.state(ADDRESS).unwrap(), "/component/job/env"),
            &json!({ "A": "1" })
        );
        second.plan().assert_empty();
    }
    let other = Workspace::new(servers, &configuration);
    let run = other.run(&["import", "-no-color", ADDRESS, "nobody/none"]);
    assert_ne!(run.code, Some(0));
    assert!(run.errors.contains("nobody/none"), "{}", run.errors);
    first.destroy();
}

#[test]
fn what_others_run_is_left_alone() {
    let servers = servers();
    servers.nomad.register(&json!({
        "ID": "taken-job", "Name": "taken-job", "Type": "batch", "Datacenters": ["*"],
        "Periodic": { "Enabled": true, "Specs": ["0 0 1 1 *"], "SpecType": "cron" },
        "TaskGroups": [{ "Name": "job", "Tasks": [{
            "Name": "job", "Driver": "raw_exec", "Config": { "command": "/bin/true" },
        }]}],
    }));
    let work = Workspace::new(
        servers,
        &application(
            "taken",
            &yearly("job", "command = [\"/bin/false\"]\n driver = \"raw_exec\""),
        ),
    );
    let errors = work.try_apply().failed();
    assert!(
        errors
            .iter()
            .any(|error| error.detail.contains("taken-job") || error.summary.contains("taken-job")),
        "{errors:?}"
    );
    let job = servers.nomad.job("default", "taken-job").unwrap();
    assert_eq!(
        at(&job, "/TaskGroups/0/Tasks/0/Config/command"),
        "/bin/true",
        "somebody else's job was overwritten"
    );
    work.destroy();
    assert!(
        servers.nomad.job("default", "taken-job").is_some(),
        "somebody else's job was purged"
    );
    servers.nomad.stop("default", "taken-job", true);
}
