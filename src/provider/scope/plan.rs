//! What an apply would do, from the state that the refresh has brought up to date. No server is asked.
//!
//! Every plan of a scope, an empty one too, is noted for the applications that are planned after it
//! ([`crate::provider::planned`]).

use super::config;
use super::kind::Kind;
use super::read::set;
use crate::protocol::diagnostic::has_error;
use crate::protocol::path::AttributePath;
use crate::protocol::resource::{PlanRequest, PlanResponse};
use crate::protocol::value::Value;
use crate::provider::Servers;
use crate::provider::planned::Planned;

/// Plans a creation, an update or a deletion.
pub fn plan(kind: Kind, servers: &Servers, request: PlanRequest) -> PlanResponse {
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
    let before = config::key(kind, &prior).map(|key| key.to_string());
    if response.state.is_null() {
        if let Some(id) = before {
            servers.plan(&id, Planned::Gone);
        }
        return response;
    }
    let state = &mut response.state;
    if kind.object().is_some() && config.get("create").is_null() {
        set(state, "create", false.into());
    }
    response.diagnostics = config::validate(kind, state);
    if has_error(&response.diagnostics) {
        return response;
    }
    let after = config::key(kind, state).map(|key| key.to_string());
    if !prior.is_null() && before != after {
        response.requires_replace.push(AttributePath::new("name"));
        if let Some(id) = before {
            servers.plan(&id, Planned::Gone);
        }
    }
    if let Some(id) = &after {
        servers.plan(id, Planned::Scope(config::node(state)));
    }
    if !prior.is_null() && !changes(kind, &prior, state) {
        return response;
    }
    let revision = match prior.get("revision").as_i64() {
        Some(revision) => Value::from(revision.saturating_add(1)),
        None if prior.is_null() => Value::from(1),
        None => Value::UNKNOWN,
    };
    set(state, "id", after.map_or(Value::UNKNOWN, Value::from));
    set(state, "revision", revision);
    set(state, "status", "settled".into());
    if kind.object().is_some() {
        set(state, "leaving", Value::List(Vec::new()));
    }
    response
}

/// Whether there is anything to do beyond other words for the same.
pub fn changes(kind: Kind, prior: &Value, planned: &Value) -> bool {
    let text = |value: &Value| {
        value
            .get("description")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let unknown = !config::node(planned).is_wholly_known()
        || planned.get("create").is_unknown()
        || planned.get("description").is_unknown();
    unknown
        || prior.get("name") != planned.get("name")
        || config::properties(kind, prior) != config::properties(kind, planned)
        || config::creates(prior) != config::creates(planned)
        || text(prior) != text(planned)
        || prior.get("status").as_str() != Some("settled")
        || prior
            .get("leaving")
            .as_list()
            .is_some_and(|left| !left.is_empty())
}
