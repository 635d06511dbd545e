//! Manifests: the text of a portable document, as users write it, with errors at line and column.

mod names;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::application::COMPONENT;
use super::def::{Block, Kind};
use super::document::from_document;
use super::text::{self, Document, Location, Pointer};
use super::{Node, Path, Problem, Step, schema};
use crate::{scopes, traits};

/// A manifest that was read.
#[derive(Debug)]
pub struct Manifest {
    /// The application in its normal form.
    pub node: Node,
    document: Document,
}

/// Something wrong in a manifest, at its place there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, in the text.
    pub location: Location,
    /// Where, such as `spec.components[0].properties.image`; empty where the text is not even YAML.
    pub place: String,
    /// One line: what is wrong.
    pub summary: String,
    /// Why, and what to do about it.
    pub detail: String,
}

impl Manifest {
    /// A problem of the application at its place in the text.
    pub fn fault(&self, problem: &Problem) -> Fault {
        let pointer = pointer(&self.document.value, &problem.path);
        Fault {
            location: self.document.location(&pointer),
            place: pointer.to_string(),
            summary: names::in_document(&problem.summary),
            detail: names::in_document(&problem.detail),
        }
    }
}

/// Reads a manifest: YAML or JSON, one document.
///
/// # Errors
/// Everything that is wrong with the text, then with its shape, then with the application in it, as far
/// as each can be told.
pub fn read(text: &str) -> Result<Manifest, Vec<Fault>> {
    let document = text::read(text).map_err(|error| {
        vec![Fault {
            location: error.location,
            place: String::new(),
            summary: error.summary,
            detail: error.detail,
        }]
    })?;
    let faults = schema::check(&document);
    if !faults.is_empty() {
        return Err(faults);
    }
    match from_document(&document.value) {
        Ok(node) => Ok(Manifest { node, document }),
        Err(problems) => {
            let manifest = Manifest {
                node: Node::Null,
                document,
            };
            Err(problems
                .iter()
                .map(|problem| manifest.fault(problem))
                .collect())
        }
    }
}

/// A place of the normal form as one of the document: as far as the document has it.
fn pointer(document: &Value, path: &Path) -> Pointer {
    let mut steps = path.0.iter();
    let root = Pointer::default();
    match steps.next() {
        Some(Step::Field(name)) if name == "component" => {
            let at = root.key("spec").key("components");
            let Some(Step::Key(name)) = steps.next() else {
                return at;
            };
            let items = &document["spec"]["components"];
            match named(items, "name", name) {
                Some((index, component)) => component_pointer(
                    component,
                    at.index(index),
                    &steps.cloned().collect::<Vec<_>>(),
                ),
                None => at,
            }
        }
        Some(Step::Field(name)) if name == "scopes" => {
            let at = root.key("spec").key("scopes");
            match steps.next() {
                Some(Step::Index(index)) => at.index(*index),
                _ => at,
            }
        }
        Some(Step::Field(name)) => {
            let Some(definition) = scopes::ALL.iter().find(|it| it.field == name) else {
                return root.key("metadata").key(name.to_string());
            };
            let at = root.key("spec").key("scopes");
            let Some(Step::Key(name)) = steps.next() else {
                return at;
            };
            let items = document["spec"]["scopes"].as_array();
            let found = items.into_iter().flatten().enumerate().filter(|(_, item)| {
                let reference = &item["scopeRef"];
                reference["kind"] == definition.kind && reference["name"] == **name
            });
            match found.last() {
                Some((index, scope)) => {
                    let at = at.index(index).key("properties");
                    let rest: Vec<_> = steps.cloned().collect();
                    fields_pointer(definition.block, &scope["properties"], at, &rest)
                }
                None => at,
            }
        }
        _ => root,
    }
}

fn component_pointer(component: &Value, at: Pointer, steps: &[Step]) -> Pointer {
    let Some((Step::Field(name), rest)) = steps.split_first() else {
        return at;
    };
    if let Some(definition) = traits::ALL.iter().find(|it| it.field.name == name) {
        let label = match (definition.field.kind, rest.first()) {
            (Kind::Labelled(block), Some(Step::Key(label))) => {
                block.label.map(|name| (name.oam, &**label))
            }
            _ => None,
        };
        let items = component["traits"].as_array();
        let found = items.into_iter().flatten().enumerate().filter(|(_, item)| {
            item["type"] == definition.field.oam
                && label.is_none_or(|(name, label)| item["properties"][name] == label)
        });
        let Some((index, one)) = found.last() else {
            return at.key("traits");
        };
        let at = at.key("traits").index(index).key("properties");
        return match definition.field.kind {
            Kind::Single(block) => fields_pointer(block, &one["properties"], at, rest),
            Kind::Labelled(block) => fields_pointer(
                block,
                &one["properties"],
                at,
                rest.get(1..).unwrap_or_default(),
            ),
            _ => at,
        };
    }
    match name.as_ref() {
        "name" | "type" => at.key(name.to_string()),
        "target_clusters" => index_pointer(at.key("targetClusters"), rest),
        _ => fields_pointer(
            &COMPONENT,
            &component["properties"],
            at.key("properties"),
            steps,
        ),
    }
}

fn fields_pointer(block: &Block, value: &Value, at: Pointer, steps: &[Step]) -> Pointer {
    let Some((Step::Field(name), rest)) = steps.split_first() else {
        return at;
    };
    let Some(field) = block.field(name) else {
        // The label of a labelled block is a field of the document.
        return at.key(name.to_string());
    };
    let inner = &value[field.oam];
    let at = at.key(field.oam);
    match (field.kind, rest.split_first()) {
        (Kind::Single(block), _) => fields_pointer(block, inner, at, rest),
        (Kind::Labelled(block), Some((Step::Key(label), rest))) => {
            let key = block.label.map_or("name", |label| label.oam);
            match named(inner, key, label) {
                Some((index, item)) if field.name == "env_from" => {
                    let at = at.index(index).key("valueFrom");
                    fields_pointer(block, &item["valueFrom"], at, rest)
                }
                Some((index, item)) => fields_pointer(block, item, at.index(index), rest),
                None => at,
            }
        }
        (Kind::Variables, Some((Step::Key(label), _))) => match named(inner, "name", label) {
            Some((index, _)) => at.index(index),
            None => at,
        },
        (Kind::Repeated(block), Some((Step::Index(index), rest))) => {
            fields_pointer(block, &inner[*index], at.index(*index), rest)
        }
        (Kind::Map(..), Some((Step::Key(key), _))) => at.key(key.to_string()),
        _ => index_pointer(at, rest),
    }
}

fn index_pointer(at: Pointer, rest: &[Step]) -> Pointer {
    match rest.first() {
        Some(Step::Index(index)) => at.index(*index),
        _ => at,
    }
}

/// The item of a list that has this name: the last, which is the one too many where there are several.
fn named<'v>(items: &'v Value, key: &str, name: &str) -> Option<(usize, &'v Value)> {
    let mut items = items.as_array()?.iter().enumerate();
    items.rfind(|(_, item)| item[key] == name)
}
