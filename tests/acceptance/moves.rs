//! A resource of Nomad's own provider that moves into an application.

use super::support::{Workspace, servers};
use super::{ADDRESS, application, at, worker};
use serde_json::json;

#[test]
fn a_nomad_job_moves_into_an_application() {
    let servers = servers();
    let nomad = &servers.nomad;
    let moved = "moved {\n  from = nomad_job.web\n  to = oam_application.it\n}\n";
    let work = Workspace::new(
        servers,
        &(application("fromjob", &worker("web", "")) + moved),
    );
    if !work.is_terraform(8) {
        return;
    }
    nomad.register(&json!({
        "ID": "fromjob-web", "Name": "fromjob-web", "Type": "service", "Datacenters": ["*"],
        "TaskGroups": [{ "Name": "group", "Tasks": [{
            "Name": "task", "Driver": "raw_exec",
            "Config": { "command": "/bin/sleep", "args": ["100000"] },
            "Resources": { "CPU": 20, "MemoryMB": 20 },
        }] }],
    }));
    let before = nomad.job("default", "fromjob-web").unwrap();

    // Terraform asks the provider of a state for its schema, so another process of ours stands in.
    let provider = work.folder().join(".provider");
    let stands_in = work.folder().join(".stands-in");
    std::fs::create_dir(&stands_in).unwrap();
    std::os::unix::fs::symlink(
        provider.join("terraform-provider-oam"),
        stands_in.join("terraform-provider-nomad"),
    )
    .unwrap();
    work.write(
        ".terraformrc",
        &format!(
            "provider_installation {{\n  dev_overrides {{\n    \"oam/oam\" = \"{}\"\n    \
             \"example.com/hashicorp/nomad\" = \"{}\"\n  }}\n  direct {{}}\n}}\n",
            provider.display(),
            stands_in.display()
        ),
    );
    let state = json!({
        "version": 4, "serial": 1, "lineage": "moves", "outputs": {}, "resources": [{
            "mode": "managed", "type": "nomad_job", "name": "web",
            "provider": "provider[\"example.com/hashicorp/nomad\"]",
            "instances": [{
                "schema_version": 0,
                "attributes": { "id": "fromjob-web", "namespace": "default" },
            }],
        }],
    });
    work.write("terraform.tfstate", &state.to_string());

    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    work.apply();
    let after = nomad.job("default", "fromjob-web").unwrap();
    assert_eq!(after["CreateIndex"], before["CreateIndex"], "another job");
    assert_eq!(at(&after, "/Meta/oam.application"), "default/fromjob");
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(state["id"], "default/fromjob");
    assert_eq!(state["revision"], 1);
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(nomad.job("default", "fromjob-web"), None);
}
