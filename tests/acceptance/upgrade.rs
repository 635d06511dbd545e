//! A state that an older provider wrote: schema version 0 had neither `status` nor `drift`, and kept
//! only the ID of each job.

use super::support::{Workspace, servers};
use super::{ADDRESS, application, at, yearly};
use serde_json::{Value, json};

/// Rewrites the one resource instance in the state file.
fn rewrite(work: &Workspace, change: impl FnOnce(&mut Value)) {
    let file = work.folder().join("terraform.tfstate");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    change(&mut state["resources"][0]["instances"][0]);
    state["serial"] = (state["serial"].as_u64().unwrap() + 1).into();
    std::fs::write(file, state.to_string()).unwrap();
}

#[test]
fn a_state_of_schema_version_0_is_upgraded() {
    let servers = servers();
    let configuration = application(
        "aged",
        &yearly("job", "driver = \"raw_exec\"\n command = [\"/bin/true\"]"),
    );
    let work = Workspace::new(servers, &configuration);
    work.apply();
    rewrite(&work, |instance| {
        assert_ne!(instance["schema_version"], 0, "there is nothing to upgrade");
        instance["schema_version"] = 0.into();
        let instance = instance.as_object_mut().unwrap();
        instance.remove("private");
        let attributes = instance["attributes"].as_object_mut().unwrap();
        attributes.remove("status");
        attributes.remove("drift");
        attributes.insert("jobs".to_owned(), json!({ "job": "aged-job" }));
    });
    assert!(work.plan().is_empty(), "an upgrade asks for no change");

    // And the state can be worked with.
    work.change(&configuration.replace("/bin/true", "/bin/false"));
    work.apply();
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(state["status"], "settled");
    assert_eq!(at(&state, "/jobs/job/namespace"), "default");
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_state_that_cannot_be_upgraded_is_told() {
    let servers = servers();
    let part = yearly("job", "driver = \"raw_exec\"\n command = [\"/bin/true\"]");
    let work = Workspace::new(servers, &application("ageless", &part));
    work.apply();
    let file = work.folder().join("terraform.tfstate");
    let good = std::fs::read(&file).unwrap();
    rewrite(&work, |instance| {
        instance["schema_version"] = 0.into();
        instance["attributes"]["component"] = json!("no map of components");
    });
    let errors = work.try_plan().failed();
    let text = format!("{}\n{}", errors[0].summary, errors[0].detail);
    assert!(text.contains("state"), "{text}");
    assert!(text.contains("import"), "what to do is not said: {text}");
    std::fs::write(file, good).unwrap();
    work.destroy();
}
