//! The Open Application Model: applications, components, their rules, and their portable document.
//!
//! Everything comes in as a [`Node`], the normal form, which has the shape of the HCL. It is checked
//! against the definitions ([`def`]) and becomes the typed model ([`Application`]). This module
//! knows nothing of Nomad; the traits are reached only through their registry
//! ([`crate::traits::ALL`]).

pub mod application;
pub mod def;
mod document;
mod limits;
mod node;
mod path;
mod problem;
pub mod schema_check;
pub mod text;
pub mod units;
pub mod validate;

use std::collections::BTreeMap;

pub use application::{Application, Component, ComponentType, HealthCheck, Port, Spec};
pub use document::{API_VERSION, from_document, to_document};
pub use node::Node;
pub use path::{Path, Step};
pub use problem::{Problem, Severity};

use crate::traits;

/// The ID of the Nomad job of a component.
pub fn job_id(application: &str, component: &str) -> String {
    format!("{application}-{component}")
}

/// The name under which a component is known in Consul. Consul has one catalogue for all of Nomad's
/// namespaces, so the tenant is part of it: otherwise two tenants' services of one name would be one,
/// and take each other's requests. A tenant has no hyphen in its name, so none can make another's.
pub fn service_name(tenant: Option<&str>, application: &str, component: &str) -> String {
    let id = job_id(application, component);
    tenant.map_or_else(|| id.clone(), |tenant| format!("{tenant}-{id}"))
}

/// Everything that is wrong with an application, as far as its values are known.
pub fn validate(application: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    validate::block(
        def::application(),
        application,
        &Path::default(),
        &mut problems,
    );
    let components = application.get("component");
    if components.as_map().is_some_and(BTreeMap::is_empty) {
        problems.push(Problem::error(
            Path::default(),
            "No component",
            "An application has at least one `component` block.",
        ));
    }
    let components = components.as_map().into_iter().flatten();
    for (name, component) in components.filter(|(_, component)| !component.is_unknown()) {
        validate::component(application, name, component, &mut problems);
        limits::component(application, name, component, &mut problems);
    }
    problems
}

/// The typed model of an application whose every value is known.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(application: &Node) -> Result<Application, Vec<Problem>> {
    let problems: Vec<_> = validate(application)
        .into_iter()
        .filter(|problem| problem.severity == Severity::Error)
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let text = |name: &str| application.get(name).as_str().map(str::to_owned);
    let mut components = BTreeMap::new();
    for (name, node) in application.get("component").as_map().into_iter().flatten() {
        components.insert(name.clone(), component(name, node)?);
    }
    Ok(Application {
        name: text("name").unwrap_or_default(),
        tenant: text("tenant"),
        components,
    })
}

fn component(name: &str, node: &Node) -> Result<Component, Vec<Problem>> {
    let path = Path::component(name);
    let failed = |error: serde_json::Error| {
        let detail = format!("{error}. Check the fields of this component.");
        vec![Problem::error(path.clone(), "Unreadable component", detail)]
    };
    let mut own = serde_json::Map::new();
    let mut parsed = Vec::new();
    for definition in traits::ALL {
        let value = node.get(definition.field.name);
        if !value.is_null() {
            parsed.push((definition.parse)(value.to_json()).map_err(failed)?);
        }
    }
    for (field, value) in node.as_map().into_iter().flatten() {
        if !traits::is_trait(field) && !value.is_null() {
            own.insert(field.clone(), value.to_json());
        }
    }
    let spec = serde_json::from_value(own.into()).map_err(failed)?;
    Ok(Component {
        spec,
        traits: parsed,
    })
}
