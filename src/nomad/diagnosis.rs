//! Why a job does not run, in words.

use std::collections::BTreeMap;
use std::fmt;

use super::model::{Allocation, AllocationMetric, Evaluation, RawTaskEvent, TaskState};

/// How many events of a task are told.
const EVENTS: usize = 4;

/// What is known about a job that is not healthy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Task groups for which no node was found.
    pub placements: Vec<Placement>,
    /// Tasks that are not well, one entry per task, from the allocation that tells most.
    pub tasks: Vec<TaskTrouble>,
}

/// A task group for which no node was found, and why. `Display` is one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Task group.
    pub group: String,
    /// What the scheduler saw.
    pub metric: AllocationMetric,
}

/// A task that is not well. `Display` is one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskTrouble {
    /// Task; empty where the allocation failed before any task began.
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

impl Diagnosis {
    /// Whether nothing is known to be wrong.
    pub fn is_empty(&self) -> bool {
        self.placements.is_empty() && self.tasks.is_empty()
    }

    /// The task that says most about what is wrong: one that has ended with a code other than 0, one that
    /// has gone wrong in another way, or any.
    pub fn failing(&self) -> Option<&TaskTrouble> {
        let rank = |trouble: &&TaskTrouble| {
            let codes = trouble.events.iter().filter_map(|event| event.exit_code);
            match trouble.events.iter().any(is_bad) {
                _ if trouble.task.is_empty() => 0,
                true if codes.clone().any(|code| code != 0) => 3,
                true => 2,
                false => 1,
            }
        };
        // Of several the first.
        self.tasks.iter().rev().max_by_key(rank)
    }

    pub(super) fn of(evaluations: &[Evaluation], allocations: &[Allocation]) -> Self {
        let waiting = evaluations
            .iter()
            .filter(|evaluation| evaluation.status == "blocked");
        let latest = waiting.max_by_key(|evaluation| evaluation.create_index);
        Self {
            placements: latest.map(placements).unwrap_or_default(),
            tasks: troubles(allocations),
        }
    }
}

/// The task groups that an evaluation could not place.
pub(super) fn placements(evaluation: &Evaluation) -> Vec<Placement> {
    let failed = evaluation.failed_tg_allocs.iter();
    failed
        .map(|(group, metric)| Placement {
            group: group.clone(),
            metric: metric.clone(),
        })
        .collect()
}

/// One entry per task of the newest version that is not well.
fn troubles(allocations: &[Allocation]) -> Vec<TaskTrouble> {
    let newest = allocations
        .iter()
        .map(|allocation| allocation.job_version)
        .max();
    let mut found: BTreeMap<(&str, &str), (bool, u64, TaskTrouble)> = BTreeMap::new();
    for allocation in allocations
        .iter()
        .filter(|allocation| Some(allocation.job_version) == newest)
    {
        for (task, trouble) in troubles_of(allocation) {
            // A newer allocation tells more, unless nothing has happened in it yet.
            let rank = (trouble.events.iter().any(is_bad), allocation.create_index);
            let key = (allocation.task_group.as_str(), task);
            match found.get(&key) {
                Some((bad, index, _)) if (*bad, *index) >= rank => {}
                _ => drop(found.insert(key, (rank.0, rank.1, trouble))),
            }
        }
    }
    found.into_values().map(|(_, _, trouble)| trouble).collect()
}

fn troubles_of(allocation: &Allocation) -> Vec<(&str, TaskTrouble)> {
    let healthy = allocation
        .deployment_status
        .as_ref()
        .and_then(|status| status.healthy);
    // What was healthy once may have failed since.
    let is_well = healthy == Some(true) && allocation.client_status != "failed";
    if is_well || allocation.client_status == "complete" {
        return Vec::new();
    }
    let trouble = |task: &str, state: &str, restarts, events| TaskTrouble {
        task: task.to_owned(),
        group: allocation.task_group.clone(),
        allocation: allocation.id.clone(),
        node: allocation.node_name.clone(),
        state: state.to_owned(),
        restarts,
        events,
    };
    if allocation.task_states.is_empty() && !allocation.client_description.is_empty() {
        let event = TaskEvent {
            kind: "Allocation".to_owned(),
            message: allocation.client_description.clone(),
            exit_code: None,
        };
        return vec![("", trouble("", &allocation.client_status, 0, vec![event]))];
    }
    let states = allocation.task_states.iter();
    states
        .filter(|(_, state)| healthy == Some(false) || is_unwell(state))
        .map(|(task, state)| {
            (
                task.as_str(),
                trouble(task, &state.state, state.restarts, told(&state.events)),
            )
        })
        .collect()
}

fn is_unwell(state: &TaskState) -> bool {
    state.failed
        || state.restarts > 0
        || state.state != "running"
        || state.events.iter().map(event).any(|e| is_bad(&e))
}

/// Events that say what went wrong. The names are those of Nomad's `api/tasks.go`.
fn is_bad(event: &TaskEvent) -> bool {
    let kind = event.kind.as_str();
    kind.contains("Fail")
        || kind.contains("Unhealthy")
        || matches!(kind, "Allocation" | "Terminated" | "Killed")
}

/// The last event of each kind, oldest first, without those that only say that a task begins.
fn told(events: &[RawTaskEvent]) -> Vec<TaskEvent> {
    let mut told: Vec<TaskEvent> = Vec::new();
    for event in events.iter().rev().map(event) {
        let dull = matches!(event.kind.as_str(), "Received" | "Task Setup" | "Started");
        if !dull && told.len() < EVENTS && told.iter().all(|other| other.kind != event.kind) {
            told.push(event);
        }
    }
    if told.is_empty() {
        told.extend(events.last().map(event));
    }
    told.reverse();
    told
}

fn event(raw: &RawTaskEvent) -> TaskEvent {
    TaskEvent {
        kind: raw.kind.clone(),
        message: raw.display_message.trim().to_owned(),
        exit_code: raw
            .details
            .get("exit_code")
            .and_then(|code| code.parse().ok()),
    }
}

/// All of it, one line each.
impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let placements = self.placements.iter().map(ToString::to_string);
        let lines: Vec<_> = placements
            .chain(self.tasks.iter().map(ToString::to_string))
            .collect();
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = &self.metric;
        let nodes = |count: i64| {
            if count == 1 {
                "1 node".to_owned()
            } else {
                format!("{count} nodes")
            }
        };
        let mut reasons = Vec::new();
        for (constraint, count) in &metric.constraint_filtered {
            reasons.push(match constraint.as_str() {
                "missing drivers" => format!("{} without the task's driver", nodes(*count)),
                "missing network" => format!("{} without the network", nodes(*count)),
                other => format!("{} ruled out by the constraint {other}", nodes(*count)),
            });
        }
        for (class, count) in &metric.class_filtered {
            reasons.push(format!("{} of class {class} ruled out", nodes(*count)));
        }
        for (dimension, count) in &metric.dimension_exhausted {
            reasons.push(format!(
                "{} with too little {dimension} left",
                nodes(*count)
            ));
        }
        for quota in &metric.quota_exhausted {
            reasons.push(format!("quota used up: {quota}"));
        }
        if metric.nodes_evaluated == 0 && reasons.is_empty() {
            reasons.push("no node is ready in the job's datacenters and node pool".to_owned());
        }
        if reasons.is_empty() {
            reasons.push(format!(
                "{} looked at, none fits",
                nodes(metric.nodes_evaluated)
            ));
        }
        write!(
            f,
            "No node was found for the group {}: {}.",
            self.group,
            reasons.join("; ")
        )
    }
}

impl fmt::Display for TaskTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task.as_str() {
            "" => write!(f, "The group {}", self.group)?,
            task => write!(f, "The task {task}")?,
        }
        write!(
            f,
            " (allocation {} on {}) is {}",
            self.allocation, self.node, self.state
        )?;
        match self.restarts {
            0 => {}
            1 => f.write_str(" after 1 restart")?,
            restarts => write!(f, " after {restarts} restarts")?,
        }
        let events: Vec<_> = self.events.iter().map(ToString::to_string).collect();
        if events.is_empty() {
            f.write_str(".")
        } else {
            write!(f, ": {}.", events.join("; "))
        }
    }
}

impl fmt::Display for TaskEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        let message = self.message.trim_end_matches('.');
        if !message.is_empty() {
            write!(f, ": {message}")?;
        }
        match self.exit_code {
            Some(code) if !message.contains("Exit Code") => write!(f, " (exit code {code})"),
            _ => Ok(()),
        }
    }
}
