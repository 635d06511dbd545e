//! From a configuration or a plan to the model.

use std::collections::BTreeMap;
use std::time::Duration;

use super::schema::COMPUTED;
use crate::oam::{self, Application, Node};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::value::Value;
use crate::provider::{Clients, convert};
use crate::store::{ApplicationKey, DEFAULT_TENANT};
use crate::translate::Target;

/// Which operation a timeout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A creation.
    Create,
    /// An update.
    Update,
    /// A deletion.
    Delete,
}

/// The model's part of a value, in the normal form.
pub fn node(value: &Value) -> Node {
    let mut node = convert::to_node(value);
    if let Node::Map(entries) = &mut node {
        for name in COMPUTED.iter().chain(&["timeouts"]) {
            entries.remove(*name);
        }
    }
    node
}

/// Whether two values say the same of the application.
pub fn same(one: &Value, other: &Value) -> bool {
    node(one) == node(other)
}

/// The application in a value that is wholly known.
///
/// # Errors
/// One diagnostic for each problem, at its attribute.
pub fn application(value: &Value) -> Result<Application, Diagnostics> {
    oam::parse(&node(value))
        .map_err(|problems| problems.into_iter().map(convert::diagnostic).collect())
}

/// Everything that can be wrong in a configuration, as far as its values are known.
pub fn validate(config: &Value) -> Diagnostics {
    let problems = oam::validate(&node(config)).into_iter();
    let mut diagnostics: Diagnostics = problems.map(convert::diagnostic).collect();
    for operation in [Operation::Create, Operation::Update, Operation::Delete] {
        diagnostics.extend(timeout(config, operation).err());
    }
    diagnostics
}

/// How long an operation may take.
///
/// # Errors
/// Where the text is not a duration.
pub fn timeout(value: &Value, operation: Operation) -> Result<Duration, Diagnostic> {
    let (name, default) = match operation {
        Operation::Create => ("create", 15 * 60),
        Operation::Update => ("update", 15 * 60),
        Operation::Delete => ("delete", 5 * 60),
    };
    let Some(text) = value.get("timeouts").get(name).as_str() else {
        return Ok(Duration::from_secs(default));
    };
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(Diagnostic::error(
            "Unreadable duration",
            format!("{text:?} is not a duration. Write it such as `90s`, `10m` or `1h30m`."),
        )
        .at(AttributePath::new("timeouts").attribute(name))),
    }
}

/// The tenant's name, or the one that stands for none; `None` while it is unknown.
pub fn tenant(value: &Value) -> Option<&str> {
    match value.get("tenant") {
        Value::Null => Some(DEFAULT_TENANT),
        tenant => tenant.as_str(),
    }
}

/// The key of an application whose name and tenant are known.
pub fn key(value: &Value) -> Option<ApplicationKey> {
    Some(ApplicationKey::new(
        Some(tenant(value)?),
        value.get("name").as_str()?,
    ))
}

/// Where the jobs of a tenant go: a tenant has the namespace of its name.
pub fn target(clients: &Clients, tenant: &str) -> Target {
    let namespace = match tenant {
        DEFAULT_TENANT => clients.namespace.clone(),
        tenant => tenant.to_owned(),
    };
    Target {
        namespace,
        region: clients.region.clone(),
        datacenters: vec!["*".to_owned()],
        clusters: BTreeMap::new(),
    }
}
