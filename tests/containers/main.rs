//! Applications in containers under the real Terraform (or OpenTofu): bridge networks, Traefik, the
//! mesh, Vault, volumes, every type of component, canaries.
//!
//! The tests share servers with all of it, so each takes names of its own. Where containers cannot run,
//! each says `skipped: …` and why; with `CI=true` that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod bridge;
mod ingress;
mod lifecycles;
mod mesh;
mod pulls;
mod secrets;
mod updates;
mod volumes;
mod workloads;

use serde_json::Value;
use std::process::Command;
use std::sync::OnceLock;
use support::api::{Answer, Api};
use support::{Options, Servers, Workspace, docker};

/// The address of the application in the configurations of most tests.
const ADDRESS: &str = "oam_application.it";

/// A network of its own for each instance.
const BRIDGE: &str = "network_scope \"net\" { network_mode = \"bridge\" }";

/// Nothing is waited for once a task runs and its checks pass.
const AT_ONCE: &str = "update_strategy { min_healthy_time = \"0s\" }";

/// Servers with all of it, for all tests here; `None` where containers cannot run.
fn platform() -> Option<&'static Servers> {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    docker::ready().then(|| {
        SERVERS.get_or_init(|| {
            Servers::start(Options {
                containers: true,
                vault: true,
                traefik: true,
                ..Options::default()
            })
        })
    })
}

/// An application with these components and scopes, under `oam_application.it`.
fn application(name: &str, content: &str) -> String {
    resource("it", name, content)
}

/// An application with these components and scopes, under `oam_application.<label>`.
fn resource(label: &str, name: &str, content: &str) -> String {
    format!("resource \"oam_application\" \"{label}\" {{\n  name = \"{name}\"\n{content}\n}}\n")
}

/// A component that serves the tests' web image and is healthy at once, with further lines.
fn web(name: &str, more: &str) -> String {
    format!(
        r#"
  component "{name}" {{
    type  = "webservice"
    image = "{}"
    env   = {{ COMPONENT = "{name}" }}
    port "http" {{ port = 8080 }}
    resources {{
      cpu    = "50m"
      memory = "64Mi"
    }}
    {AT_ONCE}
    {more}
  }}"#,
        docker::WEB
    )
}

/// What `GET` gives at a server of its own, such as `http://198.18.7.1:20017`.
fn get(address: String, path: &str) -> Option<Answer> {
    Api::new(address, "X-None", None, None, None).ask(reqwest::Method::GET, path, None)
}

/// Where Consul says that the healthy instances of a service are, in the order of their addresses.
fn instances(servers: &Servers, service: &str) -> Vec<String> {
    let health = servers
        .consul
        .get(&format!("/v1/health/service/{service}?passing=true"));
    let mut all: Vec<_> = health
        .as_array()
        .unwrap()
        .iter()
        .map(|instance| {
            let service = &instance["Service"];
            let address = service["Address"].as_str().unwrap();
            format!("http://{address}:{}", service["Port"])
        })
        .collect();
    all.sort();
    all
}

/// The images of the Docker containers of a job's tasks that run, and their names, which are
/// `<task>-<allocation>`.
fn containers(servers: &Servers, job: &str) -> Vec<(String, String)> {
    let listed = Command::new("docker")
        .args(["ps", "--format", "{{.Image}} {{.Names}}"])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let allocations = servers.nomad.allocations("default", job);
    let ours = |name: &str| {
        allocations
            .iter()
            .any(|allocation| name.ends_with(allocation["ID"].as_str().unwrap()))
    };
    listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, name)| ours(name))
        .map(|(image, name)| (image.to_owned(), name.to_owned()))
        .collect()
}

/// A file in the folder of an allocation, such as `alloc/data/order`.
fn file(servers: &Servers, allocation: &Value, path: &str) -> Option<String> {
    let id = allocation["ID"].as_str().unwrap();
    let path = format!("/v1/client/fs/cat/{id}?path={path}");
    let answer = servers.nomad.ask(reqwest::Method::GET, &path, None)?;
    // A file that is not there is told about in the answer, which has begun well.
    (answer.status == 200 && !answer.body.starts_with("stat /")).then_some(answer.body)
}

/// Takes the application away and looks whether anything of it is left.
fn destroy(servers: &Servers, work: &Workspace, name: &str) {
    work.destroy();
    let prefix = format!("{name}-");
    assert_eq!(servers.nomad.job_ids(&prefix), Vec::<String>::new());
    assert_eq!(servers.consul.record("oam", "default", name), None);
    support::eventually("its services are out of the catalog", || {
        let services = servers.consul.get("/v1/catalog/services");
        let mut left = services.as_object().unwrap().keys();
        (!left.any(|name| name.starts_with(&prefix))).then_some(())
    });
}

/// The value at a JSON pointer, which has to be there.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value
        .pointer(pointer)
        .unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
}
