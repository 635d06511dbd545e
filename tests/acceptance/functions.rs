//! The functions, without a provider block and without any server.

use serde_json::{Value, json};

use super::at;
use super::support::Workspace;

const MANIFEST: &str = "\
apiVersion: core.oam.dev/v1alpha2
kind: Application
metadata: {name: shop, tenant: acme}
spec:
  components:
  - name: web
    type: webservice
    properties:
      image: nginx:1.25
      ports:
      - {name: http, port: 80}
      env:
      - {name: A, value: '1'}
    traits:
    - type: scaler
      properties: {min: 2, max: 3}
";

/// A workspace with `app.yaml` beside the configuration, and no provider block.
fn workspace(configuration: &str, manifest: &str) -> Workspace {
    let work = Workspace::bare(configuration);
    work.write("app.yaml", manifest);
    work
}

/// The outputs of a configuration that applies.
fn outputs(work: &Workspace) -> Value {
    work.apply();
    let run = work.run(&["output", "-json"]);
    run.succeeded();
    serde_json::from_str(&run.output).unwrap()
}

#[test]
fn a_manifest_is_translated_and_turned_into_an_object_and_back() {
    let work = workspace(
        r#"
        locals {
          text   = file("app.yaml")
          object = provider::oam::parse_manifest(local.text)
        }
        output "jobs" { value = provider::oam::nomad_jobs(local.text) }
        output "image" { value = local.object.component.web.image }
        output "same" {
          value = (
            provider::oam::parse_manifest(provider::oam::manifest(local.object)) == local.object &&
            provider::oam::nomad_jobs(provider::oam::manifest(local.object)) == provider::oam::nomad_jobs(local.text)
          )
        }
        output "written" {
          value = jsondecode(provider::oam::manifest({
            name = "other"
            component = {
              job = {
                type     = "cron-task"
                image    = "a:1"
                schedule = "@daily"
                env      = { PORT = 8080, DEBUG = true }
                args     = null
              }
            }
          }))
        }
        output "scaler" { value = jsondecode(provider::oam::schema("scaler")).title }
        output "update" { value = jsondecode(provider::oam::schema("update_strategy")).title }
        "#,
        MANIFEST,
    );
    let all = outputs(&work);
    let job = at(&all, "/jobs/value/web");
    assert_eq!(job["ID"], "shop-web");
    assert_eq!(job["Namespace"], "acme");
    assert_eq!(job["Datacenters"], json!(["*"]));
    assert_eq!(job.get("Region"), None);
    assert_eq!(at(job, "/TaskGroups/0/Tasks/0/Config/image"), "nginx:1.25");
    assert_eq!(at(job, "/TaskGroups/0/Scaling/Max"), 3);
    assert_eq!(at(&all, "/image/value"), "nginx:1.25");
    assert_eq!(at(&all, "/same/value"), true);
    let component = at(&all, "/written/value/spec/components/0");
    assert_eq!(component["name"], "job");
    assert_eq!(
        at(component, "/properties/env"),
        &json!([{ "name": "DEBUG", "value": "true" }, { "name": "PORT", "value": "8080" }])
    );
    assert_eq!(at(&all, "/scaler/value"), "scaler");
    assert_eq!(at(&all, "/update/value"), "updatestrategy.nomad.oam.dev");
}

#[test]
fn what_is_wrong_is_said_at_the_call_with_its_line_or_attribute() {
    let shown = |expression: &str| format!("output \"it\" {{\n  value = {expression}\n}}\n");
    let wrong = MANIFEST.replace("image: nginx", "imge: nginx");
    let scoped = format!(
        "{MANIFEST}  scopes:\n  - scopeRef: {{kind: networkscope.nomad.oam.dev, name: mesh}}\n"
    );
    for (expression, manifest, words) in [
        (
            "provider::oam::nomad_jobs(file(\"app.yaml\"))",
            wrong.as_str(),
            [
                "line 9, column 7, at `spec.components[0].properties.imge`",
                "Did you mean `image`?",
            ]
            .as_slice(),
        ),
        (
            "provider::oam::parse_manifest(file(\"app.yaml\"))",
            "a: [",
            ["line 1, column"].as_slice(),
        ),
        (
            "provider::oam::nomad_jobs(file(\"app.yaml\"))",
            &scoped,
            [
                "The scope \"network/mesh\" is not in the manifest",
                "line 18, column 5",
            ]
            .as_slice(),
        ),
        (
            "provider::oam::manifest({ name = \"a\", component = { b = { type = \"wörker\" } } })",
            "",
            ["`component[\"b\"].type`", "wörker", "`worker`"].as_slice(),
        ),
        (
            "provider::oam::schema(\"nothing\")",
            "",
            [
                "there is no schema of \"nothing\"",
                "`Application`",
                "`ingress`",
            ]
            .as_slice(),
        ),
    ] {
        let work = workspace(&shown(expression), manifest);
        let errors = work.try_plan().failed();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert_eq!(errors[0].line, Some(2), "{errors:#?}");
        for word in words {
            assert!(errors[0].detail.contains(word), "{word}: {errors:#?}");
        }
    }
}

#[test]
fn what_is_not_known_yet_has_a_result_that_is_not_known_yet() {
    let work = workspace(
        r#"
        resource "terraform_data" "later" { input = "a:1" }
        output "it" {
          value = jsondecode(provider::oam::manifest({
            name      = "later"
            component = { c = { type = "worker", image = terraform_data.later.output } }
          })).spec.components[0].properties.image
        }
        "#,
        "",
    );
    assert_eq!(
        at(&work.plan().json, "/output_changes/it/after_unknown"),
        true
    );
    assert_eq!(at(&outputs(&work), "/it/value"), "a:1");
}
