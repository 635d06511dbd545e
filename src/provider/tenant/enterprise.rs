//! What a tenant has beside the rest where the servers are Enterprise builds.
//!
//! A quota of Nomad's own, to which its namespace refers, so that the scheduler keeps to the limits of CPU and
//! memory whoever registers a job. The provider's own count goes on as on community builds: Nomad's knows no
//! jobs and no deployments.
//!
//! A namespace of Consul and one of Vault ([`crate::tenants::Spaces`]), where Nomad is the Enterprise build,
//! too: a job can name them only there. A tenant gets them when it is made, and never later: what runs would be elsewhere.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::kind::Kind;
use crate::http::Error;
use crate::nomad::{Client, META_PREFIX, Quota, QuotaLimit};
use crate::protocol::diagnostic::Diagnostic;
use crate::provider::Clients;
use crate::provider::application::failure;
use crate::tenants::{META_TENANT, Mark, Names, Quotas};

/// Why a tenant can have no namespace of this kind of its own; `None` where it can.
///
/// # Errors
/// Where a server does not tell.
pub async fn without(clients: &Clients, kind: Kind) -> Result<Option<&'static str>, Error> {
    let is_there = match (kind, &clients.vault) {
        (Kind::VaultNamespace, None) => return Ok(Some("The provider has no `vault` block.")),
        (Kind::VaultNamespace, Some(vault)) => vault.client.is_enterprise().await?,
        _ => clients.store.consul().is_enterprise().await?,
    };
    Ok(match (is_there, kind) {
        (false, Kind::VaultNamespace) => Some("Only Vault Enterprise has them."),
        (false, _) => Some("Only Consul Enterprise has them."),
        (true, _) if !clients.nomad.is_enterprise().await? => {
            Some("Only with Nomad Enterprise can a job name one.")
        }
        (true, _) => None,
    })
}

/// What a tenant that is new has where its configuration says nothing: a namespace of its name.
///
/// # Errors
/// Where a server does not tell.
pub async fn usual(clients: &Clients, kind: Kind, tenant: &str) -> Result<Option<String>, Error> {
    let reason = without(clients, kind).await?;
    Ok(reason.is_none().then(|| tenant.to_owned()))
}

/// How often it is looked whether something is gone, a second after each other. Consul and Vault delete a
/// namespace when they have answered.
const LOOKS: u32 = 60;

/// Waits until something is gone, for a while: what comes after tells otherwise.
///
/// # Errors
/// Where the server does not tell.
pub async fn until_gone<'a>(
    is_gone: impl Fn() -> BoxFuture<'a, Result<bool, Error>>,
) -> Result<(), Error> {
    for _ in 0..LOOKS {
        if is_gone().await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tracing::warn!("a namespace that was deleted is still there");
    Ok(())
}

/// Where Nomad's quota and the namespace's reference to it are not as the tenant's limits say: the place, what
/// should be there, and what is.
///
/// # Errors
/// Where Nomad does not tell.
pub async fn differences(
    nomad: &Client,
    names: &Names,
    quotas: &Quotas,
) -> Result<Vec<(String, Value, Value)>, Diagnostic> {
    const QUOTA: &str = "nomad_quota";
    let slug = names.slug();
    let wanted = wanted(nomad, names, quotas).await.map_err(told)?;
    let live = nomad.quota(&slug).await.map_err(told)?;
    let namespace = nomad.namespace(names.namespace()).await.map_err(told)?;
    let mut found = Vec::new();
    match (&wanted, &live) {
        (Some(wanted), None) => found.push((QUOTA.to_owned(), json!(wanted.name), Value::Null)),
        (Some(wanted), Some(live)) if !is_ours(live, names) => {
            let place = format!("{QUOTA}.description");
            found.push((place, json!(wanted.description), json!(live.description)));
        }
        (Some(wanted), Some(live)) if !is_same(live, wanted) => {
            let place = format!("{QUOTA}.limits");
            found.push((place, json!(limits(wanted)), json!(limits(live))));
        }
        (None, Some(live)) if is_ours(live, names) => {
            found.push((QUOTA.to_owned(), Value::Null, json!(live.name)));
        }
        _ => {}
    }
    let name = wanted.as_ref().map_or("", |wanted| wanted.name.as_str());
    if let Some(namespace) = namespace
        && namespace.quota != name
        && (wanted.is_some() || namespace.quota == slug)
    {
        found.push((
            "namespace.quota".to_owned(),
            json!(name),
            json!(namespace.quota),
        ));
    }
    Ok(found)
}

/// Makes Nomad's quota what the tenant's limits say, and has the namespace, which is there, refer to it.
/// Does nothing on a community build.
///
/// # Errors
/// Where Nomad does not do it, or somebody else has made a quota of that name or given the namespace
/// another.
pub async fn limit(nomad: &Client, names: &Names, quotas: &Quotas) -> Result<(), Diagnostic> {
    if !nomad.is_enterprise().await.map_err(told)? {
        return Ok(());
    }
    let slug = names.slug();
    let wanted = wanted(nomad, names, quotas).await.map_err(told)?;
    let live = nomad.quota(&slug).await.map_err(told)?;
    if live.as_ref().is_some_and(|live| !is_ours(live, names)) {
        return Err(taken(&slug));
    }
    if let Some(wanted) = &wanted
        && !live.as_ref().is_some_and(|live| is_same(live, wanted))
    {
        nomad.write_quota(wanted).await.map_err(told)?;
    }
    let name = wanted.as_ref().map_or("", |wanted| wanted.name.as_str());
    if let Some(mut namespace) = nomad.namespace(names.namespace()).await.map_err(told)?
        && namespace.quota != name
    {
        let is_free = namespace.quota.is_empty() || namespace.quota == slug;
        match (is_free, wanted.is_some()) {
            (true, _) => {
                name.clone_into(&mut namespace.quota);
                nomad.write_namespace(&namespace).await.map_err(told)?;
            }
            (false, true) => return Err(other(names, &namespace.quota)),
            // Somebody else's, where the tenant wants none.
            (false, false) => {}
        }
    }
    if wanted.is_none() && live.is_some() {
        nomad.delete_quota(&slug).await.map_err(told)?;
    }
    Ok(())
}

/// Deletes Nomad's quota of a tenant whose namespace is gone. Does nothing on a community build.
///
/// # Errors
/// Where Nomad does not do it.
pub async fn lift(nomad: &Client, names: &Names) -> Result<(), Diagnostic> {
    if !nomad.is_enterprise().await.map_err(told)? {
        return Ok(());
    }
    let slug = names.slug();
    let live = nomad.quota(&slug).await.map_err(told)?;
    match live.is_some_and(|live| is_ours(&live, names)) {
        true => nomad.delete_quota(&slug).await.map_err(told),
        false => Ok(()),
    }
}

/// The quota that the tenant's limits come to; `None` where neither CPU nor memory is limited.
async fn wanted(nomad: &Client, names: &Names, quotas: &Quotas) -> Result<Option<Quota>, Error> {
    if quotas.max_cpu_mhz.is_none() && quotas.max_memory_mb.is_none() {
        return Ok(None);
    }
    let region = nomad.region().await?;
    Ok(Some(Quota {
        name: names.slug(),
        description: Mark::of(names).to_string(),
        limits: vec![QuotaLimit::of(
            &region,
            quotas.max_cpu_mhz,
            quotas.max_memory_mb,
        )],
    }))
}

fn is_ours(live: &Quota, names: &Names) -> bool {
    Mark::read(&live.description).as_ref() == Some(&Mark::of(names))
}

/// Whether Nomad has what is wanted; it sends more than it was sent.
fn is_same(live: &Quota, wanted: &Quota) -> bool {
    limits(live) == limits(wanted)
}

/// What the provider looks after in a quota.
fn limits(quota: &Quota) -> Vec<Value> {
    let known = |limit: &QuotaLimit| {
        let of = |name| limit.region_limit.get(name).and_then(Value::as_i64);
        json!({ "Region": limit.region, "CPU": of("CPU"), "MemoryMB": of("MemoryMB") })
    };
    quota.limits.iter().map(known).collect()
}

fn told(error: Error) -> Diagnostic {
    failure::nomad(&error)
}

fn taken(slug: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The Nomad quota {slug} is not this tenant's"),
        "Somebody else has made it, and it was left as it is. Delete it, or give the tenant another name.",
    )
}

fn other(names: &Names, quota: &str) -> Diagnostic {
    let namespace = names.namespace();
    Diagnostic::error(
        format!("The namespace {namespace} has another quota"),
        format!(
            "Somebody else has given it the quota {quota}, and it was left as it is, with the meta \
             {META_TENANT:?} and {META_PREFIX:?} of this tenant. Take the quota from the namespace, or the \
             limits of CPU and memory from the tenant."
        ),
    )
}
