//! The five component types, each as the Nomad job it has to become.

use super::support::{Workspace, eventually, servers};
use super::{ADDRESS, application, at};
use serde_json::json;

#[test]
fn a_webservice_serves_and_is_checked() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &application(
            "served",
            r#"
  component "web" {
    type    = "webservice"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c"]
    args    = ["echo \"$GREETING\" > $NOMAD_TASK_DIR/index.html; exec python3 -m http.server $NOMAD_PORT_http --bind 127.0.0.1 --directory $NOMAD_TASK_DIR"]
    env     = { GREETING = "hello from the test" }
    port "http" { port = 8080 }
    health_check {
      path     = "/"
      interval = "1s"
      timeout  = "1s"
    }
    resources {
      cpu    = "250m"
      memory = "64Mi"
    }
    restart_policy {
      attempts = 1
      interval = "1m"
      delay    = "5s"
      mode     = "fail"
    }
  }"#,
        ),
    );
    work.apply();
    let job = servers.nomad.job("default", "served-web").unwrap();
    assert_eq!(job["Type"], "service");
    let task = at(&job, "/TaskGroups/0/Tasks/0");
    assert_eq!(at(task, "/Resources/CPU"), 250);
    assert_eq!(at(task, "/Resources/MemoryMB"), 64);
    let policy = at(&job, "/TaskGroups/0/RestartPolicy");
    assert_eq!(policy["Attempts"], 1);
    assert_eq!(policy["Interval"], 60_000_000_000_u64);
    assert_eq!(policy["Delay"], 5_000_000_000_u64);
    assert_eq!(policy["Mode"], "fail");

    // Create waited until the check passed, so the catalog has it and the page is there.
    let health = servers
        .consul
        .get("/v1/health/service/served-web?passing=true");
    let port = at(&health, "/0/Service/Port").as_u64().unwrap();
    let page = super::support::api::Api::new(
        format!("http://127.0.0.1:{port}"),
        "X-None",
        None,
        None,
        None,
    )
    .must(reqwest::Method::GET, "/", None);
    assert_eq!(page.body.trim(), "hello from the test");
    work.plan().assert_empty();
    work.destroy();
    eventually("the service is out of the catalog", || {
        servers
            .consul
            .service("served-web")
            .is_empty()
            .then_some(())
    });
}

#[test]
fn tasks_daemons_and_cron_tasks_are_what_they_are_in_nomad() {
    let servers = servers();
    let nomad = &servers.nomad;
    let work = Workspace::new(
        servers,
        &application(
            "kinds",
            r#"
  component "once" {
    type    = "task"
    driver  = "raw_exec"
    command = ["/bin/true"]
  }
  component "nightly" {
    type      = "cron-task"
    driver    = "raw_exec"
    command   = ["/bin/true"]
    schedule  = "30 2 * * *"
    time_zone = "Europe/Copenhagen"
  }
  component "agent" {
    type    = "daemon"
    driver  = "raw_exec"
    command = ["/bin/sleep", "100000"]
  }"#,
        ),
    );
    work.apply();
    let state = work.state(ADDRESS).unwrap();
    for (component, kind) in [("once", "batch"), ("nightly", "batch"), ("agent", "system")] {
        let job = nomad.job("default", &format!("kinds-{component}")).unwrap();
        assert_eq!(job["Type"], kind, "{component}");
        assert_eq!(at(&state, &format!("/jobs/{component}/type")), kind);
    }
    let nightly = nomad.job("default", "kinds-nightly").unwrap();
    assert_eq!(at(&nightly, "/Periodic/Enabled"), true);
    let periodic = at(&nightly, "/Periodic");
    assert!(
        periodic["Specs"] == json!(["30 2 * * *"]) || periodic["Spec"] == "30 2 * * *",
        "{periodic}"
    );
    assert_eq!(at(&nightly, "/Periodic/TimeZone"), "Europe/Copenhagen");
    assert_eq!(
        nomad.allocations("default", "kinds-agent")[0]["ClientStatus"],
        "running"
    );
    eventually("the task ran to its end", || {
        (nomad.allocations("default", "kinds-once")[0]["ClientStatus"] == "complete").then_some(())
    });
    // A task that ran through is no drift.
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(nomad.job_ids("kinds-"), Vec::<String>::new());
}

#[test]
fn an_image_becomes_a_docker_task() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &application(
            "pictured",
            &super::yearly(
                "job",
                "image = \"registry.example.com/tools/report:1.2\"\n    command = [\"report\"]\n    args = [\"--all\"]",
            ),
        ),
    );
    work.apply();
    let job = servers.nomad.job("default", "pictured-job").unwrap();
    let task = at(&job, "/TaskGroups/0/Tasks/0");
    assert_eq!(task["Driver"], "docker");
    assert_eq!(
        at(task, "/Config/image"),
        "registry.example.com/tools/report:1.2"
    );
    work.plan().assert_empty();
    work.destroy();
}
