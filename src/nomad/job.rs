//! The part of Nomad's job specification that the translator writes, as in its JSON API
//! (<https://developer.hashicorp.com/nomad/api-docs/json-jobs>). Durations are in nanoseconds.
//! What is not set is left out, so that Nomad fills in its own defaults.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// A job.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Job {
    /// Unique within the namespace.
    #[serde(rename = "ID")]
    pub id: String,
    /// The same as the ID.
    pub name: String,
    /// `service`, `batch` or `system`.
    #[serde(rename = "Type")]
    pub job_type: String,
    /// The namespace.
    pub namespace: String,
    /// The region, where it is not the agent's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Datacenters, or patterns of them.
    pub datacenters: Vec<String>,
    /// The node pool, where it is not the namespace's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_pool: Option<String>,
    /// What its nodes must be like.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Whose job it is.
    pub meta: BTreeMap<String, String>,
    /// When it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub periodic: Option<Periodic>,
    /// What runs together.
    pub task_groups: Vec<TaskGroup>,
}

/// What a node must be like.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Constraint {
    /// The attribute, such as `${node.class}`.
    #[serde(rename = "LTarget")]
    pub left: String,
    /// `=`, `!=`, `>`, `<`, `>=`, `<=`, `set_contains`, …
    #[serde(rename = "Operand")]
    pub operand: String,
    /// The value.
    #[serde(rename = "RTarget")]
    pub right: String,
}

/// What a node should be like.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Affinity {
    /// The attribute, such as `${node.class}`.
    #[serde(rename = "LTarget")]
    pub left: String,
    /// As of [`Constraint`].
    #[serde(rename = "Operand")]
    pub operand: &'static str,
    /// The value.
    #[serde(rename = "RTarget")]
    pub right: String,
    /// From -100 to 100, but not 0.
    #[serde(rename = "Weight")]
    pub weight: i64,
}

/// What instances are spread over.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Spread {
    /// The attribute, such as `${node.datacenter}`.
    pub attribute: String,
    /// From 1 to 100.
    pub weight: u64,
}

/// How a new version takes the place of an old one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Update {
    /// How many instances at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u64>,
    /// `checks`, `task_states` or `manual`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<String>,
    /// For how long an instance must be healthy, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_healthy_time: Option<i64>,
    /// By when it must be healthy, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_deadline: Option<i64>,
    /// By when one more must be healthy, in nanoseconds; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_deadline: Option<i64>,
    /// How many instances of the new version run beside the old ones first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<u64>,
    /// Whether to go back where it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_revert: Option<bool>,
    /// Whether to go on when the canaries are healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_promote: Option<bool>,
}

/// How instances leave a node that is drained.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Migrate {
    /// How many at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u64>,
    /// `checks` or `task_states`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<String>,
    /// For how long the new one must be healthy, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_healthy_time: Option<i64>,
    /// By when it must be healthy, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_deadline: Option<i64>,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Periodic {
    /// Whether it is in force.
    pub enabled: bool,
    /// `cron`.
    pub spec_type: &'static str,
    /// Cron expressions.
    pub specs: Vec<String>,
    /// Whether a run is skipped while the one before is still at it.
    pub prohibit_overlap: bool,
    /// Where it is that time.
    pub time_zone: String,
}

/// Tasks that run together on a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskGroup {
    /// Unique within the job.
    pub name: String,
    /// How many instances.
    pub count: u64,
    /// Who may change the count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// What its nodes must be like.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// What its nodes should be like.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub affinities: Vec<Affinity>,
    /// What its instances are spread over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spreads: Vec<Spread>,
    /// Where in Consul its services are, where that is not as Nomad's configuration has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consul: Option<Consul>,
    /// How a new version takes the place of an old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
    /// How instances leave a node that is drained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrate: Option<Migrate>,
    /// The network: at most one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// Consul services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// How often a task that fails is started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<RestartPolicy>,
    /// Storage by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Volume>,
    /// The tasks.
    pub tasks: Vec<Task>,
}

impl TaskGroup {
    /// The services for which Nomad runs a proxy beside the tasks.
    pub fn proxies(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|service| {
            let connect = service.connect.as_ref();
            connect.is_some_and(|connect| connect.sidecar_service.is_some())
        })
    }
}

/// A scaling policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Scaling {
    /// `horizontal`.
    #[serde(rename = "Type")]
    pub kind: &'static str,
    /// Whether it is in force.
    pub enabled: bool,
    /// The fewest instances.
    pub min: u64,
    /// The most instances.
    pub max: u64,
    /// For the autoscaler; Nomad does not look into it.
    pub policy: Value,
}

/// A network.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Network {
    /// `host`, `bridge` or `cni/<name>`, where it is not the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Name servers, where they are not the node's.
    #[serde(rename = "DNS", skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// What the CNI plugin gets.
    #[serde(rename = "CNI", skip_serializing_if = "Option::is_none")]
    pub cni: Option<Cni>,
    /// Ports whose number Nomad chooses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dynamic_ports: Vec<Port>,
    /// Ports with a number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reserved_ports: Vec<Port>,
}

/// Name servers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Dns {
    /// Their addresses.
    pub servers: Vec<String>,
}

/// What a CNI plugin gets.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cni {
    /// `CNI_ARGS`.
    pub args: BTreeMap<String, String>,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Port {
    /// Its name.
    pub label: String,
    /// The number on the node, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<u16>,
    /// The number inside the tasks' own network, where they have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u16>,
}

/// A service in Consul.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Service {
    /// Its name.
    pub name: String,
    /// `consul`.
    pub provider: &'static str,
    /// Label of its port; empty where it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub port_label: String,
    /// The task that speaks for it in the mesh, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// Its tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How its health is found out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// How it is in the mesh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<Connect>,
}

/// How a service is in Consul's mesh: natively or by a sidecar.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Connect {
    /// Whether the task speaks for itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub native: bool,
    /// A proxy that Nomad runs beside the tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecar_service: Option<SidecarService>,
}

/// A proxy beside the tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SidecarService {
    /// Its own tags; Consul gives it those of the service otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What it does.
    pub proxy: Proxy,
}

/// What a proxy does.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Proxy {
    /// The port of the service inside the group's network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_service_port: Option<u16>,
    /// What the tasks reach through it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<Upstream>,
}

/// A service that is reached through a proxy.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Upstream {
    /// The service.
    pub destination_name: String,
    /// The port on the loopback address.
    pub local_bind_port: u16,
}

/// A check of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Check {
    /// Its name.
    pub name: String,
    /// `http` or `tcp`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Path of an HTTP check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Label of its port, where it is not the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_label: Option<String>,
    /// How often.
    pub interval: i64,
    /// For how long.
    pub timeout: i64,
}

/// How often a task that fails is started again.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RestartPolicy {
    /// How often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
    /// Within what time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
    /// After what time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<i64>,
    /// `fail` or `delay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// Storage of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// `host` or `csi`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// What it is.
    pub source: String,
    /// Whether it may only be read.
    pub read_only: bool,
    /// Whether each instance has one of its own, by its number.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub per_alloc: bool,
    /// Whether an instance keeps its own when it is replaced.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sticky: bool,
    /// How the volume may be shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<String>,
    /// How the volume is attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment_mode: Option<String>,
}

/// Where a task sees a volume.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VolumeMount {
    /// The volume's name.
    pub volume: String,
    /// The path.
    pub destination: String,
    /// Whether it may only be read.
    pub read_only: bool,
}

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Task {
    /// Unique within the group.
    pub name: String,
    /// `docker`, `exec` or `raw_exec`.
    pub driver: String,
    /// The driver's own settings.
    pub config: BTreeMap<&'static str, Value>,
    /// Environment variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where it sees volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// When it runs, where it is beside the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// Files that Nomad writes before it starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<Template>,
    /// Its access to Vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<Vault>,
    /// Its access to Consul.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consul: Option<Consul>,
}

/// When a task runs that is beside the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Lifecycle {
    /// `prestart`, `poststart` or `poststop`.
    pub hook: String,
    /// Whether it runs as long as the others.
    pub sidecar: bool,
}

/// A file that Nomad writes before a task starts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Template {
    /// The template, of consul-template's language.
    pub embedded_tmpl: String,
    /// The file, from the task's folder.
    pub dest_path: String,
    /// Whether its lines become environment variables.
    pub envvars: bool,
    /// `restart`, `signal` or `noop`, when its content changes.
    pub change_mode: String,
    /// The signal, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_signal: Option<String>,
    /// Whether a key that is missing is an error.
    pub err_missing_key: bool,
}

/// A task's access to Vault: by its workload identity, as Nomad's configuration has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Vault {
    /// The namespace of Vault, where it is not the one of Nomad's configuration (Enterprise).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The role that the task logs in with, where it is not the one of Nomad's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// A task's access to Consul: by its workload identity, as Nomad's configuration has it. Without it the
/// task's templates are read with the token of the node's agent (`handleConsulTask` in Nomad's
/// `nomad/job_endpoint_hook_implicit_identities.go`). Of a group, where in Consul its services are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Consul {
    /// The namespace of Consul (Enterprise). A task with such a block does not take it from its group
    /// (`ConsulNamespaceForTask` in Nomad's `nomad/structs/alloc.go`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What a task may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Resources {
    /// MHz.
    #[serde(rename = "CPU", skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u64>,
    /// MiB.
    #[serde(rename = "MemoryMB", skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u64>,
}
