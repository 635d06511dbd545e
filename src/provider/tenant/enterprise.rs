//! What a tenant has beside the rest where Nomad is the Enterprise build: a quota of Nomad's own, to which
//! its namespace refers, so that the scheduler keeps to the limits of CPU and memory whoever registers a
//! job. The provider's own count goes on as on community builds: Nomad's knows no jobs and no deployments.

use serde_json::Value;

use crate::http::Error;
use crate::nomad::{Client, META_PREFIX, Quota, QuotaLimit};
use crate::protocol::diagnostic::Diagnostic;
use crate::provider::application::failure;
use crate::tenants::{META_TENANT, Mark, Names, Quotas};

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
    let known = |limit: &QuotaLimit| {
        let of = |name| limit.region_limit.get(name).and_then(Value::as_i64);
        (limit.region.clone(), of("CPU"), of("MemoryMB"))
    };
    let all = |quota: &Quota| quota.limits.iter().map(known).collect::<Vec<_>>();
    all(live) == all(wanted)
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
