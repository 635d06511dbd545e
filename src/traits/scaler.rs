//! `scaler`: how many instances run, and who decides.
//!
//! The count is that of the task group. With room between `min` and `max` there is a scaling policy
//! beside it, in the form that nomad-autoscaler reads
//! (<https://developer.hashicorp.com/nomad/tools/autoscaling/policy>); the count is then its
//! business as long as it stays between the two.

use serde::Deserialize;
use serde_json::json;

use super::{Definition, Trait};
use crate::nomad::job::Scaling;
use crate::oam::def::{Block, Field, Kind};
use crate::oam::{ComponentType, Node, Path, Problem};
use crate::translate::{Draft, Inverse};

/// The definition.
pub const DEFINITION: Definition = Definition {
    field: &Field {
        name: "scaler",
        oam: "scaler",
        kind: Kind::Single(&BLOCK),
        required: false,
        doc: "How many instances run. With room between `min` and `max`, nomad-autoscaler decides.",
    },
    applies_to: &[
        ComponentType::Webservice,
        ComponentType::Worker,
        ComponentType::Task,
        ComponentType::CronTask,
        ComponentType::Containerized,
        ComponentType::Executable,
        ComponentType::Vm,
        ComponentType::Batch,
    ],
    why_not: "What runs on every node runs there once.",
    check,
    unset: |draft| {
        let path = draft.path().field("scaler").field("replicas");
        draft.group_origin_unset("Count", path, Inverse::Number);
    },
    parse: |json| Ok(Box::new(serde_json::from_value::<Scaler>(json)?)),
};

static BLOCK: Block = Block {
    name: "scaler",
    doc: "How many instances of a component run.",
    label: None,
    fields: &[
        Field {
            name: "replicas",
            oam: "replicas",
            kind: Kind::Integer {
                min: 0,
                max: 10_000,
            },
            required: false,
            doc: "How many instances to run; `min` otherwise.",
        },
        Field {
            name: "min",
            oam: "min",
            kind: Kind::Integer {
                min: 0,
                max: 10_000,
            },
            required: false,
            doc: "The fewest that the autoscaler may leave; `1` otherwise, or `replicas` where that is less.",
        },
        Field {
            name: "max",
            oam: "max",
            kind: Kind::Integer {
                min: 1,
                max: 10_000,
            },
            required: false,
            doc: "The most that the autoscaler may start. Without it, or where it is `min`, there is nothing to scale.",
        },
        Field {
            name: "metric",
            oam: "scaleMetric",
            kind: Kind::Enum(&["cpu", "memory", "custom"]),
            required: false,
            doc: "What the autoscaler looks at: `cpu` (the default) or `memory`, in percent of what \
                  is allocated; with `custom`, the policy has no check, and is completed elsewhere.",
        },
        Field {
            name: "target",
            oam: "scaleTarget",
            kind: Kind::Integer { min: 1, max: 100 },
            required: false,
            doc: "The percentage that the autoscaler aims at; `70` otherwise.",
        },
    ],
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scaler {
    replicas: Option<u64>,
    min: Option<u64>,
    max: Option<u64>,
    metric: Option<String>,
    target: Option<u64>,
}

fn check(component: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let scaler = component.get("scaler");
    if component.get("type").as_str() == Some("cron-task") && !scaler.get("max").is_null() {
        problems.push(Problem::error(
            path.field("max"),
            "Nothing to scale",
            "Each run of a `cron-task` is a job of its own, which no autoscaler knows. Set `replicas` \
             alone: how many instances each run has.",
        ));
    }
    let value = |name| scaler.get(name).as_i64();
    let unknown = |name| scaler.get(name).is_unknown();
    let (replicas, max) = (value("replicas"), value("max"));
    let min = value("min");
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        problems.push(Problem::error(
            path.field("min"),
            format!("`min` is {min} and `max` is {max}"),
            "`min` must not be more than `max`.",
        ));
        return;
    }
    let Some(replicas) = replicas else { return };
    let outside = min.is_some_and(|min| replicas < min) || max.is_some_and(|max| replicas > max);
    if outside && !unknown("min") && !unknown("max") {
        problems.push(Problem::error(
            path.field("replicas"),
            format!("{replicas} replicas are outside the range"),
            format!(
                "`replicas` must be between `min` ({}) and `max` ({}). Change one of them.",
                min.unwrap_or(1),
                max.map_or("none".to_owned(), |max| max.to_string()),
            ),
        ));
    }
}

impl Trait for Scaler {
    fn translate(&self, draft: &mut Draft<'_>) {
        let min = self
            .min
            .unwrap_or_else(|| self.replicas.unwrap_or(1).min(1));
        let count = self.replicas.unwrap_or(min);
        draft.group.count = count;
        let owner = if self.replicas.is_some() {
            "replicas"
        } else {
            "min"
        };
        let attribute = |draft: &Draft<'_>, name| draft.path().field("scaler").field(name);
        let path = attribute(draft, owner);
        draft.group_origin("Count", path, Inverse::Number);
        let Some(max) = self.max.filter(|max| *max > min) else {
            return;
        };
        draft.group.scaling = Some(Scaling {
            kind: "horizontal",
            enabled: true,
            min,
            max,
            policy: self.policy(),
        });
        for (place, name) in [("Scaling/Min", "min"), ("Scaling/Max", "max")] {
            let path = attribute(draft, name);
            draft.group_origin(place, path, Inverse::Number);
        }
    }
}

impl Scaler {
    /// One check of nomad-autoscaler's `nomad-apm` source, with its `target-value` strategy. Only the
    /// `-allocated` metrics are percentages of what the component asked for: without that, `memory`
    /// is in bytes and `cpu` of the whole node
    /// (<https://developer.hashicorp.com/nomad/tools/autoscaling/plugins/apm/nomad>).
    fn policy(&self) -> serde_json::Value {
        let metric = self.metric.as_deref().unwrap_or("cpu");
        if metric == "custom" {
            return json!({});
        }
        let target = self.target.unwrap_or(70);
        json!({
            "check": [{
                metric: [{
                    "source": "nomad-apm",
                    "query": format!("avg_{metric}-allocated"),
                    "strategy": [{ "target-value": [{ "target": target }] }],
                }],
            }],
        })
    }
}
