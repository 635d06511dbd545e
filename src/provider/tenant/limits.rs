//! What a tenant's jobs may be run with, as its namespaces in Nomad have it.
//!
//! A tenant's tokens reach its own namespace and all that begin with its name and a hyphen, whoever has made
//! them. So what is limited is limited in all of these, and nothing else in them is touched. Each says in its
//! meta what is limited here ([`META_LIMITS`]): that, and no more, is given back when the tenant no longer
//! limits it, also by an apply that comes after one that was cut short.
//!
//! A namespace that a scope makes later takes its limits from the tenant's own namespace ([`inherit`]). Here
//! the tenant's own is written first and the others are listed then, and there the tenant's own is read again
//! after the new one is written; so one of the two sees the other. What somebody makes by hand shows in the
//! tenant's `drift`.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::http::Error;
use crate::nomad::{Capability, Client, Namespace};
use crate::tenants::{Limit, Limits, META_LIMITS, META_TENANT, Names, is_marked};

/// Nomad's list of what a limit is about.
fn capability(limit: Limit) -> Capability {
    match limit {
        Limit::TaskDrivers => Capability::TaskDrivers,
        Limit::NetworkModes => Capability::NetworkModes,
    }
}

/// What a namespace says is limited here.
fn mark(namespace: &Namespace) -> Option<&str> {
    namespace.meta.get(META_LIMITS).map(String::as_str)
}

/// Gives a namespace these limits, and takes those from it that were given here and are no more.
pub fn limit(namespace: &mut Namespace, limits: &Limits) {
    for limit in Limit::ALL {
        match limits.of(limit) {
            Some(only) => namespace.enable(capability(limit), only),
            None if is_marked(mark(namespace), limit) => {
                namespace.enable(capability(limit), &BTreeSet::new());
            }
            None => {}
        }
    }
    match limits.mark() {
        Some(mark) => namespace.meta.insert(META_LIMITS.to_owned(), mark),
        None => namespace.meta.remove(META_LIMITS),
    };
}

/// The limits that a namespace says were given it here.
fn limits_of(namespace: &Namespace) -> Limits {
    let mut limits = Limits::default();
    for limit in Limit::ALL {
        if is_marked(mark(namespace), limit) {
            limits.set(limit, Some(namespace.enabled(capability(limit))));
        }
    }
    limits
}

/// Where a namespace differs from what the limits make of it: the place, what is wanted there, and what is.
fn differences(namespace: &Namespace, limits: &Limits) -> Vec<(String, Json, Json)> {
    let mut wanted = namespace.clone();
    limit(&mut wanted, limits);
    let lists = Limit::ALL.map(|limit| {
        let capability = capability(limit);
        let of = |it: &Namespace| json!(it.enabled(capability));
        let place = format!("capabilities.{}", capability.name());
        (place, of(&wanted), of(namespace))
    });
    let marks = (
        format!("meta.{META_LIMITS}"),
        json!(mark(&wanted)),
        json!(mark(namespace)),
    );
    let all = lists.into_iter().chain([marks]);
    all.filter(|(_, wanted, live)| wanted != live).collect()
}

/// All namespaces that the tenant's tokens reach.
async fn all(nomad: &Client, names: &Names) -> Result<Vec<Namespace>, Error> {
    let found = nomad.namespaces_from(names.namespace()).await?;
    let found = found.into_iter();
    let of = |name: &str| tenant_of(name) == names.tenant();
    Ok(found.filter(|it| of(&it.name)).collect())
}

/// The tenant whose a namespace would be: no tenant has a hyphen in its name.
fn tenant_of(namespace: &str) -> &str {
    namespace.split('-').next().unwrap_or(namespace)
}

/// Where the tenant's namespaces differ from what a tenant with limits makes of them. Nobody is asked where
/// nothing is limited: what was given here is taken away by the apply that ends it.
///
/// # Errors
/// Where Nomad does not answer, or denies access.
pub async fn drift(
    nomad: &Client,
    names: &Names,
    limits: &Limits,
) -> Result<Vec<(String, Json, Json)>, Error> {
    if limits.is_none() {
        return Ok(Vec::new());
    }
    let namespaces = all(nomad, names).await?.into_iter();
    let each = namespaces.flat_map(|namespace| {
        let begin = match namespace.name == names.namespace() {
            true => "namespace".to_owned(),
            false => format!("namespaces[{:?}]", namespace.name),
        };
        let found = differences(&namespace, limits).into_iter();
        found.map(move |(place, wanted, live)| (format!("{begin}.{place}"), wanted, live))
    });
    Ok(each.collect())
}

/// Gives all of the tenant's namespaces its limits, its own first; whether anything was written.
///
/// # Errors
/// Where Nomad does not do it.
pub async fn write(nomad: &Client, names: &Names, limits: &Limits) -> Result<bool, Error> {
    let mut written = false;
    if let Some(own) = nomad.namespace(names.namespace()).await? {
        written |= write_one(nomad, own, limits).await?;
    }
    for namespace in further(nomad, names).await? {
        written |= write_further(nomad, namespace, limits).await?;
    }
    Ok(written)
}

/// Takes the limits of a tenant that is no more from the namespaces that are left.
///
/// # Errors
/// Where Nomad does not do it.
pub async fn lift(nomad: &Client, names: &Names) -> Result<(), Error> {
    for namespace in further(nomad, names).await? {
        write_further(nomad, namespace, &Limits::default()).await?;
    }
    Ok(())
}

/// The tenant's namespaces but for its own.
async fn further(nomad: &Client, names: &Names) -> Result<Vec<Namespace>, Error> {
    let mut found = all(nomad, names).await?;
    found.retain(|namespace| namespace.name != names.namespace());
    Ok(found)
}

/// Limits a further namespace. Nomad's write is one for new and old alike, and the scope that made the
/// namespace may just have deleted it: what this write has made anew is deleted again.
async fn write_further(
    nomad: &Client,
    namespace: Namespace,
    limits: &Limits,
) -> Result<bool, Error> {
    let before = index(&namespace, "CreateIndex");
    let name = namespace.name.clone();
    let written = write_one(nomad, namespace, limits).await?;
    if written && let Some(now) = nomad.namespace(&name).await? {
        let made = index(&now, "CreateIndex");
        if made != before && made == index(&now, "ModifyIndex") {
            tracing::info!(name, "deleting the namespace again, which was gone");
            nomad.delete_namespace(&name).await?;
        }
    }
    Ok(written)
}

/// When a namespace was made or changed, as Nomad counts.
fn index(namespace: &Namespace, which: &str) -> Option<u64> {
    namespace.rest.get(which).and_then(Json::as_u64)
}

async fn write_one(
    nomad: &Client,
    mut namespace: Namespace,
    limits: &Limits,
) -> Result<bool, Error> {
    if differences(&namespace, limits).is_empty() {
        return Ok(false);
    }
    tracing::info!(name = namespace.name, "limiting the namespace");
    limit(&mut namespace, limits);
    nomad.write_namespace(&namespace).await?;
    Ok(true)
}

/// The limits that a further namespace of a tenant takes from the tenant's own; `None` where the name is no
/// such one.
///
/// # Errors
/// Where Nomad does not answer, or denies access.
pub async fn inherited(nomad: &Client, namespace: &str) -> Result<Option<Limits>, Error> {
    let tenant = tenant_of(namespace);
    if tenant == namespace || tenant.is_empty() {
        return Ok(None);
    }
    let own = nomad.namespace(tenant).await?;
    let own = own.filter(|own| own.meta.get(META_TENANT).is_some_and(|it| it == tenant));
    Ok(Some(
        own.map_or_else(Limits::default, |own| limits_of(&own)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(drivers: &[&str], modes: &[&str]) -> Limits {
        let only = |names: &[&str]| {
            let names: BTreeSet<_> = names.iter().map(|it| (*it).to_owned()).collect();
            (!names.is_empty()).then_some(names)
        };
        Limits {
            task_drivers: only(drivers),
            network_modes: only(modes),
        }
    }

    fn with(capabilities: &Json) -> Namespace {
        let mut namespace = Namespace::default();
        namespace.meta.insert("team".to_owned(), "x".to_owned());
        let capabilities = capabilities.clone();
        namespace
            .rest
            .insert("Capabilities".to_owned(), capabilities);
        namespace
    }

    #[test]
    fn what_is_no_longer_limited_is_given_back_and_nothing_else() {
        let others = json!({
            "EnabledTaskDrivers": ["java"], "DisabledTaskDrivers": ["qemu"], "EnabledNetworkModes": null,
        });
        for (first, then, drivers, modes) in [
            // What the tenant never said stays as others have set it.
            (
                limits(&[], &[]),
                limits(&[], &[]),
                json!(["java"]),
                json!([]),
            ),
            (
                limits(&[], &["bridge"]),
                limits(&[], &[]),
                json!(["java"]),
                json!([]),
            ),
            (
                limits(&["docker"], &["bridge"]),
                limits(&[], &["bridge"]),
                json!([]),
                json!(["bridge"]),
            ),
            (
                limits(&["docker"], &[]),
                limits(&["exec"], &["none"]),
                json!(["exec"]),
                json!(["none"]),
            ),
            (
                limits(&["docker"], &["bridge"]),
                limits(&[], &[]),
                json!([]),
                json!([]),
            ),
        ] {
            let mut namespace = with(&others);
            for limits in [first, then] {
                limit(&mut namespace, &limits);
                assert_eq!(limits_of(&namespace), limits);
                assert_eq!(differences(&namespace, &limits), []);
            }
            let now = |it| json!(namespace.enabled(it));
            assert_eq!(now(Capability::TaskDrivers), drivers);
            assert_eq!(now(Capability::NetworkModes), modes);
            let disabled = &namespace.rest["Capabilities"]["DisabledTaskDrivers"];
            assert_eq!(*disabled, json!(["qemu"]));
            assert_eq!(namespace.meta["team"], "x");
        }
    }

    #[test]
    fn what_was_edited_is_a_difference_where_it_is_limited() {
        let docker = limits(&["docker"], &[]);
        let mut namespace = with(&json!(null));
        limit(&mut namespace, &docker);
        namespace.enable(Capability::NetworkModes, &["none".to_owned()].into());
        assert_eq!(differences(&namespace, &docker), []);
        namespace.enable(Capability::TaskDrivers, &BTreeSet::new());
        let place = "capabilities.enabled_task_drivers".to_owned();
        let emptied = (place, json!(["docker"]), json!([]));
        assert_eq!(differences(&namespace, &docker), [emptied]);
        namespace.meta.remove(META_LIMITS);
        assert_eq!(differences(&namespace, &docker).len(), 2);
    }

    #[test]
    fn a_namespace_has_the_tenant_before_its_first_hyphen() {
        for (namespace, tenant) in [("acme", "acme"), ("acme-a-b", "acme"), ("acmea", "acmea")] {
            assert_eq!(tenant_of(namespace), tenant);
        }
    }
}
