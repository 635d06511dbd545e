//! The Open Application Model: applications, components, their rules, and their portable document.
//!
//! Everything comes in as a [`Node`], the normal form, which has the shape of the HCL. It is checked
//! against the definitions ([`def`]) and becomes the typed model ([`Application`]). This module
//! knows nothing of Nomad; the traits are reached only through their registry
//! ([`crate::traits::ALL`]).

pub mod application;
pub mod container;
pub mod def;
mod document;
pub mod form;
pub mod limits;
pub mod manifest;
mod node;
mod path;
mod problem;
pub mod schema;
pub mod schema_check;
pub mod text;
pub mod units;
pub mod validate;

use std::collections::BTreeMap;

pub use application::{Application, Component, ComponentType, HealthCheck, Port, Spec};
pub use document::{
    API_VERSION, API_VERSIONS, from_document, scope_from_properties, scope_to_properties,
    to_document,
};
pub use node::Node;
pub use path::{Path, Step};
pub use problem::{Problem, Severity};

use crate::{scopes, traits};

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
    let scopes = scopes_of(application, &mut problems);
    let resolved = is_resolved(application);
    let components = components.as_map().into_iter().flatten();
    for (name, component) in components.filter(|(_, component)| !component.is_unknown()) {
        validate::component(application, name, component, &mut problems);
        limits::component(application, name, component, &mut problems);
        for (definition, scope) in &scopes {
            (definition.check_component)(application, scope, name, component, &mut problems);
        }
        let networked = scopes
            .iter()
            .any(|(definition, _)| definition.id == "network")
            || application.get("network_scope").is_unknown();
        let calls = component.get("upstream").as_map();
        if resolved && !networked && calls.is_some_and(|all| !all.is_empty()) {
            problems.push(scopes::network::no_mesh(&Path::component(name)));
        }
    }
    problems
}

/// Whether every scope that the application is in is written in it.
pub fn is_resolved(application: &Node) -> bool {
    match application.get("scopes") {
        Node::Null => true,
        Node::List(references) => references.is_empty(),
        _ => false,
    }
}

/// The IDs of the scopes that an application refers to, as far as they are known.
pub fn references(application: &Node) -> Vec<&str> {
    match application.get("scopes") {
        Node::List(references) => references.iter().filter_map(Node::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The application with the scopes that it refers to written in it, by their IDs. What is not among
/// them stays a reference.
#[must_use]
pub fn resolve(application: &Node, known: &BTreeMap<String, Node>) -> Node {
    let mut resolved = application.clone();
    let Node::Map(entries) = &mut resolved else {
        return resolved;
    };
    let Some(Node::List(references)) = entries.remove("scopes") else {
        return application.clone();
    };
    let mut left = Vec::new();
    for reference in references {
        let found = reference
            .as_str()
            .and_then(|id| Some((scopes::split(id)?, known.get(id)?)));
        let Some(((definition, name), scope)) = found else {
            left.push(reference);
            continue;
        };
        let block = entries
            .entry(definition.field.to_owned())
            .or_insert_with(|| Node::Map(BTreeMap::new()));
        if let Node::Map(blocks) = block {
            blocks.insert(name.to_owned(), scope.clone());
        }
    }
    if !left.is_empty() {
        entries.insert("scopes".to_owned(), Node::List(left));
    }
    resolved
}

/// The scopes that are written in an application, each checked for itself, and that there is one of
/// each kind at most.
fn scopes_of<'n>(
    application: &'n Node,
    problems: &mut Vec<Problem>,
) -> Vec<(&'static scopes::Definition, &'n Node)> {
    let mut all = Vec::new();
    for definition in scopes::ALL {
        let blocks = application.get(definition.field).as_map();
        let mut count = 0;
        for (name, scope) in blocks.into_iter().flatten() {
            let path = Path::default().field(definition.field).key(name);
            count += 1;
            if count > 1 {
                problems.push(one_of_each(&path));
            }
            (definition.check)(scope, &path, problems);
            all.push((definition, scope));
        }
        for (index, id) in references(application).into_iter().enumerate() {
            if scopes::split(id).is_some_and(|(kind, _)| kind.id == definition.id) {
                count += 1;
                if count > 1 {
                    problems.push(one_of_each(&Path::default().field("scopes").index(index)));
                }
            }
        }
    }
    all
}

fn one_of_each(path: &Path) -> Problem {
    Problem::error(
        path.clone(),
        "A second scope of a kind",
        "An application is in one scope of each kind at most. Remove all but one.",
    )
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
    if !is_resolved(application) {
        return Err(vec![Problem::error(
            Path::default().field("scopes"),
            "Scopes that are elsewhere",
            "Only the definition of a scope says what it does, and this application refers to one that is \
             recorded elsewhere. Write the scope's `properties` here.",
        )]);
    }
    let text = |name: &str| application.get(name).as_str().map(str::to_owned);
    let mut scopes = Vec::new();
    for (definition, name, node) in scopes::ALL.iter().flat_map(|definition| {
        let blocks = application
            .get(definition.field)
            .as_map()
            .into_iter()
            .flatten();
        blocks.map(move |(name, node)| (definition, name, node))
    }) {
        let parsed = (definition.parse)(name, node.to_json());
        scopes.push(parsed.map_err(|error| {
            let path = Path::default().field(definition.field).key(name);
            vec![Problem::error(path, "Unreadable scope", error.to_string())]
        })?);
    }
    let mut components = BTreeMap::new();
    for (name, node) in application.get("component").as_map().into_iter().flatten() {
        components.insert(name.clone(), component(name, node)?);
    }
    Ok(Application {
        name: text("name").unwrap_or_default(),
        tenant: text("tenant"),
        scopes,
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
