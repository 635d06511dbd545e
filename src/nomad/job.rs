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
    /// Whose job it is.
    pub meta: BTreeMap<String, String>,
    /// When it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub periodic: Option<Periodic>,
    /// What runs together.
    pub task_groups: Vec<TaskGroup>,
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
    /// Ports whose number Nomad chooses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dynamic_ports: Vec<Port>,
    /// Ports with a number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reserved_ports: Vec<Port>,
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
    /// Label of its port.
    pub port_label: String,
    /// Its tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How its health is found out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
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
    /// How a CSI volume may be shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<String>,
    /// How a CSI volume is attached.
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
