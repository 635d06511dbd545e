//! What an application's plan and apply know of its tenant.
//!
//! A plan takes the tenant as this very plan will leave it ([`crate::provider::planned`]) or, where it
//! does nothing to the tenant, from its record; an apply takes it from its record alone. It is read once
//! for each, and for applications without a tenant not at all. What there is of all tenants, their names and
//! domains, the plans of one run read together ([`Store::tenants_ahead`](crate::store::Store::tenants_ahead)),
//! and each apply once for itself.

use std::collections::BTreeSet;

use tokio::sync::OnceCell;

use super::application::failure;
use super::planned::{Known, PlannedTenant, Rules};
use super::{Clients, Servers};
use crate::oam::{Node, Problem};
use crate::protocol::diagnostic::Diagnostic;
use crate::protocol::path::AttributePath;
use crate::store::{
    DEFAULT_TENANT, Phase, SeenTenant, StoreError, Stored, TenantKey, TenantRecord, Version,
};
use crate::tenants::bounds::{self, Facts};
use crate::tenants::{Domains, Spaces};

/// What an application's plan or apply knows of its tenant.
#[derive(Debug)]
pub struct Tenancy {
    name: String,
    kind: Kind,
    /// Whether it is a plan that asks.
    plans: bool,
    domains: OnceCell<Domains>,
    /// The domains that this very plan gives tenants: whose, and which, where that is known.
    planned: Vec<(String, Option<String>)>,
}

/// What kind of tenant it is.
#[derive(Debug)]
enum Kind {
    /// None: the tenant `default`.
    None,
    /// One without a record: nothing is managed but its namespace's name.
    Unmanaged,
    /// One that this plan makes or changes.
    Planned(Box<Rules>),
    /// One that this plan destroys.
    Gone,
    /// One with a record.
    Recorded(Box<Stored<TenantRecord>>),
}

impl Tenancy {
    /// The tenant of this name as a plan sees it.
    ///
    /// # Errors
    /// Where the record cannot be read.
    pub async fn planned(
        servers: &Servers,
        clients: &Clients,
        name: &str,
    ) -> Result<Self, Diagnostic> {
        let kind = match servers.planned_tenants().get(name) {
            _ if name == DEFAULT_TENANT => Kind::None,
            Some(PlannedTenant::Tenant(rules)) => Kind::Planned(rules),
            Some(PlannedTenant::Gone) => Kind::Gone,
            None => recorded(clients, name).await?,
        };
        Ok(Self {
            name: name.to_owned(),
            kind,
            plans: true,
            domains: OnceCell::new(),
            planned: planned(servers),
        })
    }

    /// The tenant of this name as an apply sees it.
    ///
    /// # Errors
    /// Where the record cannot be read.
    pub async fn recorded(clients: &Clients, name: &str) -> Result<Self, Diagnostic> {
        let kind = match name {
            DEFAULT_TENANT => Kind::None,
            name => recorded(clients, name).await?,
        };
        Ok(Self {
            name: name.to_owned(),
            kind,
            plans: false,
            domains: OnceCell::new(),
            planned: Vec::new(),
        })
    }

    /// The tenant's name, `default` where there is none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the tenant allows; `None` where nobody manages it, or it is `default`.
    pub fn rules(&self) -> Option<Rules> {
        match &self.kind {
            Kind::None | Kind::Unmanaged | Kind::Gone => None,
            Kind::Planned(rules) => Some((**rules).clone()),
            Kind::Recorded(found) => Some(rules(&found.record)),
        }
    }

    /// The namespaces of Consul and Vault that the tenant's applications are in.
    pub fn spaces(&self) -> Known<Spaces> {
        match self.rules() {
            Some(rules) => rules.spaces,
            None => Known::Is(Spaces::default()),
        }
    }

    /// The tenant's record, where that is what is known; not where this plan changes it.
    pub fn record(&self) -> Option<&TenantRecord> {
        match &self.kind {
            Kind::Recorded(found) => Some(&found.record),
            _ => None,
        }
    }

    /// The version of the tenant's record, where that is what is known.
    pub fn version(&self) -> Option<Version> {
        match &self.kind {
            Kind::Recorded(found) => Some(found.version),
            _ => None,
        }
    }

    /// What [`crate::store::Store::begin_using`] is to check.
    pub fn seen(&self) -> SeenTenant {
        match &self.kind {
            Kind::Recorded(found) => SeenTenant::Found(found.clone()),
            Kind::Unmanaged => SeenTenant::Absent,
            Kind::None | Kind::Planned(_) | Kind::Gone => SeenTenant::Unread,
        }
    }

    /// Why no application of the tenant can be applied, if so; at its attribute `tenant`.
    pub fn refusal(&self) -> Option<Diagnostic> {
        let name = &self.name;
        let at = |diagnostic: Diagnostic| diagnostic.at(AttributePath::new("tenant"));
        let said = match &self.kind {
            Kind::None | Kind::Unmanaged => return None,
            Kind::Gone => Diagnostic::error(
                format!("The tenant {name} is destroyed in this plan"),
                "Take the application out of it in an apply before, or leave the tenant as it is.",
            ),
            Kind::Recorded(found) if found.record.phase == Phase::Destroying => Diagnostic::error(
                format!("The tenant {name} is being destroyed"),
                "Choose another tenant, or create it again and then apply the application.",
            ),
            Kind::Planned(rules) if rules.active == Known::Is(false) => inactive(name),
            Kind::Recorded(found) if !found.record.active => inactive(name),
            Kind::Planned(_) | Kind::Recorded(_) => return None,
        };
        Some(at(said))
    }

    /// The domains of all tenants, of a plan as this very plan will leave them, as far as it is known. They
    /// are read when they are first asked for.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub async fn domains(&self, clients: &Clients) -> Result<&Domains, StoreError> {
        let read = async || -> Result<Domains, StoreError> {
            let domains = match self.plans {
                true => (*clients.store.domains_ahead().await?).clone(),
                false => clients.store.domains().await?,
            };
            Ok(overlaid(domains, &self.planned))
        };
        self.domains.get_or_try_init(read).await
    }
}

/// The mount of tenants' secrets where the provider block has no `vault`.
const SECRETS_MOUNT: &str = "secret";

impl Tenancy {
    /// Where an application of the tenant reaches what is not its own, as far as its values are known.
    /// `written` is the application as it is configured, and `resolved` with its scopes in it.
    ///
    /// # Errors
    /// Where the tenants or their domains cannot be read.
    pub async fn trespasses(
        &self,
        clients: &Clients,
        written: &Node,
        resolved: &Node,
    ) -> Result<Vec<Problem>, StoreError> {
        let rules = self.rules();
        let tenants = match rules {
            Some(_) => BTreeSet::new(),
            None => self.tenants(clients).await?,
        };
        let none = Domains::default();
        let domains = match bounds::has_hosts(resolved) {
            true => self.domains(clients).await?,
            false => &none,
        };
        let domain = rules.as_ref().and_then(|rules| rules.domain.get());
        let facts = Facts {
            is_managed: rules.is_some(),
            domain: domain.and_then(Option::as_deref),
            domains,
            tenants: &tenants,
            key_prefix: clients.store.prefix(),
            secrets_mount: clients
                .vault
                .as_ref()
                .map_or(SECRETS_MOUNT, |vault| &vault.secrets_mount),
            namespace: &clients.namespace,
        };
        Ok(bounds::problems(written, resolved, &facts))
    }

    /// The tenants that have a record, of a plan as this very plan will leave them.
    async fn tenants(&self, clients: &Clients) -> Result<BTreeSet<String>, StoreError> {
        let mut names = match self.plans {
            true => (*clients.store.tenants_ahead().await?).clone(),
            false => clients.store.tenant_names().await?,
        };
        names.extend(self.planned.iter().map(|(name, _)| name.clone()));
        Ok(names)
    }
}

/// The domains of all tenants as the plan that is being made will leave them, but for those that it gives
/// the tenant `but`.
///
/// # Errors
/// Where they cannot be read.
pub async fn planned_domains(
    servers: &Servers,
    clients: &Clients,
    but: &str,
) -> Result<Domains, StoreError> {
    let mut planned = planned(servers);
    planned.retain(|(tenant, _)| tenant != but);
    let domains = clients.store.domains_ahead().await?;
    Ok(overlaid((*domains).clone(), &planned))
}

/// The domains that the plan that is being made gives tenants: whose, and which, where that is known.
fn planned(servers: &Servers) -> Vec<(String, Option<String>)> {
    let all = servers.planned_tenants().list().into_iter();
    let planned = all.map(|(tenant, planned)| match planned {
        PlannedTenant::Tenant(rules) => (tenant, rules.domain.get().cloned().flatten()),
        PlannedTenant::Gone => (tenant, None),
    });
    planned.collect()
}

fn overlaid(mut domains: Domains, planned: &[(String, Option<String>)]) -> Domains {
    for (tenant, _) in planned {
        domains.keep(tenant, None);
    }
    for (tenant, domain) in planned {
        if let Some(domain) = domain {
            // Where two tenants want the same, each one's own plan tells.
            let _ = domains.claim(tenant, domain);
        }
    }
    domains
}

fn inactive(name: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The tenant {name} is not active"),
        "What runs goes on, and nothing new begins. Set `active = true` in the tenant first.",
    )
}

async fn recorded(clients: &Clients, name: &str) -> Result<Kind, Diagnostic> {
    let found = clients.store.read_tenant(&TenantKey::new(name)).await;
    let found = found.map_err(|error| failure::store(&error))?;
    Ok(found.map_or(Kind::Unmanaged, |found| Kind::Recorded(Box::new(found))))
}

fn rules(record: &TenantRecord) -> Rules {
    Rules {
        domain: Known::Is(record.domain.clone()),
        quotas: Known::Is(record.quotas),
        limits: Known::Is(record.limits.clone()),
        active: Known::Is(record.active),
        spaces: Known::Is(record.namespaces.clone()),
    }
}
