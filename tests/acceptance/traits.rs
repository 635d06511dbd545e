//! The traits, by what Nomad and Consul make of them.

use super::support::{Workspace, eventually, servers};
use super::{application, at, worker};
use serde_json::Value;

#[test]
fn a_scaler_sets_the_count_and_the_policy() {
    let servers = servers();
    let configuration = |replicas: u32| {
        application(
            "scaled",
            &worker(
                "web",
                &format!(
                    "scaler {{\n replicas = {replicas}\n min = 1\n max = 5\n metric = \"cpu\"\n target = 70\n }}"
                ),
            ),
        )
    };
    let work = Workspace::new(servers, &configuration(2));
    work.apply();
    let job = servers.nomad.job("default", "scaled-web").unwrap();
    assert_eq!(at(&job, "/TaskGroups/0/Count"), 2);
    let policy = at(&job, "/TaskGroups/0/Scaling");
    assert_eq!((&policy["Min"], &policy["Max"]), (&1.into(), &5.into()));
    assert_eq!(policy["Enabled"], true);
    let running = servers.nomad.allocations("default", "scaled-web");
    assert_eq!(running.len(), 2);
    work.plan().assert_empty();

    work.change(&configuration(3));
    work.apply();
    assert_eq!(
        at(
            &servers.nomad.job("default", "scaled-web").unwrap(),
            "/TaskGroups/0/Count"
        ),
        3
    );
    work.plan().assert_empty();

    // Within the policy's limits the count is the autoscaler's business.
    servers.nomad.edit("default", "scaled-web", |job| {
        job["TaskGroups"][0]["Count"] = 4.into()
    });
    assert!(work.plan().is_empty(), "the autoscaler is undone");
    work.destroy();
}

#[test]
fn an_ingress_shows_as_traefik_tags_in_the_catalog() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &application(
            "shop",
            r#"
  component "web" {
    type    = "webservice"
    driver  = "raw_exec"
    command = ["/bin/sleep", "100000"]
    port "http" { port = 8080 }
    ingress {
      host         = "shop.acme.example.com"
      path_prefix  = "/api"
      tls          = true
      strip_prefix = true
      middleware   = ["auth@file"]
    }
  }"#,
        ),
    );
    work.apply();
    let instances = eventually("the service is in the catalog", || {
        let instances = servers.consul.service("shop-web");
        (!instances.is_empty()).then_some(instances)
    });
    let tags: Vec<&str> = instances[0]["ServiceTags"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let has = |start: &str, with: &str| {
        assert!(
            tags.iter()
                .any(|tag| tag.starts_with(start) && tag.contains(with)),
            "no tag {start}…{with} in {tags:#?}"
        );
    };
    has("traefik.enable=", "true");
    has("traefik.http.routers.", ".rule=");
    has("traefik.http.routers.", "Host(`shop.acme.example.com`)");
    has("traefik.http.routers.", "PathPrefix(`/api`)");
    has("traefik.http.routers.", ".tls=true");
    has("traefik.http.routers.", "auth@file");
    has("traefik.http.middlewares.", "stripprefix.prefixes=/api");
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_host_volume_is_mounted() {
    let servers = servers();
    let driver = if servers.nomad.has_driver("exec") {
        "exec"
    } else {
        // Without root no driver but Docker's mounts volumes; the job is still to be registered so.
        "raw_exec"
    };
    let work = Workspace::new(
        servers,
        &application(
            "stored",
            &format!(
                r#"
  component "writer" {{
    type    = "task"
    driver  = "{driver}"
    command = ["/bin/sh", "-c", "echo kept > /data/stored"]
    volume "data" {{
      type       = "host"
      source     = "data"
      mount_path = "/data"
    }}
  }}"#
            ),
        ),
    );
    if driver == "exec" {
        work.apply();
        let file = servers.volume().join("stored");
        eventually("the task wrote to the volume", || {
            std::fs::read_to_string(&file)
                .ok()
                .filter(|text| text == "kept\n")
        });
        let job = servers.nomad.job("default", "stored-writer").unwrap();
        assert_eq!(at(&job, "/TaskGroups/0/Volumes/data/Source"), "data");
        assert_eq!(
            at(&job, "/TaskGroups/0/Tasks/0/VolumeMounts/0/Destination"),
            "/data"
        );
        work.plan().assert_empty();
        work.destroy();
    } else {
        work.plan();
    }
}
