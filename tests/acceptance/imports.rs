//! Applications, scopes and jobs that Terraform does not know yet.

use super::support::terraform::{Diagnostic, provider_block};
use super::support::{Workspace, servers};
use super::{ADDRESS, application, at, yearly};
use serde_json::{Value, json};

fn part(image: u64) -> String {
    yearly(
        "job",
        &format!("image = \"example:{image}\"\n    env = {{ A = \"1\" }}"),
    )
}

fn text(errors: &[Diagnostic]) -> String {
    let all = errors.iter();
    all.map(|error| format!("{}\n{}\n", error.summary, error.detail))
        .collect()
}

/// An application that nobody knows: it was applied from a workspace that is no more.
fn unknown(configuration: &str) {
    Workspace::new(servers(), configuration).apply();
}

fn import_block(to: &str, id: &str) -> String {
    format!("import {{\n  to = {to}\n  id = \"{id}\"\n}}\n")
}

fn index(id: &str) -> Value {
    servers().nomad.job("default", id).unwrap()["JobModifyIndex"].clone()
}

/// A workspace in which an import block is all there is, and the configuration that Terraform writes for it.
fn generated(work: &Workspace, to: &str, id: &str) -> String {
    // Terraform 1.16 takes the provider of what it writes from here alone, and otherwise wants no such argument.
    let block = import_block(to, id);
    work.change(&block.replacen('\n', "\n  provider = oam\n", 1));
    let run = work.run(&["plan", "-json", "-generate-config-out=generated.tf"]);
    run.succeeded();
    work.change(&block);
    let file = work.folder().join("generated.tf");
    std::fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn an_import_block_takes_an_application_over_untouched() {
    for id in ["block-a", "default/block-a"] {
        let configuration = application("block-a", &part(1));
        if id == "block-a" {
            unknown(&configuration);
        }
        let before = index("block-a-job");
        let work = Workspace::new(servers(), &(configuration + &import_block(ADDRESS, id)));
        let plan = work.plan();
        assert_eq!(plan.actions(ADDRESS), ["no-op"]);
        assert_eq!(at(plan.change(ADDRESS), "/importing/id"), id);
        work.apply_plan(&plan).succeeded();
        assert_eq!(index("block-a-job"), before);
        work.plan().assert_empty();
        if id != "block-a" {
            work.destroy();
        }
    }
}

#[test]
fn an_import_of_a_tenants_application_is_by_both_names() {
    let servers = servers();
    servers.nomad.namespace("importing");
    let configuration = application(
        "owned-import",
        &format!("tenant = \"importing\"\n{}", part(1)),
    );
    unknown(&configuration);
    let work = Workspace::new(servers, &configuration);
    // Without the tenant it is another, which is not there.
    let run = work.run(&["import", "-no-color", ADDRESS, "owned-import"]);
    assert_ne!(run.code, Some(0));
    assert!(
        run.errors.contains("default/owned-import"),
        "{}",
        run.errors
    );
    work.run(&["import", "-no-color", ADDRESS, "importing/owned-import"])
        .succeeded();
    work.plan().assert_empty();
    // A second time it is refused.
    let again = work.run(&["import", "-no-color", ADDRESS, "importing/owned-import"]);
    assert_ne!(again.code, Some(0));
    assert!(again.errors.contains("already managed"), "{}", again.errors);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn an_import_block_of_nothing_is_told() {
    for (id, says) in [
        ("not-there", "No such application"),
        ("a/b/c", "Unreadable import ID"),
    ] {
        let work = Workspace::new(
            servers(),
            &(application("not-there", &part(1)) + &import_block(ADDRESS, id)),
        );
        let told = text(&work.try_plan().failed());
        assert!(told.contains(says), "{told}");
        assert!(work.state(ADDRESS).is_none());
    }
}

#[test]
fn an_import_shows_what_has_drifted() {
    let configuration = application("drifted-in", &part(1));
    unknown(&configuration);
    servers().nomad.edit("default", "drifted-in-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Config"]["image"] = "example:2".into();
        job["Priority"] = 70.into();
    });
    let work = Workspace::new(
        servers(),
        &(configuration + &import_block(ADDRESS, "drifted-in")),
    );
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    let change = plan.change(ADDRESS);
    assert_eq!(at(change, "/before/component/job/image"), "example:2");
    assert_eq!(at(change, "/after/component/job/image"), "example:1");
    assert_eq!(at(change, "/before/drift/0/live"), "70");
    // What changes in the job, whether an attribute stands for it or not.
    let changes = json!(["Priority", "TaskGroups/job/Tasks/job/Config/image"]);
    assert_eq!(at(change, "/after/jobs/job/changes"), &changes);
    work.apply_plan(&plan).succeeded();
    let job = servers().nomad.job("default", "drifted-in-job").unwrap();
    assert_eq!(at(&job, "/TaskGroups/0/Tasks/0/Config/image"), "example:1");
    assert_eq!(job["Priority"], 50);
    work.plan().assert_empty();
    work.destroy();
}

/// An application with labelled blocks on two levels, and text that a generator has to write with care.
fn rich() -> String {
    let job = yearly(
        "job",
        r#"image = "example:1"
    args  = ["say \"hi\"", "$${NOMAD_TASK_DIR}/x", "%%{ if }", "two\nlines"]
    env   = { A = "1", B = "$${NOMAD_ALLOC_ID}" }
    resources {
      memory = "64Mi"
    }
    volume "data" {
      source     = "data"
      mount_path = "/data"
    }
    sidecar "one" {
      image = "example/one:1"
      port "admin" {
        port   = 9090
        expose = true
      }
      volume {
        source      = "data"
        destination = "/data"
      }
      lifecycle {
        hook    = "prestart"
        sidecar = false
      }
    }
    affinity {
      node_meta = { rack = "r1" }
      constraint {
        attribute = "attr.kernel.name"
        value     = "linux"
      }
      constraint {
        attribute = "meta.rack"
        value     = "r1"
      }
    }"#,
    );
    let scope = "  labels = { \"example.com/team\" = \"shop\" }\n  node_pool_scope \"pool\" {\n    datacenter = [\"*\"]\n  }\n";
    application(
        "written",
        &format!("{scope}{job}{}", yearly("plain", "image = \"example:2\"")),
    )
}

/// Terraform 1.11 and OpenTofu write labelled blocks by themselves.
#[test]
fn a_generated_configuration_is_valid_and_plans_empty() {
    unknown(&rich());
    let before = index("written-job");
    let work = Workspace::new(servers(), "");
    let text = generated(&work, ADDRESS, "written");
    for line in [
        "component \"job\" {",
        "sidecar \"one\" {",
        "port \"admin\" {",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(work.validate().is_empty(), "{text}");
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["no-op"], "{text}");
    work.apply_plan(&plan).succeeded();
    assert_eq!(index("written-job"), before);
    work.plan().assert_empty();
    work.change("");
    work.plan().assert_empty();
    work.destroy();
}

/// Of a manifest it is the same in blocks; of drift it is what is live.
#[test]
fn a_generated_configuration_of_a_manifest_that_drifted_has_what_is_live() {
    unknown(
        "resource \"oam_application\" \"it\" {\n  manifest = yamlencode({\n    \
         apiVersion = \"core.oam.dev/v1beta1\"\n    kind = \"Application\"\n    \
         metadata = { name = \"written-doc\" }\n    spec = { components = [{\n      \
         name = \"job\"\n      type = \"cron-task\"\n      \
         properties = { schedule = \"@yearly\", image = \"example:1\" }\n    }] }\n  })\n}\n",
    );
    servers().nomad.edit("default", "written-doc-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Config"]["image"] = "example:2".into();
    });
    let before = index("written-doc-job");
    let work = Workspace::new(servers(), "");
    let text = generated(&work, ADDRESS, "written-doc");
    assert!(text.contains("example:2"), "{text}");
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["no-op"], "{text}");
    work.apply_plan(&plan).succeeded();
    assert_eq!(index("written-doc-job"), before);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_scope_is_imported_by_its_id() {
    let configuration = "resource \"oam_network_scope\" \"it\" {\n  name = \"imp-net\"\n  dns_servers = [\"10.0.0.53\"]\n}\n";
    // The removal of a scope looks at all applications under the prefix.
    let workspace = |configuration: &str| {
        let work = Workspace::new(servers(), configuration);
        work.write("provider.tf", &provider_block(servers(), "imp-scopes"));
        work
    };
    workspace(configuration).apply();
    let address = "oam_network_scope.it";
    let work = workspace(&(configuration.to_owned() + &import_block(address, "network/imp-net")));
    let plan = work.plan();
    assert_eq!(plan.actions(address), ["no-op"]);
    work.apply_plan(&plan).succeeded();
    assert_eq!(work.state(address).unwrap()["revision"], 1);
    work.plan().assert_empty();

    // Terraform writes its configuration, too.
    let other = workspace("");
    let text = generated(&other, address, "network/imp-net");
    assert!(text.contains("10.0.0.53"), "{text}");
    assert_eq!(other.plan().actions(address), ["no-op"]);
    work.destroy();
}

#[test]
fn a_job_that_nobody_manages_is_told_how_to_take_over() {
    servers().nomad.register(&json!({
        "ID": "handmade-job", "Name": "handmade-job", "Type": "batch", "Datacenters": ["*"],
        "Periodic": { "Enabled": true, "Specs": ["0 0 1 1 *"], "SpecType": "cron" },
        "TaskGroups": [{ "Name": "job", "Tasks": [{
            "Name": "job", "Driver": "raw_exec", "Config": { "command": "/bin/true" },
        }]}],
    }));
    let before = index("handmade-job");
    let work = Workspace::new(servers(), &application("handmade", &part(1)));
    let errors = work.try_apply().failed();
    let told = text(&errors);
    for word in [
        "handmade-job already exists",
        "purge",
        "nomad_job",
        "moved",
        "`nomad:default/handmade-job`",
    ] {
        assert!(told.contains(word), "{word} is not in {told}");
    }
    assert!(errors[0].code.contains("job"), "{errors:#?}");
    assert_eq!(index("handmade-job"), before);
    assert!(work.state(ADDRESS).is_none());
    assert_eq!(servers().consul.record("oam", "default", "handmade"), None);

    // As it says: purged first, the application's own takes its place.
    servers().nomad.stop("default", "handmade-job", true);
    work.apply();
    work.plan().assert_empty();
    work.destroy();
}

/// `a` with the component `b-c`, and `a-b` with `c`: the same job.
#[test]
fn a_job_of_another_application_is_told_with_its_owner() {
    let component = |name: &str| yearly(name, "image = \"example:1\"");
    let first = Workspace::new(servers(), &application("same", &component("job-id")));
    first.apply();
    let before = index("same-job-id");
    let second = Workspace::new(servers(), &application("same-job", &component("one")));
    second.apply();
    second.change(&application(
        "same-job",
        &(component("one") + &component("id")),
    ));
    let errors = second.try_apply().failed();
    let told = text(&errors);
    assert!(told.contains("same-job-id already exists"), "{told}");
    assert!(told.contains("default/same,"), "{told}");
    assert!(!told.contains("purge"), "{told}");
    assert_eq!(index("same-job-id"), before);
    second.change(&application("same-job", &component("one")));
    second.apply();
    second.plan().assert_empty();
    second.destroy();
    first.plan().assert_empty();
    first.destroy();
}
