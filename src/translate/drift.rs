//! How a live job differs from the one that should be.
//!
//! What the translation sets must be in the live job. What it leaves out must be empty there, or be
//! what Nomad fills in by itself: its defaults, its bookkeeping, and the constraints that it implies
//! (`Canonicalize` in Nomad's `api/jobs.go`, `api/tasks.go`, `api/services.go`; the admission
//! mutators, in [`admission`]). Everything else is a difference.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::origin::item_name;
use super::{Origin, Translation, admission};
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

/// The job as Nomad should have it: as it is registered, with what the mesh adds.
pub fn expected(translation: &Translation) -> Value {
    // A job of our own types always serializes; null would only show everything as different.
    let mut job = serde_json::to_value(&translation.job).unwrap_or_default();
    admission::expect_the_mesh(&mut job);
    job
}

/// Compares a live job, as `GET /v1/job/:id` answers it, with the one that should be.
pub fn compare(translation: &Translation, live: &Value) -> Vec<Difference> {
    let recorded = expected(translation);
    let mut walk = Walk {
        signals: admission::signals(&recorded),
        inherited: inherited(&translation.job),
        defaults: table(&translation.job.job_type),
        origins: &translation.origins,
        ranges: scaled(translation),
        found: Vec::new(),
    };
    walk.value("", &recorded, live);
    walk.found
}

/// The fields in which two jobs of ours differ, such as `TaskGroups/web/Count`.
pub fn changes(before: &Job, after: &Job) -> Vec<String> {
    let before = Translation {
        component: String::new(),
        cluster: None,
        job: before.clone(),
        origins: Vec::new(),
    };
    changes_of_live(&expected(&before), after)
}

/// The fields in which a live job, as of [`compare`], differs from one of ours.
pub fn changes_of_live(live: &Value, after: &Job) -> Vec<String> {
    let after = Translation {
        component: String::new(),
        cluster: None,
        job: after.clone(),
        origins: Vec::new(),
    };
    let found = compare(&after, live);
    found
        .into_iter()
        .map(|difference| difference.job_path)
        .collect()
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
    signals: Vec<String>,
    inherited: Vec<(&'static str, Value)>,
    defaults: &'static Table,
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
            let (ours, theirs, path) = (at(recorded), at(live), join(path, key));
            if admission::fills_in(&path, &ours, &theirs) {
                continue;
            }
            // A variable that is set to nothing is another thing than none.
            if has_own_keys(&path) && recorded.contains_key(key) != live.contains_key(key) {
                self.report(&path, &ours, &theirs);
            } else {
                self.value(&path, &ours, &theirs);
            }
        }
    }

    /// Items with names are compared by name, a single item with a single item, and everything else
    /// as a whole.
    fn list(&mut self, path: &str, recorded: &[Value], live: &[Value]) {
        let live: Vec<_> = live
            .iter()
            .filter(|item| !admission::adds(path, item, &self.signals))
            .cloned()
            .collect();
        let names = |items: &[Value]| -> Option<Vec<String>> {
            items.iter().map(|item| name(path, item)).collect()
        };
        match (names(recorded), names(&live)) {
            (Some(ours), Some(theirs)) => {
                // Names may be there twice, and then each item has at most one twin.
                let mut left: Vec<_> = theirs.iter().zip(&live).collect();
                for (name, item) in ours.iter().zip(recorded) {
                    let twin = left.iter().position(|(other, _)| *other == name);
                    let path = join(path, name);
                    match twin.map(|twin| left.remove(twin)) {
                        Some((_, twin)) => self.value(&path, item, twin),
                        None => self.report(&path, item, &Value::Null),
                    }
                }
                for (name, item) in left {
                    self.report(&join(path, name), &Value::Null, item);
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
        let whole_map = recorded.is_object() && path.rsplit('/').next().is_some_and(is_own);
        if (whole_map || has_own_keys(path)) && !(is_bare(recorded) && is_bare(live)) {
            return false;
        }
        !recorded.is_null() || live.is_null() || self.default(path).is_none()
    }

    /// What Nomad fills in where nothing is set.
    fn default(&self, path: &str) -> Option<&Value> {
        let last = path.rsplit('/').next()?;
        let defaults = self.defaults.get(last).into_iter().flatten();
        let mut all = self.inherited.iter().chain(defaults);
        let default = all.find(|(pattern, _)| matches(pattern, path));
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

/// Maps whose keys are the user's or a driver's, and not Nomad's own fields.
const OWN_KEYS: [&str; 6] = [
    "CanaryMeta",
    "Config",
    "Env",
    "Header",
    "Meta",
    "TaggedAddresses",
];

/// Whether the last part of a path is a key in a map of [`OWN_KEYS`], at any depth.
fn has_own_keys(path: &str) -> bool {
    path.rsplit('/').skip(1).any(is_own)
}

fn is_own(part: &str) -> bool {
    OWN_KEYS.contains(&part)
}

/// Null, or a map or list with nothing in it.
fn is_bare(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
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

/// What an item of a list is called in a path.
fn name(path: &str, item: &Value) -> Option<String> {
    let field = match path.rsplit('/').next() {
        Some("VolumeMounts") => "Volume",
        Some("DynamicPorts" | "ReservedPorts") => "Label",
        Some("TaskGroups" | "Tasks" | "Services" | "Checks") => "Name",
        Some("Templates") => "DestPath",
        Some("Affinities" | "Constraints") => "LTarget",
        Some("Upstreams") => "DestinationName",
        _ => return None,
    };
    item.get(field).and_then(Value::as_str).map(item_name)
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

/// Defaults with their patterns, by the last part of the pattern.
type Table = HashMap<&'static str, Vec<(&'static str, Value)>>;

/// The defaults of a type of job, made once.
fn table(job_type: &str) -> &'static Table {
    static TABLES: [OnceLock<Table>; 4] = [const { OnceLock::new() }; 4];
    let index = match job_type {
        "service" => 0,
        "system" => 1,
        "batch" => 2,
        _ => 3,
    };
    TABLES[index].get_or_init(|| {
        let mut table = Table::new();
        for (pattern, value) in defaults(job_type) {
            let last = pattern.rsplit('/').next().unwrap_or_default();
            table.entry(last).or_default().push((pattern, value));
        }
        table
    })
}

/// What Nomad 1.11 fills in, by the type of the job.
fn defaults(job_type: &str) -> Vec<(&'static str, Value)> {
    let mut all: Vec<(&str, Value)> = vec![
        ("Priority", 50.into()),
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
        (
            "TaskGroups/*/Tasks/*/Templates/*/ChangeMode",
            "restart".into(),
        ),
        ("TaskGroups/*/Tasks/*/Templates/*/LeftDelim", "{{".into()),
        ("TaskGroups/*/Tasks/*/Templates/*/RightDelim", "}}".into()),
        ("TaskGroups/*/Tasks/*/Templates/*/Perms", "0644".into()),
        (
            "TaskGroups/*/Tasks/*/Templates/*/Splay",
            (5 * SECOND).into(),
        ),
        ("TaskGroups/*/Tasks/*/Consul/Cluster", "default".into()),
        ("TaskGroups/*/Tasks/*/Vault/Env", true.into()),
        ("TaskGroups/*/Tasks/*/Vault/Cluster", "default".into()),
        ("TaskGroups/*/Tasks/*/Vault/ChangeMode", "restart".into()),
        ("TaskGroups/*/Tasks/*/Vault/ChangeSignal", "SIGHUP".into()),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use serde_json::json;

    use super::*;
    use crate::oam;
    use crate::translate::{self, Target};

    fn web(more: &Value) -> Translation {
        let mut component = json!({
            "type": "webservice",
            "image": "nginx:1.25",
            "env": {"EMPTY": "", "FULL": "x"},
            "port": {"http": {"port": 80}},
            "health_check": {"path": "/"},
            "volume": {"data": {"source": "data", "mount_path": "/data"}},
        });
        for (name, value) in more.as_object().unwrap() {
            component[name] = value.clone();
        }
        let node = Node::from(&json!({"name": "shop", "component": {"web": component}}));
        let application = oam::parse(&node).unwrap();
        let target = Target {
            namespace: "default".to_owned(),
            region: None,
            datacenters: vec!["*".to_owned()],
            ..Target::default()
        };
        translate::translate(&application, &target).remove(0)
    }

    /// The paths that differ after a change of the live job.
    fn after(translation: &Translation, change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut live = serde_json::to_value(&translation.job).unwrap();
        change(&mut live);
        let found = compare(translation, &live);
        found.into_iter().map(|it| it.job_path).collect()
    }

    fn push(list: &mut Value, item: Value) {
        if list.is_null() {
            *list = json!([]);
        }
        list.as_array_mut().unwrap().push(item);
    }

    #[test]
    fn what_servers_fill_in_is_no_drift() {
        let web = web(&json!({}));
        let found = after(&web, |job| {
            job["Region"] = json!("eu");
            let group = &mut job["TaskGroups"][0];
            for (left, right) in [("consul", ">= 1.8.0"), ("nomad", ">= 1.7.0-a")] {
                let left = format!("${{attr.{left}.version}}");
                let implied = json!({"LTarget": left, "RTarget": right, "Operand": "semver"});
                push(&mut group["Constraints"], implied);
            }
            group["Services"][0]["Identity"] = json!({
                "Name": "consul-service_shop-web-http",
                "ServiceName": "shop-web",
                "Audience": ["consul.io"],
                "TTL": 3_600_000_000_000_i64,
            });
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn an_identity_of_another_service_is_drift() {
        let web = web(&json!({}));
        let found = after(&web, |job| {
            job["TaskGroups"][0]["Services"][0]["Identity"] =
                json!({"Name": "consul-service_shop-web-http", "ServiceName": "other"});
        });
        assert!(!found.is_empty());
    }

    /// A task with another role in Vault has another's secrets.
    #[test]
    fn another_role_in_vault_is_drift() {
        let node = Node::from(&json!({"name": "shop", "component": {"web": {
            "type": "worker",
            "image": "nginx",
            "vault_secret": {"secret/data/acme/db": {"env": {"password": "DB_PASSWORD"}}},
        }}}));
        let application = oam::parse(&node).unwrap();
        let target = |role: Option<&str>| Target {
            vault_role: role.map(str::to_owned),
            clusters: [("eu".to_owned(), translate::Place::default())].into(),
            ..Target::default()
        };
        let with = |role| translate::translate(&application, &target(role)).remove(0);
        let (bare, acme) = (with(None), with(Some("oam-acme")));
        let place = "TaskGroups/web/Tasks/web/Vault/Role";
        assert_eq!(changes(&bare.job, &acme.job), [place]);
        let found = |translation: &Translation, role: Value| {
            after(translation, |job| {
                job["TaskGroups"][0]["Tasks"][0]["Vault"]["Role"] = role;
            })
        };
        assert_eq!(found(&bare, json!("")), Vec::<String>::new());
        assert_eq!(found(&bare, json!("oam-acme")), [place]);
        assert_eq!(found(&acme, json!("oam-beta")), [place]);
        assert_eq!(found(&acme, json!("")), [place]);
    }

    #[test]
    fn a_count_is_the_scalers_even_without_one() {
        let web = web(&json!({}));
        let mut live = serde_json::to_value(&web.job).unwrap();
        live["TaskGroups"][0]["Count"] = json!(3);
        let [difference] = compare(&web, &live).try_into().unwrap();
        let replicas = Path::component("web").field("scaler").field("replicas");
        assert_eq!(
            difference.attribute,
            Some((replicas, Node::from(&json!(3))))
        );
    }

    #[test]
    fn a_second_thing_of_the_same_name_is_drift() {
        let web = web(&json!({}));
        for (place, name) in [
            ("/TaskGroups/0/Services", "TaskGroups/web/Services/shop-web"),
            (
                "/TaskGroups/0/Services/0/Checks",
                "TaskGroups/web/Services/shop-web/Checks/shop-web-health",
            ),
            (
                "/TaskGroups/0/Tasks/0/VolumeMounts",
                "TaskGroups/web/Tasks/web/VolumeMounts/data",
            ),
        ] {
            let found = after(&web, |job| {
                let list = job.pointer_mut(place).unwrap();
                let item = list[0].clone();
                push(list, item);
            });
            assert_eq!(found, [name]);
        }
    }

    #[test]
    fn a_key_with_an_empty_value_is_drift() {
        let web = web(&json!({}));
        let env = "TaskGroups/web/Tasks/web/Env";
        let task = |job: &'_ mut Value| job["TaskGroups"][0]["Tasks"][0].take();
        type Change = fn(&mut Value);
        let cases: [(Change, &str); 4] = [
            (|task| task["Env"]["MORE"] = json!(""), env),
            (|task| task["Env"] = json!({"FULL": "x"}), env),
            (
                |task| task["Config"]["privileged"] = json!(false),
                "TaskGroups/web/Tasks/web/Config/privileged",
            ),
            (
                |task| task["Meta"] = json!({"a": ""}),
                "TaskGroups/web/Tasks/web/Meta/a",
            ),
        ];
        for (change, place) in cases {
            let found = after(&web, |job| {
                let mut changed = task(job);
                change(&mut changed);
                job["TaskGroups"][0]["Tasks"][0] = changed;
            });
            assert_eq!(found, [place]);
        }
        let only_empty = self::web(&json!({"env": {"EMPTY": ""}}));
        let found = after(&only_empty, |job| {
            job["TaskGroups"][0]["Tasks"][0]["Env"] = Value::Null
        });
        assert_eq!(found, [env]);
    }
}
