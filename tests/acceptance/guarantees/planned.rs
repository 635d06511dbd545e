//! What was known in a plan is what was applied.

use std::collections::BTreeSet;

use oam_provider::oam::def::{self, Kind};
use serde_json::{Value, json};

use super::{application, at, greeting, index, part, running_image, yearly};
use crate::ADDRESS;
use crate::support::terraform::provider_block;
use crate::support::{Options, Plan, Servers, Workspace, servers};

/// Puts where a plan did not know a value into `unknown`, and where something else was applied than what
/// it knew into `wrong`.
fn compare(
    place: &str,
    planned: Option<&Value>,
    not_known: &Value,
    applied: Option<&Value>,
    unknown: &mut Vec<String>,
    wrong: &mut Vec<String>,
) {
    if *not_known == true {
        unknown.push(place.to_owned());
        return;
    }
    let names: BTreeSet<_> = [planned, applied, Some(not_known)]
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(|entries| entries.keys())
        .collect();
    let lengths = [planned, applied].map(|it| it.and_then(Value::as_array).map(Vec::len));
    match (planned, applied) {
        (Some(Value::Object(_)), Some(Value::Object(_))) => {
            for name in names {
                let of = |it: Option<&Value>| it.and_then(|it| it.get(name)).cloned();
                compare(
                    &format!("{place}/{name}"),
                    of(planned).as_ref(),
                    &not_known[name],
                    of(applied).as_ref(),
                    unknown,
                    wrong,
                );
            }
        }
        (Some(Value::Array(planned)), Some(Value::Array(applied))) if lengths[0] == lengths[1] => {
            for (index, (planned, applied)) in planned.iter().zip(applied).enumerate() {
                compare(
                    &format!("{place}/{index}"),
                    Some(planned),
                    &not_known[index],
                    Some(applied),
                    unknown,
                    wrong,
                );
            }
        }
        _ if planned == applied => {}
        _ => wrong.push(format!("{place}: planned {planned:?}, applied {applied:?}")),
    }
}

/// Plans, applies that plan, and sees that all applications became what it said. Answers what of them it
/// did not know.
fn as_planned(work: &Workspace) -> (Plan, Vec<String>) {
    let plan = work.plan();
    work.apply_plan(&plan).succeeded();
    let (mut unknown, mut wrong) = (Vec::new(), Vec::new());
    let all = at(&plan.json, "/planned_values/root_module/resources").clone();
    for resource in all.as_array().unwrap() {
        let address = resource["address"].as_str().unwrap();
        let change = plan.change(address);
        let applied = work.state(address).unwrap();
        if !address.starts_with("oam_") {
            continue;
        }
        compare(
            "",
            change.get("after"),
            &change["after_unknown"],
            Some(&applied),
            &mut unknown,
            &mut wrong,
        );
        assert_eq!(resource["values"], change["after"], "{address}");
    }
    assert_eq!(wrong, Vec::<String>::new());
    work.plan().assert_empty();
    (plan, unknown)
}

/// What [`everything`] leaves out: scopes of their own (a test below has one), and what needs the mesh or
/// another type of component.
const UNUSED: [&str; 4] = ["tenant", "scopes", "upstream", "container"];

/// A configuration in which everything of an application and a component is used, but for [`UNUSED`].
fn everything(greeting: &str) -> String {
    let web = format!(
        r#"
  labels      = {{ team = "shop" }}
  annotations = {{ note = "all" }}
  network_scope "net" {{
    network_mode = "host"
    service_mesh = false
  }}
  node_pool_scope "pool" {{
    pool_name  = "default"
    datacenter = ["*"]
    constraint {{
      attribute = "attr.kernel.name"
      value     = "linux"
      operator  = "="
    }}
  }}
  namespace_scope "space" {{
    namespace = "default"
  }}
  component "web" {{
    type    = "webservice"
    driver  = "raw_exec"
    command = ["/bin/sleep"]
    args    = ["100000"]
    env     = {{ GREETING = "{greeting}" }}
    port "http" {{
      port     = 8080
      protocol = "TCP"
      expose   = false
    }}
    resources {{
      cpu    = "20m"
      memory = "20Mi"
    }}
    restart_policy {{
      attempts = 2
      interval = "1m"
      delay    = "1s"
      mode     = "delay"
    }}
    health_check {{
      type     = "http"
      path     = "/"
      port     = "http"
      interval = "10s"
      timeout  = "2s"
    }}
    scaler {{
      replicas = 1
      min      = 1
      max      = 3
      metric   = "cpu"
      target   = 60
    }}
    ingress {{
      host         = "all.example.com"
      path_prefix  = "/api"
      port         = "http"
      tls          = true
      strip_prefix = true
      middleware   = ["auth@file"]
    }}
    affinity {{
      node_class = "small"
      cloud      = "here"
      region     = "north"
      node_meta  = {{ rack = "r1" }}
      weight     = 20
      spread     = "node.datacenter"
      constraint {{
        attribute = "attr.kernel.name"
        value     = "linux"
        operator  = "="
      }}
    }}
    update_strategy {{
      strategy          = "canary"
      max_parallel      = 1
      canary            = 1
      auto_promote      = true
      auto_revert       = true
      health_check      = "task_states"
      min_healthy_time  = "1s"
      healthy_deadline  = "1m"
      progress_deadline = "2m"
    }}
    migration {{
      max_parallel     = 1
      health_check     = "task_states"
      min_healthy_time = "1s"
      healthy_deadline = "1m"
    }}
    service_discovery {{
      service_name = "all-web"
      tags         = ["one"]
      port         = "http"
    }}
  }}
  timeouts {{
    create = "3m"
    update = "3m"
    delete = "2m"
  }}"#
    );
    let report = yearly(
        "report",
        r#"time_zone = "Europe/Copenhagen"
    target_clusters   = ["*"]
    image             = "example/report:1"
    image_pull_secret = "secret/data/registry"
    env_from "KEY" {
      consul_key {
        key = "site/key"
      }
    }
    env_from "PASSWORD" {
      vault_secret {
        path  = "secret/data/db"
        field = "password"
      }
    }
    vault_secret "secret/data/api" {
      env           = { key = "API_KEY" }
      change_mode   = "signal"
      change_signal = "SIGUSR1"
    }
    volume "data" {
      source     = "data"
      mount_path = "/data"
      type       = "host"
      read_only  = true
    }
    sidecar "helper" {
      image   = "example/helper:1"
      command = ["help"]
      args    = ["me"]
      env     = { B = "2" }
      port "admin" {
        port     = 9090
        protocol = "TCP"
        expose   = false
      }
      resources {
        cpu    = "20m"
        memory = "20Mi"
      }
      volume {
        source      = "data"
        destination = "/data"
        read_only   = true
      }
      lifecycle {
        hook    = "prestart"
        sidecar = false
      }
    }"#,
    );
    application("guar-all", &(web + &report))
}

#[test]
fn every_block_is_applied_as_planned() {
    let own = Servers::start(Options {
        promises_vault: true,
        ..Options::default()
    });
    let work = Workspace::new(&own, &everything("hello"));
    let problems = work.validate();
    assert!(problems.is_empty(), "{problems:#?}");
    let (_, unknown) = as_planned(&work);
    assert_eq!(unknown, ["/jobs/report/version", "/jobs/web/version"]);
    let state = work.state(ADDRESS).unwrap();
    let used = |value: &Value| !(value.is_null() || *value == json!({}) || *value == json!([]));
    for field in def::application().fields() {
        let is_used = used(&state[field.name]);
        assert_ne!(is_used, UNUSED.contains(&field.name), "{}", field.name);
    }
    let components = state["component"].as_object().unwrap();
    let Some(Kind::Labelled(component)) = def::application().field("component").map(|it| it.kind)
    else {
        panic!("components have labels");
    };
    for field in component.fields() {
        let is_used = components.values().any(|it| used(&it[field.name]));
        assert_ne!(is_used, UNUSED.contains(&field.name), "{}", field.name);
    }

    // Of an update, only what changes gets another version.
    work.change(&everything("goodbye"));
    let (plan, unknown) = as_planned(&work);
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    assert_eq!(unknown, ["/jobs/web/version"]);
    work.destroy();
}

#[test]
fn components_come_change_and_go_as_planned() {
    let name = "guar-parts";
    let work = Workspace::new(
        servers(),
        &application(
            name,
            &(part("one", "1") + &part("two", "1") + &part("three", "1")),
        ),
    );
    let (_, unknown) = as_planned(&work);
    assert_eq!(unknown.len(), 3, "{unknown:?}");
    // One changes, one goes, one comes, one becomes a job of another type.
    let task = "\n  component \"three\" {\n    type = \"task\"\n    driver = \"raw_exec\"\n    \
                command = [\"/bin/true\"]\n  }";
    work.change(&application(
        name,
        &(part("one", "2") + &part("four", "1") + task),
    ));
    let (plan, unknown) = as_planned(&work);
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    assert_eq!(
        unknown,
        [
            "/jobs/four/version",
            "/jobs/one/version",
            "/jobs/three/version"
        ]
    );
    work.destroy();
    assert_eq!(servers().nomad.job_ids("guar-parts-"), Vec::<String>::new());
}

#[test]
fn a_manifest_and_a_rollback_are_applied_as_planned() {
    let manifest = |version: u64| {
        format!(
            "resource \"oam_application\" \"it\" {{\n  manifest = yamlencode({{\n    \
             apiVersion = \"core.oam.dev/v1beta1\"\n    kind = \"Application\"\n    \
             metadata = {{ name = \"guar-document\" }}\n    spec = {{ components = [{{\n      \
             name = \"job\"\n      type = \"cron-task\"\n      \
             properties = {{ schedule = \"@yearly\", image = \"example:{version}\" }}\n    \
             }}] }}\n  }})\n}}\n"
        )
    };
    let work = Workspace::new(servers(), &manifest(1));
    let version = ["/jobs/job/version"];
    assert_eq!(as_planned(&work).1, version);
    work.change(&manifest(2));
    assert_eq!(as_planned(&work).1, version);
    work.change(
        "resource \"oam_application\" \"it\" {\n  name = \"guar-document\"\n  rollback_to = 1\n}\n",
    );
    let (plan, unknown) = as_planned(&work);
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    assert_eq!(unknown, version);
    assert_eq!(running_image("guar-document-job"), "example:1");
    work.destroy();
}

#[test]
fn scopes_by_reference_are_applied_as_planned() {
    let with = |class: &str| {
        format!(
            "resource \"oam_node_pool_scope\" \"guar\" {{\n  name = \"guar\"\n  node_class = \"{class}\"\n}}\n{}",
            application(
                "guar-scoped",
                &format!(
                    "  scopes = [oam_node_pool_scope.guar.id]\n{}",
                    part("job", "1")
                )
            )
        )
    };
    let work = Workspace::new(servers(), &with("small"));
    // The removal of a scope looks at all applications under the prefix.
    work.write("provider.tf", &provider_block(servers(), "guar-scopes"));
    let (_, unknown) = as_planned(&work);
    assert_eq!(unknown, ["/jobs/job/version"]);
    work.change(&with("large"));
    let (plan, unknown) = as_planned(&work);
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    assert_eq!(unknown, ["/jobs/job/version"]);
    work.destroy();
}

#[test]
fn what_comes_of_another_resource_is_all_that_is_not_known() {
    let name = "guar-unknown";
    let other = "resource \"terraform_data\" \"it\" {\n  input = \"1\"\n}\n";
    let scope = "  namespace_scope \"here\" {\n    namespace = \"default\"\n  }\n";
    let components = part("job", "${terraform_data.it.id}") + &part("other", "1");
    let in_scope = format!("{scope}{components}");
    let planned = Workspace::new(
        servers(),
        &format!("{other}{}", application(name, &in_scope)),
    )
    .plan();
    let namespace = at(planned.change(ADDRESS), "/after/jobs/job/namespace");
    assert_eq!(namespace, "default");
    let work = Workspace::new(
        servers(),
        &format!("{other}{}", application(name, &components)),
    );
    let (_, unknown) = as_planned(&work);
    assert_eq!(
        unknown,
        [
            "/component/job/env/A",
            "/jobs/job/changes",
            "/jobs/job/version",
            "/jobs/other/version"
        ]
    );
    let id = work.state("terraform_data.it").unwrap()["id"].clone();
    assert_eq!(greeting("guar-unknown-job"), id);

    // Of an update, too: what does not change stays known.
    let before = index("guar-unknown-other");
    let plan = work.plan_with(&["-replace=terraform_data.it"]);
    let change = plan.change(ADDRESS);
    assert_eq!(change["actions"], json!(["update"]));
    assert_eq!(at(change, "/after/revision"), 2);
    assert_eq!(
        at(change, "/after_unknown/component/job/env"),
        &json!({ "A": true })
    );
    assert_eq!(at(change, "/after_unknown/component/other/env"), &json!({}));
    assert_eq!(change.pointer("/after_unknown/jobs/other/version"), None);
    work.apply_plan(&plan).succeeded();
    assert_eq!(index("guar-unknown-other"), before);
    work.plan().assert_empty();
    work.destroy();
}
