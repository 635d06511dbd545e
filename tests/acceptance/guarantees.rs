//! What Terraform promises its users of a resource: that a plan is what comes of it, and that each of
//! its own ways to say what shall happen to a resource works on an application.

use super::support::terraform::{Diagnostic, provider_block};
use super::support::{Options, Plan, Servers, Workspace, servers};
use super::{ADDRESS, application, at, yearly};
use oam_provider::oam::def::{self, Kind};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A component with nothing to wait for, which says this in a variable of its environment.
fn part(name: &str, greeting: &str) -> String {
    let more = format!(
        "driver = \"raw_exec\"\n    command = [\"/bin/true\"]\n    env = {{ A = \"{greeting}\" }}"
    );
    yearly(name, &more)
}

/// The same, with an image.
fn image(name: &str, version: u64) -> String {
    yearly(name, &format!("image = \"example:{version}\""))
}

/// An application with a `lifecycle` block.
fn kept(name: &str, components: &str, lifecycle: &str) -> String {
    application(
        name,
        &format!("{components}\n  lifecycle {{\n    {lifecycle}\n  }}"),
    )
}

fn job(id: &str) -> Value {
    let job = servers().nomad.job("default", id);
    job.unwrap_or_else(|| panic!("there is no job {id}"))
}

/// What tells whether somebody has written a job.
fn index(id: &str) -> Value {
    job(id)["JobModifyIndex"].clone()
}

/// What tells one job from another that has had its ID.
fn created(id: &str) -> Value {
    job(id)["CreateIndex"].clone()
}

fn greeting(id: &str) -> Value {
    at(&job(id), "/TaskGroups/0/Tasks/0/Env/A").clone()
}

fn running_image(id: &str) -> Value {
    at(&job(id), "/TaskGroups/0/Tasks/0/Config/image").clone()
}

/// Somebody else deploys this image.
fn deploy(id: &str, image: &str) {
    servers().nomad.edit("default", id, |job| {
        job["TaskGroups"][0]["Tasks"][0]["Config"]["image"] = image.into();
    });
}

fn record(name: &str) -> Option<Value> {
    servers().consul.record("oam", "default", name)
}

fn text(errors: &[Diagnostic]) -> String {
    let all = errors.iter();
    all.map(|error| format!("{}\n{}\n", error.summary, error.detail))
        .collect()
}

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

/// Two applications and what only one of them needs.
fn pair(a: &str, b: &str) -> String {
    let both = application("guar-target-a", &part("job", a)).replace("\"it\"", "\"a\"")
        + &application("guar-target-b", &part("job", b)).replace("\"it\"", "\"b\"");
    both + "output \"revision\" {\n  value = oam_application.a.revision\n}\n"
}

#[test]
fn a_target_touches_nothing_else() {
    let servers = servers();
    let work = Workspace::new(servers, &pair("1", "1"));
    let one = [
        "apply",
        "-json",
        "-auto-approve",
        "-target=oam_application.a",
    ];
    work.run(&one).succeeded();
    assert_eq!(servers.nomad.job_ids("guar-target"), ["guar-target-a-job"]);
    assert_eq!(record("guar-target-b"), None);
    work.apply();
    let before = index("guar-target-b-job");
    work.change(&pair("2", "2"));
    work.run(&one).succeeded();
    assert_eq!(greeting("guar-target-a-job"), "2");
    assert_eq!(index("guar-target-b-job"), before);
    assert_eq!(work.plan().actions("oam_application.b"), ["update"]);
    work.run(&[
        "destroy",
        "-json",
        "-auto-approve",
        "-target=oam_application.a",
    ])
    .succeeded();
    assert_eq!(servers.nomad.job_ids("guar-target"), ["guar-target-b-job"]);
    work.destroy();
}

#[test]
fn a_plan_without_a_refresh_overwrites_nothing_it_has_not_seen() {
    let name = "guar-stale";
    let work = Workspace::new(servers(), &application(name, &part("job", "1")));
    work.apply();
    work.plan_with(&["-refresh=false"]).assert_empty();
    // Without a change from outside it is as good as with one.
    work.change(&application(name, &part("job", "2")));
    let plan = work.plan_with(&["-refresh=false"]);
    work.apply_plan(&plan).succeeded();
    assert_eq!(greeting("guar-stale-job"), "2");
    work.plan_with(&["-refresh=false"]).assert_empty();

    servers().nomad.edit("default", "guar-stale-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = "outsider".into();
    });
    work.plan_with(&["-refresh=false"]).assert_empty();
    work.change(&application(name, &part("job", "3")));
    let plan = work.plan_with(&["-refresh=false"]);
    let told = text(&work.apply_plan(&plan).failed());
    assert!(
        told.contains("guar-stale-job has changed since the plan"),
        "{told}"
    );
    assert_eq!(greeting("guar-stale-job"), "outsider");
    work.apply();
    assert_eq!(greeting("guar-stale-job"), "3");
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_refresh_alone_shows_and_stores_drift_and_writes_nothing() {
    let name = "guar-refresh";
    let work = Workspace::new(
        servers(),
        &application(name, &(part("job", "1") + &part("other", "1"))),
    );
    work.apply();
    servers().nomad.edit("default", "guar-refresh-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = "outsider".into();
        job["Priority"] = 70.into();
    });
    let (live, kept) = (index("guar-refresh-job"), record(name));
    let plan = work.plan_with(&["-refresh-only"]);
    let drift = plan.drift(ADDRESS).unwrap();
    assert_eq!(at(drift, "/before/component/job/env/A"), "1");
    assert_eq!(at(drift, "/after/component/job/env/A"), "outsider");
    assert_eq!(
        at(drift, "/after/drift/0/path"),
        "guar-refresh-job/Priority"
    );
    work.run(&["apply", "-refresh-only", "-json", "-auto-approve"])
        .succeeded();
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(at(&state, "/component/job/env/A"), "outsider");
    assert_eq!(at(&state, "/drift/0/live"), "70");
    assert_eq!((index("guar-refresh-job"), record(name)), (live, kept));

    // It is in the state and no news any more, and what the configuration says still counts.
    let other = index("guar-refresh-other");
    let plan = work.plan();
    assert!(plan.drift(ADDRESS).is_none());
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    work.apply_plan(&plan).succeeded();
    assert_eq!(greeting("guar-refresh-job"), "1");
    assert_eq!(job("guar-refresh-job")["Priority"], 50);
    assert_eq!(index("guar-refresh-other"), other);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_forced_replacement_and_a_tainted_application_are_made_anew_once() {
    let name = "guar-anew";
    let work = Workspace::new(servers(), &application(name, &part("job", "1")));
    work.apply();
    work.change(&application(name, &part("job", "2")));
    work.apply();
    let mut before = created("guar-anew-job");
    let replace = format!("-replace={ADDRESS}");
    let plan = work.plan_with(&[&replace]);
    assert_eq!(plan.actions(ADDRESS), ["delete", "create"]);
    work.apply_plan(&plan).succeeded();
    assert_ne!(created("guar-anew-job"), before);
    assert_eq!(work.state(ADDRESS).unwrap()["revision"], 1);
    assert_eq!(record(name).unwrap()["revision"], 1);
    work.plan().assert_empty();

    before = created("guar-anew-job");
    work.run(&["taint", ADDRESS]).succeeded();
    assert!(work.tainted(ADDRESS));
    assert_eq!(work.plan().actions(ADDRESS), ["delete", "create"]);
    work.run(&["untaint", ADDRESS]).succeeded();
    work.plan().assert_empty();
    assert_eq!(created("guar-anew-job"), before);
    work.run(&["taint", ADDRESS]).succeeded();
    work.apply();
    assert_ne!(created("guar-anew-job"), before);
    assert!(!work.tainted(ADDRESS));
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(record(name), None);
}

#[test]
fn an_application_cannot_be_there_twice_and_nothing_is_lost() {
    let first = "create_before_destroy = true";
    let name = "guar-twice";
    let work = Workspace::new(servers(), &kept(name, &part("job", "1"), first));
    work.apply();
    let (live, kept_record) = (index("guar-twice-job"), record(name));
    let plan = work.plan_with(&[&format!("-replace={ADDRESS}")]);
    assert_eq!(plan.actions(ADDRESS), ["create", "delete"]);
    let told = text(&work.apply_plan(&plan).failed());
    assert!(told.contains("guar-twice exists already"), "{told}");
    assert!(told.contains("create_before_destroy"), "{told}");
    assert_eq!((index("guar-twice-job"), record(name)), (live, kept_record));
    work.plan().assert_empty();

    // Under another name both are there for a moment.
    work.change(&kept("guar-other", &part("job", "1"), first));
    assert_eq!(work.plan().actions(ADDRESS), ["create", "delete"]);
    work.apply();
    assert_eq!(servers().nomad.job_ids("guar-twice"), Vec::<String>::new());
    assert_eq!(servers().nomad.job_ids("guar-other"), ["guar-other-job"]);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn an_ignored_image_is_another_deployers() {
    let name = "guar-image";
    let ignored = "ignore_changes = [component[\"web\"].image]";
    let parts = |version, other| image("web", version) + &part("other", other);
    let work = Workspace::new(servers(), &kept(name, &parts(1, "1"), ignored));
    work.apply();
    deploy("guar-image-web", "example:7");
    let live = index("guar-image-web");
    assert!(
        work.plan().is_empty(),
        "the deployment is no change to make"
    );
    work.apply();
    assert_eq!(index("guar-image-web"), live);

    // An update of something else leaves it alone, and so does another image in the configuration.
    work.change(&kept(name, &parts(2, "2"), ignored));
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    let change = plan.change(ADDRESS);
    assert_eq!(at(change, "/after/component/web/image"), "example:7");
    work.apply_plan(&plan).succeeded();
    assert_eq!(index("guar-image-web"), live);
    assert_eq!(greeting("guar-image-other"), "2");
    work.plan().assert_empty();

    // What is not ignored of the same component is repaired, with the image that runs.
    servers().nomad.edit("default", "guar-image-web", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Config"]["image"] = "example:8".into();
        job["TaskGroups"][0]["Tasks"][0]["Resources"]["MemoryMB"] = 999.into();
    });
    assert_eq!(work.plan().actions(ADDRESS), ["update"]);
    work.apply();
    assert_eq!(running_image("guar-image-web"), "example:8");
    let memory = at(
        &job("guar-image-web"),
        "/TaskGroups/0/Tasks/0/Resources/MemoryMB",
    )
    .clone();
    assert_eq!(memory, 300);
    work.plan().assert_empty();
    // And without the word, the configuration's counts again.
    work.change(&application(name, &parts(2, "2")));
    work.apply();
    assert_eq!(running_image("guar-image-web"), "example:2");
    work.destroy();
}

#[test]
fn ignored_components_are_another_deployers() {
    let name = "guar-ignored";
    let ignored = "ignore_changes = [component]";
    let work = Workspace::new(
        servers(),
        &kept(name, &(image("web", 1) + &part("job", "1")), ignored),
    );
    work.apply();
    deploy("guar-ignored-web", "example:7");
    servers().nomad.edit("default", "guar-ignored-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = "outsider".into();
    });
    let live = (index("guar-ignored-web"), index("guar-ignored-job"));
    assert!(
        work.plan().is_empty(),
        "the deployments are no change to make"
    );
    work.apply();
    work.change(&kept(
        name,
        &format!("labels = {{ a = \"b\" }}\n{}", image("web", 2)),
        ignored,
    ));
    work.apply();
    assert_eq!((index("guar-ignored-web"), index("guar-ignored-job")), live);
    assert_eq!(
        at(&record(name).unwrap(), "/document/metadata/labels/a"),
        "b"
    );
    work.plan().assert_empty();

    // What no attribute stands for cannot be ignored: it is repaired, and the rest stays.
    servers().nomad.edit("default", "guar-ignored-web", |job| {
        job["Priority"] = 70.into();
        job["TaskGroups"][0]["Tasks"][0]["Config"]["image"] = "example:8".into();
    });
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    work.apply_plan(&plan).succeeded();
    assert_eq!(job("guar-ignored-web")["Priority"], 50);
    assert_eq!(running_image("guar-ignored-web"), "example:8");
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn an_application_moves_to_another_address_untouched() {
    let name = "guar-moved";
    let work = Workspace::new(servers(), &application(name, &part("job", "1")));
    work.apply();
    let before = (index("guar-moved-job"), record(name));
    let there = application(name, &part("job", "1"))
        .replace("\"it\" {", "\"there\" {\n  for_each = toset([\"x\"])");
    work.change(&format!(
        "{there}moved {{\n  from = {ADDRESS}\n  to = oam_application.there[\"x\"]\n}}\n"
    ));
    let plan = work.plan();
    assert_eq!(plan.actions("oam_application.there[\"x\"]"), ["no-op"]);
    work.apply_plan(&plan).succeeded();
    assert!(work.state(ADDRESS).is_none());
    assert!(work.state("oam_application.there[\"x\"]").is_some());
    assert_eq!((index("guar-moved-job"), record(name)), before);
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(record(name), None);
}

#[test]
fn a_removed_application_runs_on_and_can_be_taken_back() {
    let name = "guar-removed";
    let configuration = application(name, &part("job", "1"));
    let work = Workspace::new(servers(), &configuration);
    work.apply();
    let before = (index("guar-removed-job"), record(name));
    work.change(&format!(
        "removed {{\n  from = {ADDRESS}\n  lifecycle {{\n    destroy = false\n  }}\n}}\n"
    ));
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["forget"]);
    work.apply_plan(&plan).succeeded();
    assert!(work.state(ADDRESS).is_none());
    assert_eq!((index("guar-removed-job"), record(name)), before);

    // A second creation is refused, with what to do instead.
    work.change(&configuration);
    let told = text(&work.try_apply().failed());
    assert!(told.contains("terraform import"), "{told}");
    assert_eq!((index("guar-removed-job"), record(name)), before);
    work.run(&["import", "-no-color", ADDRESS, name])
        .succeeded();
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(record(name), None);
}

#[test]
fn of_many_applications_each_stands_alone() {
    let many = |names: &str| {
        format!(
            "resource \"oam_application\" \"it\" {{\n  for_each = toset([{names}])\n  \
             name = \"guar-many-${{each.key}}\"\n{}\n}}\n",
            part("job", "${each.key}")
        )
    };
    let work = Workspace::new(servers(), &many("\"a\", \"b\""));
    work.apply();
    assert_eq!(greeting("guar-many-b-job"), "b");
    let before = index("guar-many-b-job");
    work.change(&many("\"b\", \"c\""));
    let plan = work.plan();
    let actions = |key: &str| plan.actions(&format!("oam_application.it[\"{key}\"]"));
    assert_eq!(actions("a"), ["delete"]);
    assert_eq!(actions("b"), ["no-op"]);
    assert_eq!(actions("c"), ["create"]);
    work.apply_plan(&plan).succeeded();
    let jobs = servers().nomad.job_ids("guar-many-");
    assert_eq!(jobs, ["guar-many-b-job", "guar-many-c-job"]);
    assert_eq!(index("guar-many-b-job"), before);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn of_components_from_a_map_each_stands_alone() {
    let many = |jobs: &str| {
        format!(
            "locals {{\n  jobs = {{ {jobs} }}\n}}\nresource \"oam_application\" \"it\" {{\n  \
             name = \"guar-map\"\n  dynamic \"component\" {{\n    for_each = local.jobs\n    \
             labels = [component.key]\n    content {{\n      type = \"cron-task\"\n      \
             driver = \"raw_exec\"\n      schedule = \"@yearly\"\n      command = [\"/bin/true\"]\n      \
             env = {{ A = component.value }}\n    }}\n  }}\n}}\n"
        )
    };
    let work = Workspace::new(servers(), &many("a = \"1\", b = \"1\""));
    work.apply();
    let before = index("guar-map-b");
    work.change(&many("b = \"1\", c = \"1\", 0 = \"1\""));
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    work.apply_plan(&plan).succeeded();
    let jobs = servers().nomad.job_ids("guar-map-");
    assert_eq!(jobs, ["guar-map-0", "guar-map-b", "guar-map-c"]);
    assert_eq!(index("guar-map-b"), before);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn what_must_not_be_destroyed_is_not() {
    let name = "guar-precious";
    let never = "prevent_destroy = true";
    let work = Workspace::new(servers(), &kept(name, &part("job", "1"), never));
    work.apply();
    let before = (index("guar-precious-job"), record(name));
    work.run(&["destroy", "-json", "-auto-approve"]).failed();
    work.change(&kept("guar-cheap", &part("job", "1"), never));
    let told = text(&work.try_plan().failed());
    assert!(told.contains("prevent_destroy"), "{told}");
    assert_eq!((index("guar-precious-job"), record(name)), before);
    let first = created("guar-precious-job");
    work.change(&kept(name, &part("job", "2"), never));
    work.apply();
    assert_eq!(created("guar-precious-job"), first);
    assert_eq!(greeting("guar-precious-job"), "2");
    work.change(&application(name, &part("job", "2")));
    work.destroy();
}

/// Takes the name of a job of an application.
fn occupy(id: &str) {
    servers().nomad.register(&json!({
        "ID": id, "Name": id, "Type": "batch", "Datacenters": ["*"],
        "Periodic": { "Enabled": true, "Specs": ["0 0 1 1 *"], "SpecType": "cron" },
        "TaskGroups": [{ "Name": "job", "Tasks": [{
            "Name": "job", "Driver": "raw_exec", "Config": { "command": "/bin/true" },
        }]}],
    }));
}

#[test]
fn of_an_update_that_fails_half_way_the_rest_is_done_next() {
    let name = "guar-half";
    let work = Workspace::new(servers(), &application(name, &part("a", "1")));
    work.apply();
    occupy("guar-half-b");
    let all = part("a", "2") + &part("b", "2") + &part("c", "2");
    work.change(&application(name, &all));
    let told = text(&work.try_apply().failed());
    assert!(told.contains("guar-half-b already exists"), "{told}");
    let state = work.state(ADDRESS).unwrap();
    assert!(!work.tainted(ADDRESS));
    assert_eq!(state["status"], "applying");
    assert_eq!(at(&state, "/component/a/env/A"), "2");
    let components = state["component"].as_object().unwrap();
    assert_eq!(components.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(servers().nomad.job("default", "guar-half-c"), None);

    let before = index("guar-half-a");
    servers().nomad.stop("default", "guar-half-b", true);
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    assert_eq!(
        at(change, "/before/component/a"),
        at(change, "/after/component/a")
    );
    work.apply_plan(&plan).succeeded();
    assert_eq!(index("guar-half-a"), before, "it was written twice");
    let jobs = servers().nomad.job_ids("guar-half-");
    assert_eq!(jobs, ["guar-half-a", "guar-half-b", "guar-half-c"]);
    assert_eq!(work.state(ADDRESS).unwrap()["status"], "settled");
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_creation_that_fails_half_way_is_in_the_state_and_made_anew() {
    let name = "guar-begun";
    occupy("guar-begun-b");
    let all = part("a", "1") + &part("b", "1") + &part("c", "1");
    let work = Workspace::new(servers(), &application(name, &all));
    let told = text(&work.try_apply().failed());
    assert!(told.contains("guar-begun-b already exists"), "{told}");
    // Terraform taints whatever fails in its creation.
    assert!(work.tainted(ADDRESS));
    let state = work.state(ADDRESS).unwrap();
    let components = state["component"].as_object().unwrap();
    assert_eq!(components.keys().collect::<Vec<_>>(), ["a"]);
    let mine = created("guar-begun-b");
    servers().nomad.stop("default", "guar-begun-b", true);
    work.apply();
    let jobs = servers().nomad.job_ids("guar-begun-");
    assert_eq!(jobs, ["guar-begun-a", "guar-begun-b", "guar-begun-c"]);
    assert_ne!(created("guar-begun-b"), mine);
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(record(name), None);
}
