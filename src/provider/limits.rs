//! What a tenant's applications are run with, and what to say where the tenant does not allow it.
//!
//! Only the jobs that an apply writes are looked at, as Nomad does: what runs goes on as it is.

use std::collections::BTreeMap;

use super::Clients;
use super::application::{config, read};
use super::planned::Known;
use super::tenancy::Tenancy;
use crate::nomad::job::Job;
use crate::oam::{Node, Path, Problem};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::value::Value;
use crate::store::{ApplicationKey, Record, StoreError, TenantKey};
use crate::tenants::{Limit, Limits, Spaces, listed};
use crate::translate::{self, Means, User};

/// How many applications a warning names.
const NAMED: usize = 10;

/// What the jobs that are to be written are run with although the tenant does not allow it, as far as that is
/// known, each at what the component says of it.
pub fn check<'j>(
    tenancy: &Tenancy,
    state: &Value,
    jobs: impl Iterator<Item = (&'j str, &'j Job)>,
) -> Diagnostics {
    let limits = tenancy.rules().map(|rules| rules.limits);
    let Some(Known::Is(limits)) = limits else {
        return Vec::new();
    };
    if limits.is_none() {
        return Vec::new();
    }
    let node = config::node(state).unwrap_or(Node::Null);
    let mut problems: Vec<Problem> = Vec::new();
    for (key, job) in jobs {
        let (name, _) = translate::split_key(key);
        for means in translate::not_allowed(job, &limits) {
            let component = node.get("component").get(name);
            let said = problem(tenancy.name(), name, component, &means, &limits);
            // A component in several clusters is told once.
            if !problems.contains(&said) {
                problems.push(said);
            }
        }
    }
    config::diagnostics(state, &problems)
}

fn problem(tenant: &str, name: &str, component: &Node, means: &Means, limits: &Limits) -> Problem {
    let (limit, noun) = (means.limit, means.limit.noun());
    let allowed = listed(limits.of(limit).into_iter().flatten());
    let why = match (&means.user, limit) {
        (User::Task(task), _) => format!("The task {task:?} has it."),
        (User::Proxy, _) => format!(
            "Nomad runs the proxy of the mesh for the component {name:?} with it, as its network scope and \
             its upstreams ask for."
        ),
        (User::Instance, _) => match means.name.as_str() {
            "host" => format!(
                "The component {name:?} is in the network of its node: a component is where no network scope \
                 with another mode says otherwise."
            ),
            _ => format!("The network scope puts the component {name:?} there."),
        },
    };
    let attribute = limit.attribute();
    Problem::error(
        place(component, name, means),
        format!(
            "The tenant {tenant:?} does not allow the {noun} {:?}",
            means.name
        ),
        format!(
            "{why} The tenant's `{attribute}` are {allowed}: use one of them, or have {:?} added there first.",
            means.name
        ),
    )
}

/// What says which driver a task has: the driver, the image or the command; else the type of the component.
fn place(component: &Node, name: &str, means: &Means) -> Path {
    let path = Path::component(name);
    let is_own = matches!(&means.user, User::Task(task) if task == name);
    let mut said = ["driver", "image", "command"].into_iter();
    let said = said.find(|field| !component.get(field).is_null());
    match said.filter(|_| is_own) {
        Some(field) => path.field(field),
        None => path.field("type"),
    }
}

/// Warnings about limits that the tenant's applications do not keep, each at its attribute of the tenant. One
/// request. What cannot be read is passed over: its own plan tells.
///
/// # Errors
/// Where Consul does not answer.
pub async fn beyond(
    clients: &Clients,
    tenant: &TenantKey,
    limits: &Limits,
) -> Result<Diagnostics, StoreError> {
    let mut users: BTreeMap<Limit, Vec<String>> = BTreeMap::new();
    for (key, stored) in clients.store.list(Some(tenant.name())).await? {
        let Ok(stored) = stored else { continue };
        let found = used(clients, &key, &stored.record, limits);
        for (limit, names) in translate::by_limit(&found) {
            let with = format!("{} ({})", key.name(), names.join(", "));
            users.entry(limit).or_default().push(with);
        }
    }
    let each = users.into_iter().map(|(limit, users)| {
        let attribute = limit.attribute();
        let mut all = users.iter().take(NAMED).cloned().collect::<Vec<_>>();
        if users.len() > NAMED {
            all.push(format!("and {} more", users.len() - NAMED));
        }
        Diagnostic::warning(
            format!(
                "Applications of the tenant {} have other {}s",
                tenant.name(),
                limit.noun()
            ),
            format!(
                "{}. They go on as they are; what changes in them can only be applied with what \
                 `{attribute}` allows.",
                all.join(", ")
            ),
        )
        .at(AttributePath::new(attribute))
    });
    Ok(each.collect())
}

/// What an application is run with although that is not to be allowed.
fn used(clients: &Clients, key: &ApplicationKey, record: &Record, limits: &Limits) -> Vec<Means> {
    let Ok(application) = read::application(key, record) else {
        return Vec::new();
    };
    let target = config::target(clients, key.tenant(), &Spaces::default());
    let translations = translate::translate(&application, &target).into_iter();
    let found = translations.flat_map(|it| translate::not_allowed(&it.job, limits));
    found.collect()
}
