//! `affinity`: which nodes a component prefers, is spread over, or needs.
//!
//! The task group's affinities, spread and constraints
//! (<https://developer.hashicorp.com/nomad/docs/job-specification/affinity>, `spread` and
//! `constraint` beside it). A node says where it is in its meta: `cloud` and `region`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Definition, EVERY_TYPE, Trait};
use crate::nomad::job;
use crate::oam::application::Life;
use crate::oam::def::{Block, Field, Kind};
use crate::oam::{ComponentType, Node, Path, Problem, form};
use crate::scopes::constraint::{self, Constraint, interpolated};
use crate::translate::{Draft, Inverse};

/// The definition.
pub const DEFINITION: Definition = Definition {
    field: &Field {
        name: "affinity",
        oam: "affinity",
        kind: Kind::Single(&BLOCK),
        required: false,
        doc: "Which nodes a component prefers, is spread over, or needs.",
    },
    applies_to: EVERY_TYPE,
    why_not: "",
    check,
    unset: |_| {},
    parse: |json| Ok(Box::new(serde_json::from_value::<Affinity>(json)?)),
};

static BLOCK: Block = Block {
    name: "affinity",
    doc: "Which nodes a component prefers, is spread over, or needs.",
    label: None,
    fields: &[
        Field {
            name: "node_class",
            oam: "nodeClass",
            kind: Kind::Text(&form::WORD),
            required: false,
            doc: "The node class that it prefers.",
        },
        Field {
            name: "cloud",
            oam: "cloud",
            kind: Kind::Text(&form::WORD),
            required: false,
            doc: "The cloud that it prefers: the nodes' meta `cloud`.",
        },
        Field {
            name: "region",
            oam: "region",
            kind: Kind::Text(&form::WORD),
            required: false,
            doc: "The region of a cloud that it prefers: the nodes' meta `region`.",
        },
        Field {
            name: "node_meta",
            oam: "nodeMeta",
            kind: Kind::Map(&form::SECRET_FIELD, &form::WORD),
            required: false,
            doc: "What it prefers in the nodes' meta, by key.",
        },
        Field {
            name: "weight",
            oam: "weight",
            kind: Kind::Integer {
                min: -100,
                max: 100,
            },
            required: false,
            doc: "How much each of these counts, from 1 to 100; `50` otherwise. Less than 0 to avoid \
                  such nodes.",
        },
        Field {
            name: "spread",
            oam: "spread",
            kind: Kind::Text(&form::ATTRIBUTE),
            required: false,
            doc: "The attribute of nodes over whose values instances are spread, such as \
                  `node.datacenter`.",
        },
        Field {
            name: "constraint",
            oam: "constraints",
            kind: Kind::Repeated(&constraint::BLOCK),
            required: false,
            doc: "What the nodes must be like.",
        },
    ],
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Affinity {
    node_class: Option<String>,
    cloud: Option<String>,
    region: Option<String>,
    #[serde(default)]
    node_meta: BTreeMap<String, String>,
    weight: Option<i64>,
    spread: Option<String>,
    #[serde(default)]
    constraint: Vec<Constraint>,
}

fn check(component: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let affinity = component.get("affinity");
    constraint::check(
        affinity.get("constraint"),
        &path.field("constraint"),
        problems,
    );
    if affinity.get("weight").as_i64() == Some(0) {
        problems.push(Problem::error(
            path.field("weight"),
            "A weight of nothing",
            "A preference has a weight from -100 to 100, but not 0.",
        ));
    }
    let kind = component.get("type").as_str();
    let everywhere = kind
        .and_then(ComponentType::from_name)
        .is_some_and(|kind| kind.life() == Life::EveryNode);
    if !everywhere {
        return;
    }
    for name in ["node_class", "cloud", "region", "node_meta", "spread"] {
        if !affinity.get(name).is_null() {
            problems.push(Problem::error(
                path.field(name),
                "No preference among all nodes",
                "What runs on every node cannot prefer some. Use a `constraint` to leave nodes out.",
            ));
        }
    }
}

impl Trait for Affinity {
    fn translate(&self, draft: &mut Draft<'_>) {
        let path = draft.path().field("affinity");
        let single = [
            ("node.class", &self.node_class, "node_class"),
            ("meta.cloud", &self.cloud, "cloud"),
            ("meta.region", &self.region, "region"),
        ];
        let single = single.into_iter().filter_map(|(attribute, value, name)| {
            Some((attribute.to_owned(), value.clone()?, path.field(name)))
        });
        let meta = self.node_meta.iter().map(|(key, value)| {
            (
                format!("meta.{key}"),
                value.clone(),
                path.field("node_meta").key(key),
            )
        });
        let all: Vec<_> = single.chain(meta).collect();
        for (attribute, value, owner) in all {
            let left = interpolated(&attribute);
            draft.group_origin(
                format_args!("Affinities/{left}/RTarget"),
                owner,
                Inverse::Text,
            );
            draft.group.affinities.push(job::Affinity {
                left,
                operand: "=",
                right: value,
                weight: self.weight.unwrap_or(50),
            });
        }
        if let Some(attribute) = &self.spread {
            draft.group.spreads.push(job::Spread {
                attribute: interpolated(attribute),
                weight: 100,
            });
            draft.group_origin("Spreads/0/Attribute", path.field("spread"), Inverse::Text);
        }
        let constraints = self.constraint.iter().map(Constraint::translate);
        draft.group.constraints.extend(constraints);
    }
}
