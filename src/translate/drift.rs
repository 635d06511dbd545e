//! How a live job differs from the one that should be.
//!
//! What the translation sets must be in the live job. What it leaves out must be empty there, or be
//! what Nomad fills in by itself: its defaults, its bookkeeping, and the constraints that it implies
//! (`Canonicalize` in Nomad's `api/jobs.go`, `api/tasks.go`, `api/services.go`; the admission
//! mutators in its `nomad/job_endpoint_hooks.go`). Everything else is a difference.

use serde_json::{Map, Value};

use super::{Origin, Translation};
use crate::nomad::job::Job;
use crate::oam::{Node, Path, Step};

/// One difference of a live job.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The field, such as `TaskGroups/web/Count`: items of lists go by name.
    pub job_path: String,
    /// What should be there; null for nothing.
    pub recorded: Value,
    /// What is there; null for nothing.
    pub live: Value,
    /// The attribute that stands for it and its live value, where there is one.
    pub attribute: Option<(Path, Node)>,
}

/// Compares a live job, as `GET /v1/job/:id` answers it, with the one that should be.
pub fn compare(translation: &Translation, live: &Value) -> Vec<Difference> {
    // A job of our own types always serializes; null would only show everything as different.
    let recorded = serde_json::to_value(&translation.job).unwrap_or_default();
    let mut walk = Walk {
        defaults: inherited(&translation.job)
            .into_iter()
            .chain(defaults(&translation.job.job_type))
            .collect(),
        origins: &translation.origins,
        ranges: scaled(translation),
        found: Vec::new(),
    };
    walk.value("", &recorded, live);
    walk.found
}

/// How many instances a live job has, where an autoscaler may say and has kept to its range.
pub fn scaled_count(translation: &Translation, live: &Value) -> Option<u64> {
    let group = translation.job.task_groups.first()?;
    let scaling = group.scaling.as_ref().filter(|scaling| scaling.enabled)?;
    let groups = live.get("TaskGroups")?.as_array()?;
    let group = groups.iter().find(|live| live["Name"] == group.name)?;
    let count = group.get("Count")?.as_u64()?;
    (scaling.min..=scaling.max)
        .contains(&count)
        .then_some(count)
}

/// The groups whose count an autoscaler may change, and between what.
fn scaled(translation: &Translation) -> Vec<(String, u64, u64)> {
    let groups = translation.job.task_groups.iter();
    let ranges = groups.filter_map(|group| {
        let scaling = group.scaling.as_ref().filter(|scaling| scaling.enabled)?;
        Some((
            format!("TaskGroups/{}/Count", group.name),
            scaling.min,
            scaling.max,
        ))
    });
    ranges.collect()
}

struct Walk<'t> {
    defaults: Vec<(&'static str, Value)>,
    origins: &'t [Origin],
    ranges: Vec<(String, u64, u64)>,
    found: Vec<Difference>,
}

impl Walk<'_> {
    fn value(&mut self, path: &str, recorded: &Value, live: &Value) {
        if is_bookkeeping(path) || recorded == live || self.are_both_unset(path, recorded, live) {
            return;
        }
        let owned = self.origins.iter().any(|origin| origin.job_path == path);
        match (recorded, live) {
            // An attribute that holds a whole map or list gets all of it.
            (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_))
                if owned =>
            {
                self.report(path, recorded, live);
            }
            (Value::Object(recorded), Value::Object(live)) => self.object(path, recorded, live),
            (Value::Null, Value::Object(live)) => self.object(path, &Map::new(), live),
            (Value::Object(recorded), Value::Null) => self.object(path, recorded, &Map::new()),
            (Value::Array(recorded), Value::Array(live)) => self.list(path, recorded, live),
            (Value::Null, Value::Array(live)) => self.list(path, &[], live),
            (Value::Array(recorded), Value::Null) => self.list(path, recorded, &[]),
            (Value::Null, live) if self.is_default(path, live) => {}
            (recorded, Value::Null) if self.is_default(path, recorded) => {}
            (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {}
            _ if self.is_scaled(path, live) => {}
            _ => self.report(path, recorded, live),
        }
    }

    fn object(&mut self, path: &str, recorded: &Map<String, Value>, live: &Map<String, Value>) {
        let added = live.keys().filter(|key| !recorded.contains_key(*key));
        for key in recorded.keys().chain(added) {
            let at = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
            self.value(&join(path, key), &at(recorded), &at(live));
        }
    }

    /// Items with names are compared by name, a single item with a single item, and everything else
    /// as a whole.
    fn list(&mut self, path: &str, recorded: &[Value], live: &[Value]) {
        let live: Vec<_> = live
            .iter()
            .filter(|item| !is_implied(path, item))
            .cloned()
            .collect();
        let names = |items: &[Value]| -> Option<Vec<String>> {
            items.iter().map(|item| name(path, item)).collect()
        };
        match (names(recorded), names(&live)) {
            (Some(ours), Some(theirs)) => {
                let added = theirs.iter().filter(|name| !ours.contains(name));
                for name in ours.iter().chain(added) {
                    let at = |names: &[String], items: &[Value]| {
                        let position = names.iter().position(|other| other == name);
                        position
                            .and_then(|at| items.get(at))
                            .cloned()
                            .unwrap_or_default()
                    };
                    let (ours, theirs) = (at(&ours, recorded), at(&theirs, &live));
                    let path = join(path, name);
                    match ours.is_null() || theirs.is_null() {
                        true => self.report(&path, &ours, &theirs),
                        false => self.value(&path, &ours, &theirs),
                    }
                }
            }
            _ if recorded.len() == 1 && live.len() == 1 => {
                for (ours, theirs) in recorded.iter().zip(&live) {
                    self.value(&join(path, "0"), ours, theirs);
                }
            }
            _ if recorded == live || self.is_default(path, &Value::from(live.clone())) => {}
            _ => self.report(path, &recorded.into(), &live.into()),
        }
    }

    fn report(&mut self, path: &str, recorded: &Value, live: &Value) {
        let origin = self.origins.iter().find(|origin| origin.job_path == path);
        let attribute = origin.and_then(|origin| {
            let node = match live.is_null() {
                true => Node::Null,
                false => origin.inverse.invert(live)?,
            };
            // A list item cannot be made to vanish, and one that is not there cannot be set.
            let item = matches!(origin.attribute.0.last(), Some(Step::Index(_)));
            (!item || !(live.is_null() || recorded.is_null()))
                .then(|| (origin.attribute.clone(), node))
        });
        self.found.push(Difference {
            job_path: path.to_owned(),
            recorded: recorded.clone(),
            live: live.clone(),
            attribute,
        });
    }

    fn is_scaled(&self, path: &str, live: &Value) -> bool {
        let range = self.ranges.iter().find(|(scaled, _, _)| scaled == path);
        range.is_some_and(|(_, min, max)| {
            live.as_u64()
                .is_some_and(|count| (*min..=*max).contains(&count))
        })
    }

    /// Nomad does not tell unset from zero, false and nothing, unless it has a default.
    fn are_both_unset(&self, path: &str, recorded: &Value, live: &Value) -> bool {
        if live.is_object() || !is_empty(recorded) || !is_empty(live) {
            return false;
        }
        !recorded.is_null() || live.is_null() || self.default(path).is_none()
    }

    /// What Nomad fills in where nothing is set.
    fn default(&self, path: &str) -> Option<&Value> {
        let default = self
            .defaults
            .iter()
            .find(|(pattern, _)| matches(pattern, path));
        default.map(|(_, value)| value)
    }

    fn is_default(&self, path: &str, live: &Value) -> bool {
        self.default(path) == Some(live)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}/{key}")
    }
}

/// Null, zero, false, and whatever has nothing in it.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.values().all(is_empty),
    }
}

/// What an item of a list is called.
fn name(path: &str, item: &Value) -> Option<String> {
    let field = match path.rsplit('/').next() {
        Some("VolumeMounts") => "Volume",
        Some("DynamicPorts" | "ReservedPorts") => "Label",
        Some("TaskGroups" | "Tasks" | "Services" | "Checks") => "Name",
        _ => return None,
    };
    item.get(field).and_then(Value::as_str).map(str::to_owned)
}

/// Fields that only the server writes.
fn is_bookkeeping(path: &str) -> bool {
    const TOP: [&str; 16] = [
        "CreateIndex",
        "JobModifyIndex",
        "ModifyIndex",
        "SubmitTime",
        "Version",
        "Stable",
        "Status",
        "StatusDescription",
        "NomadTokenID",
        "ConsulToken",
        "VaultToken",
        "ConsulNamespace",
        "VaultNamespace",
        "Dispatched",
        "DispatchIdempotencyToken",
        "VersionTag",
    ];
    const SCALING: [&str; 4] = ["ID", "Target", "CreateIndex", "ModifyIndex"];
    TOP.contains(&path)
        || SCALING.iter().any(|field| {
            path.strip_suffix(field)
                .is_some_and(|parent| parent.ends_with("/Scaling/"))
        })
}

/// Constraints that Nomad adds by itself: what a node must have for a Consul service.
fn is_implied(path: &str, item: &Value) -> bool {
    let text = |field| item.get(field).and_then(Value::as_str).unwrap_or_default();
    path.ends_with("Constraints")
        && text("LTarget") == "${attr.consul.version}"
        && text("RTarget") == ">= 1.8.0"
        && text("Operand") == "semver"
}

/// Whether a path has the form of a pattern, in which `*` stands for any one part.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one == "*" || one == other => {}
            _ => return false,
        }
    }
}

const SECOND: i64 = 1_000_000_000;

/// What a task has from its group: the restart policy, where the group sets it.
fn inherited(job: &Job) -> Vec<(&'static str, Value)> {
    // All groups of a job of ours have the policy of the one component.
    let policy = job
        .task_groups
        .iter()
        .find_map(|group| group.restart_policy.as_ref());
    let Some(policy) = policy else {
        return Vec::new();
    };
    [
        (
            "TaskGroups/*/Tasks/*/RestartPolicy/Attempts",
            policy.attempts.map(Value::from),
        ),
        (
            "TaskGroups/*/Tasks/*/RestartPolicy/Interval",
            policy.interval.map(Value::from),
        ),
        (
            "TaskGroups/*/Tasks/*/RestartPolicy/Delay",
            policy.delay.map(Value::from),
        ),
        (
            "TaskGroups/*/Tasks/*/RestartPolicy/Mode",
            policy.mode.clone().map(Value::from),
        ),
    ]
    .into_iter()
    .filter_map(|(pattern, value)| Some((pattern, value?)))
    .collect()
}

/// What Nomad 1.11 fills in, by the type of the job.
fn defaults(job_type: &str) -> Vec<(&'static str, Value)> {
    let mut all: Vec<(&str, Value)> = vec![
        ("Priority", 50.into()),
        ("Region", "global".into()),
        ("NodePool", "default".into()),
        ("TaskGroups/*/EphemeralDisk/SizeMB", 300.into()),
        ("TaskGroups/*/RestartPolicy/Delay", (15 * SECOND).into()),
        ("TaskGroups/*/RestartPolicy/Mode", "fail".into()),
        ("TaskGroups/*/Networks/0/Mode", "host".into()),
        (
            "TaskGroups/*/Networks/0/DynamicPorts/*/HostNetwork",
            "default".into(),
        ),
        (
            "TaskGroups/*/Networks/0/ReservedPorts/*/HostNetwork",
            "default".into(),
        ),
        ("TaskGroups/*/Consul/Cluster", "default".into()),
        ("TaskGroups/*/Services/*/AddressMode", "auto".into()),
        ("TaskGroups/*/Services/*/OnUpdate", "require_healthy".into()),
        ("TaskGroups/*/Services/*/Namespace", "default".into()),
        ("TaskGroups/*/Services/*/Cluster", "default".into()),
        (
            "TaskGroups/*/Services/*/Checks/*/OnUpdate",
            "require_healthy".into(),
        ),
        ("TaskGroups/*/Tasks/*/Identity/Name", "default".into()),
        (
            "TaskGroups/*/Tasks/*/Identity/Audience",
            vec!["nomadproject.io"].into(),
        ),
        ("TaskGroups/*/Tasks/*/KillTimeout", (5 * SECOND).into()),
        ("TaskGroups/*/Tasks/*/LogConfig/MaxFiles", 10.into()),
        ("TaskGroups/*/Tasks/*/LogConfig/MaxFileSizeMB", 10.into()),
        ("TaskGroups/*/Tasks/*/Resources/CPU", 100.into()),
        ("TaskGroups/*/Tasks/*/Resources/MemoryMB", 300.into()),
        (
            "TaskGroups/*/Tasks/*/RestartPolicy/Delay",
            (15 * SECOND).into(),
        ),
        ("TaskGroups/*/Tasks/*/RestartPolicy/Mode", "fail".into()),
        (
            "TaskGroups/*/Tasks/*/VolumeMounts/*/PropagationMode",
            "private".into(),
        ),
        ("Periodic/ProhibitOverlap", false.into()),
    ];
    let (attempts, interval) = match job_type {
        "batch" => (3, 24 * 3600 * SECOND),
        _ => (2, 1800 * SECOND),
    };
    all.extend([
        ("TaskGroups/*/RestartPolicy/Attempts", attempts.into()),
        ("TaskGroups/*/RestartPolicy/Interval", interval.into()),
        (
            "TaskGroups/*/Tasks/*/RestartPolicy/Attempts",
            attempts.into(),
        ),
        (
            "TaskGroups/*/Tasks/*/RestartPolicy/Interval",
            interval.into(),
        ),
    ]);
    match job_type {
        "service" => all.extend(update().into_iter().chain(move_away())),
        "system" => all.extend(update()),
        "batch" => all.extend([
            ("TaskGroups/*/ReschedulePolicy/Attempts", 1.into()),
            ("TaskGroups/*/ReschedulePolicy/Delay", (5 * SECOND).into()),
            (
                "TaskGroups/*/ReschedulePolicy/DelayFunction",
                "constant".into(),
            ),
            (
                "TaskGroups/*/ReschedulePolicy/Interval",
                (24 * 3600 * SECOND).into(),
            ),
        ]),
        _ => {}
    }
    all
}

fn update() -> Vec<(&'static str, Value)> {
    vec![
        ("TaskGroups/*/Update/HealthCheck", "checks".into()),
        ("TaskGroups/*/Update/HealthyDeadline", (300 * SECOND).into()),
        ("TaskGroups/*/Update/MaxParallel", 1.into()),
        ("TaskGroups/*/Update/MinHealthyTime", (10 * SECOND).into()),
        (
            "TaskGroups/*/Update/ProgressDeadline",
            (600 * SECOND).into(),
        ),
        ("TaskGroups/*/Update/Stagger", (30 * SECOND).into()),
        ("Update/MaxParallel", 1.into()),
        ("Update/Stagger", (30 * SECOND).into()),
    ]
}

fn move_away() -> Vec<(&'static str, Value)> {
    vec![
        ("TaskGroups/*/ReschedulePolicy/Delay", (30 * SECOND).into()),
        (
            "TaskGroups/*/ReschedulePolicy/DelayFunction",
            "exponential".into(),
        ),
        (
            "TaskGroups/*/ReschedulePolicy/MaxDelay",
            (3600 * SECOND).into(),
        ),
        ("TaskGroups/*/ReschedulePolicy/Unlimited", true.into()),
        ("TaskGroups/*/Migrate/MaxParallel", 1.into()),
        ("TaskGroups/*/Migrate/HealthCheck", "checks".into()),
        ("TaskGroups/*/Migrate/MinHealthyTime", (10 * SECOND).into()),
        (
            "TaskGroups/*/Migrate/HealthyDeadline",
            (300 * SECOND).into(),
        ),
    ]
}
