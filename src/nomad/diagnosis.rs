//! Why a job does not run, in words.

use std::fmt;

use super::model::{Allocation, AllocationMetric, RawTaskEvent};

/// What is known about a job that is not healthy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Task groups for which no node was found.
    pub placements: Vec<Placement>,
    /// Tasks that are not well, the latest allocation first.
    pub tasks: Vec<TaskTrouble>,
}

/// A task group for which no node was found, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Task group.
    pub group: String,
    /// What the scheduler saw.
    pub metric: AllocationMetric,
}

/// A task that is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskTrouble {
    /// Task.
    pub task: String,
    /// Its task group.
    pub group: String,
    /// Allocation ID, which `nomad alloc status` and `nomad alloc logs` take.
    pub allocation: String,
    /// Name of the node.
    pub node: String,
    /// `pending`, `running` or `dead`.
    pub state: String,
    /// How often it was restarted.
    pub restarts: u64,
    /// What happened to it last, oldest first.
    pub events: Vec<TaskEvent>,
}

/// Something that happened to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEvent {
    /// Such as `Driver Failure` or `Terminated`.
    pub kind: String,
    /// Nomad's sentence about it.
    pub message: String,
    /// The exit code, where the process ended.
    pub exit_code: Option<i64>,
}
