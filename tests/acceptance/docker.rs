//! Containers, where a Docker engine answers.

use super::support::{Workspace, docker, servers};
use super::{ADDRESS, application, at};

#[test]
fn a_container_serves_and_its_image_drifts() {
    let servers = servers();
    if !servers.nomad.has_driver("docker") {
        docker::skipped("no Docker engine answers");
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    if !["oam-test:1", "oam-test:2"]
        .iter()
        .all(|name| docker::busybox_image(name, scratch.path()))
    {
        docker::skipped("no static busybox for an image");
        return;
    }
    let work = Workspace::new(
        servers,
        &application(
            "contained",
            r#"
  component "web" {
    type    = "webservice"
    image   = "oam-test:1"
    command = ["/bin/sh", "-c"]
    args    = ["echo served > /data/index.html; exec busybox httpd -f -p $NOMAD_PORT_http -h /data"]
    port "http" { port = 8080 }
    health_check {
      path     = "/"
      interval = "1s"
      timeout  = "1s"
    }
    resources { memory = "32Mi" }
    volume "data" {
      source     = "data"
      mount_path = "/data"
    }
  }"#,
        ),
    );
    work.apply();
    let health = servers
        .consul
        .get("/v1/health/service/contained-web?passing=true");
    let service = at(&health, "/0/Service");
    let page = super::support::api::Api::new(
        format!("http://127.0.0.1:{}", at(service, "/Port")),
        "X-None",
        None,
        None,
        None,
    )
    .must(reqwest::Method::GET, "/", None);
    assert_eq!(page.body.trim(), "served");
    assert_eq!(
        std::fs::read_to_string(servers.volume().join("index.html")).unwrap(),
        "served\n"
    );
    work.plan().assert_empty();

    servers.nomad.edit("default", "contained-web", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Config"]["image"] = "oam-test:2".into();
    });
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    assert_eq!(at(change, "/before/component/web/image"), "oam-test:2");
    assert_eq!(at(change, "/after/component/web/image"), "oam-test:1");
    work.apply_plan(&plan).succeeded();
    work.plan().assert_empty();
    work.destroy();
}
