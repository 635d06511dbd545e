//! Applications that are written as a portable document.

use serde_json::json;

use super::support::{Workspace, servers};
use super::{ADDRESS, at};

const RESOURCE: &str =
    "resource \"oam_application\" \"it\" {\n  manifest = file(\"app.yaml\")\n}\n";

/// A document with a worker that idles, and a job that never runs by itself.
fn manifest(name: &str, greeting: &str) -> String {
    format!(
        "\
apiVersion: core.oam.dev/v1alpha2
kind: Application
metadata: {{name: {name}}}
spec:
  components:
  - name: web
    type: worker
    properties:
      driver: raw_exec
      command: [/bin/sleep, '100000']
      env:
      - {{name: GREETING, value: {greeting}}}
  - name: job
    type: cron-task
    properties:
      driver: raw_exec
      command: [/bin/true]
      schedule: 0 0 1 1 *
"
    )
}

fn workspace(manifest: &str) -> Workspace {
    let work = Workspace::new(servers(), RESOURCE);
    work.write("app.yaml", manifest);
    work
}

#[test]
fn a_manifest_lives_from_create_to_destroy() {
    let servers = servers();
    let nomad = &servers.nomad;
    let index = |id: &str| nomad.job("default", id).unwrap()["JobModifyIndex"].clone();
    let work = workspace(&manifest("portable", "hello"));
    let plan = work.plan();
    assert_eq!(at(plan.change(ADDRESS), "/after/name"), "portable");
    work.apply_plan(&plan).succeeded();
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(state["id"], "default/portable");
    assert_eq!(state["component"], json!({}));
    assert_eq!(at(&state, "/jobs/web/id"), "portable-web");
    work.plan().assert_empty();
    let (web, job) = (index("portable-web"), index("portable-job"));

    // One value changes one job.
    work.write("app.yaml", &manifest("portable", "goodbye"));
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    let change = plan.change(ADDRESS);
    assert_eq!(
        at(change, "/after/jobs/job"),
        at(change, "/before/jobs/job")
    );
    assert_eq!(at(change, "/after_unknown/jobs/web/version"), true);
    work.apply_plan(&plan).succeeded();
    assert_ne!(index("portable-web"), web);
    assert_eq!(index("portable-job"), job);
    let live = nomad.job("default", "portable-web").unwrap();
    assert_eq!(at(&live, "/TaskGroups/0/Tasks/0/Env/GREETING"), "goodbye");
    work.plan().assert_empty();

    // Other words for the same change no job, and no revision.
    let web = index("portable-web");
    let revision = work.state(ADDRESS).unwrap()["revision"].clone();
    let document: serde_json::Value = {
        let record = servers.consul.record("oam", "default", "portable").unwrap();
        record["document"].clone()
    };
    let reworded = "# The same.\n".to_owned()
        + &manifest("portable", "\"goodbye\"").replace(
            "metadata: {name: portable}",
            "metadata:\n  name: 'portable'",
        );
    for text in [reworded, format!("{document:#}")] {
        work.write("app.yaml", &text);
        let plan = work.plan();
        let change = plan.change(ADDRESS);
        assert_eq!(at(change, "/after/jobs"), at(change, "/before/jobs"));
        assert_eq!(
            change.pointer("/after_unknown/jobs/web/version"),
            None,
            "{change:#}"
        );
        work.apply_plan(&plan).succeeded();
        assert_eq!(
            (index("portable-web"), index("portable-job")),
            (web.clone(), job.clone())
        );
        assert_eq!(work.state(ADDRESS).unwrap()["revision"], revision);
        work.plan().assert_empty();
    }

    // Another name is another application.
    work.write("app.yaml", &manifest("portable2", "goodbye"));
    assert_eq!(work.plan().actions(ADDRESS), ["delete", "create"]);
    work.apply();
    assert_eq!(nomad.job_ids("portable-"), Vec::<String>::new());
    assert_eq!(
        nomad.job_ids("portable2-"),
        ["portable2-job", "portable2-web"]
    );
    work.destroy();
    assert_eq!(nomad.job_ids("portable2-"), Vec::<String>::new());
    assert_eq!(servers.consul.record("oam", "default", "portable2"), None);
}

#[test]
fn what_drifts_from_a_manifest_shows_and_is_repaired() {
    let servers = servers();
    let nomad = &servers.nomad;
    let work = workspace(&manifest("drifting", "hello"));
    work.apply();
    nomad.edit("default", "drifting-web", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["GREETING"] = "changed".into();
    });
    let plan = work.plan();
    let drift = plan.drift(ADDRESS).expect("drift in the plan");
    assert_eq!(
        at(&drift["after"], "/drift/0"),
        &json!({
            "path": "drifting-web/TaskGroups/web/Tasks/web/Env",
            "recorded": "{\"GREETING\":\"hello\"}",
            "live": "{\"GREETING\":\"changed\"}",
        })
    );
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    work.apply_plan(&plan).succeeded();
    let live = nomad.job("default", "drifting-web").unwrap();
    assert_eq!(at(&live, "/TaskGroups/0/Tasks/0/Env/GREETING"), "hello");
    work.plan().assert_empty();

    nomad.stop("default", "drifting-job", true);
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    work.apply_plan(&plan).succeeded();
    assert!(nomad.job("default", "drifting-job").is_some());
    work.plan().assert_empty();
    nomad.stop("default", "drifting-web", false);
    let plan = work.plan();
    assert_eq!(at(plan.change(ADDRESS), "/before/jobs/web/stopped"), true);
    work.apply_plan(&plan).succeeded();
    assert_eq!(nomad.job("default", "drifting-web").unwrap()["Stop"], false);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_mistake_in_a_manifest_is_found_by_validate_at_its_line() {
    let good = manifest("wrong", "hello");
    for (text, places) in [
        (good.clone(), [].as_slice()),
        (
            good.replace("command: [/bin/sleep", "comand: [/bin/sleep").replace("value: hello", "value: 1"),
            [
                "In the manifest, line 10, column 7, at `spec.components[0].properties.comand`: ",
                "In the manifest, line 12, column 33, at `spec.components[0].properties.env[0].value`: ",
            ]
            .as_slice(),
        ),
        (
            good.replace("      schedule: 0 0 1 1 *\n", ""),
            ["In the manifest, line 16, column 7, at `spec.components[1].properties.schedule`: "].as_slice(),
        ),
        (
            good.replace("    type: worker\n", "    type: worker\n    traits:\n    - type: ingress\n      properties:\n        host: a.b\n"),
            ["In the manifest, line 11, column 9, at `spec.components[0].traits[0].properties`: "].as_slice(),
        ),
        ("a: [".to_owned(), ["In the manifest, line 1, column "].as_slice()),
    ] {
        // Nothing listens there: validate must not ask anybody.
        let work = Workspace::bare(&format!(
            "provider \"oam\" {{\n  nomad {{\n    address = \"http://127.0.0.1:1\"\n  }}\n}}\n{RESOURCE}"
        ));
        work.write("app.yaml", &text);
        let errors = work.validate();
        assert_eq!(errors.len(), places.len(), "{errors:#?}\n{text}");
        for (error, place) in errors.iter().zip(places) {
            assert!(error.detail.starts_with(place), "{error:#?}\n{text}");
            assert_eq!(error.code, "manifest = file(\"app.yaml\")");
        }
    }
}

#[test]
fn an_application_is_a_manifest_or_blocks() {
    let work = Workspace::bare(&RESOURCE.replace(
        "\n}\n",
        "\n  name = \"both\"\n  component \"c\" {\n    type  = \"worker\"\n    image = \"a:1\"\n  }\n}\n",
    ));
    work.write("app.yaml", &manifest("both", "hello"));
    let errors = work.validate();
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(
        errors
            .iter()
            .all(|error| error.summary == "Both a manifest and blocks"),
        "{errors:#?}"
    );
    let work = Workspace::bare("resource \"oam_application\" \"it\" {}\n");
    let errors = work.validate();
    assert!(
        errors
            .iter()
            .any(|error| error.detail.contains("`manifest`")),
        "{errors:#?}"
    );
}

#[test]
fn a_tenant_beside_a_manifest_goes_before_the_one_in_it() {
    let servers = servers();
    servers.nomad.namespace("beside");
    let work = workspace(&manifest("tenanted", "hello"));
    work.change(&RESOURCE.replace("manifest", "tenant   = \"beside\"\n  manifest"));
    work.apply();
    assert_eq!(work.state(ADDRESS).unwrap()["id"], "beside/tenanted");
    assert!(servers.nomad.job("beside", "tenanted-web").is_some());
    work.plan().assert_empty();
    work.destroy();

    // The one that is in it counts as well.
    let text = manifest("tenanted", "hello")
        .replace("{name: tenanted}", "{name: tenanted, tenant: beside}");
    let work = workspace(&text);
    work.apply();
    assert_eq!(work.state(ADDRESS).unwrap()["id"], "beside/tenanted");
    assert!(servers.nomad.job("beside", "tenanted-web").is_some());
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(servers.nomad.job_ids("tenanted-"), Vec::<String>::new());
}

#[test]
fn a_manifest_can_be_known_only_during_the_apply() {
    let servers = servers();
    servers.nomad.namespace("later");
    let work = workspace("");
    work.change(
        r#"
        variable "greeting" { default = "hello" }
        variable "name" { default = "later" }
        resource "terraform_data" "text" { input = templatefile("app.tftpl", { greeting = var.greeting, name = var.name }) }
        resource "oam_application" "it" { manifest = terraform_data.text.output }
        "#,
    );
    let text =
        manifest("later", "${greeting}").replace("{name: later}", "{name: ${name}, tenant: later}");
    work.write("app.tftpl", &text);
    let plan = work.plan();
    for name in ["id", "name", "tenant", "jobs"] {
        assert_eq!(
            at(plan.change(ADDRESS), &format!("/after_unknown/{name}")),
            true,
            "{name}"
        );
    }
    work.apply_plan(&plan).succeeded();
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(
        (&state["id"], &state["tenant"]),
        (&json!("later/later"), &json!("later"))
    );
    work.plan().assert_empty();
    work.run(&["apply", "-json", "-auto-approve", "-var=greeting=bye"])
        .succeeded();
    let live = servers.nomad.job("later", "later-web").unwrap();
    assert_eq!(at(&live, "/TaskGroups/0/Tasks/0/Env/GREETING"), "bye");
    assert_eq!(work.state(ADDRESS).unwrap()["revision"], 2);

    // Another name is another application, which the plan could not say: nothing is done before it does.
    let other = [
        "apply",
        "-json",
        "-auto-approve",
        "-var=greeting=bye",
        "-var=name=other",
    ];
    work.run(&other).failed();
    assert_eq!(work.state(ADDRESS).unwrap()["id"], "later/later");
    assert_eq!(servers.nomad.job_ids("later-"), ["later-job", "later-web"]);
    work.run(&other).succeeded();
    assert_eq!(work.state(ADDRESS).unwrap()["id"], "later/other");
    assert_eq!(servers.nomad.job_ids("later-"), Vec::<String>::new());
    work.destroy();
}

#[test]
fn an_import_gives_blocks_and_a_manifest_takes_over() {
    let servers = servers();
    let first = workspace(&manifest("taken-over", "hello"));
    first.apply();
    let index =
        || servers.nomad.job("default", "taken-over-web").unwrap()["JobModifyIndex"].clone();
    let before = index();
    let second = workspace(&manifest("taken-over", "hello"));
    second
        .run(&["import", "-no-color", ADDRESS, "taken-over"])
        .succeeded();
    let state = second.state(ADDRESS).unwrap();
    assert_eq!(state["manifest"], serde_json::Value::Null);
    assert_eq!(
        at(&state, "/component/web/env"),
        &json!({ "GREETING": "hello" })
    );
    // From blocks to the same in a manifest: no job changes.
    assert_eq!(second.plan().actions(ADDRESS), ["update"]);
    second.apply();
    assert_eq!(index(), before);
    second.plan().assert_empty();
    second.destroy();
}
