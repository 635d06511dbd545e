//! JSON Schemas (draft 2020-12) from the definitions.
//!
//! Each is complete in itself: what several places have in common is under its `$defs`. Descriptions
//! are sentences, because the messages about a value end with that of its schema.

use serde_json::{Map, Value, json};

use super::fields;
use crate::oam::application::{ComponentType, DEFINITION, ENV_FROM};
use crate::oam::def::{Block, Field, Kind};
use crate::oam::document::{API_VERSIONS, METADATA};
use crate::oam::form::{self, Form};
use crate::{scopes, traits};

/// The language of the schemas.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a whole document.
pub fn application() -> Value {
    let mut defs = Defs::default();
    let types: Vec<_> = ComponentType::NAMES
        .iter()
        .zip(ComponentType::ALL)
        .map(|(name, kind)| {
            let schema = component(*kind, &mut defs);
            when(defs.add(&format!("component.{name}"), schema), name)
        })
        .collect();
    let traits: Vec<_> = traits::ALL
        .iter()
        .map(|definition| {
            let schema = one_trait(definition, &mut defs);
            let name = definition.field.oam;
            when(defs.add(&format!("trait.{name}"), schema), name)
        })
        .collect();
    let scopes: Vec<_> = scopes::ALL
        .iter()
        .map(|definition| {
            let schema = scope(definition, &mut defs);
            let target = defs.add(&format!("scope.{}", definition.kind), schema);
            let kind = json!({
                "required": ["kind"],
                "properties": { "kind": { "const": definition.kind } },
            });
            json!({
                "if": { "required": ["scopeRef"], "properties": { "scopeRef": kind } },
                "then": { "properties": { "properties": reference(&target) } },
            })
        })
        .collect();
    let one_trait = defs.add("trait", trait_item(traits));
    let component = defs.add("component", component_item(types, &one_trait));
    let scope = defs.add("scope", scope_item(scopes));
    let mut root = json!({
        "description": DEFINITION.doc,
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": { "enum": API_VERSIONS, "description": "The version of the document." },
            "kind": { "const": "Application", "description": "The kind of the document." },
            "metadata": metadata(&mut defs),
            "spec": {
                "description": "The components of the application, and the scopes that it is in.",
                "type": "object",
                "required": ["components"],
                "additionalProperties": false,
                "properties": {
                    "components": {
                        "description": "The components. Their names must differ.",
                        "type": "array",
                        "minItems": 1,
                        "items": reference(&component),
                    },
                    "scopes": {
                        "description": "The scopes that the application is in, at most one of each kind.",
                        "type": "array",
                        "items": reference(&scope),
                    },
                },
            },
        },
    });
    finish(&mut root, "Application", defs);
    root
}

/// The schema of the `properties` of components of a type.
pub fn component_type(name: &str, kind: ComponentType) -> Value {
    let mut defs = Defs::default();
    let mut schema = component(kind, &mut defs);
    finish(&mut schema, name, defs);
    schema
}

/// The schema of the `properties` of a trait.
pub fn trait_type(definition: &traits::Definition) -> Value {
    let mut defs = Defs::default();
    let mut schema = one_trait(definition, &mut defs);
    finish(&mut schema, definition.field.oam, defs);
    schema
}

/// The schema of the `properties` of a scope.
pub fn scope_kind(definition: &scopes::Definition) -> Value {
    let mut defs = Defs::default();
    let mut schema = scope(definition, &mut defs);
    finish(&mut schema, definition.kind, defs);
    schema
}

/// Schemas that others refer to, by name. A block has one, wherever it stands.
#[derive(Default)]
struct Defs {
    all: Map<String, Value>,
    blocks: Vec<(&'static Block, String)>,
}

impl Defs {
    /// Adds a schema, and gives its name.
    fn add(&mut self, name: &str, schema: Value) -> String {
        self.all.insert(name.to_owned(), schema);
        name.to_owned()
    }

    /// The name of a block's schema, with its label as a field. `around` is the block that it is in.
    fn block(&mut self, block: &'static Block, around: &str) -> String {
        if let Some((_, name)) = self
            .blocks
            .iter()
            .find(|(known, _)| std::ptr::eq(*known, block))
        {
            return name.clone();
        }
        let mut name = block.name.to_owned();
        if self.blocks.iter().any(|(_, taken)| *taken == name) {
            name = format!("{around}.{name}");
        }
        self.blocks.push((block, name.clone()));
        let schema = block_item(block, &name, self);
        self.add(&name, schema)
    }
}

fn finish(schema: &mut Value, title: &str, defs: Defs) {
    schema["$schema"] = DIALECT.into();
    schema["title"] = title.into();
    if !defs.all.is_empty() {
        schema["$defs"] = defs.all.into();
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// `properties` are of a schema where `type` has a value.
fn when(target: String, kind: &str) -> Value {
    json!({
        "if": { "required": ["type"], "properties": { "type": { "const": kind } } },
        "then": { "properties": { "properties": reference(&target) } },
    })
}

fn metadata(defs: &mut Defs) -> Value {
    let fields = DEFINITION
        .fields()
        .filter(|field| METADATA.contains(&field.name));
    let mut schema = object(fields, "metadata", defs);
    schema["description"] = "What the application is called.".into();
    schema
}

fn component_item(types: Vec<Value>, one_trait: &str) -> Value {
    json!({
        "type": "object",
        "required": ["name", "type"],
        "additionalProperties": false,
        "properties": {
            "name": described(text(&form::LABEL), "Name of the component."),
            "type": { "enum": ComponentType::NAMES, "description": "What kind of thing it is." },
            "targetClusters": {
                "description": "Where to run.",
                "type": "array",
                "items": text(&form::DATACENTER),
            },
            "properties": { "type": "object", "description": "What it runs, by its type." },
            "traits": {
                "type": "array",
                "description": "What is added to it.",
                "items": reference(one_trait),
            },
        },
        "allOf": types,
    })
}

fn trait_item(traits: Vec<Value>) -> Value {
    let names: Vec<_> = traits::ALL
        .iter()
        .map(|definition| definition.field.oam)
        .collect();
    json!({
        "type": "object",
        "required": ["type"],
        "additionalProperties": false,
        "properties": {
            "type": { "enum": names, "description": "What is added." },
            "properties": { "type": "object", "description": "How, by its type." },
        },
        "allOf": traits,
    })
}

fn scope_item(scopes: Vec<Value>) -> Value {
    let kinds: Vec<_> = scopes::ALL
        .iter()
        .map(|definition| definition.kind)
        .collect();
    json!({
        "type": "object",
        "required": ["scopeRef"],
        "additionalProperties": false,
        "properties": {
            "scopeRef": {
                "description": "Which scope it is.",
                "type": "object",
                "required": ["kind", "name"],
                "additionalProperties": false,
                "properties": {
                    "apiVersion": { "enum": API_VERSIONS, "description": "The version of the kind." },
                    "kind": { "enum": kinds, "description": "The kind of the scope." },
                    "name": described(text(&form::LABEL), "Name of the scope."),
                },
            },
            "properties": {
                "description": "The scope itself. Without it, the scope is one that is recorded elsewhere.",
                "type": "object",
            },
        },
        "allOf": scopes,
    })
}

fn component(kind: ComponentType, defs: &mut Defs) -> Value {
    let mut schema = object(fields::of(kind), "component", defs);
    let needed = fields::of(kind).filter(|field| fields::needs(kind, field.name));
    let needed: Vec<_> = needed.map(|field| field.oam).collect();
    if !needed.is_empty() {
        schema["required"] = needed.into();
    }
    schema["description"] = kind.doc().into();
    schema
}

fn one_trait(definition: &traits::Definition, defs: &mut Defs) -> Value {
    let mut schema = match definition.field.kind {
        Kind::Single(block) | Kind::Labelled(block) => block_item(block, block.name, defs),
        _ => json!({ "type": "object" }),
    };
    schema["description"] = definition.field.doc.into();
    schema
}

fn scope(definition: &scopes::Definition, defs: &mut Defs) -> Value {
    // Its name is in the reference, and not among the properties.
    let mut schema = object(definition.block.fields(), definition.block.name, defs);
    schema["description"] = definition.block.doc.into();
    schema
}

/// A block with its label as a field.
fn block_item(block: &'static Block, name: &str, defs: &mut Defs) -> Value {
    let mut schema = object(block.fields(), name, defs);
    if let Some(label) = block.label {
        schema["properties"][label.oam] = text(label.form);
        if let Some(required) = schema["required"].as_array_mut() {
            required.insert(0, label.oam.into());
        } else {
            schema["required"] = json!([label.oam]);
        }
    }
    schema
}

/// An object with these fields. `around` is the name of the block that they are of.
fn object(fields: impl Iterator<Item = &'static Field>, around: &str, defs: &mut Defs) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        // The variables of a component are two fields, and one list.
        if !properties.contains_key(field.oam) {
            properties.insert(field.oam.to_owned(), field_schema(field, around, defs));
        }
        if field.required {
            required.push(field.oam);
        }
    }
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn field_schema(field: &Field, around: &str, defs: &mut Defs) -> Value {
    let schema = match &field.kind {
        Kind::Text(form) => text(form),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Enum(values) => json!({ "enum": values }),
        Kind::List(form) => json!({ "type": "array", "items": text(form) }),
        Kind::Map(keys, values) => json!({
            "type": "object",
            "propertyNames": name(keys),
            "additionalProperties": text(values),
        }),
        Kind::Variables => json!({ "type": "array", "items": variable(defs) }),
        Kind::Single(block) => reference(&defs.block(block, around)),
        Kind::Labelled(block) | Kind::Repeated(block) => {
            json!({ "type": "array", "items": reference(&defs.block(block, around)) })
        }
    };
    described(schema, field.doc)
}

/// A schema with a description before that of its form.
fn described(mut schema: Value, doc: &str) -> Value {
    let how = schema["description"]
        .as_str()
        .map(|how| format!("{doc} {how}"));
    schema["description"] = how.unwrap_or_else(|| doc.to_owned()).into();
    schema
}

fn text(form: &Form) -> Value {
    let mut schema = name(form);
    schema["type"] = "string".into();
    schema
}

/// Text of a form that is text anyway: a key.
fn name(form: &Form) -> Value {
    match form.pattern {
        "" => json!({}),
        pattern => json!({ "pattern": pattern, "description": form.how }),
    }
}

/// An environment variable of a component: with a value, or with where it comes from.
fn variable(defs: &mut Defs) -> Value {
    let mut from = object(ENV_FROM.fields(), ENV_FROM.name, defs);
    from["minProperties"] = 1.into();
    from["maxProperties"] = 1.into();
    from["description"] = "Where the value comes from: either `vaultSecret` or `consulKey`.".into();
    let name = described(text(&form::VARIABLE), "Name of the variable.");
    let schema = json!({
        "type": "object",
        "required": ["name"],
        "additionalProperties": false,
        "properties": {
            "name": name,
            "value": { "type": "string", "description": "Its value." },
            "valueFrom": from,
        },
        "if": { "required": ["valueFrom"] },
        "then": { "properties": { "value": false } },
        "else": { "required": ["value"] },
    });
    reference(&defs.add("variable", schema))
}
