//! `updatestrategy.nomad.oam.dev`: how a new version takes the place of an old one.
//!
//! The task group's update block
//! (<https://developer.hashicorp.com/nomad/docs/job-specification/update>). Blue-green is a canary for
//! each instance.

use serde::Deserialize;

use super::{Definition, Trait};
use crate::nomad::job::Update;
use crate::oam::application::Life;
use crate::oam::def::{Block, Field, Kind};
use crate::oam::{ComponentType, Node, Path, Problem, form, units};
use crate::translate::{Draft, Inverse};

/// The definition.
pub const DEFINITION: Definition = Definition {
    field: &Field {
        name: "update_strategy",
        oam: "updatestrategy.nomad.oam.dev",
        kind: Kind::Single(&BLOCK),
        required: false,
        doc: "How a new version takes the place of an old one.",
    },
    applies_to: &[
        ComponentType::Webservice,
        ComponentType::Worker,
        ComponentType::Daemon,
        ComponentType::Containerized,
        ComponentType::Vm,
        ComponentType::System,
    ],
    why_not: "What runs once is not updated while it runs.",
    check,
    unset,
    parse: |json| Ok(Box::new(serde_json::from_value::<UpdateStrategy>(json)?)),
};

static BLOCK: Block = Block {
    name: "update_strategy",
    doc: "How a new version takes the place of an old one.",
    label: None,
    fields: &[
        Field {
            name: "strategy",
            oam: "strategy",
            kind: Kind::Enum(&["rolling", "canary", "blue-green"]),
            required: false,
            doc: "`rolling` (the default): instances are replaced, some at once. `canary`: some of the \
                  new version run beside the old ones, until they are promoted; of what runs on every \
                  node, instead of them. `blue-green`: as many of the new version as of the old.",
        },
        Field {
            name: "max_parallel",
            oam: "maxParallel",
            kind: Kind::Integer {
                min: 1,
                max: 10_000,
            },
            required: false,
            doc: "How many instances are replaced at once; `1` otherwise, and with `blue-green` all.",
        },
        Field {
            name: "canary",
            oam: "canary",
            kind: Kind::Integer {
                min: 1,
                max: 10_000,
            },
            required: false,
            doc: "How many canaries; `1` with the strategy `canary` otherwise, and with `blue-green` as \
                  many as there are instances. Of what runs on every node, the share of the nodes in \
                  percent, but at least one.",
        },
        Field {
            name: "auto_promote",
            oam: "autoPromote",
            kind: Kind::Bool,
            required: false,
            doc: "Whether to go on as soon as the canaries are healthy. Otherwise the apply ends when \
                  they are, and the deployment waits until it is promoted.",
        },
        Field {
            name: "promote",
            oam: "promote",
            kind: Kind::Bool,
            required: false,
            doc: "Whether a deployment that waits is promoted by the next apply, which shows in its plan. An \
                  apply that begins a deployment still ends when its canaries are healthy. It is no part of \
                  the job, and where nothing waits it changes nothing.",
        },
        Field {
            name: "auto_revert",
            oam: "autoRevert",
            kind: Kind::Bool,
            required: false,
            doc: "Whether to go back to the last version that was healthy where the new one is not.",
        },
        Field {
            name: "health_check",
            oam: "healthCheck",
            kind: Kind::Enum(&["checks", "task_states", "manual"]),
            required: false,
            doc: "What makes an instance healthy: its `checks` (the default), its tasks running \
                  (`task_states`), or somebody who says so (`manual`).",
        },
        Field {
            name: "min_healthy_time",
            oam: "minHealthyTime",
            kind: Kind::Text(&form::DURATION),
            required: false,
            doc: "For how long an instance must be healthy; `10s` otherwise.",
        },
        Field {
            name: "healthy_deadline",
            oam: "healthyDeadline",
            kind: Kind::Text(&form::DURATION),
            required: false,
            doc: "By when it must be; `5m` otherwise.",
        },
        Field {
            name: "progress_deadline",
            oam: "progressDeadline",
            kind: Kind::Text(&form::DURATION),
            required: false,
            doc: "By when one more instance must be healthy; `10m` otherwise. `0s` to have the \
                  deployment fail with the first instance that is not.",
        },
    ],
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateStrategy {
    strategy: Option<String>,
    max_parallel: Option<u64>,
    canary: Option<u64>,
    auto_promote: Option<bool>,
    /// The apply's to read, and nothing of the job.
    #[serde(rename = "promote")]
    _promote: Option<bool>,
    auto_revert: Option<bool>,
    health_check: Option<String>,
    min_healthy_time: Option<String>,
    healthy_deadline: Option<String>,
    progress_deadline: Option<String>,
}

const SECOND: i64 = 1_000_000_000;

/// `UpdateStrategy.Validate` in Nomad's `nomad/structs/structs.go`.
fn check(component: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let update = component.get("update_strategy");
    let strategy = match update.get("strategy") {
        Node::Null => Some("rolling"),
        strategy => strategy.as_str(),
    };
    if strategy == Some("rolling") {
        for name in ["canary", "auto_promote", "promote"] {
            if !update.get(name).is_null() {
                problems.push(Problem::error(
                    path.field(name),
                    "Canaries without a canary strategy",
                    format!(
                        "`{name}` is for the strategies `canary` and `blue-green`. Set one of them as \
                         `strategy`, or remove this."
                    ),
                ));
            }
        }
    }
    let kind = component.get("type").as_str();
    let kind = kind.and_then(ComponentType::from_name);
    if kind.is_some_and(|kind| kind.life() == Life::EveryNode) {
        on_every_node(update, path, problems);
    }
    deadlines(update, path, problems);
}

/// Nomad runs one instance on each node, and takes the number of canaries for a percentage
/// (<https://developer.hashicorp.com/nomad/docs/job-specification/update#canary>).
fn on_every_node(update: &Node, path: &Path, problems: &mut Vec<Problem>) {
    if update.get("strategy").as_str() == Some("blue-green") {
        problems.push(Problem::error(
            path.field("strategy"),
            "No room for both on a node",
            "What runs on every node has one instance on each, so the new version cannot stand beside \
             the old one. Set the strategy `canary` with `canary = 100` to have it wait everywhere to \
             be promoted, or `rolling`.",
        ));
    }
    if let Some(share @ 101..) = update.get("canary").as_i64() {
        problems.push(Problem::error(
            path.field("canary"),
            "More than all nodes",
            format!(
                "Of what runs on every node, `canary` is the share of the nodes in percent, and {share} \
                 is more than 100."
            ),
        ));
    }
}

/// Each of these spans must be shorter than the next.
fn deadlines(update: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let span = |name, usual| match update.get(name) {
        Node::Null => Some(usual),
        node => node.as_str().and_then(units::nanoseconds),
    };
    let (Some(least), Some(healthy), Some(progress)) = (
        span("min_healthy_time", 10 * SECOND),
        span("healthy_deadline", 300 * SECOND),
        span("progress_deadline", 600 * SECOND),
    ) else {
        return;
    };
    let blame = |one: &'static str, other: &'static str| {
        path.field(if update.get(one).is_null() {
            other
        } else {
            one
        })
    };
    if least >= healthy {
        problems.push(Problem::error(
            blame("healthy_deadline", "min_healthy_time"),
            "A deadline before its time",
            format!(
                "`healthy_deadline` ({}) must be longer than `min_healthy_time` ({}).",
                units::from_nanoseconds(healthy.unsigned_abs()),
                units::from_nanoseconds(least.unsigned_abs()),
            ),
        ));
    } else if progress != 0 && healthy >= progress {
        problems.push(Problem::error(
            blame("progress_deadline", "healthy_deadline"),
            "A deadline before its time",
            format!(
                "`progress_deadline` ({}) must be longer than `healthy_deadline` ({}), or `0s`.",
                units::from_nanoseconds(progress.unsigned_abs()),
                units::from_nanoseconds(healthy.unsigned_abs()),
            ),
        ));
    }
}

const ORIGINS: [(&str, &str, Inverse); 8] = [
    ("MaxParallel", "max_parallel", Inverse::Number),
    ("Canary", "canary", Inverse::Number),
    ("AutoPromote", "auto_promote", Inverse::Bool),
    ("AutoRevert", "auto_revert", Inverse::Bool),
    ("HealthCheck", "health_check", Inverse::Text),
    ("MinHealthyTime", "min_healthy_time", Inverse::Duration),
    ("HealthyDeadline", "healthy_deadline", Inverse::Duration),
    ("ProgressDeadline", "progress_deadline", Inverse::Duration),
];

fn unset(draft: &mut Draft<'_>) {
    let path = draft.path().field("update_strategy");
    for (place, name, inverse) in ORIGINS {
        draft.group_origin_unset(format_args!("Update/{place}"), path.field(name), inverse);
    }
}

impl Trait for UpdateStrategy {
    fn translate(&self, draft: &mut Draft<'_>) {
        let nanoseconds = |text: &Option<String>| text.as_deref().and_then(units::nanoseconds);
        let count = draft.group.count.max(1);
        let (canary, max_parallel) = match self.strategy.as_deref() {
            Some("canary") => (Some(self.canary.unwrap_or(1)), self.max_parallel),
            Some("blue-green") => (
                Some(self.canary.unwrap_or(count)),
                Some(self.max_parallel.unwrap_or(count)),
            ),
            _ => (None, self.max_parallel),
        };
        draft.group.update = Some(Update {
            max_parallel,
            health_check: self.health_check.clone(),
            min_healthy_time: nanoseconds(&self.min_healthy_time),
            healthy_deadline: nanoseconds(&self.healthy_deadline),
            progress_deadline: nanoseconds(&self.progress_deadline),
            canary,
            auto_revert: self.auto_revert,
            auto_promote: self.auto_promote,
        });
        // `unset` follows, with the origins of what is set, too.
    }
}
