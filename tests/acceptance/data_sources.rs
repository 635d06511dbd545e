//! The data sources: what is found, and what is said of what is not.

use serde_json::{Value, json};

use super::support::terraform::provider_block;
use super::support::{Workspace, servers};
use super::{application, at, yearly};

/// A workspace on the shared servers with a key prefix of its own, so that no other test's records are
/// seen.
fn workspace(prefix: &str, configuration: &str) -> Workspace {
    let work = Workspace::bare(configuration);
    work.write("provider.tf", &provider_block(servers(), prefix));
    work
}

/// What a data source found.
fn found(work: &Workspace, address: &str) -> Value {
    work.apply();
    work.state(address)
        .unwrap_or_else(|| panic!("no {address}"))
}

#[test]
fn applications_are_found() {
    let servers = servers();
    servers.nomad.namespace("seen");
    let job = yearly("job", "driver = \"raw_exec\"\n command = [\"/bin/true\"]");
    let own = application("looked-at", &format!("tenant = \"seen\"\n{job}"));
    let other = own
        .replace("\"it\"", "\"other\"")
        .replace("tenant = \"seen\"", "");
    let first = workspace(
        "seen",
        &format!("{own}{}", other.replace("looked-at", "aside")),
    );
    first.apply();

    let look = r#"
        data "oam_application" "it" {
          name   = "looked-at"
          tenant = "seen"
        }
        data "oam_application" "other" { name = "aside" }
        data "oam_applications" "all" {}
        data "oam_applications" "seen" { tenant = "seen" }
        data "oam_applications" "none" { tenant = "nobody" }
        data "oam_tenant" "seen" { name = "seen" }
        data "oam_tenant" "none" { name = "nobody" }
    "#;
    let work = workspace("seen", look);
    let state = found(&work, "data.oam_application.it");
    assert_eq!(state["id"], "seen/looked-at");
    assert_eq!(state["revision"], 1);
    assert_eq!(state["status"], "settled");
    assert_eq!(state["components"], json!({ "job": "cron-task" }));
    let resource = first.state("oam_application.it").unwrap();
    let mut jobs = resource["jobs"].clone();
    jobs["job"].as_object_mut().unwrap().remove("changes");
    assert_eq!(state["jobs"], jobs);
    assert_eq!(at(&state, "/jobs/job/namespace"), "seen");
    let record = servers.consul.record("seen", "seen", "looked-at").unwrap();
    let manifest: Value = serde_json::from_str(state["manifest"].as_str().unwrap()).unwrap();
    assert_eq!(manifest, record["document"]);
    assert_eq!(
        work.state("data.oam_application.other").unwrap()["id"],
        "default/aside"
    );

    let all = work.state("data.oam_applications.all").unwrap();
    assert_eq!(all["ids"], json!(["default/aside", "seen/looked-at"]));
    assert_eq!(
        at(&all, "/applications/1"),
        &json!({ "id": "seen/looked-at", "tenant": "seen", "name": "looked-at", "revision": 1, "status": "settled" })
    );
    assert_eq!(
        work.state("data.oam_applications.seen").unwrap()["ids"],
        json!(["seen/looked-at"])
    );
    assert_eq!(
        work.state("data.oam_applications.none").unwrap()["ids"],
        json!([])
    );
    let mut tenant = work.state("data.oam_tenant.seen").unwrap();
    // What only a record tells of one that somebody manages.
    tenant
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    assert_eq!(
        tenant,
        json!({
            "name": "seen", "namespace": "seen", "namespace_exists": true, "managed": false,
            "service_prefix": "seen-", "key_prefix": "seen/", "applications": ["seen/looked-at"],
        })
    );
    let none = work.state("data.oam_tenant.none").unwrap();
    assert_eq!(
        (&none["namespace_exists"], &none["applications"]),
        (&json!(false), &json!([]))
    );

    // A job that is gone is not among them, and one that was stopped says so.
    servers.nomad.stop("seen", "looked-at-job", false);
    assert_eq!(
        at(
            &found(&work, "data.oam_application.it"),
            "/jobs/job/stopped"
        ),
        true
    );
    servers.nomad.stop("seen", "looked-at-job", true);
    assert_eq!(found(&work, "data.oam_application.it")["jobs"], json!({}));

    // What cannot be read is told, and hides nothing else.
    servers
        .consul
        .write_key("seen/applications/seen/broken", "no record");
    let run = work.apply();
    let said: Vec<_> = run
        .diagnostics
        .iter()
        .map(|one| (&*one.severity, &*one.summary))
        .collect();
    let unreadable = ("warning", "The record of seen/broken cannot be read");
    assert!(said.contains(&unreadable), "{said:?}");
    assert_eq!(
        work.state("data.oam_applications.seen").unwrap()["ids"],
        json!(["seen/looked-at"])
    );
    let tenant = work.state("data.oam_tenant.seen").unwrap();
    assert_eq!(
        tenant["applications"],
        json!(["seen/broken", "seen/looked-at"])
    );
    first.destroy();
}

#[test]
fn what_is_not_there_or_cannot_be_is_an_error_at_its_attribute() {
    let work = workspace(
        "absent",
        "data \"oam_application\" \"it\" {\n  name = \"nobody\"\n}\n",
    );
    let errors = work.try_plan().failed();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0].summary, "No such application");
    assert!(errors[0].detail.contains("default/nobody"), "{errors:#?}");
    assert_eq!(errors[0].code, "name = \"nobody\"");

    for (configuration, says, at) in [
        (
            "data \"oam_application\" \"it\" {\n  name = \"A b\"\n}\n",
            "A b",
            "name",
        ),
        (
            "data \"oam_applications\" \"it\" {\n  tenant = \"a-b\"\n}\n",
            "a-b",
            "tenant",
        ),
        (
            "data \"oam_tenant\" \"it\" {\n  name = \"a/b\"\n}\n",
            "a/b",
            "name",
        ),
    ] {
        let errors = Workspace::bare(configuration).validate();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(
            errors[0].summary.contains(says) && errors[0].code.starts_with(at),
            "{errors:#?}"
        );
    }
}

#[test]
fn the_vocabulary_needs_no_server() {
    let work = Workspace::bare(
        r#"
        provider "oam" {
          nomad { address = "http://127.0.0.1:1" }
          consul { address = "http://127.0.0.1:1" }
        }
        data "oam_component_types" "all" {}
        data "oam_trait_types" "all" {}
        "#,
    );
    let state = found(&work, "data.oam_component_types.all");
    let types = state["component_types"].as_array().unwrap();
    assert_eq!(types.len(), 10);
    let cron = types.iter().find(|one| one["name"] == "cron-task").unwrap();
    assert_eq!(cron["nomad_job_type"], "batch");
    let has = |list: &Value, name: &str| list.as_array().unwrap().contains(&name.into());
    assert!(has(&cron["properties"], "schedule"));
    assert_eq!(types[0]["name"], "webservice");
    assert!(!has(&types[0]["properties"], "schedule") && has(&types[0]["properties"], "image"));
    let state = work.state("data.oam_trait_types.all").unwrap();
    let traits = state["trait_types"].as_array().unwrap();
    let update = traits
        .iter()
        .find(|one| one["block"] == "update_strategy")
        .unwrap();
    assert_eq!(update["name"], "updatestrategy.nomad.oam.dev");
    assert!(has(&update["applies_to"], "worker") && !has(&update["applies_to"], "task"));
    for one in types.iter().chain(traits) {
        let schema: Value = serde_json::from_str(one["json_schema"].as_str().unwrap()).unwrap();
        assert_eq!(schema["title"], one["name"]);
    }
}
