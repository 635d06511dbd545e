//! What an apply would do: offline, from the state that the refresh has brought up to date.

use std::collections::BTreeMap;

use super::config;
use super::private::Private;
use crate::nomad::job::Job;
use crate::oam;
use crate::protocol::path::AttributePath;
use crate::protocol::resource::{PlanRequest, PlanResponse};
use crate::protocol::value::Value;
use crate::provider::Clients;
use crate::store::DEFAULT_TENANT;
use crate::translate::{self, Target};

/// Plans a creation, an update or a deletion. Without clients, what depends on the provider block
/// stays unknown.
pub fn plan(clients: Option<&Clients>, request: PlanRequest) -> PlanResponse {
    let PlanRequest {
        prior,
        proposed,
        private,
        ..
    } = request;
    let mut response = PlanResponse {
        state: proposed,
        requires_replace: Vec::new(),
        private,
        diagnostics: Vec::new(),
    };
    if response.state.is_null() {
        return response;
    }
    if !prior.is_null() {
        response.requires_replace = replaced_by(&prior, &response.state);
        if !changes(&prior, &response.state, &response.private) {
            return response;
        }
    }
    let jobs = jobs(
        clients,
        &prior,
        &response.state,
        &Private::read(&response.private),
    );
    let id = match config::key(&response.state) {
        Some(key) => key.to_string().into(),
        None => Value::UNKNOWN,
    };
    let revision = match prior.get("revision").as_i64() {
        Some(revision) => Value::from(revision.saturating_add(1)),
        None if prior.is_null() => Value::from(1),
        None => Value::UNKNOWN,
    };
    if let Some(state) = response.state.as_map_mut() {
        for (name, value) in [
            ("id", id),
            ("revision", revision),
            ("status", "settled".into()),
            ("jobs", jobs),
            ("drift", Value::List(Vec::new())),
        ] {
            state.insert(name.to_owned(), value);
        }
    }
    response
}

/// Another name or tenant is another application.
fn replaced_by(prior: &Value, planned: &Value) -> Vec<AttributePath> {
    let name = (prior.get("name") != planned.get("name")).then(|| AttributePath::new("name"));
    let tenant =
        (config::tenant(prior) != config::tenant(planned)).then(|| AttributePath::new("tenant"));
    name.into_iter().chain(tenant).collect()
}

/// Whether there is anything to do beyond new timeouts.
pub fn changes(prior: &Value, planned: &Value, private: &[u8]) -> bool {
    !config::same(prior, planned)
        || prior.get("status").as_str() != Some("settled")
        || prior
            .get("drift")
            .as_list()
            .is_some_and(|drift| !drift.is_empty())
        || Private::read(private).jobs.values().any(|job| job.drifted)
}

/// What `jobs` will say. The version of a job that changes is Nomad's to tell.
fn jobs(clients: Option<&Clients>, prior: &Value, planned: &Value, private: &Private) -> Value {
    let Value::Map(components) = planned.get("component") else {
        return Value::UNKNOWN;
    };
    let target = match (clients, config::tenant(planned)) {
        (Some(clients), Some(tenant)) => Some(config::target(clients, tenant)),
        (None, Some(tenant)) if tenant != DEFAULT_TENANT => Some(elsewhere(tenant)),
        _ => None,
    };
    let entry = |(name, component): (&String, &Value)| {
        let job = |state: &Value| {
            let target = target.as_ref()?;
            translated(state, name, target)
        };
        let next = job(planned);
        let seen = private.jobs.get(name);
        let unchanged = next.is_some()
            && seen.is_some_and(|seen| !seen.drifted)
            && next == job(prior)
            && config::tenant(prior) == config::tenant(planned);
        if unchanged {
            return (name.clone(), prior.get("jobs").get(name).clone());
        }
        let known = |value: Option<&str>| value.map_or(Value::UNKNOWN, Value::from);
        let id = planned
            .get("name")
            .as_str()
            .map(|application| oam::job_id(application, name));
        let value = Value::from([
            ("id", known(id.as_deref())),
            (
                "namespace",
                known(target.as_ref().map(|target| target.namespace.as_str())),
            ),
            (
                "type",
                known(component.get("type").as_str().and_then(translate::job_type)),
            ),
            ("version", Value::UNKNOWN),
            ("stopped", false.into()),
        ]);
        (name.clone(), value)
    };
    Value::Map(components.iter().map(entry).collect::<BTreeMap<_, _>>())
}

/// The namespace of a tenant does not depend on the provider block; the region is of no
/// consequence where only that is asked for.
fn elsewhere(tenant: &str) -> Target {
    Target {
        namespace: tenant.to_owned(),
        region: None,
        datacenters: vec!["*".to_owned()],
        clusters: BTreeMap::new(),
    }
}

/// The job of one component, where everything it takes is known.
pub fn translated(state: &Value, component: &str, target: &Target) -> Option<Job> {
    let value = state.get("component").get(component);
    let known = |name| state.get(name).is_wholly_known();
    if value.is_null()
        || !value.is_wholly_known()
        || !["name", "tenant", "labels", "annotations"]
            .iter()
            .all(|n| known(n))
    {
        return None;
    }
    // The application with this component alone: the others do not matter for its job.
    let mut alone = state.clone();
    let components = Value::from([(component, value.clone())]);
    alone
        .as_map_mut()?
        .insert("component".to_owned(), components);
    let application = config::application(&alone).ok()?;
    translate::translate(&application, target)
        .pop()
        .map(|translation| translation.job)
}
