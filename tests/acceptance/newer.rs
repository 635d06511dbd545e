//! What only newer versions of Terraform can do: `make test-terraform-next` runs it.

use super::records::ruins;
use super::support::terraform::provider_block;
use super::support::{Workspace, eventually, servers};
use super::{ADDRESS, application, at, worker, yearly};
use serde_json::{Value, json};

fn part(image: u64) -> String {
    yearly("job", &format!("image = \"example:{image}\""))
}

/// The JSON lines of a run that are of this type.
fn messages(output: &str, kind: &str) -> Vec<Value> {
    let lines = output
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["type"] == kind).collect()
}

#[test]
fn an_application_is_imported_by_its_identity() {
    servers().nomad.namespace("identified");
    let configuration = application(
        "identity-in",
        &format!("tenant = \"identified\"\n{}", part(1)),
    );
    let block = format!(
        "import {{\n  to = {ADDRESS}\n  identity = {{ tenant = \"identified\", name = \"identity-in\" }}\n}}\n"
    );
    let work = Workspace::new(servers(), &(configuration.clone() + &block));
    if !work.is_terraform(12) {
        return;
    }
    Workspace::new(servers(), &configuration).apply();
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["no-op"]);
    assert_eq!(
        at(plan.change(ADDRESS), "/importing/identity/name"),
        "identity-in"
    );
    work.apply_plan(&plan).succeeded();
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_query_lists_applications_and_writes_their_configurations() {
    let work = Workspace::new(servers(), "");
    if !work.is_terraform(14) {
        return;
    }
    servers().nomad.namespace("queried");
    let tenant = "  tenant = \"queried\"\n";
    let made: Vec<_> = ["query-a", "query-b"]
        .map(|name| {
            let component = yearly("job", "image = \"example:1\"\n port \"http\" { port = 80 }");
            let made = Workspace::new(
                servers(),
                &application(name, &(tenant.to_owned() + &component)),
            );
            made.apply();
            made
        })
        .into();
    let index = |name: &str| {
        let job = servers()
            .nomad
            .job("queried", &format!("{name}-job"))
            .unwrap();
        job["JobModifyIndex"].clone()
    };
    let before = [index("query-a"), index("query-b")];
    work.write(
        "all.tfquery.hcl",
        "list \"oam_application\" \"all\" {\n  provider = oam\n  include_resource = true\n  config {\n    tenant = \"queried\"\n  }\n}\n",
    );
    let run = work.run(&["query", "-json", "-generate-config-out=generated.tf"]);
    run.succeeded();
    let found: Vec<_> = messages(&run.output, "list_resource_found")
        .into_iter()
        .map(|message| message["list_resource_found"].clone())
        .collect();
    let names: Vec<_> = found.iter().map(|it| at(it, "/identity/name")).collect();
    assert_eq!(names, ["query-a", "query-b"]);
    for it in &found {
        assert_eq!(at(it, "/identity/tenant"), "queried");
        assert_eq!(at(it, "/resource_object/component/job/image"), "example:1");
    }

    // What it has written imports both, and changes nothing.
    std::fs::remove_file(work.folder().join("all.tfquery.hcl")).unwrap();
    let text = std::fs::read_to_string(work.folder().join("generated.tf")).unwrap();
    assert!(
        text.contains("component \"job\" {") && text.contains("port \"http\" {"),
        "{text}"
    );
    assert!(work.validate().is_empty(), "{text}");
    let plan = work.plan();
    let changes = plan.json["resource_changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2, "{text}");
    for change in changes {
        assert_eq!(
            at(change, "/change/actions"),
            &json!(["no-op"]),
            "{change:#}\n{text}"
        );
    }
    work.apply_plan(&plan).succeeded();
    assert_eq!([index("query-a"), index("query-b")], before);
    work.plan().assert_empty();
    work.destroy();
    drop(made);
}

#[test]
fn a_query_tells_of_a_record_that_cannot_be_read_and_lists_the_others() {
    const PREFIX: &str = "spoilt-query";
    let consul = &servers().consul;
    let workspace = |configuration: &str| {
        let work = Workspace::new(servers(), configuration);
        work.write("provider.tf", &provider_block(servers(), PREFIX));
        work
    };
    let work = workspace("");
    if !work.is_terraform(14) {
        return;
    }
    let made = ["ruin-a", "ruin-b", "ruin-c"].map(|name| {
        let made = workspace(&application(name, &part(1)));
        made.apply();
        made
    });
    let spoilt = format!("{PREFIX}/applications/default/ruin-b");
    let (good, _) = consul.key(&spoilt).unwrap();
    // A document of nothing is no application, either; only who wants all of it gets to see that.
    let mut hollow: Value = serde_json::from_str(&good).unwrap();
    hollow["document"] = json!({ "spec": [] });
    let all = ruins().into_iter().map(|(ruin, says)| (ruin, says, false));
    let hollow = (hollow.to_string(), "Unreadable record", true);
    for (ruin, says, whole) in all.chain([hollow]) {
        consul.write_key(&spoilt, &ruin);
        for include in [false, true] {
            work.write(
                "all.tfquery.hcl",
                &format!("list \"oam_application\" \"all\" {{\n  provider = oam\n  include_resource = {include}\n}}\n"),
            );
            let run = work.run(&["query", "-json"]);
            run.succeeded();
            let found = messages(&run.output, "list_resource_found");
            let names: Vec<_> = found
                .iter()
                .map(|it| at(it, "/list_resource_found/identity/name").clone())
                .collect();
            if whole && !include {
                assert_eq!(names, ["ruin-a", "ruin-b", "ruin-c"]);
                continue;
            }
            let shown: String = ruin.chars().take(40).collect();
            assert_eq!(names, ["ruin-a", "ruin-c"], "{shown}");
            let [told] = run.diagnostics.as_slice() else {
                panic!("{shown}: {:#?}", run.diagnostics);
            };
            assert_eq!(told.severity, "warning");
            assert!(told.summary.contains(says), "{shown}: {told:#?}");
            assert!(told.detail.contains("default/ruin-b"), "{shown}: {told:#?}");
            assert!(told.detail.len() < 1_000, "{shown}: {told:#?}");
        }
        assert_eq!(consul.key(&spoilt).unwrap().0, ruin);
    }
    consul.write_key(&spoilt, &good);
    for made in made {
        made.plan().assert_empty();
        made.destroy();
    }
}

/// When the task of a job's only allocation was last started.
fn started(id: &str) -> Option<String> {
    let all = servers().nomad.allocations("default", id);
    let started = all.first()?["TaskStates"]["web"]["StartedAt"].as_str()?;
    Some(started.to_owned())
}

#[test]
fn an_action_is_invoked_by_hand_and_after_an_update() {
    let configuration = |more: &str, trigger: &str| {
        let action = "action \"oam_restart\" \"web\" {\n  config {\n    name = \"acting\"\n    components = [\"web\"]\n  }\n}\n";
        application(
            "acting",
            &format!("{}{}{trigger}", worker("web", ""), part_of(more)),
        ) + action
    };
    let work = Workspace::new(servers(), &configuration("1", ""));
    if !work.is_terraform(14) {
        return;
    }
    work.apply();
    let first = eventually("the task runs", || started("acting-web"));
    let run = work.run(&[
        "apply",
        "-json",
        "-auto-approve",
        "-invoke=action.oam_restart.web",
    ]);
    run.succeeded();
    assert!(run.output.contains("instance 1 of 1"), "{}", run.output);
    let second = eventually("the task runs again", || {
        started("acting-web").filter(|now| *now != first)
    });
    work.plan().assert_empty();

    // An update of another component, and then the restart of this one.
    let trigger = "\n  lifecycle {\n    action_trigger {\n      events  = [after_update]\n      actions = [action.oam_restart.web]\n    }\n  }\n";
    work.change(&configuration("2", trigger));
    work.apply();
    eventually("the task runs once more", || {
        started("acting-web").filter(|now| *now != second)
    });
    work.plan().assert_empty();
    work.destroy();
}

fn part_of(image: &str) -> String {
    yearly("job", &format!("image = \"example:{image}\"\n"))
}

/// `-allow-deferral` is an experiment of Terraform's: the build for the tests has it.
#[test]
fn an_application_that_nobody_can_name_yet_is_deferred() {
    let work = Workspace::new(
        servers(),
        &format!(
            "resource \"terraform_data\" \"name\" {{\n  input = \"deferred-${{timestamp()}}\"\n}}\n\
             resource \"oam_application\" \"it\" {{\n  \
             name = replace(lower(substr(terraform_data.name.output, 0, 8)), \"_\", \"-\")\n{}\n}}\n",
            part(1)
        ),
    );
    if !work.is_terraform(16) {
        return;
    }
    let plan = work.plan_with(&["-allow-deferral"]);
    let deferred = plan.json["deferred_changes"].as_array().unwrap();
    assert_eq!(at(&deferred[0], "/resource_change/address"), ADDRESS);
    assert_eq!(at(&deferred[0], "/reason"), "resource_config_unknown");
    work.apply_plan(&plan).succeeded();
    assert!(work.state(ADDRESS).is_none());
    assert_eq!(servers().consul.record("oam", "default", "deferred"), None);
    work.apply();
    assert_eq!(work.state(ADDRESS).unwrap()["name"], "deferred");
    work.destroy();
}
