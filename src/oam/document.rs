//! The portable form: an OAM document of `core.oam.dev/v1alpha2` or `v1beta1`, which the record keeps.
//!
//! The definitions say how: a labelled block is a list whose items carry the label in a field of
//! their own, names are in camelCase, what describes the program is under `properties`, and each
//! trait is an item of `traits`. A scope is an item of `scopes`: with `properties` it is written there,
//! without it is one that is recorded elsewhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::application::COMPONENT;
use super::def::{Block, Field, Kind, application};
use super::{Node, Path, Problem};
use crate::scopes;
use crate::traits;

/// The version of the documents that are written.
pub const API_VERSION: &str = "core.oam.dev/v1alpha2";

/// The versions of the documents that are read.
pub const API_VERSIONS: [&str; 2] = [API_VERSION, "core.oam.dev/v1beta1"];

/// The fields of a component beside its properties.
pub(super) const BESIDE: [&str; 2] = ["type", "target_clusters"];

/// What describes an application, in a document's `metadata`.
pub(super) const METADATA: [&str; 4] = ["name", "tenant", "labels", "annotations"];

/// The document of an application in its normal form.
pub fn to_document(node: &Node) -> Value {
    let mut metadata = Map::new();
    for name in METADATA {
        let value = node.get(name).to_json();
        if !value.is_null() {
            metadata.insert(name.to_owned(), value);
        }
    }
    let components = node.get("component").as_map().into_iter().flatten();
    let components: Vec<_> = components
        .map(|(name, node)| component_out(name, node))
        .collect();
    let mut spec = Map::from_iter([("components".to_owned(), components.into())]);
    let scopes = scopes_out(node);
    if !scopes.is_empty() {
        spec.insert("scopes".to_owned(), scopes.into());
    }
    json!({
        "apiVersion": API_VERSION,
        "kind": "Application",
        "metadata": metadata,
        "spec": spec,
    })
}

fn scopes_out(node: &Node) -> Vec<Value> {
    let mut all = Vec::new();
    let reference =
        |kind: &str, name: &str| json!({ "apiVersion": API_VERSION, "kind": kind, "name": name });
    for id in super::references(node) {
        if let Some((definition, name)) = scopes::split(id) {
            all.push(json!({ "scopeRef": reference(definition.kind, name) }));
        }
    }
    for definition in scopes::ALL {
        for (name, scope) in node.get(definition.field).as_map().into_iter().flatten() {
            all.push(json!({
                "scopeRef": reference(definition.kind, name),
                "properties": block_out(definition.block, scope),
            }));
        }
    }
    all
}

fn component_out(name: &str, node: &Node) -> Value {
    let mut component = Map::from_iter([("name".to_owned(), name.into())]);
    let mut traits = Vec::new();
    let mut own = Vec::new();
    for field in COMPONENT.fields() {
        let value = node.get(field.name);
        if is_absent(field, value) {
            continue;
        }
        if BESIDE.contains(&field.name) {
            component.insert(field.oam.to_owned(), value.to_json());
        } else if traits::is_trait(field.name) {
            let entries = match out(field, value) {
                Value::Array(items) => items,
                one => vec![one],
            };
            let entries = entries.into_iter();
            traits.extend(entries.map(|p| json!({ "type": field.oam, "properties": p })));
        } else {
            own.push((field, value));
        }
    }
    let properties = fields_out(own.into_iter());
    component.insert("properties".to_owned(), properties.into());
    component.insert("traits".to_owned(), traits.into());
    component.into()
}

/// No labelled block at all is the same as none.
fn is_absent(field: &Field, node: &Node) -> bool {
    match (&field.kind, node) {
        (Kind::Labelled(_), Node::Map(entries)) => entries.is_empty(),
        (Kind::Repeated(_), Node::List(items)) => items.is_empty(),
        _ => node.is_null(),
    }
}

fn out(field: &Field, node: &Node) -> Value {
    match &field.kind {
        Kind::Single(block) => Value::Object(block_out(block, node)),
        Kind::Labelled(block) => {
            let items = node.as_map().into_iter().flatten().map(|(label, node)| {
                let mut item = block_out(block, node);
                if field.name == "env_from" {
                    item = Map::from_iter([("valueFrom".to_owned(), item.into())]);
                }
                if let Some(name) = block.label {
                    item.insert(name.oam.to_owned(), label.as_str().into());
                }
                Value::Object(item)
            });
            Value::Array(items.collect())
        }
        Kind::Repeated(block) => match node {
            Node::List(items) => {
                let items = items
                    .iter()
                    .map(|item| Value::Object(block_out(block, item)));
                Value::Array(items.collect())
            }
            _ => Value::Null,
        },
        Kind::Variables => {
            let items = node.as_map().into_iter().flatten();
            let items =
                items.map(|(name, value)| json!({ "name": name, "value": value.to_json() }));
            Value::Array(items.collect())
        }
        _ => node.to_json(),
    }
}

fn block_out(block: &Block, node: &Node) -> Map<String, Value> {
    let fields = block.fields().map(|field| (field, node.get(field.name)));
    fields_out(fields.filter(|(field, value)| !is_absent(field, value)))
}

/// Two fields of one name (`env` and `env_from`) are one list.
fn fields_out<'n>(fields: impl Iterator<Item = (&'static Field, &'n Node)>) -> Map<String, Value> {
    let mut all = Map::new();
    for (field, node) in fields {
        let value = out(field, node);
        match (all.get_mut(field.oam), value) {
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
            (_, value) => drop(all.insert(field.oam.to_owned(), value)),
        }
    }
    all
}

/// The normal form of a document.
///
/// # Errors
/// Each place that is not as it should be.
pub fn from_document(document: &Value) -> Result<Node, Vec<Problem>> {
    let mut problems = Vec::new();
    let version = document["apiVersion"].as_str().unwrap_or_default();
    if !API_VERSIONS.contains(&version) || document["kind"] != "Application" {
        let detail = format!(
            "`apiVersion` must be one of `{}` and `kind` must be `Application`.",
            API_VERSIONS.join("`, `")
        );
        problems.push(problem(&Path::default(), "Not an application", &detail));
    }
    let mut root = BTreeMap::new();
    let metadata = &document["metadata"];
    for field in application().fields() {
        if METADATA.contains(&field.name) && !metadata[field.oam].is_null() {
            root.insert(field.name.to_owned(), Node::from(&metadata[field.oam]));
        }
    }
    scopes_in(&document["spec"]["scopes"], &mut root, &mut problems);
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

fn scopes_in(entries: &Value, root: &mut BTreeMap<String, Node>, problems: &mut Vec<Problem>) {
    let path = Path::default().field("scopes");
    let mut references = Vec::new();
    for (index, entry) in list(entries, &path, problems).iter().enumerate() {
        let reference = &entry["scopeRef"];
        let text = |name: &str| reference[name].as_str().unwrap_or_default();
        let (kind, name) = (text("kind"), text("name"));
        let Some(definition) = scopes::Definition::of_kind(kind) else {
            let detail = "Check its spelling.";
            problems.push(problem(
                &path.index(index),
                &format!("Unknown scope {kind:?}"),
                detail,
            ));
            continue;
        };
        let Value::Object(properties) = &entry["properties"] else {
            references.push(Node::String(format!("{}/{name}", definition.id)));
            continue;
        };
        let path = Path::default().field(definition.field).key(name);
        let node = Node::Map(block_in(definition.block, properties, &path, problems));
        let blocks = root
            .entry(definition.field.to_owned())
            .or_insert_with(|| Node::Map(BTreeMap::new()));
        if let Node::Map(blocks) = blocks
            && blocks.insert(name.to_owned(), node).is_some()
        {
            problems.push(problem(&path, "Duplicate scope", "Names must differ."));
        }
    }
    if !references.is_empty() {
        root.insert("scopes".to_owned(), Node::List(references));
    }
}

/// The normal form of a scope's properties, as a document or a record has them.
///
/// # Errors
/// Each place that is not as it should be.
pub fn scope_from_properties(
    definition: &scopes::Definition,
    properties: &Value,
) -> Result<Node, Vec<Problem>> {
    let mut problems = Vec::new();
    let empty = Map::new();
    let properties = properties.as_object().unwrap_or(&empty);
    let node = block_in(
        definition.block,
        properties,
        &Path::default(),
        &mut problems,
    );
    if problems.is_empty() {
        Ok(Node::Map(node))
    } else {
        Err(problems)
    }
}

/// The properties of a scope in its normal form, as a document or a record has them.
pub fn scope_to_properties(definition: &scopes::Definition, scope: &Node) -> Value {
    Value::Object(block_out(definition.block, scope))
}

fn component_in(item: &Value, path: &Path, problems: &mut Vec<Problem>) -> Node {
    let mut properties = Map::new();
    if let Value::Object(entries) = &item["properties"] {
        properties = entries.clone();
    }
    let mut entries = block_in(&COMPONENT, &properties, path, problems);
    for name in BESIDE {
        if let Some(field) = COMPONENT.field(name)
            && !item[field.oam].is_null()
        {
            entries.insert(name.to_owned(), Node::from(&item[field.oam]));
        }
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
        let empty = json!({});
        let properties = match &one["properties"] {
            Value::Null => &empty,
            properties => properties,
        };
        let node = match field.kind {
            Kind::Labelled(_) => value_in(field, &json!([properties]), &place, problems),
            _ => value_in(field, properties, &place, problems),
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
        Kind::Labelled(block) => labelled_in(block, value, path, problems),
        Kind::Repeated(block) => {
            let items = list(value, path, problems).iter().enumerate();
            let nodes: Vec<_> = items
                .map(|(index, item)| match item {
                    Value::Object(entries) => {
                        Node::Map(block_in(block, entries, &path.index(index), problems))
                    }
                    other => Node::from(other),
                })
                .collect();
            Node::List(nodes)
        }
        Kind::Variables => {
            let mut all = BTreeMap::new();
            for item in list(value, path, problems) {
                match item["name"].as_str() {
                    Some(name) => {
                        if all
                            .insert(name.to_owned(), Node::from(&item["value"]))
                            .is_some()
                        {
                            let place = path.key(name);
                            problems.push(problem(
                                &place,
                                "Duplicate variable",
                                "Names must differ.",
                            ));
                        }
                    }
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

fn labelled_in(
    block: &'static Block,
    value: &Value,
    path: &Path,
    problems: &mut Vec<Problem>,
) -> Node {
    let mut all = BTreeMap::new();
    let name = block.label.map_or("name", |label| label.oam);
    for item in list(value, path, problems) {
        let (Some(label), Value::Object(entries)) = (item[name].as_str(), item) else {
            let detail = format!("Each needs a `{name}`.");
            problems.push(problem(path, "Item without a name", &detail));
            continue;
        };
        let mut entries = entries.clone();
        entries.remove(name);
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

fn block_in(
    block: &Block,
    entries: &Map<String, Value>,
    path: &Path,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Node> {
    let mut all = BTreeMap::new();
    for (name, value) in entries {
        let fields: Vec<_> = block.fields().filter(|field| field.oam == name).collect();
        match fields.as_slice() {
            [] => {
                let detail = format!("`{}` has no such field.", block.name);
                problems.push(problem(path, &format!("Unknown field {name:?}"), &detail));
            }
            [field] => {
                let node = value_in(field, value, &path.field(field.name), problems);
                all.insert(field.name.to_owned(), node);
            }
            _ => variables_in(block, value, path, problems, &mut all),
        }
    }
    all
}

/// The one list of variables, as the two fields of a component.
fn variables_in(
    block: &Block,
    value: &Value,
    path: &Path,
    problems: &mut Vec<Problem>,
    all: &mut BTreeMap<String, Node>,
) {
    let items = list(value, path, problems);
    let fetched = |item: &&Value| item.get("valueFrom").is_some();
    let (from, plain): (Vec<_>, Vec<_>) = items.iter().partition(fetched);
    let from = from.into_iter().map(|item| {
        let mut entry = item["valueFrom"].as_object().cloned().unwrap_or_default();
        entry.insert("name".to_owned(), item["name"].clone());
        Value::Object(entry)
    });
    let plain = plain.into_iter().cloned();
    for (name, items) in [
        ("env", plain.collect::<Vec<_>>()),
        ("env_from", from.collect()),
    ] {
        if let (Some(field), false) = (block.field(name), items.is_empty()) {
            let node = value_in(field, &items.into(), &path.field(name), problems);
            all.insert(name.to_owned(), node);
        }
    }
    if items.is_empty() {
        all.insert("env".to_owned(), Node::Map(BTreeMap::new()));
    }
}
