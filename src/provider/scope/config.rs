//! From a configuration, a plan or a state to the scope.

use serde_json::Value as Json;

use super::kind::{Kind, ObjectKind};
use super::schema::EXTRA;
use crate::oam::{self, Node, Path, form, validate as checks};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::value::Value;
use crate::provider::convert;
use crate::store::ScopeKey;

/// Longest description of a namespace or node pool, in bytes (`Validate` in Nomad's
/// `nomad/structs/{structs,node_pool}.go`).
const LONGEST_DESCRIPTION: usize = 256;

/// What a scope wants of Nomad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Nothing.
    Nothing,
    /// An object that somebody else has made.
    Refer(String),
    /// An object of its own.
    Own(Wanted),
}

/// An object as a scope wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its quota; empty for none, and of a node pool.
    pub quota: String,
}

/// The scope in a value, in the normal form.
pub fn node(value: &Value) -> Node {
    let mut node = convert::to_node(value);
    if let Node::Map(entries) = &mut node {
        for name in EXTRA {
            entries.remove(name);
        }
    }
    node
}

/// The scope in a value, as a record has it.
pub fn properties(kind: Kind, value: &Value) -> Json {
    oam::scope_to_properties(kind.definition, &node(value))
}

/// The key of a scope whose name is known.
pub fn key(kind: Kind, value: &Value) -> Option<ScopeKey> {
    Some(kind.key(value.get("name").as_str()?))
}

/// Whether a scope makes its object.
pub fn creates(value: &Value) -> bool {
    value.get("create").as_bool() == Some(true)
}

/// What a scope that is wholly known wants of Nomad.
pub fn aim(kind: Kind, value: &Value) -> Aim {
    let Some(object) = kind.object() else {
        return Aim::Nothing;
    };
    let text = |name: &str| value.get(name).as_str().unwrap_or_default().to_owned();
    let Some(name) = value.get(object.field()).as_str() else {
        return Aim::Nothing;
    };
    if !creates(value) {
        return Aim::Refer(name.to_owned());
    }
    Aim::Own(Wanted {
        name: name.to_owned(),
        description: text("description"),
        quota: text("quota"),
    })
}

/// Everything that can be wrong in a configuration, as far as its values are known.
pub fn validate(kind: Kind, config: &Value) -> Diagnostics {
    let definition = kind.definition;
    let scope = node(config);
    let mut problems = Vec::new();
    checks::block(definition.block, &scope, &Path::default(), &mut problems);
    (definition.check)(&scope, &Path::default(), &mut problems);
    let mut found: Diagnostics = problems.into_iter().map(convert::diagnostic).collect();
    if let Some(name) = config.get("name").as_str()
        && !(form::LABEL.check)(name)
    {
        let summary = format!("{name:?} is not {}", form::LABEL.what);
        found.push(Diagnostic::error(summary, form::LABEL.how).at(AttributePath::new("name")));
    }
    if let Some(object) = kind.object() {
        found.extend(of_object(object, config));
    }
    found
}

/// What is wrong with how a scope wants its object.
fn of_object(object: ObjectKind, config: &Value) -> Diagnostics {
    let noun = object.noun();
    let mut found = Vec::new();
    let mut error = |field: &str, summary: String, detail: String| {
        found.push(Diagnostic::error(summary, detail).at(AttributePath::new(field)));
    };
    let create = config.get("create");
    let name = config.get(object.field());
    if creates(config) {
        match name {
            Value::Null => error(
                object.field(),
                format!("No name for the {noun}"),
                format!(
                    "With `create`, `{}` says which {noun} the scope makes.",
                    object.field()
                ),
            ),
            Value::String(name) if object.is_built_in(name) => error(
                object.field(),
                format!("The {noun} {name:?} is Nomad's own"),
                "Nobody can make or delete it. Remove `create`, or choose another name.".to_owned(),
            ),
            _ => {}
        }
    } else if !create.is_unknown() {
        for field in ["description", "quota"] {
            if !config.get(field).is_null() {
                error(
                    field,
                    format!("A {field} without `create`"),
                    format!(
                        "The scope only refers to the {noun}, so it does not change it. Set \
                         `create = true`, or remove this."
                    ),
                );
            }
        }
    }
    if let Some(text) = config.get("description").as_str()
        && text.len() > LONGEST_DESCRIPTION
    {
        error(
            "description",
            "Description too long".to_owned(),
            format!(
                "It has {} bytes, and Nomad takes {LONGEST_DESCRIPTION} at most.",
                text.len()
            ),
        );
    }
    found
}
