//! JSON Schemas of the portable documents, made from the definitions.
//!
//! | module | subject |
//! |---|---|
//! | [`fields`] | which fields a component type takes |
//! | [`generate`] | the schemas |
//!
//! They are for editors and for whoever checks documents without Terraform, and a manifest is checked
//! against that of an application before anything else. They are in `docs/schemas/`, too.

pub mod fields;
mod generate;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde_json::Value;

use super::ComponentType;
use super::application::COMPONENT;
use super::document::BESIDE;
use super::manifest::Fault;
use super::schema_check::{Schema, SchemaProblem};
use super::text::{Document, Segment};
use crate::{scopes, traits};

/// The kind of whole documents.
pub const APPLICATION: &str = "Application";

/// Compiled at the first manifest, so that nothing else waits for it.
static COMPILED: LazyLock<Option<Schema>> =
    LazyLock::new(|| Schema::compile(&generate::application()).ok());

/// Everything that there is a schema of: an application, each component type, trait and kind of scope,
/// by their names in documents.
pub fn kinds() -> Vec<&'static str> {
    let traits = traits::ALL.iter().map(|definition| definition.field.oam);
    let scopes = scopes::ALL.iter().map(|definition| definition.kind);
    let types = ComponentType::NAMES.iter().copied();
    [APPLICATION]
        .into_iter()
        .chain(types)
        .chain(traits)
        .chain(scopes)
        .collect()
}

/// The schema of a kind, by its name in documents or in HCL; `None` where there is none of that name.
/// Those of component types, traits and scopes are of their `properties`.
pub fn of(kind: &str) -> Option<Value> {
    if kind == APPLICATION {
        return Some(generate::application());
    }
    if let Some(component_type) = ComponentType::from_name(kind) {
        return Some(generate::component_type(kind, component_type));
    }
    let mut traits = traits::ALL.iter();
    if let Some(found) = traits.find(|it| kind == it.field.oam || kind == it.field.name) {
        return Some(generate::trait_type(found));
    }
    let mut scopes = scopes::ALL.iter();
    let found = scopes.find(|it| [it.kind, it.field, it.id].contains(&kind))?;
    Some(generate::scope_kind(found))
}

/// Everything in a document that is not of the schema.
pub fn check(document: &Document) -> Vec<Fault> {
    let problems = COMPILED.as_ref().map(|schema| schema.check(document));
    let problems = problems.into_iter().flatten();
    problems
        .map(|problem| fault(&document.value, problem))
        .collect()
}

fn fault(document: &Value, problem: SchemaProblem) -> Fault {
    let unknown = problem.summary.starts_with("Unknown field");
    let known = unknown
        .then(|| elsewhere(document, problem.pointer.segments()))
        .flatten();
    let (summary, detail) = known.unwrap_or((problem.summary, problem.detail));
    Fault {
        location: problem.location,
        place: problem.pointer.to_string(),
        summary,
        detail,
    }
}

/// What is to be said of a field that has no place where it is, and has one elsewhere: in another type
/// of component, or in the documents of others.
fn elsewhere(document: &Value, place: &[Segment]) -> Option<(String, String)> {
    let keys: Vec<_> = place
        .iter()
        .map(|segment| match segment {
            Segment::Key(key) => key.as_str(),
            Segment::Index(_) => "",
        })
        .collect();
    let said = |summary: &str, detail: String| Some((summary.to_owned(), detail));
    match keys.as_slice() {
        ["spec", "policies"] => said(
            "Policies are not supported",
            "What a policy of OAM v1beta1 does is done by traits, scopes and the components' \
             `targetClusters` here. Remove `policies`."
                .to_owned(),
        ),
        ["spec", "workflow"] => said(
            "Workflows are not supported",
            "All components are deployed together, and Terraform orders applications. Remove `workflow`."
                .to_owned(),
        ),
        ["metadata", "namespace"] => said(
            "A namespace is set elsewhere",
            "The Nomad namespace is that of the `tenant`, of a scope of the kind \
             `namespace.nomad.oam.dev`, or of the provider. Remove `namespace`."
                .to_owned(),
        ),
        ["spec", "components", "", "properties", name] => {
            let Some(Segment::Index(index)) = place.get(2) else {
                return None;
            };
            let own = &document["spec"]["components"][*index]["type"];
            other_types(name, own.as_str()?)
        }
        _ => None,
    }
}

/// The types that take a field which this one does not.
fn other_types(name: &str, own: &str) -> Option<(String, String)> {
    let field = COMPONENT.fields().find(|field| field.oam == name)?;
    if traits::is_trait(field.name) || BESIDE.contains(&field.name) {
        return None;
    }
    let all = ComponentType::NAMES.iter().zip(ComponentType::ALL);
    let (with, without): (Vec<_>, Vec<_>) =
        all.partition(|(_, kind)| fields::takes(**kind, field.name));
    let list = |types: &[(&&str, &ComponentType)]| {
        let names: Vec<_> = types.iter().map(|(name, _)| format!("`{name}`")).collect();
        names.join(", ")
    };
    let who = match with.len() <= without.len() {
        true => format!("Only components of type {} have it.", list(&with)),
        false => format!(
            "All components but those of type {} have it.",
            list(&without)
        ),
    };
    Some((
        format!("{name:?} is not for the type `{own}`"),
        format!("{who} Remove it, or change the type."),
    ))
}
