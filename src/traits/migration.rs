//! `migration.nomad.oam.dev`: how instances leave a node that is drained.
//!
//! The task group's migrate block
//! (<https://developer.hashicorp.com/nomad/docs/job-specification/migrate>).

use serde::Deserialize;

use super::{ALWAYS, Definition, Trait};
use crate::nomad::job::Migrate;
use crate::oam::def::{Block, Field, Kind};
use crate::oam::{Node, Path, Problem, form, units};
use crate::translate::{Draft, Inverse};

/// The definition.
pub const DEFINITION: Definition = Definition {
    field: &Field {
        name: "migration",
        oam: "migration.nomad.oam.dev",
        kind: Kind::Single(&BLOCK),
        required: false,
        doc: "How instances leave a node that is drained.",
    },
    applies_to: ALWAYS,
    why_not: "Nomad moves what runs always, and what runs once or on every node it does not.",
    check,
    unset,
    parse: |json| Ok(Box::new(serde_json::from_value::<Migration>(json)?)),
};

static BLOCK: Block = Block {
    name: "migration",
    doc: "How instances leave a node that is drained.",
    label: None,
    fields: &[
        Field {
            name: "max_parallel",
            oam: "maxParallel",
            kind: Kind::Integer {
                min: 1,
                max: 10_000,
            },
            required: false,
            doc: "How many at once; `1` otherwise.",
        },
        Field {
            name: "health_check",
            oam: "healthCheck",
            kind: Kind::Enum(&["checks", "task_states"]),
            required: false,
            doc: "What makes the new instance healthy: its `checks` (the default), or its tasks running \
                  (`task_states`).",
        },
        Field {
            name: "min_healthy_time",
            oam: "minHealthyTime",
            kind: Kind::Text(&form::DURATION),
            required: false,
            doc: "For how long it must be healthy; `10s` otherwise.",
        },
        Field {
            name: "healthy_deadline",
            oam: "healthyDeadline",
            kind: Kind::Text(&form::DURATION),
            required: false,
            doc: "By when it must be; `5m` otherwise.",
        },
    ],
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Migration {
    max_parallel: Option<u64>,
    health_check: Option<String>,
    min_healthy_time: Option<String>,
    healthy_deadline: Option<String>,
}

const SECOND: i64 = 1_000_000_000;

/// `MigrateStrategy.Validate` in Nomad's `nomad/structs/structs.go`.
fn check(component: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let migration = component.get("migration");
    let span = |name, usual| match migration.get(name) {
        Node::Null => Some(usual),
        node => node.as_str().and_then(units::nanoseconds),
    };
    let (least, deadline) = (
        span("min_healthy_time", 10 * SECOND),
        span("healthy_deadline", 300 * SECOND),
    );
    if let (Some(least), Some(deadline)) = (least, deadline)
        && least > deadline
    {
        let blamed = match migration.get("healthy_deadline") {
            Node::Null => "min_healthy_time",
            _ => "healthy_deadline",
        };
        problems.push(Problem::error(
            path.field(blamed),
            "A deadline before its time",
            format!(
                "`healthy_deadline` ({}) must not be shorter than `min_healthy_time` ({}).",
                units::from_nanoseconds(deadline.unsigned_abs()),
                units::from_nanoseconds(least.unsigned_abs()),
            ),
        ));
    }
}

fn unset(draft: &mut Draft<'_>) {
    let path = draft.path().field("migration");
    for (place, name, inverse) in [
        ("MaxParallel", "max_parallel", Inverse::Number),
        ("HealthCheck", "health_check", Inverse::Text),
        ("MinHealthyTime", "min_healthy_time", Inverse::Duration),
        ("HealthyDeadline", "healthy_deadline", Inverse::Duration),
    ] {
        draft.group_origin_unset(format_args!("Migrate/{place}"), path.field(name), inverse);
    }
}

impl Trait for Migration {
    fn translate(&self, draft: &mut Draft<'_>) {
        let nanoseconds = |text: &Option<String>| text.as_deref().and_then(units::nanoseconds);
        draft.group.migrate = Some(Migrate {
            max_parallel: self.max_parallel,
            health_check: self.health_check.clone(),
            min_healthy_time: nanoseconds(&self.min_healthy_time),
            healthy_deadline: nanoseconds(&self.healthy_deadline),
        });
        // `unset` follows, with the origins of what is set, too.
    }
}
