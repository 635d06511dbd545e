//! A refresh: the recorded application, with each difference of the live jobs at the attribute
//! that stands for it.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde_json::Value as Json;

use super::apply::job_ref;
use super::config;
use super::private::{Private, Seen};
use super::{adopt, failure, plan, purge, unchanged};
use crate::nomad::job::Job;
use crate::nomad::{self, Deployment, LiveJob, Wait};
use crate::oam::{self, Application, Node, Problem, def};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::{ReadRequest, ReadResponse};
use crate::protocol::value::{Type, Value};
use crate::provider::{Clients, convert};
use crate::scopes;
use crate::store::{ApplicationKey, Phase, Record, Stored};
use crate::translate::{self, Translation};

/// Compares a state with the world.
pub async fn read(clients: &Clients, ty: &Type, request: ReadRequest) -> ReadResponse {
    let key = config::key(&request.state);
    if let Some(key) = &key
        && let Some(private) = unchanged::unchanged(clients, key, &request).await
    {
        return ReadResponse {
            private: private.write(),
            ..request.unchanged(Vec::new())
        };
    }
    let found = match adopt::is_open(&request.state) {
        // No application yet: the plan compares the jobs with what it shall be.
        true => {
            let found = adopt::refresh(clients, &request.state).await;
            found
                .map(|(state, private)| (state, Some(private)))
                .map_err(|error| vec![error])
        }
        false => refreshed(clients, ty, key, &request).await,
    };
    match found {
        Ok((state, private)) => ReadResponse {
            state,
            private: private.map(|private| private.write()).unwrap_or_default(),
            diagnostics: Vec::new(),
            same: false,
        },
        Err(diagnostics) => request.unchanged(diagnostics),
    }
}

async fn refreshed(
    clients: &Clients,
    ty: &Type,
    key: Option<ApplicationKey>,
    request: &ReadRequest,
) -> Result<(Value, Option<Private>), Diagnostics> {
    let Some(key) = key else {
        return Err(vec![Diagnostic::error(
            "State without a name",
            "The state does not say which application it is of. Remove it and import it again.",
        )]);
    };
    let stored = clients
        .store
        .read(&key)
        .await
        .map_err(|e| vec![failure::store(&e)])?;
    let Some(stored) = stored else {
        tracing::info!(application = %key, "no record: the application is gone");
        return Ok((Value::Null, None));
    };
    let (state, mut private) = observe(clients, ty, &key, &stored, &request.state).await?;
    let before = Private::read(&request.private);
    private.among = private.among.max(before.among);
    Ok((state, Some(private)))
}

/// Finds an application by `<tenant>/<name>`, or by its name where it has no tenant. Jobs that no application
/// has are taken by their IDs ([`adopt::imported`]).
///
/// # Errors
/// Where there is no such application.
pub async fn import(
    clients: &Clients,
    ty: &Type,
    id: &str,
) -> Result<(Value, Vec<u8>), Diagnostics> {
    if let Some(jobs) = adopt::imported(id, ty)? {
        return Ok(jobs);
    }
    let unreadable = |reason| vec![Diagnostic::error("Unreadable import ID", reason)];
    let key = ApplicationKey::parse(id).map_err(unreadable)?;
    let stored = clients
        .store
        .read(&key)
        .await
        .map_err(|e| vec![failure::store(&e)])?;
    let Some(stored) = stored else {
        return Err(vec![Diagnostic::error(
            "No such application",
            format!(
                "Consul has no record of the application {key}. Check the name and the tenant, \
                 and the provider's `key_prefix`."
            ),
        )]);
    };
    let (state, private) = recorded(clients, ty, &key, &stored).await?;
    Ok((state, private.write()))
}

/// The state of a recorded application that Terraform has none of.
///
/// # Errors
/// Where the record or a job cannot be read.
pub async fn recorded(
    clients: &Clients,
    ty: &Type,
    key: &ApplicationKey,
    stored: &Stored,
) -> Result<(Value, Private), Diagnostics> {
    let empty = convert::to_value(&Node::Map(BTreeMap::new()), ty);
    observe(clients, ty, key, stored, &empty).await
}

/// The state of a recorded application, given the state so far.
async fn observe(
    clients: &Clients,
    ty: &Type,
    key: &ApplicationKey,
    stored: &Stored,
    before: &Value,
) -> Result<(Value, Private), Diagnostics> {
    let record = &stored.record;
    let recorded = document(key, record)?;
    let application = resolved(key, record, &recorded)?;
    let target = config::target(clients, key.tenant(), &record.namespaces);
    let translations = translate::translate(&application, &target);

    let settled = record.phase == Phase::Settled;
    let live = translations.iter().map(|translation| async {
        let job = &translation.job;
        let nomad = clients.nomad_of(translation.cluster.as_deref())?;
        let live = nomad.job(&job.namespace, &job.id).await;
        let live = live.map_err(|e| failure::nomad(&e))?;
        let deployment = match &live {
            Some(live) if settled && has_canaries(job) => deployment(nomad, job, live).await?,
            _ => None,
        };
        Ok((live, deployment))
    });
    let live = try_join_all(live).await.map_err(|error| vec![error])?;
    let (live, deployments): (Vec<_>, Vec<_>) = live.into_iter().unzip();

    let mut state = base(&recorded, before, ty);
    let mut private = Private {
        record: Some(stored.version.to_string()),
        ..Private::default()
    };
    let mut jobs = BTreeMap::new();
    let mut drift = Vec::new();
    let (mut any_drifted, mut compared) = (false, Vec::new());
    let mut whole = true;
    let applied = |key: &str| record.jobs.get(key).and_then(|job| job.version);
    for ((translation, found), deployment) in translations.iter().zip(&live).zip(deployments) {
        let job_key = translation.key();
        let Some(found) = found else {
            tracing::info!(job = translation.job.id, "the job is gone");
            whole = false;
            let mut beside = translations.iter().zip(&live);
            let beside = beside
                .any(|(other, there)| there.is_some() && other.component == translation.component);
            if beside || !state.get("manifest").is_null() {
                drift.push(gone(&translation.job.id));
            } else {
                remove_component(&mut state, &translation.component);
            }
            continue;
        };
        let (mut drifted, unowned) = compare(translation, found, ty, &mut state, &mut drift);
        any_drifted |= drifted;
        let failed = deployment.as_ref().is_some_and(|it| it.status == "failed");
        if !failed {
            compared.push((translation, found));
        }
        let ended = deployment
            .as_ref()
            .is_some_and(|it| it.status == "successful");
        let sound = !drifted && (ended || !has_canaries(&translation.job));
        let mut not_successful = |live: String| {
            drift.push(Value::from([
                ("path", format!("{}/Deployment", translation.job.id).into()),
                ("recorded", text(&"successful".into())),
                ("live", text(&live.into())),
            ]));
        };
        match deployment {
            Some(it) if failed => {
                drifted = true;
                not_successful(format!("failed: {}", it.status_description));
            }
            // As the apply decides it: what it promotes is not registered again.
            Some(it)
                if it.awaits_promotion()
                    && applied(&job_key) == Some(it.job_version)
                    && config::promotes(&recorded, &translation.component) =>
            {
                not_successful("waits to be promoted".to_owned());
            }
            _ => {}
        }
        let seen = Seen {
            index: found.job_modify_index,
            drifted,
            kind: Some(plan::live_kind(found)).filter(|kind| *kind != plan::kind(&translation.job)),
            scaled: translate::drift::scaled_count(translation, &found.json),
            unowned,
            sound,
        };
        private.jobs.insert(job_key.clone(), seen);
        let job = &translation.job;
        let changes = before.get("jobs").get(&job_key).get("changes");
        let entry = self::job(&job.id, &job.namespace, applied(&job_key), found, changes);
        jobs.insert(job_key, entry);
    }
    for (job_key, left) in &record.jobs {
        if translations.iter().any(|it| it.key() == *job_key) {
            continue;
        }
        // Only an interrupted apply leaves a job that was to be purged: it shows, and the next
        // apply purges it.
        let place = job_ref(job_key, left);
        let nomad = clients
            .nomad_of(place.cluster.as_deref())
            .map_err(|e| vec![e])?;
        let live = nomad.job(&left.namespace, &left.id).await;
        if let Some(live) = live.map_err(|e| vec![failure::nomad(&e)])?
            && purge::is_ours(&live, key)
        {
            let changes = before.get("jobs").get(job_key).get("changes");
            let entry = job(&left.id, &left.namespace, left.version, &live, changes);
            jobs.insert(job_key.clone(), entry);
        }
    }
    set(&mut state, "id", key.to_string().into());
    set(&mut state, "revision", revision(record));
    set(&mut state, "status", status(record.phase).into());
    set(&mut state, "jobs", Value::Map(jobs));
    set(&mut state, "drift", Value::List(drift));
    let applied = record.applied_scopes.iter();
    let applied = applied.map(|(id, properties)| (id.clone(), text(properties)));
    set(&mut state, "applied_scopes", Value::Map(applied.collect()));
    for (name, value) in config::spaces_values(Some(&record.namespaces)) {
        set(&mut state, name, value);
    }
    if any_drifted {
        // Of all jobs: the state has one value for a component that is in several clusters.
        let said = config::Said::of(&state);
        let said = said.map(|said| plan::translated(&said.resolved, &target));
        let said = said.unwrap_or_default();
        for (translation, found) in compared {
            let job_key = translation.key();
            if let (Some(seen), Some(job)) = (private.jobs.get_mut(&job_key), said.get(&job_key)) {
                seen.drifted = differs(translation, job, found);
            }
        }
    }
    if whole {
        unchanged::seal(clients, &state, &mut private);
    }
    Ok((state, private))
}

/// Whether a live job is another than the state says, with all that was put there. Where it is not, the
/// configuration alone tells whether it has to change, and with `ignore_changes` it need not.
fn differs(translation: &Translation, said: &Job, live: &LiveJob) -> bool {
    let said = Translation {
        job: said.clone(),
        ..translation.clone()
    };
    !translate::drift::compare(&said, &live.json).is_empty()
}

/// Whether a deployment of the job may go on after the apply that began it.
fn has_canaries(job: &Job) -> bool {
    let groups = job.task_groups.iter();
    let mut updates = groups.filter_map(|group| group.update.as_ref());
    updates.any(|update| update.canary.is_some_and(|canaries| canaries > 0))
}

/// The deployment of a job's version. Where it has failed, the job is as it should be, and what runs is the
/// version before.
async fn deployment(
    nomad: &nomad::Client,
    job: &Job,
    live: &LiveJob,
) -> Result<Option<Deployment>, Diagnostic> {
    let latest = nomad.latest_deployment(&job.namespace, &job.id, Wait::NONE);
    let (_, latest) = latest.await.map_err(|error| failure::nomad(&error))?;
    Ok(latest.filter(|it| it.job_version == live.version))
}

/// What `status` says of a phase.
pub fn status(phase: Phase) -> &'static str {
    match phase {
        Phase::Settled => "settled",
        Phase::Applying | Phase::Destroying => "applying",
    }
}

/// What `revision` says of a record.
pub fn revision(record: &Record) -> Value {
    i64::try_from(record.revision).unwrap_or(i64::MAX).into()
}

/// What `manifest` says of a record.
pub fn manifest(document: &Json) -> Value {
    format!("{document:#}\n").into()
}

/// What `jobs` says of the recorded jobs that are there now.
///
/// # Errors
/// Where Nomad cannot be asked.
pub async fn jobs(
    clients: &Clients,
    key: &ApplicationKey,
    record: &Record,
) -> Result<Value, Diagnostics> {
    let asked = record.jobs.iter().map(|(name, recorded)| async move {
        let nomad = clients.nomad_of(job_ref(name, recorded).cluster.as_deref())?;
        let live = nomad.job(&recorded.namespace, &recorded.id).await;
        let live = live
            .map_err(|e| failure::nomad(&e))?
            .filter(|live| purge::is_ours(live, key));
        let entry = live.map(|live| {
            let (id, namespace) = (&recorded.id, &recorded.namespace);
            let mut entry = job(id, namespace, recorded.version, &live, &Value::Null);
            // Only whoever applied it knows.
            if let Some(entry) = entry.as_map_mut() {
                entry.remove("changes");
            }
            entry
        });
        Ok(entry.map(|entry| (name.clone(), entry)))
    });
    let found = try_join_all(asked)
        .await
        .map_err(|error: Diagnostic| vec![error])?;
    Ok(Value::Map(found.into_iter().flatten().collect()))
}

/// The application of a record, with the scopes that its jobs have.
///
/// # Errors
/// What is wrong with the record's document.
pub fn application(key: &ApplicationKey, record: &Record) -> Result<Application, Diagnostics> {
    resolved(key, record, &document(key, record)?)
}

fn document(key: &ApplicationKey, record: &Record) -> Result<Node, Diagnostics> {
    oam::from_document(&record.document).map_err(failure::document(key))
}

fn resolved(
    key: &ApplicationKey,
    record: &Record,
    document: &Node,
) -> Result<Application, Diagnostics> {
    let scopes = recorded_scopes(record).map_err(failure::document(key))?;
    oam::parse(&oam::resolve(document, &scopes)).map_err(failure::document(key))
}

/// The scopes that a record's document refers to, as its jobs have them.
fn recorded_scopes(record: &Record) -> Result<BTreeMap<String, Node>, Vec<Problem>> {
    let mut all = BTreeMap::new();
    for (id, properties) in &record.applied_scopes {
        if let Some((definition, _)) = scopes::split(id) {
            all.insert(
                id.clone(),
                oam::scope_from_properties(definition, properties)?,
            );
        }
    }
    Ok(all)
}

/// A job that is gone, where no block can say so.
fn gone(id: &str) -> Value {
    Value::from([
        ("path", id.into()),
        ("recorded", "\"a job\"".into()),
        ("live", "null".into()),
    ])
}

/// The state before, where it says the same as the record: an empty list stays an empty list. The
/// record otherwise.
fn base(recorded: &Node, before: &Value, ty: &Type) -> Value {
    let document = oam::to_document(recorded);
    let says = config::node(before).map(|node| oam::to_document(&node));
    if says.is_ok_and(|says| says == document) {
        return before.clone();
    }
    let mut state = match before.get("manifest") {
        Value::Null => convert::to_value(recorded, ty),
        _ => {
            let mut state = convert::to_value(&Node::Map(BTreeMap::new()), ty);
            set(&mut state, "manifest", manifest(&document));
            for name in ["name", "tenant"] {
                set(
                    &mut state,
                    name,
                    convert::to_value(recorded.get(name), &Type::String),
                );
            }
            state
        }
    };
    set(&mut state, "timeouts", before.get("timeouts").clone());
    convert::complete(&mut state, def::application());
    state
}

/// Puts each difference where it belongs. Answers whether there is any, and the places of those that no
/// attribute stands for.
fn compare(
    translation: &Translation,
    live: &LiveJob,
    ty: &Type,
    state: &mut Value,
    drift: &mut Vec<Value>,
) -> (bool, Vec<String>) {
    let differences = translate::drift::compare(translation, &live.json);
    let by_blocks = state.get("manifest").is_null();
    let mut unowned = Vec::new();
    for difference in &differences {
        tracing::info!(
            job = translation.job.id,
            path = difference.job_path,
            "the live job differs from the recorded application"
        );
        if let Some((path, node)) = difference.attribute.as_ref().filter(|_| by_blocks) {
            convert::put(state, ty, path, node);
            continue;
        }
        unowned.push(difference.job_path.clone());
        match difference.job_path.as_str() {
            // `jobs` says so.
            "Stop" => {}
            _ => drift.push(Value::from([
                (
                    "path",
                    format!("{}/{}", translation.job.id, difference.job_path).into(),
                ),
                ("recorded", text(&difference.recorded)),
                ("live", text(&difference.live)),
            ])),
        }
    }
    (!differences.is_empty(), unowned)
}

fn text(json: &Json) -> Value {
    json.to_string().into()
}

/// What `jobs` says of a live job.
fn job(id: &str, namespace: &str, applied: Option<u64>, live: &LiveJob, changes: &Value) -> Value {
    // Not the live one: an autoscaler makes versions, too, and those are no drift.
    let version = i64::try_from(applied.unwrap_or(live.version)).unwrap_or(i64::MAX);
    Value::from([
        ("id", id.into()),
        ("namespace", namespace.into()),
        ("type", live.kind.as_str().into()),
        ("version", version.into()),
        ("stopped", live.stop.into()),
        ("changes", changes.clone()),
    ])
}

fn remove_component(state: &mut Value, component: &str) {
    if let Some(entries) = state.as_map_mut()
        && let Some(Value::Map(components)) = entries.get_mut("component")
    {
        components.remove(component);
    }
}

fn set(state: &mut Value, name: &str, value: Value) {
    if let Some(entries) = state.as_map_mut() {
        entries.insert(name.to_owned(), value);
    }
}
