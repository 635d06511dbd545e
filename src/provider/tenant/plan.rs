//! What an apply would do, from the state that the refresh has brought up to date. Consul is asked for
//! the domains of all tenants where the domain changes, for their names where the tenant is new, and for
//! what its applications have where the quotas or the limits change.
//!
//! Every plan of a tenant, an empty one too, is noted for the applications that are planned after it
//! ([`crate::provider::planned`]).

use super::kind::Kind;
use super::read::set;
use super::{config, enterprise, failure};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics, has_error};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::{PlanRequest, PlanResponse};
use crate::protocol::value::Value;
use crate::provider::limits;
use crate::provider::planned::PlannedTenant;
use crate::provider::quota;
use crate::provider::tenancy;
use crate::provider::{Clients, Servers};
use crate::store::TenantKey;
use crate::tenants::Names;

/// Plans a creation, an update or a deletion.
pub async fn plan(servers: &Servers, request: PlanRequest) -> PlanResponse {
    let PlanRequest {
        prior,
        proposed,
        config,
        private,
    } = request;
    let mut response = PlanResponse {
        state: proposed,
        requires_replace: Vec::new(),
        private,
        diagnostics: Vec::new(),
    };
    let before = config::key(&prior);
    let gone = |servers: &Servers| {
        if let Some(key) = &before {
            servers.plan_tenant(key.name(), PlannedTenant::Gone);
        }
    };
    if response.state.is_null() {
        gone(servers);
        return response;
    }
    let state = &mut response.state;
    if config.get("active").is_null() {
        set(state, "active", true.into());
    }
    response.diagnostics = config::validate(state);
    if has_error(&response.diagnostics) {
        return response;
    }
    let after = config::key(state);
    let clients = servers.known();
    let clients = clients.as_deref();
    let is_new = prior.is_null() || before != after;
    for kind in config::SPACES {
        if config.get(kind.field()).is_null() {
            let value = match is_new {
                true => usual(clients, kind, state).await,
                false => Ok(prior.get(kind.field()).clone()),
            };
            match value {
                Ok(value) => set(state, kind.field(), value),
                Err(diagnostic) => response.diagnostics.push(diagnostic),
            }
        } else if let Some(clients) = clients {
            let is_other = is_new || config::space(&prior, kind) != config::space(state, kind);
            if is_other && let Some(diagnostic) = refused(clients, kind, state).await {
                response.diagnostics.push(diagnostic);
            }
        }
        let is_same = config::space(&prior, kind) == config::space(state, kind)
            && !state.get(kind.field()).is_unknown();
        if !is_new && !is_same {
            let path = AttributePath::new(kind.field());
            response.requires_replace.push(path);
        }
    }
    if has_error(&response.diagnostics) {
        return response;
    }
    if !prior.is_null() && before != after {
        response.requires_replace.push(AttributePath::new("name"));
        gone(servers);
    }
    if let Some(key) = &after {
        let planned = PlannedTenant::Tenant(Box::new(config::rules(state)));
        servers.plan_tenant(key.name(), planned);
    }
    if !prior.is_null() && !changes(&prior, state) {
        return response;
    }
    if let Some(clients) = clients {
        response.diagnostics = problems(servers, clients, &prior, state).await;
        if has_error(&response.diagnostics) {
            return response;
        }
    }
    fill(clients, &prior, state);
    response
}

/// The namespace that a tenant that is new has without being told; unknown as long as nobody can be asked.
///
/// # Errors
/// Where a server does not tell. It is not left unknown: Terraform plans once more in the apply, and what was
/// known before has to stay so.
async fn usual(clients: Option<&Clients>, kind: Kind, state: &Value) -> Result<Value, Diagnostic> {
    let (Some(clients), Some(key)) = (clients, config::key(state)) else {
        return Ok(Value::UNKNOWN);
    };
    match enterprise::usual(clients, kind, key.name()).await {
        Ok(name) => Ok(name.map_or(Value::Null, Value::from)),
        Err(error) => Err(failure::refused(kind, &error)),
    }
}

/// Why a tenant cannot have the namespace that it is to have, where that is known.
pub async fn refused(clients: &Clients, kind: Kind, state: &Value) -> Option<Diagnostic> {
    config::space(state, kind)?;
    let why = enterprise::without(clients, kind).await.ok()?;
    why.map(|why| failure::no_spaces(kind, why))
}

/// Whether there is anything to do beyond other words for the same.
pub fn changes(prior: &Value, planned: &Value) -> bool {
    !config::same(prior, planned)
        || prior.get("status").as_str() != Some("settled")
        || prior
            .get("drift")
            .as_list()
            .is_some_and(|drift| !drift.is_empty())
}

/// What is wrong with the tenant on these servers, and among the others.
async fn problems(
    servers: &Servers,
    clients: &Clients,
    prior: &Value,
    state: &Value,
) -> Diagnostics {
    let Some(key) = config::key(state) else {
        return Vec::new();
    };
    let names = Names::of(clients.store.prefix(), key.name());
    let mut found = Vec::new();
    if names.is_in_the_way() {
        found.push(failure::in_the_way(&names));
    }
    if !names.fit() {
        found.push(failure::too_long(&names));
    }
    let is_new = prior.is_null() || config::key(prior).as_ref() != Some(&key);
    if is_new {
        match clients.store.tenants_ahead().await {
            Ok(all) => {
                let mut others = all
                    .iter()
                    .filter(|other| *other != key.name() && other.eq_ignore_ascii_case(key.name()));
                let stays = |name: &str| {
                    !matches!(
                        servers.planned_tenants().get(name),
                        Some(PlannedTenant::Gone)
                    )
                };
                if let Some(other) = others.find(|other| stays(other)) {
                    found.push(failure::name_taken(key.name(), &TenantKey::new(other)));
                }
            }
            Err(error) => found.push(failure::store(&error)),
        }
    }
    let domain = config::domain(state);
    if let Some(domain) = domain.filter(|_| is_new || prior.get("domain") != state.get("domain")) {
        match tenancy::planned_domains(servers, clients, key.name()).await {
            Ok(domains) => {
                let taken = domains.taken(key.name(), &domain);
                found.extend(taken.map(|by| failure::domain_taken(key.name(), &domain, by)));
            }
            Err(error) => found.push(failure::store(&error)),
        }
    }
    let quotas = config::quotas(state);
    if !quotas.is_unlimited() && (is_new || quotas != config::quotas(prior)) {
        match clients.store.ledger(&key).await {
            Ok(ledger) => found.extend(quota::below(key.name(), &ledger, &quotas)),
            Err(error) => found.push(failure::store(&error)),
        }
    }
    let limits = config::limits(state);
    if !limits.is_none() && (is_new || limits != config::limits(prior)) {
        match limits::beyond(clients, &key, &limits).await {
            Ok(warnings) => found.extend(warnings),
            Err(error) => found.push(failure::store(&error)),
        }
    }
    found
}

/// What an apply will find out, as far as it is known before.
fn fill(clients: Option<&Clients>, prior: &Value, state: &mut Value) {
    let is_new = prior.is_null() || prior.get("name") != state.get("name");
    let known = |name: &str| match prior.get(name) {
        value if !is_new && !value.is_null() => value.clone(),
        _ => Value::UNKNOWN,
    };
    let revision = match prior.get("revision").as_i64() {
        Some(revision) if !is_new => Value::from(revision.saturating_add(1)),
        _ => Value::from(1),
    };
    let name = state.get("name").as_str().map(str::to_owned);
    let called = |make: &dyn Fn(&Names) -> String| match &name {
        Some(name) => {
            let prefix = clients.map_or("", |clients| clients.store.prefix());
            make(&Names::of(prefix, name)).into()
        }
        None => Value::UNKNOWN,
    };
    let secrets = match clients {
        None => Value::UNKNOWN,
        Some(clients) => match &clients.vault {
            None => Value::Null,
            Some(vault) => called(&|names| names.secrets(&vault.secrets_mount)),
        },
    };
    let mut values = vec![
        ("id", known("id")),
        ("created_at", known("created_at")),
        ("updated_at", Value::UNKNOWN),
        ("revision", revision),
        ("status", "settled".into()),
        ("service_prefix", called(&Names::service_prefix)),
        ("key_prefix", called(&Names::key_prefix)),
        ("secrets_path", secrets),
        ("drift", Value::List(Vec::new())),
    ];
    for kind in Kind::found() {
        let value = match kind {
            Kind::Namespace => called(&|names| names.namespace().to_owned()),
            // Whether the role is there depends on this.
            Kind::VaultRole => match state.get("active").as_bool() {
                Some(true) => known(kind.field()),
                Some(false) => Value::Null,
                None => Value::UNKNOWN,
            },
            kind => known(kind.field()),
        };
        values.push((kind.field(), value));
    }
    for (name, value) in values {
        set(state, name, value);
    }
}
