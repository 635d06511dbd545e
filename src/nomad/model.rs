//! The parts of Nomad's answers that the provider reads. Everything else in them is ignored, and
//! what a Nomad version leaves out or sends as `null` is read as empty.
//!
//! Names and meanings are those of Nomad's `api/evaluations.go`, `deployments.go`,
//! `allocations.go`, `tasks.go` and `jobs.go`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// `null` as the type's empty value: Go sends it for empty maps and lists.
fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// One entry of a job list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JobStub {
    /// Job ID.
    #[serde(rename = "ID")]
    pub id: String,
    /// `service`, `batch`, `system` or `sysbatch`.
    #[serde(default, rename = "Type")]
    pub kind: String,
    /// `pending`, `running` or `dead`.
    #[serde(default)]
    pub status: String,
    /// Whether the job is stopped, or about to be.
    #[serde(default)]
    pub stop: bool,
    /// Parent job, for what a periodic or parameterized job launched.
    #[serde(default, rename = "ParentID")]
    pub parent_id: String,
    /// Index of the last change of the specification.
    pub job_modify_index: u64,
    /// The job's meta.
    #[serde(default, deserialize_with = "or_empty")]
    pub meta: BTreeMap<String, String>,
}

/// An evaluation: one run of the scheduler for a job.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Evaluation {
    /// Evaluation ID.
    #[serde(rename = "ID")]
    pub id: String,
    /// `pending`, `complete`, `failed`, `blocked` or `canceled`.
    pub status: String,
    /// Why it has that status.
    pub status_description: String,
    /// What it was made for, such as `job-register`.
    pub triggered_by: String,
    /// The index of the job's change that it was made for; 0 where it was made for something else.
    pub job_modify_index: u64,
    /// The deployment it works on; empty where there is none.
    #[serde(rename = "DeploymentID")]
    pub deployment_id: String,
    /// The evaluation that follows it, if any.
    pub next_eval: String,
    /// The evaluation that waits for capacity for what could not be placed, if any.
    pub blocked_eval: String,
    /// Why allocations could not be placed, by task group.
    #[serde(rename = "FailedTGAllocs", deserialize_with = "or_empty")]
    pub failed_tg_allocs: BTreeMap<String, AllocationMetric>,
    /// How many allocations wait to be placed, by task group.
    #[serde(deserialize_with = "or_empty")]
    pub queued_allocations: BTreeMap<String, i64>,
    /// Index of creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

/// What the scheduler saw when it looked for a node for one task group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AllocationMetric {
    /// Nodes that were looked at.
    pub nodes_evaluated: i64,
    /// Nodes that a constraint or a missing driver ruled out.
    pub nodes_filtered: i64,
    /// Nodes in the job's node pool.
    pub nodes_in_pool: i64,
    /// The job's node pool.
    pub node_pool: String,
    /// Ready nodes by datacenter.
    #[serde(deserialize_with = "or_empty")]
    pub nodes_available: BTreeMap<String, i64>,
    /// Filtered nodes by node class.
    #[serde(deserialize_with = "or_empty")]
    pub class_filtered: BTreeMap<String, i64>,
    /// Filtered nodes by the constraint that ruled them out.
    #[serde(deserialize_with = "or_empty")]
    pub constraint_filtered: BTreeMap<String, i64>,
    /// Nodes with too little left.
    pub nodes_exhausted: i64,
    /// Exhausted nodes by what was too little, such as `memory`.
    #[serde(deserialize_with = "or_empty")]
    pub dimension_exhausted: BTreeMap<String, i64>,
    /// Quotas that are used up.
    #[serde(deserialize_with = "or_empty")]
    pub quota_exhausted: Vec<String>,
}

/// A deployment: the roll-out of one version of a job.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Deployment {
    /// Deployment ID.
    #[serde(rename = "ID")]
    pub id: String,
    /// The job's version that is rolled out.
    pub job_version: u64,
    /// The job's `JobModifyIndex` that is rolled out.
    pub job_spec_modify_index: u64,
    /// `running`, `successful`, `failed`, `cancelled`, `paused`, `pending`, `blocked`, `unblocking`
    /// or `initializing`.
    pub status: String,
    /// Why it has that status.
    pub status_description: String,
    /// Progress by task group.
    #[serde(deserialize_with = "or_empty")]
    pub task_groups: BTreeMap<String, Group>,
    /// Index of the last change.
    pub modify_index: u64,
}

impl Deployment {
    /// Whether its canaries are healthy and nothing more happens until somebody promotes them.
    pub fn awaits_promotion(&self) -> bool {
        let groups = self.task_groups.values();
        let waiting = |group: &&Group| group.desired_canaries > 0 && !group.promoted;
        let mut canaries = groups.clone().filter(waiting).peekable();
        self.status == "running"
            && canaries.peek().is_some()
            // With several groups Nomad promotes all of them, or none.
            && !groups.clone().filter(waiting).all(|group| group.auto_promote)
            && canaries.all(|group| group.healthy_allocs >= group.desired_canaries)
            && groups
                .filter(|group| !waiting(group))
                .all(|group| group.healthy_allocs >= group.desired_total)
    }
}

/// The progress of one task group in a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Group {
    /// How many allocations there shall be.
    pub desired_total: i64,
    /// How many have a node.
    pub placed_allocs: i64,
    /// How many are healthy.
    pub healthy_allocs: i64,
    /// How many were found unhealthy.
    pub unhealthy_allocs: i64,
    /// How many canaries there shall be before anything of the old version goes.
    pub desired_canaries: i64,
    /// Whether the canaries were promoted, and the rest follows.
    pub promoted: bool,
    /// Whether Nomad promotes them by itself once they are healthy.
    pub auto_promote: bool,
}

/// An allocation, as lists show it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Allocation {
    /// Allocation ID.
    #[serde(rename = "ID")]
    pub id: String,
    /// The evaluation that made it.
    #[serde(rename = "EvalID")]
    pub eval_id: String,
    /// The job's version it runs.
    pub job_version: u64,
    /// Task group.
    pub task_group: String,
    /// Name of the node it is on.
    pub node_name: String,
    /// `run`, `stop` or `evict`.
    pub desired_status: String,
    /// `pending`, `running`, `complete`, `failed`, `lost` or `unknown`.
    pub client_status: String,
    /// Why it has that status.
    pub client_description: String,
    /// States of its tasks.
    #[serde(deserialize_with = "or_empty")]
    pub task_states: BTreeMap<String, TaskState>,
    /// The evaluation that will start its successor later, if any.
    #[serde(rename = "FollowupEvalID")]
    pub followup_eval_id: String,
    /// Its successor, if it was replaced.
    pub next_allocation: String,
    /// Its health within a deployment, once known.
    pub deployment_status: Option<AllocDeployment>,
    /// Index of creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

impl Allocation {
    /// Whether it neither runs nor is about to.
    pub fn has_ended(&self) -> bool {
        !matches!(
            self.client_status.as_str(),
            "pending" | "running" | "unknown"
        )
    }
}

/// The health of an allocation within its deployment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AllocDeployment {
    /// Absent until it is known.
    pub healthy: Option<bool>,
}

/// The state of one task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskState {
    /// `pending`, `running` or `dead`.
    pub state: String,
    /// Whether it failed for good.
    pub failed: bool,
    /// How often it was restarted.
    pub restarts: u64,
    /// What happened to it, oldest first; Nomad keeps the last ten.
    #[serde(deserialize_with = "or_empty")]
    pub events: Vec<RawTaskEvent>,
}

/// Something that happened to a task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RawTaskEvent {
    /// Such as `Received`, `Driver Failure`, `Terminated`, `Restarting`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Nomad's sentence about it.
    pub display_message: String,
    /// Details by name, such as `exit_code`.
    #[serde(deserialize_with = "or_empty")]
    pub details: BTreeMap<String, String>,
}
