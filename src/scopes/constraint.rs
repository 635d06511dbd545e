//! Constraints: what nodes must be like. Node pool scopes and the trait `affinity` have them.

use serde::Deserialize;

use crate::nomad::job;
use crate::oam::def::{Block, Field, Kind};
use crate::oam::{Node, Path, Problem, form};

/// A constraint.
pub static BLOCK: Block = Block {
    name: "constraint",
    doc: "What nodes must be like.",
    label: None,
    fields: &[
        Field {
            name: "attribute",
            oam: "attribute",
            kind: Kind::Text(&form::ATTRIBUTE),
            required: true,
            doc: "An attribute of the nodes, such as `node.class`, `attr.kernel.name` or `meta.rack`.",
        },
        Field {
            name: "operator",
            oam: "operator",
            kind: Kind::Enum(OPERATORS),
            required: false,
            doc: "`=` (the default), `!=`, `>`, `<`, `>=`, `<=` or `set_contains`.",
        },
        Field {
            name: "value",
            oam: "value",
            kind: Kind::Text(&form::TEXT),
            required: true,
            doc: "What the attribute is compared with.",
        },
    ],
};

const OPERATORS: &[&str] = &["=", "!=", ">", "<", ">=", "<=", "set_contains"];

/// A constraint.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    attribute: String,
    operator: Option<String>,
    value: String,
}

/// Nomad takes no empty value (`Constraint.Validate` in its `nomad/structs/structs.go`).
pub fn check(constraints: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let Node::List(items) = constraints else {
        return;
    };
    for (index, item) in items.iter().enumerate() {
        if item.get("value").as_str() == Some("") {
            problems.push(Problem::error(
                path.index(index).field("value"),
                "Nothing to compare with",
                "Nomad takes no empty value in a constraint.",
            ));
        }
    }
}

impl Constraint {
    /// Nomad's.
    pub fn translate(&self) -> job::Constraint {
        job::Constraint {
            left: interpolated(&self.attribute),
            operand: self.operator.clone().unwrap_or_else(|| "=".to_owned()),
            right: self.value.clone(),
        }
    }
}

/// An attribute in the braces of Nomad's interpolation.
pub fn interpolated(attribute: &str) -> String {
    if attribute.starts_with("${") {
        attribute.to_owned()
    } else {
        format!("${{{attribute}}}")
    }
}
