//! Every type of component, doing what it is for.

use super::support::{Servers, Workspace, docker, eventually};
use super::{application, at, destroy, file, platform};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What a task of an allocation has said, in a file: what Docker hands on of the output of a container
/// that ends at once comes when it comes.
fn said(servers: &Servers, allocation: &Value) -> Option<String> {
    file(servers, allocation, "alloc/data/said")
}

#[test]
fn everything_runs_as_its_type_says() {
    let Some(servers) = platform() else { return };
    let nomad = &servers.nomad;
    let image = docker::WEB;
    let work = Workspace::new(
        servers,
        &application(
            "works",
            &format!(
                r#"
  component "minutely" {{
    type     = "cron-task"
    schedule = "* * * * *"
    image    = "{image}"
    command  = ["/bin/sh", "-c"]
    args     = ["echo by schedule > /alloc/data/said"]
  }}
  component "once" {{
    type    = "task"
    image   = "{image}"
    command = ["/bin/sh", "-c", "echo once > /alloc/data/said"]
  }}
  component "batch" {{
    type    = "batchworkload.nomad.oam.dev"
    image   = "{image}"
    command = ["/bin/sh", "-c", "echo in a batch > /alloc/data/said"]
  }}
  component "program" {{
    type    = "executableworkload.nomad.oam.dev"
    command = ["/bin/sh", "-c", "echo $GREETING from $(ls /) > /alloc/data/said"]
    env     = {{ GREETING = "hello" }}
  }}
  component "agent" {{
    type  = "daemon"
    image = "{image}"
    env   = {{ COMPONENT = "agent" }}
    port "http" {{ port = 8080 }}
    update_strategy {{ min_healthy_time = "0s" }}
  }}
  component "everywhere" {{
    type  = "systemworkload.nomad.oam.dev"
    image = "{image}"
    env   = {{ COMPONENT = "everywhere" }}
    port "http" {{ port = 8080 }}
    update_strategy {{ min_healthy_time = "0s" }}
  }}"#
            ),
        ),
    );
    let start = Instant::now();
    work.apply();

    for (component, output) in [
        ("once", "once\n"),
        ("batch", "in a batch\n"),
        ("program", "hello from"),
    ] {
        let job = format!("works-{component}");
        let allocation = eventually("the task ran to its end", || {
            let allocation = nomad.allocations("default", &job).into_iter().next()?;
            assert_ne!(allocation["ClientStatus"], "failed", "{allocation:#}");
            (allocation["ClientStatus"] == "complete").then_some(allocation)
        });
        let text = said(servers, &allocation).unwrap();
        assert!(text.starts_with(output), "{component}: {text}");
        // The driver `exec` shows nothing of the node but what its configuration says.
        assert!(!text.contains("root"), "{component}: {text}");
    }
    for component in ["agent", "everywhere"] {
        let job = format!("works-{component}");
        assert_eq!(nomad.allocations("default", &job).len(), 1);
        let answer = nomad.ask_job("default", &job, "http", "/").unwrap();
        assert!(answer.body.starts_with(&format!("component={component}\n")));
    }

    // Nomad knows no shorter schedule than a minute.
    let prefix = "works-minutely/periodic-";
    let child = loop {
        if let Some(child) = nomad.job_ids(prefix).into_iter().next() {
            break child;
        }
        let waited = start.elapsed();
        assert!(waited < Duration::from_secs(120), "nothing in {waited:?}");
        std::thread::sleep(Duration::from_millis(500));
    };
    let child = child.replace('/', "%2F");
    let allocation = eventually("what the schedule started ran to its end", || {
        let allocation = nomad.allocations("default", &child).into_iter().next()?;
        (allocation["ClientStatus"] == "complete").then_some(allocation)
    });
    let text = said(servers, &allocation);
    assert_eq!(text.as_deref(), Some("by schedule\n"));
    // What ran through is no drift, and neither is what a schedule has started.
    work.plan().assert_empty();
    destroy(servers, &work, "works");
}

/// No virtual machine is run: no node here has QEMU, and that is what is told.
#[test]
fn a_virtual_machine_is_planned_by_nomad_and_waits_for_a_node_with_qemu() {
    let Some(servers) = platform() else { return };
    let work = Workspace::new(
        servers,
        &application(
            "virtual",
            r#"
  component "vm" {
    type  = "vmworkload.nomad.oam.dev"
    image = "/srv/images/linux.img"
    args  = ["-nodefaults"]
    port "ssh" { port = 22 }
    resources {
      cpu    = "1"
      memory = "512Mi"
    }
  }
  timeouts { create = "2s" }"#,
        ),
    );
    assert!(work.validate().is_empty());
    let plan = work.plan();
    assert_eq!(plan.actions(super::ADDRESS), ["create"]);
    let errors = work.apply_plan(&plan).failed();
    assert!(
        errors[0]
            .detail
            .contains("1 node without the task's driver"),
        "{errors:#?}"
    );
    // Nomad has taken the job, and says of a further plan that only the node is missing.
    let mut job = servers.nomad.job("default", "virtual-vm").unwrap();
    let task = at(&job, "/TaskGroups/0/Tasks/0");
    assert_eq!(task["Driver"], "qemu");
    assert_eq!(at(task, "/Config/image_path"), "/srv/images/linux.img");
    job["TaskGroups"][0]["Tasks"][0]["Env"] = json!({ "MORE": "yes" });
    let answer = servers.nomad.post(
        "/v1/job/virtual-vm/plan",
        &json!({ "Job": job, "Diff": true }),
    );
    let answer = answer.json();
    assert_eq!(answer["Warnings"], "", "{answer}");
    let failed = at(&answer, "/FailedTGAllocs/vm");
    assert!(
        failed["ConstraintFiltered"]["missing drivers"] == 1,
        "{failed}"
    );
    eprintln!("no virtual machine was run: QEMU is not part of the tests");
    destroy(servers, &work, "virtual");
}
