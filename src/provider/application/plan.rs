//! What an apply would do, from the state that the refresh has brought up to date.
//!
//! Nothing is asked of a server but the scopes that the application refers to and its tenant, where this
//! very plan does not change them.

use std::collections::BTreeMap;

use super::config::Said;
use super::private::{Private, Seen};
use super::{adopt, config, dry_run, failure, read, unchanged};
use crate::http;
use crate::nomad::LiveJob;
use crate::nomad::job::Job;
use crate::oam::{self, Application, Node};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics, has_error};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::{Context, Deferral, PlanRequest, PlanResponse, Unchanged};
use crate::protocol::value::Value;
use crate::provider::planned::Planned;
use crate::provider::tenancy::Tenancy;
use crate::provider::{Clients, Servers};
use crate::provider::{limits, quota};
use crate::scopes;
use crate::store::{ApplicationKey, DEFAULT_TENANT, Phase, ScopeKey, StoreError};
use crate::tenants::Spaces;
use crate::translate::{self, Target};

/// Plans a creation, an update or a deletion. Without clients, what depends on the provider block
/// stays unknown, and so it does without the manifest where the host cannot wait for that.
pub async fn plan(servers: &Servers, cx: &Context, request: PlanRequest) -> PlanResponse {
    let clients = servers.known();
    let clients = clients.as_deref();
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
    if response.state.is_null() {
        return response;
    }
    match manifest(clients, &prior, &config).await {
        Ok(manifest) => set(&mut response.state, "manifest", manifest),
        Err(diagnostic) => {
            response.diagnostics.push(diagnostic);
            return response;
        }
    }
    // Without these nobody can say which application it is, or what is in it.
    let unknown = |name| config.get(name).is_unknown();
    if response.state.get("manifest").is_unknown() || unknown("tenant") || unknown("name") {
        cx.defer(Deferral::ResourceConfigUnknown);
    }
    if !response.state.get("manifest").is_null() {
        // Not the one of before, which Terraform proposes.
        let written = config::node(&response.state).unwrap_or(Node::Unknown);
        let name = written.get("name").as_str();
        let name = name.map_or(Value::UNKNOWN, Value::from);
        set(&mut response.state, "name", name);
    }
    let tenant = match config.get("rollback_to") {
        Value::Null => config::tenant_of(&config),
        _ => config.get("tenant").clone(),
    };
    set(&mut response.state, "tenant", tenant);
    let written = match config::node(&response.state) {
        Ok(node) => node,
        Err(diagnostics) => {
            response.diagnostics = diagnostics;
            set(&mut response.state, "applied_scopes", Value::UNKNOWN);
            return response;
        }
    };
    let (applied, diagnostics) = scopes_of(servers, clients, &response.state, &written).await;
    response.diagnostics = diagnostics;
    set(&mut response.state, "applied_scopes", applied);
    let said = Said::with(written, &response.state);
    response
        .diagnostics
        .extend(problems(clients, &response.state, &said));
    if has_error(&response.diagnostics) {
        return response;
    }
    let before = Said::before(&prior);
    let mut private = Private::read(&response.private);
    // What is to be adopted has no record yet, and so nothing that could be kept or replaced.
    let is_new = prior.is_null() || adopt::is_open(&prior);
    if !is_new {
        response.requires_replace = replaced_by(&prior, &response.state);
        if !changes(&prior, before.as_ref(), Some(&said), &response.private) {
            return response;
        }
    }
    let spaces = match config::tenant(&response.state) {
        Some(DEFAULT_TENANT) => Some(Spaces::default()),
        _ => None,
    };
    for (name, value) in config::spaces_values(spaces.as_ref()) {
        set(&mut response.state, name, value);
    }
    let mut tenancy = None;
    if let (Some(clients), Some(tenant)) = (clients, config::tenant(&response.state)) {
        match Tenancy::planned(servers, clients, tenant).await {
            Ok(found) => {
                let refused = tenanted_as_planned(&found, clients, &response.state, &said).await;
                response.diagnostics.extend(refused);
                for (name, value) in config::spaces_values(found.spaces().get()) {
                    set(&mut response.state, name, value);
                }
                tenancy = Some(found);
            }
            Err(diagnostic) => response.diagnostics.push(diagnostic),
        }
        if has_error(&response.diagnostics) {
            return response;
        }
    }
    let states = (&prior, &response.state);
    let (mut jobs, after, changed) = jobs(clients, states, (before.as_ref(), &said), &private);
    if let Some(clients) = clients {
        if let Some(tenancy) = &tenancy {
            if !response.requires_replace.is_empty()
                && let Some(key) = config::key(&prior)
            {
                servers.replaced().set(&key.to_string(), key.clone());
            }
            let written = changed.iter().map(|(key, job)| (key.as_str(), job));
            let said = limits::check(tenancy, &response.state, written);
            response.diagnostics.extend(said);
            let said = quota::check(servers, clients, tenancy, &response.state, &after);
            response.diagnostics.extend(said.await);
            if has_error(&response.diagnostics) {
                return response;
            }
        }
        if let Some(key) = config::key(&response.state).filter(|_| adopt::is_open(&prior)) {
            let adopt = adopt::jobs(&prior, &private);
            match adopt::look(clients, &key, &adopt, &mut jobs, &changed, &mut private).await {
                Ok(warnings) => response.diagnostics.extend(warnings),
                Err(error) => response.diagnostics.push(error),
            }
            response.private = private.write();
        }
        let state = &response.state;
        let asked = changed
            .iter()
            .map(|(key, job)| (key.clone(), job, path(state, key)));
        let said = dry_run::dry_run(clients, asked.collect()).await;
        response.diagnostics.extend(said);
        if has_error(&response.diagnostics) {
            return response;
        }
    }
    let id = match config::key(&response.state) {
        Some(key) => key.to_string().into(),
        None => Value::UNKNOWN,
    };
    let revision = match prior.get("revision").as_i64() {
        Some(revision) => Value::from(revision.saturating_add(1)),
        None if is_new => Value::from(1),
        None => Value::UNKNOWN,
    };
    for (name, value) in [
        ("id", id),
        ("revision", revision),
        ("status", "settled".into()),
        ("jobs", jobs),
        ("drift", Value::List(Vec::new())),
    ] {
        set(&mut response.state, name, value);
    }
    response
}

/// Whether the configuration is the one of before, and nothing else has changed. What Terraform proposes
/// for an attribute that the configuration leaves out is the one of before, so those are looked at.
pub async fn is_as_it_was(servers: &Servers, state: Unchanged<'_>) -> bool {
    let Some(clients) = servers.known() else {
        return false;
    };
    let Unchanged {
        state: prior,
        config,
        private,
    } = state;
    if prior.is_null() {
        return false;
    }
    let same = |name| config.get(name) == prior.get(name);
    let named = || match config.get("manifest") {
        Value::Null => same("name") && same("tenant"),
        _ => config::tenant_of(config) == *prior.get("tenant"),
    };
    config.get("rollback_to").is_null()
        && same("manifest")
        && unchanged::is_sealed(&clients, prior, &Private::read(private))
        && named()
        && has_its_scopes(servers, &clients, prior).await
}

/// Whether the scopes that an application refers to are as it has them, and stay so.
async fn has_its_scopes(servers: &Servers, clients: &Clients, prior: &Value) -> bool {
    let applied = prior.get("applied_scopes");
    if applied.as_map().is_some_and(BTreeMap::is_empty) {
        return true;
    }
    let Ok(node) = config::node(prior) else {
        return false;
    };
    let (now, diagnostics) = scopes_of(servers, Some(clients), prior, &node).await;
    diagnostics.is_empty() && now == *applied
}

/// The manifest of a configuration: its own, or that of the revision that it goes back to.
async fn manifest(
    clients: Option<&Clients>,
    prior: &Value,
    config: &Value,
) -> Result<Value, Diagnostic> {
    let revision = match config.get("rollback_to") {
        Value::Null => return Ok(config.get("manifest").clone()),
        revision => revision
            .as_i64()
            .and_then(|revision| u64::try_from(revision).ok()),
    };
    let name = config.get("name").as_str();
    let (Some(clients), Some(revision), Some(name), Some(tenant)) =
        (clients, revision, name, config::tenant(config))
    else {
        return Ok(Value::UNKNOWN);
    };
    let key = ApplicationKey::new(Some(tenant), name);
    let found = clients.store.revision(&key, revision).await;
    if let Some(found) = found.map_err(|error| failure::store(&error))? {
        return Ok(read::manifest(&found.document));
    }
    // One that has been gone back to may be gone by now, and is what there is.
    let same = |attribute| prior.get(attribute) == config.get(attribute);
    if same("rollback_to") && same("name") && !prior.get("manifest").is_null() {
        return Ok(prior.get("manifest").clone());
    }
    let kept = clients.store.revisions(&key).await;
    let kept = kept.map_err(|error| failure::store(&error))?;
    let kept = kept.iter().filter_map(|it| it.as_ref().ok());
    let kept: Vec<_> = kept.map(|it| it.revision.to_string()).collect();
    Err(failure::no_revision(&key, revision, &kept).at(AttributePath::new("rollback_to")))
}

/// The attribute that stands for a job: its component's label, or the manifest. Terraform shows a label as
/// the first line of its block, and a path that ends with the block as the whole resource.
pub fn path(state: &Value, key: &str) -> AttributePath {
    let (component, _) = translate::split_key(key);
    match state.get("manifest") {
        Value::Null => AttributePath::new("component")
            .key(component)
            .attribute("name"),
        _ => AttributePath::new("manifest"),
    }
}

fn set(state: &mut Value, name: &str, value: Value) {
    if let Some(entries) = state.as_map_mut() {
        entries.insert(name.to_owned(), value);
    }
}

/// The properties of the scopes that an application refers to: as this plan will leave them, or as they
/// are recorded.
async fn scopes_of(
    servers: &Servers,
    clients: Option<&Clients>,
    state: &Value,
    node: &Node,
) -> (Value, Diagnostics) {
    if node.get("component").is_unknown() || !is_list_known(node) {
        return (Value::UNKNOWN, Vec::new());
    }
    let mut applied = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for (index, id) in oam::references(node).into_iter().enumerate() {
        let path = match state.get("manifest") {
            Value::Null => {
                AttributePath::new("scopes").index(i64::try_from(index).unwrap_or(i64::MAX))
            }
            _ => AttributePath::new("manifest"),
        };
        let properties = match (servers.planned(id), clients) {
            (Some(Planned::Scope(scope)), _) => properties(id, &scope),
            (Some(Planned::Gone), _) => {
                diagnostics.push(failure::scope_destroyed(id).at(path));
                continue;
            }
            (None, None) => Value::UNKNOWN,
            (None, Some(clients)) => match recorded(clients, id).await {
                Ok(properties) => properties,
                Err(diagnostic) => {
                    diagnostics.push(diagnostic.at(path));
                    continue;
                }
            },
        };
        applied.insert(id.to_owned(), properties);
    }
    (Value::Map(applied), diagnostics)
}

fn is_list_known(node: &Node) -> bool {
    match node.get("scopes") {
        Node::Null => true,
        Node::List(items) => !items.iter().any(Node::is_unknown),
        _ => false,
    }
}

/// The properties of a scope as JSON; unknown where something in it is.
fn properties(id: &str, scope: &Node) -> Value {
    match scopes::split(id) {
        Some((definition, _)) if scope.is_wholly_known() => {
            let properties = oam::scope_to_properties(definition, scope);
            properties.to_string().into()
        }
        _ => Value::UNKNOWN,
    }
}

async fn recorded(clients: &Clients, id: &str) -> Result<Value, Diagnostic> {
    let key =
        ScopeKey::parse(id).map_err(|reason| Diagnostic::error("Unreadable scope ID", reason))?;
    let stored = clients.store.scope_ahead(&key).await;
    match stored.map_err(|error| failure::store(&error))? {
        None => Err(failure::no_scope(id)),
        Some(stored) if stored.record.phase == Phase::Destroying => {
            Err(failure::scope_destroyed(id))
        }
        Some(stored) => Ok(stored.record.properties.to_string().into()),
    }
}

/// What is wrong with the application now that its scopes and the clusters are known. Validation has
/// found everything else.
fn problems(clients: Option<&Clients>, state: &Value, said: &Said) -> Diagnostics {
    let node = &said.resolved;
    if node.get("component").is_unknown() {
        return Vec::new();
    }
    let mut problems = oam::validate(node);
    if let (Some(clients), Some(tenant)) = (clients, config::tenant(state)) {
        problems.extend(translate::unknown_clusters(
            node,
            &config::target(clients, tenant, &Spaces::default()),
        ));
    }
    config::diagnostics(state, &problems)
}

/// Why the tenant does not take the application, or where that reaches what is not its own.
///
/// # Errors
/// Where the tenants or their domains cannot be read.
pub async fn tenanted(
    tenancy: &Tenancy,
    clients: &Clients,
    state: &Value,
    said: &Said,
) -> Result<Diagnostics, StoreError> {
    if let Some(refusal) = tenancy.refusal() {
        return Ok(vec![refusal]);
    }
    let Said { written, resolved } = said;
    let problems = tenancy.trespasses(clients, written, resolved).await?;
    Ok(config::diagnostics(state, &problems))
}

/// The same in a plan. Where there is no tenant to be found out about, it goes on without a Consul that can be
/// reached: the apply looks again.
async fn tenanted_as_planned(
    tenancy: &Tenancy,
    clients: &Clients,
    state: &Value,
    said: &Said,
) -> Diagnostics {
    match tenanted(tenancy, clients, state, said).await {
        Ok(diagnostics) => diagnostics,
        Err(StoreError::Consul(error))
            if tenancy.rules().is_none()
                && matches!(error.kind, http::Kind::Unreachable { .. }) =>
        {
            let Diagnostic {
                summary, detail, ..
            } = failure::store(&StoreError::Consul(error));
            let detail = format!(
                "{summary}. {detail} Until then nobody knows whether the application reaches what is a \
                 tenant's; the apply looks again."
            );
            vec![Diagnostic::warning(
                "The tenants cannot be looked up",
                detail,
            )]
        }
        Err(error) => vec![failure::store(&error)],
    }
}

/// Another name or tenant is another application.
fn replaced_by(prior: &Value, planned: &Value) -> Vec<AttributePath> {
    if planned.get("manifest").is_unknown() {
        // It will hardly be another application: that would be told in the apply, and nothing done.
        return Vec::new();
    }
    let name = (prior.get("name") != planned.get("name")).then(|| match planned.get("manifest") {
        Value::Null => AttributePath::new("name"),
        _ => AttributePath::new("manifest"),
    });
    let tenant =
        (config::tenant(prior) != config::tenant(planned)).then(|| AttributePath::new("tenant"));
    name.into_iter().chain(tenant).collect()
}

/// Whether there is anything to do beyond new timeouts and other words for the same, given what the prior and
/// the planned state say.
pub fn changes(
    prior: &Value,
    before: Option<&Said>,
    planned: Option<&Said>,
    private: &[u8],
) -> bool {
    let same = match (before, planned) {
        (Some(before), Some(planned)) => before.resolved == planned.resolved,
        _ => false,
    };
    !same
        || prior.get("status").as_str() != Some("settled")
        || prior
            .get("drift")
            .as_list()
            .is_some_and(|drift| !drift.is_empty())
        || Private::read(private).jobs.values().any(|job| job.drifted)
}

/// What `jobs` will say, all jobs, and those that change, as far as they are known. The version of a job that
/// changes is Nomad's to tell.
fn jobs(
    clients: Option<&Clients>,
    (prior, planned): (&Value, &Value),
    (said_before, said): (Option<&Said>, &Said),
    private: &Private,
) -> (Value, BTreeMap<String, Job>, Vec<(String, Job)>) {
    let unknown = |after| (Value::UNKNOWN, after, Vec::new());
    let node = &said.resolved;
    let Node::Map(components) = node.get("component") else {
        return unknown(BTreeMap::new());
    };
    let target = |value| match (clients, config::tenant(planned)) {
        (Some(clients), Some(tenant)) => {
            let spaces = config::spaces(value).unwrap_or_default();
            Some(config::target(clients, tenant, &spaces))
        }
        (None, Some(tenant)) if tenant != DEFAULT_TENANT => Some(elsewhere(tenant)),
        _ => None,
    };
    let jobs_of = |said: Option<&Said>, target: &Option<Target>| match (said, target) {
        (Some(said), Some(target)) => translated(&said.resolved, target),
        _ => BTreeMap::new(),
    };
    let before = jobs_of(said_before, &target(prior));
    let target = target(planned);
    // Nobody knows the jobs of a tenant whose own namespaces are not known.
    let said = config::spaces(planned).is_some().then_some(said);
    let after = jobs_of(said, &target);
    let application = config::name(planned);
    let mut entries = BTreeMap::new();
    let mut changed = Vec::new();
    for (name, component) in components {
        let Some(keys) = keys(name, component, target.as_ref()) else {
            return unknown(after);
        };
        for key in keys {
            let seen = private.jobs.get(&key);
            let next = after.get(&key);
            let unchanged = next.is_some()
                && seen.is_some_and(|seen| !seen.drifted)
                && next == before.get(&key)
                && config::tenant(prior) == config::tenant(planned);
            if unchanged && !prior.get("jobs").get(&key).is_null() {
                let kept = prior.get("jobs").get(&key).clone();
                entries.insert(key, kept);
                continue;
            }
            changed.extend(next.map(|job| (key.clone(), job.clone())));
            let known = |value: Option<&str>| value.map_or(Value::UNKNOWN, Value::from);
            let id = application
                .as_ref()
                .map(|application| oam::job_id(application, name));
            let namespace = match (next, &target) {
                (Some(job), _) => Some(job.namespace.as_str()),
                (None, Some(target)) => namespace(node, target),
                (None, None) => None,
            };
            let value = Value::from([
                ("id", known(id.as_deref())),
                ("namespace", known(namespace)),
                (
                    "type",
                    known(component.get("type").as_str().and_then(translate::job_type)),
                ),
                ("version", Value::UNKNOWN),
                ("stopped", false.into()),
                (
                    "changes",
                    next.map_or(Value::UNKNOWN, |job| {
                        job_changes(before.get(&key), job, seen)
                    }),
                ),
            ]);
            entries.insert(key, value);
        }
    }
    (Value::Map(entries), after, changed)
}

/// The places in which a job changes: what the state says otherwise, and what no attribute of the state stands
/// for.
pub fn job_changes(before: Option<&Job>, after: &Job, seen: Option<&Seen>) -> Value {
    let changes = before.map(|before| translate::drift::changes(before, after));
    let mut changes = changes.unwrap_or_default();
    if before.is_some() {
        let unowned = seen.into_iter().flat_map(|seen| &seen.unowned);
        changes.extend(unowned.cloned());
        changes.sort();
        changes.dedup();
    }
    Value::List(changes.into_iter().map(Value::String).collect())
}

/// The namespace of an application's jobs, where it is known.
fn namespace<'a>(application: &'a Node, target: &'a Target) -> Option<&'a str> {
    if !oam::is_resolved(application) {
        return None;
    }
    match application.get("namespace_scope") {
        Node::Null => Some(&target.namespace),
        Node::Map(scopes) => match scopes.values().next() {
            Some(scope) => scope.get("namespace").as_str(),
            None => Some(&target.namespace),
        },
        _ => None,
    }
}

/// The keys of a component's jobs; `None` where the clusters are not known.
fn keys(name: &str, component: &Node, target: Option<&Target>) -> Option<Vec<String>> {
    let wanted = match component.get("target_clusters") {
        Node::Null => return Some(vec![name.to_owned()]),
        Node::List(wanted) => wanted
            .iter()
            .map(Node::as_str)
            .collect::<Option<Vec<_>>>()?,
        _ => return None,
    };
    let clusters = &target?.clusters;
    if clusters.is_empty() || wanted.is_empty() {
        return Some(vec![name.to_owned()]);
    }
    let keys = wanted
        .into_iter()
        .filter(|cluster| clusters.contains_key(*cluster));
    Some(
        keys.map(|cluster| translate::job_key(name, Some(cluster)))
            .collect(),
    )
}

/// The namespace of a tenant does not depend on the provider block; the region is of no
/// consequence where only that is asked for.
fn elsewhere(tenant: &str) -> Target {
    Target {
        namespace: tenant.to_owned(),
        datacenters: vec!["*".to_owned()],
        ..Target::default()
    }
}

/// The jobs by key, of the components of an application of which everything is known that they take.
pub fn translated(node: &Node, target: &Target) -> BTreeMap<String, Job> {
    let jobs_of = |application: &Application| {
        let translations = translate::translate(application, target).into_iter();
        translations.map(|translation| (translation.key(), translation.job))
    };
    // Nearly always all of it is known and right.
    if node.is_wholly_known()
        && let Ok(application) = oam::parse(node)
    {
        return jobs_of(&application).collect();
    }
    let Some(components) = node.get("component").as_map() else {
        return BTreeMap::new();
    };
    let mut rest = node.clone();
    if let Node::Map(entries) = &mut rest {
        entries.remove("component");
    }
    if !rest.is_wholly_known() {
        return BTreeMap::new();
    }
    let mut jobs = BTreeMap::new();
    for (name, component) in components {
        if !component.is_wholly_known() {
            continue;
        }
        // The application with this component alone: the others do not matter for its job.
        let mut alone = rest.clone();
        if let Node::Map(entries) = &mut alone {
            let component = Node::Map([(name.clone(), component.clone())].into());
            entries.insert("component".to_owned(), component);
        }
        let Ok(application) = oam::parse(&alone) else {
            continue;
        };
        jobs.extend(jobs_of(&application));
    }
    jobs
}

/// What kind of job it is. Nomad refuses to change the type of a job, and to make a periodic one of one that is
/// not (`validateJobUpdate` in its `nomad/job_endpoint.go`).
pub fn kind(job: &Job) -> String {
    described(job.job_type.as_str(), job.periodic.is_some())
}

/// As [`kind`], of a job that is there.
pub fn live_kind(live: &LiveJob) -> String {
    described(
        &live.kind,
        live.json.get("Periodic").is_some_and(|it| !it.is_null()),
    )
}

fn described(of_type: &str, is_periodic: bool) -> String {
    let by_schedule = if is_periodic { ", periodic" } else { "" };
    format!("{of_type}{by_schedule}")
}
