//! The data sources, one file each.

mod application;
mod applications;
mod component_types;
mod revisions;
mod tenant;
mod trait_types;

use std::sync::Arc;

use super::Servers;
use crate::oam;
use crate::oam::form::{self, Form};
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::schema::{Attribute, Block, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::store::{ApplicationKey, StoreError};

/// Every data source, by its full type name.
pub fn all(servers: &Arc<Servers>) -> Vec<(&'static str, Arc<dyn DataSource>)> {
    let on = || Arc::clone(servers);
    vec![
        (
            "oam_application",
            Arc::new(application::Application::new(on())),
        ),
        (
            "oam_applications",
            Arc::new(applications::Applications::new(on())),
        ),
        (
            "oam_application_revisions",
            Arc::new(revisions::Revisions::new(on())),
        ),
        (
            "oam_component_types",
            Arc::new(component_types::ComponentTypes),
        ),
        ("oam_tenant", Arc::new(tenant::Tenant::new(on()))),
        ("oam_trait_types", Arc::new(trait_types::TraitTypes)),
    ]
}

/// A schema of attributes alone.
fn schema(description: &str, attributes: Vec<Attribute>) -> Schema {
    let block = Block {
        attributes,
        blocks: Vec::new(),
        description: description.to_owned(),
    };
    Schema { version: 0, block }
}

/// Text that the data source finds out.
fn text(name: &str, doc: &str) -> Attribute {
    Attribute::new(name, Type::String, Mode::Computed, doc)
}

/// Texts that the data source finds out.
fn texts(name: &str, doc: &str) -> Attribute {
    Attribute::new(
        name,
        Type::List(Box::new(Type::String)),
        Mode::Computed,
        doc,
    )
}

/// Texts as a list.
fn list(items: impl IntoIterator<Item = impl Into<String>>) -> Value {
    Value::List(
        items
            .into_iter()
            .map(|item| Value::String(item.into()))
            .collect(),
    )
}

/// The JSON Schema of a kind, as text.
fn json_schema(kind: &str) -> Value {
    oam::schema::of(kind).map_or(Value::Null, |schema| format!("{schema:#}\n").into())
}

/// An attribute that is not of its form, where it is known.
fn misformed(config: &Value, name: &'static str, form: &Form) -> Diagnostics {
    let wrong = config.get(name).as_str().filter(|text| !(form.check)(text));
    let said = wrong.map(|text| {
        Diagnostic::error(format!("{text:?} is not {}", form.what), form.how)
            .at(AttributePath::new(name))
    });
    said.into_iter().collect()
}

/// The attributes that say which application is asked about, and its ID.
fn which() -> [Attribute; 3] {
    [
        Attribute::new(
            "name",
            Type::String,
            Mode::Required,
            "Name of the application.",
        ),
        Attribute::new(
            "tenant",
            Type::String,
            Mode::Optional,
            "Tenant that it belongs to, where it belongs to one.",
        ),
        text(
            "id",
            "`<tenant>/<name>`, with the tenant `default` where there is none.",
        ),
    ]
}

/// What is wrong with a configuration's name and tenant of an application.
fn misnamed(config: &Value) -> Diagnostics {
    let mut found = misformed(config, "name", &form::LABEL);
    found.extend(misformed(config, "tenant", &form::TENANT));
    found
}

/// The key of the application that a configuration names.
fn key(config: &Value) -> ApplicationKey {
    let name = config.get("name").as_str().unwrap_or_default();
    ApplicationKey::new(config.get("tenant").as_str(), name)
}

/// What is left out of a list, since its record cannot be read.
pub fn left_out(error: &StoreError) -> Diagnostic {
    Diagnostic::warning(
        error.summary(),
        format!("It is left out here. {}", error.detail()),
    )
}
