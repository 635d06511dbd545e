//! The portable form: an OAM document of `core.oam.dev/v1alpha2`, which the record keeps.
//!
//! The definitions say how: a labelled block is a list whose items carry the label in a field of
//! their own, names are in camelCase, what describes the program is under `properties`, and each
//! trait is an item of `traits`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::application::COMPONENT;
use super::def::{Block, Field, Kind, application};
use super::{Node, Path, Problem};
use crate::traits;

/// The version of the documents.
pub const API_VERSION: &str = "core.oam.dev/v1alpha2";

/// The document of an application in its normal form.
pub fn to_document(node: &Node) -> Value {
    let mut metadata = Map::new();
    for name in ["name", "tenant", "labels", "annotations"] {
        let value = node.get(name).to_json();
        if !value.is_null() {
            metadata.insert(name.to_owned(), value);
        }
    }
    let components = node.get("component").as_map().into_iter().flatten();
    let components: Vec<_> = components
        .map(|(name, node)| component_out(name, node))
        .collect();
    json!({
        "apiVersion": API_VERSION,
        "kind": "Application",
        "metadata": metadata,
        "spec": { "components": components },
    })
}

fn component_out(name: &str, node: &Node) -> Value {
    let mut properties = Map::new();
    let mut traits = Vec::new();
    for field in COMPONENT.fields() {
        let value = node.get(field.name);
        if field.name == "type" || is_absent(field, value) {
            continue;
        }
        if !traits::is_trait(field.name) {
            properties.insert(field.oam.to_owned(), out(field, value));
            continue;
        }
        let entries = match out(field, value) {
            Value::Array(items) => items,
            one => vec![one],
        };
        traits.extend(
            entries
                .into_iter()
                .map(|p| json!({ "type": field.oam, "properties": p })),
        );
    }
    json!({
        "name": name,
        "type": node.get("type").to_json(),
        "properties": properties,
        "traits": traits,
    })
}

/// No labelled block at all is the same as none.
fn is_absent(field: &Field, node: &Node) -> bool {
    let labelled = matches!(field.kind, Kind::Labelled(_));
    node.is_null() || labelled && node.as_map().is_some_and(BTreeMap::is_empty)
}

fn out(field: &Field, node: &Node) -> Value {
    match &field.kind {
        Kind::Single(block) => Value::Object(block_out(block, node)),
        Kind::Labelled(block) => {
            let items = node.as_map().into_iter().flatten().map(|(label, node)| {
                let mut item = block_out(block, node);
                item.insert(block.label.to_owned(), label.as_str().into());
                Value::Object(item)
            });
            Value::Array(items.collect())
        }
        Kind::StringMap if field.name == "env" => {
            let items = node.as_map().into_iter().flatten();
            let items =
                items.map(|(name, value)| json!({ "name": name, "value": value.to_json() }));
            Value::Array(items.collect())
        }
        _ => node.to_json(),
    }
}

fn block_out(block: &Block, node: &Node) -> Map<String, Value> {
    let fields = block.fields().filter_map(|field| {
        let value = node.get(field.name);
        (!is_absent(field, value)).then(|| (field.oam.to_owned(), out(field, value)))
    });
    fields.collect()
}

/// The normal form of a document.
///
/// # Errors
/// Each place that is not as it should be.
pub fn from_document(document: &Value) -> Result<Node, Vec<Problem>> {
    let mut problems = Vec::new();
    if document["apiVersion"] != API_VERSION || document["kind"] != "Application" {
        problems.push(problem(
            &Path::default(),
            "Not an application",
            &format!("`apiVersion` must be `{API_VERSION}` and `kind` must be `Application`."),
        ));
    }
    let mut root = BTreeMap::new();
    let metadata = &document["metadata"];
    for field in application().fields() {
        if !matches!(field.kind, Kind::Labelled(_)) && !metadata[field.oam].is_null() {
            root.insert(field.name.to_owned(), Node::from(&metadata[field.oam]));
        }
    }
    let path = Path::default().field("component");
    let mut components = BTreeMap::new();
    for item in list(&document["spec"]["components"], &path, &mut problems) {
        let Some(name) = item["name"].as_str() else {
            problems.push(problem(
                &path,
                "Component without a name",
                "Each needs a `name`.",
            ));
            continue;
        };
        let node = component_in(item, &path.key(name), &mut problems);
        if components.insert(name.to_owned(), node).is_some() {
            problems.push(problem(
                &path.key(name),
                "Duplicate component",
                "Names must differ.",
            ));
        }
    }
    root.insert("component".to_owned(), Node::Map(components));
    if problems.is_empty() {
        Ok(Node::Map(root))
    } else {
        Err(problems)
    }
}

fn problem(path: &Path, summary: &str, detail: &str) -> Problem {
    Problem::error(path.clone(), summary, detail)
}

fn list<'v>(value: &'v Value, path: &Path, problems: &mut Vec<Problem>) -> &'v [Value] {
    match value {
        Value::Null => &[],
        Value::Array(items) => items,
        _ => {
            problems.push(problem(path, "Not a list", "A list belongs here."));
            &[]
        }
    }
}

fn component_in(item: &Value, path: &Path, problems: &mut Vec<Problem>) -> Node {
    let mut properties = Map::new();
    if let Value::Object(entries) = &item["properties"] {
        properties = entries.clone();
    }
    let mut entries = block_in(&COMPONENT, &properties, path, problems);
    if !item["type"].is_null() {
        entries.insert("type".to_owned(), Node::from(&item["type"]));
    }
    for one in list(&item["traits"], path, problems) {
        let kind = one["type"].as_str().unwrap_or_default();
        let Some(definition) = traits::ALL.iter().find(|d| d.field.oam == kind) else {
            problems.push(problem(
                path,
                &format!("Unknown trait {kind:?}"),
                "Check its spelling.",
            ));
            continue;
        };
        let field = definition.field;
        let place = path.field(field.name);
        let node = match field.kind {
            Kind::Labelled(_) => value_in(field, &json!([one["properties"]]), &place, problems),
            _ => value_in(field, &one["properties"], &place, problems),
        };
        match (entries.get_mut(field.name), node) {
            (Some(Node::Map(old)), Node::Map(new)) if matches!(field.kind, Kind::Labelled(_)) => {
                for (label, node) in new {
                    if old.insert(label.clone(), node).is_some() {
                        problems.push(problem(
                            &place.key(&label),
                            "Duplicate trait",
                            "Names must differ.",
                        ));
                    }
                }
            }
            (Some(_), _) => {
                problems.push(problem(
                    &place,
                    "Duplicate trait",
                    "A component has it once.",
                ));
            }
            (None, node) => drop(entries.insert(field.name.to_owned(), node)),
        }
    }
    Node::Map(entries)
}

fn value_in(field: &Field, value: &Value, path: &Path, problems: &mut Vec<Problem>) -> Node {
    match &field.kind {
        Kind::Single(block) => match value {
            Value::Object(entries) => Node::Map(block_in(block, entries, path, problems)),
            other => Node::from(other),
        },
        Kind::Labelled(block) => {
            let mut all = BTreeMap::new();
            for item in list(value, path, problems) {
                let (Some(label), Value::Object(entries)) = (item[block.label].as_str(), item)
                else {
                    let detail = format!("Each needs a `{}`.", block.label);
                    problems.push(problem(path, "Item without a name", &detail));
                    continue;
                };
                let mut entries = entries.clone();
                entries.remove(block.label);
                let node = Node::Map(block_in(block, &entries, &path.key(label), problems));
                if all.insert(label.to_owned(), node).is_some() {
                    problems.push(problem(
                        &path.key(label),
                        "Duplicate name",
                        "Names must differ.",
                    ));
                }
            }
            Node::Map(all)
        }
        Kind::StringMap if field.name == "env" => {
            let mut all = BTreeMap::new();
            for item in list(value, path, problems) {
                match item["name"].as_str() {
                    Some(name) => drop(all.insert(name.to_owned(), Node::from(&item["value"]))),
                    None => problems.push(problem(
                        path,
                        "Variable without a name",
                        "Each needs a `name`.",
                    )),
                }
            }
            Node::Map(all)
        }
        _ => Node::from(value),
    }
}

fn block_in(
    block: &Block,
    entries: &Map<String, Value>,
    path: &Path,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Node> {
    let mut all = BTreeMap::new();
    for (name, value) in entries {
        match block.fields().find(|field| field.oam == name) {
            Some(field) => {
                let node = value_in(field, value, &path.field(field.name), problems);
                all.insert(field.name.to_owned(), node);
            }
            None => {
                let detail = format!("`{}` has no such field.", block.name);
                problems.push(problem(path, &format!("Unknown field {name:?}"), &detail));
            }
        }
    }
    all
}
