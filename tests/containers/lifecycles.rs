//! Several containers of one component, and what runs before and after it.

use super::support::{Workspace, docker, eventually};
use super::{AT_ONCE, BRIDGE, application, at, destroy, file, platform};

#[test]
fn containers_of_a_component_share_its_network_and_its_volume() {
    let Some(servers) = platform() else { return };
    let work = Workspace::new(
        servers,
        &application(
            "podded",
            &format!(
                r#"
  {BRIDGE}
  component "pod" {{
    type = "containerizedworkload.nomad.oam.dev"
    env  = {{ SHARED = "yes" }}
    container "front" {{
      image = "{image}"
      env   = {{ COMPONENT = "front" }}
      port "http" {{ port = 8080 }}
    }}
    container "back" {{
      image   = "{image}"
      command = ["/bin/sh", "-c", "echo from the back > /stored/podded; exec /bin/serve"]
      env = {{
        COMPONENT = "back"
        PORT      = "9090"
      }}
      volume {{
        source      = "data"
        destination = "/stored"
      }}
    }}
    volume "data" {{
      source     = "data"
      mount_path = "/data"
    }}
    health_check {{
      path     = "/"
      interval = "1s"
      timeout  = "1s"
    }}
    {AT_ONCE}
  }}"#,
                image = docker::WEB
            ),
        ),
    );
    work.apply();
    let ask = |path: &str| {
        let answer = servers.nomad.ask_job("default", "podded-pod", "http", path);
        answer.map(|answer| answer.body).unwrap_or_default()
    };
    assert!(ask("/").starts_with("component=front\n"));
    let both = eventually("the one reaches the other", || {
        Some(ask("/upstream/9090/")).filter(|body| body.starts_with("component=back\n"))
    });
    assert!(both.contains("path=/\n"), "{both}");
    assert_eq!(ask("/env/SHARED"), "yes\n");
    assert_eq!(ask("/upstream/9090/env/SHARED").trim(), "yes");
    // What the one writes the other reads, and it is the node's.
    assert_eq!(ask("/file/data/podded"), "from the back\n");
    assert_eq!(
        std::fs::read_to_string(servers.volume().join("podded")).unwrap(),
        "from the back\n"
    );
    work.plan().assert_empty();
    destroy(servers, &work, "podded");
}

#[test]
fn sidecars_run_before_beside_and_after() {
    let Some(servers) = platform() else { return };
    let sidecar = |name: &str, command: &str, lifecycle: &str| {
        format!(
            r#"
    sidecar "{name}" {{
      image   = "{}"
      command = ["/bin/sh", "-c", "{command}"]
      {lifecycle}
    }}"#,
            docker::WEB
        )
    };
    let note = |what: &str| format!("echo {what} >> /alloc/data/order");
    let sidecars = [
        sidecar(
            "init",
            &format!("sleep 1; {}", note("init")),
            "lifecycle {\n hook = \"prestart\"\n sidecar = false\n }",
        ),
        sidecar(
            "beside",
            &format!("{}; exec /bin/serve", note("beside")),
            "port \"side\" { port = 8080 }\n lifecycle {\n hook = \"poststart\"\n }",
        ),
        sidecar("after", &note("after"), "lifecycle { hook = \"poststop\" }"),
    ]
    .concat();
    let work = Workspace::new(
        servers,
        &application(
            "sided",
            &format!(
                r#"
  {BRIDGE}
  component "once" {{
    type    = "task"
    image   = "{}"
    command = ["/bin/sh", "-c", "echo main >> /alloc/data/order; sleep 5; echo end >> /alloc/data/order"]
    {sidecars}
  }}"#,
                docker::WEB
            ),
        ),
    );
    work.apply();
    let allocation = eventually("the task ran to its end", || {
        let allocation = servers.nomad.allocations("default", "sided-once").remove(0);
        (allocation["ClientStatus"] == "complete").then_some(allocation)
    });
    let order = file(servers, &allocation, "alloc/data/order").unwrap();
    assert_eq!(order, "init\nmain\nbeside\nend\nafter\n");
    for task in ["init", "once", "beside", "after"] {
        let state = at(&allocation, &format!("/TaskStates/{task}"));
        assert_eq!(
            (&state["State"], &state["Failed"]),
            (&"dead".into(), &false.into()),
            "{task}"
        );
    }
    work.plan().assert_empty();
    destroy(servers, &work, "sided");
}
