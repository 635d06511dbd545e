//! What Nomad's admission adds to a job by itself: constraints, identities, and the proxies of the mesh
//! (`nomad/job_endpoint_hooks.go`, `job_endpoint_hook_implicit_identities.go` and
//! `job_endpoint_hook_connect.go` in Nomad).

use serde_json::{Value, json};

use crate::tenants::Usage;

/// What the proxy of a service takes (`connectSidecarResources` in Nomad's
/// `nomad/job_endpoint_hook_connect.go`).
pub const PROXY: Usage = Usage {
    jobs: 0,
    cpu_mhz: 250,
    memory_mb: 128,
};

/// What runs the proxy of a service, as no task here has the driver `podman` (`groupConnectGuessTaskDriver`
/// there).
pub const PROXY_DRIVER: &str = "docker";

/// Constraints on what a node must have: for a Consul service and for the identity of one (1.7.0 was the
/// least Consul before Nomad 1.7), for Vault, for bridge networks, and for the mesh.
const CONSTRAINTS: [(&str, &str, &str); 10] = [
    ("${attr.consul.version}", ">= 1.8.0", "semver"),
    ("${attr.consul.version}", ">= 1.7.0", "semver"),
    ("${attr.nomad.version}", ">= 1.7.0-a", "semver"),
    ("${attr.vault.version}", ">= 0.6.1", "semver"),
    ("${attr.plugins.cni.version.bridge}", ">= 0.4.0", "semver"),
    ("${attr.plugins.cni.version.firewall}", ">= 0.4.0", "semver"),
    (
        "${attr.plugins.cni.version.host-local}",
        ">= 0.4.0",
        "semver",
    ),
    ("${attr.plugins.cni.version.loopback}", ">= 0.4.0", "semver"),
    ("${attr.plugins.cni.version.portmap}", ">= 0.4.0", "semver"),
    ("${attr.consul.grpc}", "0", ">"),
];

/// Whether an item of a list is one that Nomad adds. `signals` are those that the tasks of the job get,
/// in order.
pub fn adds(path: &str, item: &Value, signals: &[String]) -> bool {
    let text = |field| item.get(field).and_then(Value::as_str).unwrap_or_default();
    match path.rsplit('/').next() {
        Some("Constraints") => {
            let parts = (text("LTarget"), text("RTarget"), text("Operand"));
            let on_signals = parts.0 == "${attr.os.signals}" && parts.2 == "set_contains";
            CONSTRAINTS.contains(&parts)
                || on_signals && !signals.is_empty() && sorted(parts.1.split(',')) == signals
        }
        // For Vault and for Consul's KV, each to the server's configuration.
        Some("Identities") => {
            let name = text("Name");
            matches!(name, "vault_default" | "consul_default")
        }
        _ => false,
    }
}

/// The signals that the tasks of a job get when a template changes, in order.
pub fn signals(job: &Value) -> Vec<String> {
    let templates = items(job, "TaskGroups")
        .flat_map(|group| items(group, "Tasks"))
        .flat_map(|task| items(task, "Templates"));
    let signal = |template: &Value| template.get("ChangeSignal")?.as_str().map(str::to_owned);
    let all: Vec<_> = templates.filter_map(signal).collect();
    sorted(all.iter().map(String::as_str))
}

fn sorted<'s>(words: impl Iterator<Item = &'s str>) -> Vec<String> {
    let mut words: Vec<_> = words.map(str::to_owned).collect();
    words.sort();
    words.dedup();
    words
}

fn items<'v>(value: &'v Value, list: &str) -> impl Iterator<Item = &'v Value> {
    value
        .get(list)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// What servers fill in where nothing is set, each to its own configuration: the region, the identity of
/// a Consul service, whose name always begins the same and which always names its service, and the
/// arguments of a proxy, which are those of one version of Nomad.
pub fn fills_in(path: &str, recorded: &Value, live: &Value) -> bool {
    if !recorded.is_null() {
        return false;
    }
    let text = |field| live.get(field).and_then(Value::as_str).unwrap_or_default();
    let parts: Vec<_> = path.split('/').collect();
    match parts.as_slice() {
        ["Region"] => true,
        ["TaskGroups", _, "Services", service, "Identity"] => {
            text("ServiceName") == *service && text("Name").starts_with("consul-service_")
        }
        ["TaskGroups", _, "Tasks", task, "Config", "args"] => task.starts_with("connect-proxy-"),
        _ => false,
    }
}

/// Adds to a recorded job what the mesh adds: for a service with a proxy, the proxy's task and port; for
/// one without, the kind of its task.
pub fn expect_the_mesh(job: &mut Value) {
    let groups = job.get_mut("TaskGroups").and_then(Value::as_array_mut);
    for group in groups.into_iter().flatten() {
        expect_tasks_of_checks(group);
        let services: Vec<Value> = items(group, "Services").cloned().collect();
        for service in &services {
            let name = service
                .get("Name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if !service["Connect"]["SidecarService"].is_null() {
                let label = format!("connect-proxy-{name}");
                push(&mut group["Tasks"], proxy(name));
                push(
                    &mut group["Networks"][0]["DynamicPorts"],
                    json!({ "Label": label, "To": -1 }),
                );
            } else if service["Connect"]["Native"] == true {
                let tasks = group.get_mut("Tasks").and_then(Value::as_array_mut);
                for task in tasks.into_iter().flatten() {
                    if task["Name"] == service["TaskName"] {
                        task["Kind"] = format!("connect-native:{name}").into();
                    }
                }
            }
        }
    }
}

/// A check is of the task that its service is of.
fn expect_tasks_of_checks(group: &mut Value) {
    let services = group.get_mut("Services").and_then(Value::as_array_mut);
    for service in services.into_iter().flatten() {
        let task = service.get("TaskName").cloned().unwrap_or_default();
        let checks = service.get_mut("Checks").and_then(Value::as_array_mut);
        for check in checks.into_iter().flatten().filter(|_| !task.is_null()) {
            check["TaskName"] = task.clone();
        }
    }
}

fn push(list: &mut Value, item: Value) {
    match list {
        Value::Array(items) => items.push(item),
        list => *list = vec![item].into(),
    }
}

/// The task of a service's proxy; its arguments are left to [`fills_in`].
fn proxy(service: &str) -> Value {
    json!({
        "Name": format!("connect-proxy-{service}"),
        "Kind": format!("connect-proxy:{service}"),
        "Driver": "docker",
        "Config": { "image": "${meta.connect.sidecar_image}" },
        "Lifecycle": { "Hook": "prestart", "Sidecar": true },
        "LogConfig": { "MaxFiles": 2, "MaxFileSizeMB": 2 },
        "Resources": { "CPU": PROXY.cpu_mhz, "MemoryMB": PROXY.memory_mb },
        "ShutdownDelay": 5_000_000_000_i64,
    })
}
