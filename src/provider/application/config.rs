//! From a configuration or a plan to the model.

use std::collections::BTreeMap;
use std::time::Duration;

use super::schema::{COMPUTED, OTHER};
use crate::oam::manifest::{Fault, Manifest};
use crate::oam::{self, Application, Node, Problem, form};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::value::Value;
use crate::provider::{Clients, convert};
use crate::scopes;
use crate::store::{ApplicationKey, DEFAULT_TENANT};
use crate::tenants::{Names, Spaces};
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

/// The application in a value, in the normal form: of its blocks or of its manifest. The scopes that it
/// refers to are not in it.
///
/// # Errors
/// One diagnostic for each fault of a manifest.
pub fn node(value: &Value) -> Result<Node, Diagnostics> {
    match value.get("manifest") {
        Value::Null => Ok(blocks(value)),
        Value::String(text) => Ok(manifest(value, text)?.node),
        _ => {
            let unknown = ["name", "component"].map(|name| (name.to_owned(), Node::Unknown));
            let tenant = convert::to_node(value.get("tenant"));
            let all = unknown.into_iter().chain([("tenant".to_owned(), tenant)]);
            Ok(Node::Map(all.collect()))
        }
    }
}

/// The application that blocks and attributes say.
fn blocks(value: &Value) -> Node {
    let mut node = convert::to_node(value);
    if let Node::Map(entries) = &mut node {
        for name in COMPUTED.iter().chain(&OTHER) {
            entries.remove(*name);
        }
    }
    node
}

fn manifest(value: &Value, text: &str) -> Result<Manifest, Diagnostics> {
    let faults = |faults: Vec<Fault>| faults.into_iter().map(fault).collect::<Diagnostics>();
    let mut manifest = oam::manifest::read(text).map_err(faults)?;
    if let (Node::Map(entries), Value::String(tenant)) = (&mut manifest.node, value.get("tenant")) {
        entries.insert("tenant".to_owned(), Node::String(tenant.clone()));
    }
    Ok(manifest)
}

fn fault(fault: Fault) -> Diagnostic {
    let place = match fault.place.as_str() {
        "" => String::new(),
        place => format!(", at `{place}`"),
    };
    Diagnostic::error(
        fault.summary,
        format!(
            "In the manifest, {}{place}: {}",
            fault.location, fault.detail
        ),
    )
    .at(AttributePath::new("manifest"))
}

/// What a value says of an application. To find it out takes reading the manifest, where there is one, so
/// that whoever needs it several times keeps it.
pub struct Said {
    /// As it is written, as of [`node`].
    pub written: Node,
    /// With the scopes that it refers to, as the value has applied them or will.
    pub resolved: Node,
}

impl Said {
    /// What a value says.
    ///
    /// # Errors
    /// As of [`node`].
    pub fn of(value: &Value) -> Result<Self, Diagnostics> {
        Ok(Self::with(node(value)?, value))
    }

    /// What a state before says; `None` where there is none, or it cannot be told.
    pub fn before(prior: &Value) -> Option<Self> {
        match prior.is_null() {
            true => None,
            false => Self::of(prior).ok(),
        }
    }

    /// As of [`Said::of`], where it is known what is written there.
    pub fn with(written: Node, value: &Value) -> Self {
        let resolved = oam::resolve(&written, &applied_scopes(value));
        Self { written, resolved }
    }
}

/// The scopes that a value says are applied, by ID.
fn applied_scopes(value: &Value) -> BTreeMap<String, Node> {
    let entries = value.get("applied_scopes").as_map().into_iter().flatten();
    let scope = |(id, properties): (&String, &Value)| {
        let (definition, _) = scopes::split(id)?;
        let properties = serde_json::from_str(properties.as_str()?).ok()?;
        let node = oam::scope_from_properties(definition, &properties).ok()?;
        Some((id.clone(), node))
    };
    entries.filter_map(scope).collect()
}

/// Whether an application in the normal form wants a deployment of a component promoted that waits for it.
pub fn promotes(node: &Node, component: &str) -> bool {
    let component = node.get("component").get(component);
    let promote = component.get("update_strategy").get("promote");
    matches!(promote, Node::Bool(true))
}

/// The application in a value that is wholly known, and says this.
///
/// # Errors
/// One diagnostic for each problem, at its attribute.
pub fn application(value: &Value, said: &Said) -> Result<Application, Diagnostics> {
    oam::parse(&said.resolved).map_err(|problems| diagnostics(value, &problems))
}

/// Problems of an application as diagnostics: at their attribute or, in a manifest, at their line.
pub fn diagnostics(value: &Value, problems: &[Problem]) -> Diagnostics {
    let text = value
        .get("manifest")
        .as_str()
        .filter(|_| !problems.is_empty());
    let manifest = text.map(|text| manifest(value, text));
    let at = |problem: &Problem| match &manifest {
        Some(Ok(manifest)) => fault(manifest.fault(problem)),
        Some(Err(_)) => convert::diagnostic(problem.clone()).at(AttributePath::new("manifest")),
        None => convert::diagnostic(problem.clone()),
    };
    problems.iter().map(at).collect()
}

/// Everything that can be wrong in a configuration, as far as its values are known.
pub fn validate(config: &Value) -> Diagnostics {
    let mut found = match config.get("manifest") {
        Value::Null if !config.get("rollback_to").is_null() => misnamed(config),
        Value::Null => {
            let mut node = node(config).unwrap_or(Node::Null);
            if let (Node::Map(entries), true) = (&mut node, config.get("name").is_null()) {
                // Said below, in other words.
                entries.insert("name".to_owned(), Node::Unknown);
            }
            diagnostics(config, &oam::validate(&node))
        }
        Value::String(text) => match manifest(config, text) {
            Ok(manifest) => diagnostics(config, &oam::validate(&manifest.node)),
            Err(faults) => faults,
        },
        _ => Vec::new(),
    };
    found.extend(either_or(config));
    for operation in [Operation::Create, Operation::Update, Operation::Delete] {
        found.extend(timeout(config, operation).err());
    }
    found
}

/// What is wrong with the name and the tenant of an application that the configuration says no more of:
/// they lead to the revision.
fn misnamed(config: &Value) -> Diagnostics {
    let both = [("name", &form::LABEL), ("tenant", &form::TENANT)];
    let wrong = both.into_iter().filter_map(|(name, form)| {
        let text = config.get(name).as_str()?;
        let summary = format!("{text:?} is not {}", form.what);
        let error = Diagnostic::error(summary, form.how).at(AttributePath::new(name));
        (!(form.check)(text)).then_some(error)
    });
    wrong.collect()
}

/// An application is in blocks, in a manifest or in a revision, and not in two of them.
fn either_or(config: &Value) -> Diagnostics {
    let error = |name: &str, summary: &str, detail: String| {
        Diagnostic::error(summary, detail).at(AttributePath::new(name))
    };
    let back = config.get("rollback_to");
    if config.get("manifest").is_null() && back.is_null() {
        let missing = config.get("name").is_null().then(|| {
            let detail = "An application needs a `name`, or a `manifest` that has one.".to_owned();
            error("name", "Missing \"name\"", detail)
        });
        return missing.into_iter().collect();
    }
    let node = blocks(config);
    let entries = node.as_map().into_iter().flatten();
    let said = entries.filter(|(name, node)| {
        let empty = node.as_map().is_some_and(BTreeMap::is_empty);
        let named = name.as_str() == "name" && !back.is_null();
        !empty && !named && name.as_str() != "tenant"
    });
    if back.is_null() {
        let twice = |name: &String| {
            let detail = format!(
                "The `manifest` says it all but the tenant. Remove `{name}`, or the manifest."
            );
            error(name, "Both a manifest and blocks", detail)
        };
        return said.map(|(name, _)| twice(name)).collect();
    }
    let twice = |name: &str| {
        let detail = format!(
            "The revision says it all but the name and the tenant. Remove `{name}`, or `rollback_to`."
        );
        error(name, "Both a revision and more", detail)
    };
    let mut found: Diagnostics = said.map(|(name, _)| twice(name)).collect();
    if !config.get("manifest").is_null() {
        found.push(twice("manifest"));
    }
    if config.get("name").is_null() {
        let detail = "To find the revision, the `name` of the application is needed.".to_owned();
        found.push(error("name", "Missing \"name\"", detail));
    }
    if back.as_i64().is_some_and(|revision| revision < 1) {
        let detail = "Revisions are numbered from 1.".to_owned();
        found.push(error("rollback_to", "No such revision", detail));
    }
    found
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

/// The tenant that a configuration says: itself, or its manifest; null for none.
pub fn tenant_of(config: &Value) -> Value {
    match (config.get("tenant"), config.get("manifest")) {
        (Value::Null, Value::Null) => Value::Null,
        (Value::Null, Value::String(_)) => {
            let node = node(config).unwrap_or(Node::Null);
            node.get("tenant").as_str().map_or(Value::Null, Value::from)
        }
        (Value::Null, _) => Value::UNKNOWN,
        (tenant, _) => tenant.clone(),
    }
}

/// The name of an application, where it is known. A plan and a state have that of a manifest beside it.
pub fn name(value: &Value) -> Option<String> {
    match (value.get("name"), value.get("manifest")) {
        (Value::String(name), _) => Some(name.clone()),
        (_, Value::Null) => None,
        _ => node(value).ok()?.get("name").as_str().map(str::to_owned),
    }
}

/// The key of an application whose name and tenant are known.
pub fn key(value: &Value) -> Option<ApplicationKey> {
    Some(ApplicationKey::new(Some(tenant(value)?), &name(value)?))
}

/// The namespaces of Consul and Vault in a value; `None` while one is unknown.
pub fn spaces(value: &Value) -> Option<Spaces> {
    let name = |field| match value.get(field) {
        Value::Unknown(_) => None,
        name => Some(name.as_str().map(str::to_owned)),
    };
    Some(Spaces {
        consul: name("consul_namespace")?,
        vault: name("vault_namespace")?,
    })
}

/// The same as attributes.
pub fn spaces_values(spaces: Option<&Spaces>) -> [(&'static str, Value); 2] {
    let value = |name: fn(&Spaces) -> &Option<String>| match spaces.map(name) {
        Some(name) => name.as_deref().map_or(Value::Null, Value::from),
        None => Value::UNKNOWN,
    };
    [
        ("consul_namespace", value(|spaces| &spaces.consul)),
        ("vault_namespace", value(|spaces| &spaces.vault)),
    ]
}

/// Where the jobs of a tenant go: a tenant has the namespace of its name in Nomad, and these of Consul and
/// Vault.
pub fn target(clients: &Clients, tenant: &str, spaces: &Spaces) -> Target {
    let namespace = match tenant {
        DEFAULT_TENANT => clients.namespace.clone(),
        tenant => tenant.to_owned(),
    };
    let clusters = clients.clusters.iter();
    let names = Names::of(clients.store.prefix(), tenant);
    let vault_role =
        (clients.vault.is_some() && tenant != DEFAULT_TENANT).then(|| names.vault_slug());
    Target {
        namespace,
        region: clients.region.clone(),
        datacenters: vec!["*".to_owned()],
        vault_role,
        consul_namespace: spaces.consul.clone(),
        vault_namespace: spaces.vault.as_ref().and_then(|own| {
            let own = clients.vault.as_ref()?.client.in_namespace(own);
            own.namespace_name().map(str::to_owned)
        }),
        clusters: clusters
            .map(|(name, cluster)| (name.clone(), cluster.place.clone()))
            .collect(),
    }
}
