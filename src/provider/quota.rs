//! What an application takes of its tenant's quotas, and what to say where they leave no room.
//!
//! A plan looks at each application alone, with the very function that decides at the beginning of its
//! apply; there all that has begun before is counted.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::application::{config, failure, read};
use super::planned::Known;
use super::tenancy::Tenancy;
use super::{Clients, Servers, convert};
use crate::nomad;
use crate::nomad::job::Job;
use crate::oam::{Node, Path, Problem};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::value::Value;
use crate::store::{ApplicationKey, DEFAULT_TENANT, Measure, StoreError, TenantKey};
use crate::tenants::{Ledger, Overrun, Quota, Quotas, Usage};
use crate::translate::{self, Place, Target};

/// What each component of an application takes.
#[derive(Debug, Default, Clone)]
pub struct Shares(BTreeMap<String, Usage>);

impl Shares {
    /// Of these jobs by key. Where one runs on every node, Nomad is asked how many there are.
    pub async fn of(clients: &Clients, jobs: impl Iterator<Item = (String, &Job)>) -> Self {
        let mut shares = BTreeMap::new();
        let mut nodes = BTreeMap::new();
        for (key, job) in jobs {
            let (component, cluster) = translate::split_key(&key);
            let mut count = 1;
            if job.job_type == "system" {
                let nodes = match nodes.entry(cluster.map(str::to_owned)) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(unknown) => unknown.insert(nodes_of(clients, cluster).await),
                };
                let takes = nodes.iter().filter(|node| node.takes(job)).count();
                count = u64::try_from(takes).unwrap_or(u64::MAX).max(1);
            }
            let usage = translate::usage_of_job(job, || count);
            let share: &mut Usage = shares.entry(component.to_owned()).or_default();
            *share = share.plus(usage);
        }
        Self(shares)
    }

    /// All together.
    pub fn sum(&self) -> Usage {
        self.0.values().copied().sum()
    }

    /// The component that takes the most, and how much.
    fn largest(&self, quota: Quota) -> Option<(&str, u64)> {
        let each = self.0.iter();
        let each = each.map(|(component, usage)| (component.as_str(), quota.of(usage)));
        each.max_by_key(|(_, much)| *much)
    }
}

/// The nodes of a cluster; none where Nomad does not tell.
async fn nodes_of(clients: &Clients, cluster: Option<&str>) -> Vec<nomad::Node> {
    let Ok(nomad) = clients.nomad_of(cluster) else {
        return Vec::new();
    };
    match nomad.nodes().await {
        Ok(nodes) => nodes,
        Err(error) => {
            tracing::warn!(%error, "what runs on every node is counted as on one");
            Vec::new()
        }
    }
}

/// Tells what an application has whose record was written before there were quotas. What runs on every
/// node counts as on one.
pub fn measure(clusters: BTreeMap<String, Place>) -> Measure {
    let target = Target {
        clusters,
        ..Target::default()
    };
    Measure::new(move |key, record| {
        let application = read::application(key, record).ok()?;
        let translations = translate::translate(&application, &target);
        Some(translate::usage(&translations, |_| 1))
    })
}

/// Whether the quotas of its tenant leave room for an application that is planned, as far as both are
/// known. What this very plan replaces by another application will have gone before.
pub async fn check(
    servers: &Servers,
    clients: &Clients,
    tenancy: &Tenancy,
    state: &Value,
    jobs: &BTreeMap<String, Job>,
) -> Diagnostics {
    let (Some(key), Some(rules)) = (config::key(state), tenancy.rules()) else {
        return Vec::new();
    };
    let Known::Is(quotas) = rules.quotas else {
        return Vec::new();
    };
    if quotas.is_unlimited() || key.tenant() == DEFAULT_TENANT {
        return Vec::new();
    }
    let mut ledger = match clients.store.ledger(&TenantKey::new(key.tenant())).await {
        Ok(ledger) => ledger,
        Err(error) => return vec![failure::store(&error)],
    };
    for (_, replaced) in servers.replaced().list() {
        if replaced.tenant() == key.tenant() && replaced != key {
            ledger.remove(replaced.name());
        }
    }
    let jobs = jobs.iter().map(|(key, job)| (key.clone(), job));
    let shares = Shares::of(clients, jobs).await;
    let asked = shares.sum().most(ledger.usage(key.name()));
    let overruns = ledger.overruns(key.name(), &asked, &quotas);
    let note = "Each application of a plan is looked at alone: what others of it take or free counts \
                when they are applied.";
    let all = overruns.iter();
    all.map(|overrun| diagnostic(state, &key, &shares, overrun, note))
        .collect()
}

/// Why an apply has not begun, at the attributes concerned where it is for the tenant's quotas.
pub fn failure(state: &Value, shares: &Shares, error: &StoreError) -> Diagnostics {
    match error {
        StoreError::Quota { key, overruns } => {
            let all = overruns.iter();
            all.map(|overrun| diagnostic(state, key, shares, overrun, "Nothing was changed."))
                .collect()
        }
        error => vec![failure::store(error)],
    }
}

/// An overrun, at what the application asks for the most with.
fn diagnostic(
    state: &Value,
    key: &ApplicationKey,
    shares: &Shares,
    overrun: &Overrun,
    note: &str,
) -> Diagnostic {
    let quota = overrun.quota;
    let summary = overrun.summary(key.tenant());
    let mut detail = overrun.detail();
    let field = match quota {
        Quota::Cpu => "cpu",
        Quota::Memory => "memory",
        Quota::Jobs | Quota::Deployments => {
            let detail = format!("{detail} {note}");
            return Diagnostic::error(summary, detail).at(AttributePath::new("tenant"));
        }
    };
    let Some((component, much)) = shares.largest(quota) else {
        let detail = format!("{detail} {note}");
        return Diagnostic::error(summary, detail).at(AttributePath::new("tenant"));
    };
    if shares.0.len() > 1 {
        let much = quota.amount(much);
        detail = format!("{detail} Most of it is for the component {component}: {much}.");
    }
    let node = config::node(state).unwrap_or(Node::Null);
    let path = place(node.get("component").get(component), component, field);
    let problem = Problem::error(path, summary, format!("{detail} {note}"));
    let mut all = config::diagnostics(state, std::slice::from_ref(&problem));
    all.pop().unwrap_or_else(|| convert::diagnostic(problem))
}

/// What says how much of a resource a component takes: the resource, how many instances it has, or the
/// component itself.
fn place(component: &Node, name: &str, resource: &'static str) -> Path {
    let path = Path::component(name);
    if !component.get("resources").get(resource).is_null() {
        return path.field("resources").field(resource);
    }
    let scaler = component.get("scaler");
    let said = ["max", "replicas", "min"].into_iter();
    let mut said = said.filter(|field| !scaler.get(field).is_null());
    match said.next() {
        Some(field) => path.field("scaler").field(field),
        None => path.field("type"),
    }
}

/// Warnings about quotas that are less than what the tenant's applications have already, each at its
/// attribute of the tenant.
pub fn below(tenant: &str, ledger: &Ledger, quotas: &Quotas) -> Diagnostics {
    let used = ledger.used();
    let each = Quota::OF_USAGE.into_iter().filter_map(|quota| {
        let limit = quota.limit(quotas)?;
        let (has, attribute) = (quota.of(&used), quota.attribute());
        let path = AttributePath::new("quotas").attribute(attribute);
        (has > limit).then(|| {
            Diagnostic::warning(
                format!("The tenant {tenant} has more than this {attribute}"),
                format!(
                    "Its applications have {} now, and the quota is {}. What they have they keep; none \
                     of them can grow, and no other can begin, until there is room.",
                    quota.amount(has),
                    quota.amount(limit)
                ),
            )
            .at(path)
        })
    });
    each.collect()
}
