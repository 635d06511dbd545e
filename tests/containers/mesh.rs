//! Components in Consul's mesh.

use super::support::{Workspace, docker, eventually};
use super::{AT_ONCE, application, at, destroy, file, platform, resource, web};
use serde_json::Value;

#[test]
fn components_call_each_other_as_far_as_intentions_let_them() {
    let Some(servers) = platform() else { return };
    let scope = r#"network_scope "net" {
    network_mode = "bridge"
    service_mesh = true
  }"#;
    let checked = r#"
    health_check {
      path     = "/"
      interval = "1s"
      timeout  = "1s"
    }"#;
    let api = web(
        "api",
        &format!("{checked}\n    ingress {{ host = \"api.meshed.example.com\" }}"),
    );
    let front = web(
        "web",
        &format!("{checked}\n    upstream \"api\" {{ port = 9001 }}"),
    );
    // Serves nobody, and calls what another application has.
    let worker = format!(
        r#"
  component "worker" {{
    type    = "worker"
    image   = "{}"
    command = ["/bin/sh", "-c", "while :; do wget -q -O /alloc/data/answer http://127.0.0.1:9002/work; sleep 1; done"]
    upstream "api" {{
      port        = 9002
      application = "meshed"
    }}
    {AT_ONCE}
  }}"#,
        docker::WEB
    );
    let work = Workspace::new(
        servers,
        &[
            application("meshed", &format!("{scope}{api}{front}")),
            resource("other", "meshes", &format!("{scope}{worker}")),
        ]
        .concat(),
    );
    work.apply();
    // What Nomad adds for the mesh: a proxy, its port, constraints.
    let live = servers.nomad.job("default", "meshed-web").unwrap();
    assert_eq!(
        at(&live, "/TaskGroups/0/Tasks").as_array().unwrap().len(),
        2
    );
    work.plan().assert_empty();

    let call = || {
        let answer = servers
            .nomad
            .ask_job("default", "meshed-web", "http", "/upstream/9001/hello");
        let answer = answer.expect("the component answers");
        (answer.status, answer.body)
    };
    let refused = || eventually("the call is refused", || (call().0 == 502).then_some(()));
    let answered = || {
        let body = eventually("the call goes through", || {
            let (status, body) = call();
            (status == 200).then_some(body)
        });
        assert!(body.starts_with("component=api\npath=/hello\n"), "{body}");
    };
    refused();
    servers.consul.allow("meshed-web", "meshed-api");
    answered();
    // Only now is it certain that what refused the call was the intention.
    servers.consul.disallow("meshed-web", "meshed-api");
    refused();
    servers.consul.allow("meshed-web", "meshed-api");
    answered();

    let answer = || {
        let allocation = servers
            .nomad
            .allocations("default", "meshes-worker")
            .remove(0);
        file(servers, &allocation, "alloc/data/answer").unwrap_or_default()
    };
    assert_eq!(answer(), "");
    servers.consul.allow("meshes-worker", "meshed-api");
    eventually("the worker is answered, too", || {
        answer()
            .starts_with("component=api\npath=/work\n")
            .then_some(())
    });

    // From outside, too, where an ingress says so.
    let reply = eventually("Traefik serves it", || {
        let reply = servers.traefik().get("api.meshed.example.com", "/");
        (reply.status == 200).then_some(reply)
    });
    assert!(reply.body.starts_with("component=api\n"), "{}", reply.body);
    work.plan().assert_empty();

    // What Nomad has added is nobody's to change.
    servers.nomad.edit("default", "meshed-web", |job| {
        let tasks = job["TaskGroups"][0]["Tasks"].as_array_mut().unwrap();
        let proxy =
            |task: &&mut Value| task["Name"].as_str().unwrap().starts_with("connect-proxy-");
        let proxy = tasks.iter_mut().find(proxy).unwrap();
        proxy["Config"]["image"] = "oam-tests/other:1".into();
    });
    let plan = work.plan();
    assert!(!plan.is_empty(), "the proxy's image is no drift");
    work.apply_plan(&plan).succeeded();
    work.plan().assert_empty();
    servers.consul.disallow("meshed-web", "meshed-api");
    servers.consul.disallow("meshes-worker", "meshed-api");
    destroy(servers, &work, "meshed");
    destroy(servers, &work, "meshes");
}
