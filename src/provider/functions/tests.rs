#![allow(clippy::unwrap_used)]
use serde_json::{Value as Json, json};

use super::*;
use crate::protocol::value::{Value, dynamic};

fn call(name: &str, argument: impl Into<Value>) -> Result<Value, FunctionError> {
    let (_, function) = all().into_iter().find(|(known, _)| *known == name).unwrap();
    function.call(vec![argument.into()])
}

/// The result of `manifest` for an object, as JSON.
fn manifest(application: &Json) -> Result<Json, FunctionError> {
    let text = call("manifest", dynamic::from_json(application).unwrap())?;
    Ok(serde_json::from_str(text.as_str().unwrap()).unwrap())
}

fn shop() -> Json {
    json!({
        "name": "shop",
        "tenant": "acme",
        "labels": { "team": "shop" },
        "network_scope": { "mesh": { "network_mode": "bridge" } },
        "component": {
            "web": {
                "type": "webservice",
                "image": "nginx:1.25",
                "env": { "A": "1" },
                "env_from": { "B": { "consul_key": { "key": "b" } } },
                "port": { "http": { "port": 80 } },
                "scaler": { "min": 2, "max": 3 },
                "volume": { "data": { "source": "data", "mount_path": "/data" } },
                "container": {
                    "log": { "image": "log:1", "volume": [{ "source": "data", "destination": "/d" }] },
                },
            },
            "job": { "type": "cron-task", "image": "job:1", "schedule": "@daily" },
        },
    })
}

#[test]
fn an_object_becomes_a_document_and_comes_back() {
    let document = manifest(&shop()).unwrap();
    assert_eq!(document["kind"], "Application");
    assert_eq!(document["spec"]["components"][1]["name"], "web");
    let back = call("parse_manifest", document.to_string()).unwrap();
    assert_eq!(dynamic::to_json(&back).unwrap(), shop());
    assert_eq!(
        manifest(&dynamic::to_json(&back).unwrap()).unwrap(),
        document
    );
}

#[test]
fn numbers_become_text_as_in_blocks() {
    let mut application = shop();
    application["component"]["web"]["env"]["A"] = json!(1);
    application["component"]["web"]["command"] = json!(["run", 8080, true]);
    application["component"]["web"]["image_pull_secret"] = json!(null);
    let document = manifest(&application).unwrap();
    let properties = &document["spec"]["components"][1]["properties"];
    assert_eq!(properties["env"][0], json!({ "name": "A", "value": "1" }));
    assert_eq!(properties["command"], json!(["run", "8080", "true"]));
    assert_eq!(properties.get("imagePullSecret"), None);
}

#[test]
fn what_is_wrong_with_an_object_names_the_attribute() {
    let mut application = shop();
    application["component"]["web"]["port"]["http"]["port"] = json!(0);
    application["component"]["job"]["imge"] = json!("a");
    let error = manifest(&application).unwrap_err();
    assert_eq!(error.argument, Some(0));
    let lines: Vec<_> = error.text.lines().collect();
    assert_eq!(
        lines,
        [
            "",
            "- `component[\"job\"]`: Unknown field \"imge\". `component` has no such field. Check its spelling.",
            "- `component[\"web\"].port[\"http\"].port`: 0 is out of range. It must be a whole number between \
             1 and 65535.",
        ]
    );
    for (application, words) in [
        (json!("text"), "Not a block"),
        (json!({}), "`name`: Missing \"name\""),
        (json!({ "name": "a" }), "`component`: Missing \"component\""),
        (
            json!({ "name": "a", "component": [] }),
            "`component`: Wrong kind of value",
        ),
        (
            json!({ "name": "a", "component": { "c": null } }),
            "No component",
        ),
    ] {
        let error = manifest(&application).unwrap_err();
        assert!(error.text.contains(words), "{application}: {}", error.text);
    }
}

#[test]
fn a_manifest_becomes_jobs() {
    let text = manifest(&shop()).unwrap().to_string();
    let jobs = dynamic::to_json(&call("nomad_jobs", text).unwrap()).unwrap();
    assert_eq!(jobs.as_object().unwrap().len(), 2);
    let job = &jobs["web"];
    assert_eq!(job["ID"], "shop-web");
    assert_eq!(job["Namespace"], "acme");
    assert_eq!(job["Datacenters"], json!(["*"]));
    assert_eq!(job.get("Region"), None);
    assert_eq!(job["TaskGroups"][0]["Networks"][0]["Mode"], "bridge");
    assert_eq!(jobs["job"]["Type"], "batch");

    let mut application = shop();
    let entries = application.as_object_mut().unwrap();
    entries.remove("tenant");
    entries.remove("network_scope");
    let text = manifest(&application).unwrap().to_string();
    let jobs = dynamic::to_json(&call("nomad_jobs", text).unwrap()).unwrap();
    assert_eq!(jobs["web"]["Namespace"], "default");

    application["scopes"] = json!(["network/mesh"]);
    let text = format!("{:#}", manifest(&application).unwrap());
    let error = call("nomad_jobs", text).unwrap_err();
    assert!(
        error
            .text
            .contains("The scope \"network/mesh\" is not in the manifest"),
        "{}",
        error.text
    );
    assert!(
        error.text.starts_with("line ") && error.text.contains("`spec.scopes[0]`"),
        "{}",
        error.text
    );
}

#[test]
fn what_is_wrong_with_a_manifest_names_the_line() {
    let text = "apiVersion: core.oam.dev/v1alpha2\nkind: Application\nmetadata: {name: a}\nspec:\n  \
                components:\n  - {name: b, type: worker, properties: {imge: a}}\n  - {name: c, type: work}\n";
    for name in ["nomad_jobs", "parse_manifest"] {
        let error = call(name, text).unwrap_err();
        assert_eq!(error.argument, Some(0));
        assert!(
            error
                .text
                .starts_with("\n- line 6, column 42, at `spec.components[0].properties.imge`: ")
        );
        assert!(
            error
                .text
                .contains("\n- line 7, column 21, at `spec.components[1].type`: "),
            "{}",
            error.text
        );
        let error = call(name, "a: [").unwrap_err();
        assert!(error.text.starts_with("line 1, column "), "{}", error.text);
    }
}

#[test]
fn a_schema_is_found_by_its_name() {
    for kind in [
        "Application",
        "webservice",
        "update_strategy",
        "network_scope",
    ] {
        let text = call("schema", kind).unwrap();
        let schema: Json = serde_json::from_str(text.as_str().unwrap()).unwrap();
        assert_eq!(schema["type"], "object", "{kind}");
    }
    let error = call("schema", "nothing").unwrap_err();
    assert!(
        error.text.contains("`Application`, `webservice`"),
        "{}",
        error.text
    );
}
