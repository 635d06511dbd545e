//! Between Terraform's values and the model's normal form.
//!
//! The schema of a block is derived from its definition in the model, so a value and its normal
//! form have the same shape, and the same paths lead to the same places.

use std::collections::BTreeMap;

use crate::oam::def;
use crate::oam::{self, Node};
use crate::protocol::diagnostic::{Diagnostic, Severity};
use crate::protocol::path::{AttributePath, Step};
use crate::protocol::schema::{Attribute, Block, BlockNesting, Mode, NestedBlock};
use crate::protocol::value::{Type, Value};

/// The Terraform schema of a block of the model.
pub fn block(definition: &def::Block) -> Block {
    let mut block = Block {
        description: definition.doc.to_owned(),
        ..Block::default()
    };
    for field in definition.fields() {
        let ty = match &field.kind {
            def::Kind::Single(inner) => {
                block
                    .blocks
                    .push(nested(field, inner, BlockNesting::Single));
                continue;
            }
            def::Kind::Labelled(inner) => {
                block.blocks.push(nested(field, inner, BlockNesting::Map));
                continue;
            }
            def::Kind::Repeated(inner) => {
                block.blocks.push(nested(field, inner, BlockNesting::List));
                continue;
            }
            kind => plain(kind),
        };
        let mode = if field.required {
            Mode::Required
        } else {
            Mode::Optional
        };
        block
            .attributes
            .push(Attribute::new(field.name, ty, mode, field.doc));
    }
    block
}

fn nested(field: &def::Field, inner: &def::Block, nesting: BlockNesting) -> NestedBlock {
    NestedBlock {
        name: field.name.to_owned(),
        block: Block {
            description: field.doc.to_owned(),
            ..block(inner)
        },
        nesting,
    }
}

fn plain(kind: &def::Kind) -> Type {
    match kind {
        def::Kind::Bool => Type::Bool,
        def::Kind::Integer { .. } => Type::Number,
        def::Kind::List(_) => Type::List(Box::new(Type::String)),
        def::Kind::Map(..) | def::Kind::Variables => Type::Map(Box::new(Type::String)),
        def::Kind::Text(_)
        | def::Kind::Enum(_)
        // Blocks have no type of their own here: `block` sees to them.
        | def::Kind::Single(_)
        | def::Kind::Labelled(_)
        | def::Kind::Repeated(_) => Type::String,
    }
}

/// The normal form of a value. What is null is left out of it.
pub fn to_node(value: &Value) -> Node {
    match value {
        Value::Null => Node::Null,
        Value::Unknown(_) => Node::Unknown,
        Value::Bool(value) => Node::Bool(*value),
        Value::Number(number) => number_node(number),
        Value::String(text) => Node::String(text.clone()),
        Value::List(items) => Node::List(items.iter().map(to_node).collect()),
        Value::Map(entries) => {
            let known = entries.iter().filter(|(_, value)| !value.is_null());
            Node::Map(
                known
                    .map(|(name, value)| (name.clone(), to_node(value)))
                    .collect(),
            )
        }
        Value::Dynamic(inner) => to_node(&inner.1),
    }
}

fn number_node(number: &crate::protocol::value::Number) -> Node {
    match number.as_i64() {
        Some(whole) => Node::Number(whole.into()),
        None => serde_json::Number::from_f64(number.to_f64()).map_or(Node::Null, Node::Number),
    }
}

/// The value of a type that has this normal form. Attributes that the node lacks are null.
pub fn to_value(node: &Node, ty: &Type) -> Value {
    match (node, ty) {
        (Node::Null, _) => Value::Null,
        (Node::Unknown, _) => Value::UNKNOWN,
        (Node::Bool(value), Type::Bool) => Value::Bool(*value),
        (Node::Number(number), Type::Number) => number
            .to_string()
            .parse()
            .map_or(Value::Null, Value::Number),
        (Node::String(text), Type::String) => Value::String(text.clone()),
        (Node::List(items), Type::List(element) | Type::Set(element)) => {
            Value::List(items.iter().map(|item| to_value(item, element)).collect())
        }
        (Node::Map(entries), Type::Map(element)) => {
            let entries = entries
                .iter()
                .map(|(k, node)| (k.clone(), to_value(node, element)));
            Value::Map(entries.collect())
        }
        (Node::Map(entries), Type::Object(attributes)) => {
            let attribute = |(name, ty): (&String, &Type)| {
                let value = entries
                    .get(name)
                    .map_or(Value::Null, |node| to_value(node, ty));
                (name.clone(), value)
            };
            Value::Map(attributes.iter().map(attribute).collect())
        }
        // Text where a number or a flag belongs, or the other way round, as Terraform converts it.
        (Node::Bool(value), Type::String) => value.to_string().into(),
        (Node::Number(number), Type::String) => number.to_string().into(),
        _ => Value::Null,
    }
}

/// Gives a value of a block the empty maps and lists that Terraform wants where there is no labelled or
/// repeated block.
pub fn complete(value: &mut Value, definition: &def::Block) {
    let Value::Map(entries) = value else { return };
    for field in definition.fields() {
        let Some(entry) = entries.get_mut(field.name) else {
            continue;
        };
        match &field.kind {
            def::Kind::Single(inner) => complete(entry, inner),
            def::Kind::Labelled(inner) => match entry {
                Value::Null => *entry = Value::Map(BTreeMap::new()),
                Value::Map(blocks) => blocks.values_mut().for_each(|one| complete(one, inner)),
                _ => {}
            },
            def::Kind::Repeated(inner) => match entry {
                Value::Null => *entry = Value::List(Vec::new()),
                Value::List(blocks) => blocks.iter_mut().for_each(|one| complete(one, inner)),
                _ => {}
            },
            _ => {}
        }
    }
}

/// Puts a node at a place in a value, and makes the blocks on the way that are not there.
pub fn put(value: &mut Value, ty: &Type, path: &oam::Path, node: &Node) {
    put_at(value, ty, &path.0, node);
}

fn put_at(value: &mut Value, ty: &Type, steps: &[oam::Step], node: &Node) {
    let Some((step, rest)) = steps.split_first() else {
        *value = to_value(node, ty);
        return;
    };
    let (name, inner) = match (step, ty) {
        (oam::Step::Field(name), Type::Object(attributes)) => {
            let Some(inner) = attributes.get(name.as_ref()) else {
                return;
            };
            (name.to_string(), inner)
        }
        (oam::Step::Key(key), Type::Map(inner)) => (key.to_string(), inner.as_ref()),
        (oam::Step::Index(index), Type::List(inner)) => {
            if let Value::List(items) = value
                && let Some(item) = items.get_mut(*index)
            {
                put_at(item, inner, rest, node);
            }
            return;
        }
        _ => return,
    };
    if !matches!(value, Value::Map(_)) {
        *value = to_value(&Node::Map(BTreeMap::new()), ty);
    }
    let Value::Map(entries) = value else { return };
    if rest.is_empty() && matches!((step, node), (oam::Step::Key(_), Node::Null)) {
        // An entry of a map that is no more, not one that is null.
        entries.remove(&name);
        return;
    }
    let entry = entries.entry(name).or_insert(Value::Null);
    put_at(entry, inner, rest, node);
}

/// The model's path as Terraform's.
pub fn path(path: &oam::Path) -> AttributePath {
    let step = |step: &oam::Step| match step {
        oam::Step::Field(name) => Step::Attribute(name.to_string()),
        oam::Step::Key(key) => Step::Key(key.to_string()),
        oam::Step::Index(index) => Step::Index(i64::try_from(*index).unwrap_or(i64::MAX)),
    };
    AttributePath {
        steps: path.0.iter().map(step).collect(),
    }
}

/// The model's problem as a diagnostic.
pub fn diagnostic(problem: oam::Problem) -> Diagnostic {
    Diagnostic {
        severity: match problem.severity {
            oam::Severity::Error => Severity::Error,
            oam::Severity::Warning => Severity::Warning,
        },
        summary: problem.summary,
        detail: problem.detail,
        path: path(&problem.path),
    }
}
