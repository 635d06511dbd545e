//! A refresh: the recorded application, with each difference of the live jobs at the attribute
//! that stands for it.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde_json::Value as Json;

use super::config;
use super::private::{Private, Seen};
use super::{failure, purge};
use crate::nomad::LiveJob;
use crate::oam::{self, Node, def};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::{ReadRequest, ReadResponse};
use crate::protocol::value::{Type, Value};
use crate::provider::{Clients, convert};
use crate::store::{ApplicationKey, Phase, Stored};
use crate::translate::{self, Translation};

/// Compares a state with the world.
pub async fn read(clients: &Clients, ty: &Type, request: ReadRequest) -> ReadResponse {
    match refreshed(clients, ty, &request).await {
        Ok((state, private)) => ReadResponse {
            state,
            private: private.map(|private| private.write()).unwrap_or_default(),
            diagnostics: Vec::new(),
        },
        Err(diagnostics) => ReadResponse {
            state: request.state,
            private: request.private,
            diagnostics,
        },
    }
}

async fn refreshed(
    clients: &Clients,
    ty: &Type,
    request: &ReadRequest,
) -> Result<(Value, Option<Private>), Diagnostics> {
    let Some(key) = config::key(&request.state) else {
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
    let (state, private) = observe(clients, ty, &key, &stored, &request.state).await?;
    Ok((state, Some(private)))
}

/// Finds an application by `<tenant>/<name>`, or by its name where it has no tenant.
///
/// # Errors
/// Where there is no such application.
pub async fn import(
    clients: &Clients,
    ty: &Type,
    id: &str,
) -> Result<(Value, Vec<u8>), Diagnostics> {
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
    let empty = convert::to_value(&Node::Map(BTreeMap::new()), ty);
    let (state, private) = observe(clients, ty, &key, &stored, &empty).await?;
    Ok((state, private.write()))
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
    let recorded = oam::from_document(&record.document).map_err(failure::document(key))?;
    let application = oam::parse(&recorded).map_err(failure::document(key))?;
    let target = config::target(clients, key.tenant());
    let translations = translate::translate(&application, &target);

    let live = translations.iter().map(|translation| async {
        clients
            .nomad
            .job(&target.namespace, &translation.job.id)
            .await
    });
    let live = try_join_all(live)
        .await
        .map_err(|e| vec![failure::nomad(&e)])?;

    let mut state = base(&recorded, before, ty);
    let mut private = Private {
        record: Some(stored.version.to_string()),
        jobs: BTreeMap::new(),
    };
    let mut jobs = BTreeMap::new();
    let mut drift = Vec::new();
    let applied = |component: &str| record.jobs.get(component).and_then(|job| job.version);
    for (translation, live) in translations.iter().zip(live) {
        let component = &translation.component;
        let Some(live) = live else {
            tracing::info!(job = translation.job.id, "the job is gone");
            remove_component(&mut state, component);
            continue;
        };
        let drifted = compare(translation, &live, ty, &mut state, &mut drift);
        let seen = Seen {
            index: live.job_modify_index,
            drifted,
            scaled: translate::drift::scaled_count(translation, &live.json),
        };
        private.jobs.insert(component.clone(), seen);
        jobs.insert(
            component.clone(),
            job(
                &translation.job.id,
                &target.namespace,
                applied(component),
                &live,
            ),
        );
    }
    for (component, left) in &record.jobs {
        if translations
            .iter()
            .any(|translation| translation.component == *component)
        {
            continue;
        }
        // Only an interrupted apply leaves a job that was to be purged: it shows, and the next
        // apply purges it.
        let live = clients.nomad.job(&left.namespace, &left.id).await;
        if let Some(live) = live.map_err(|e| vec![failure::nomad(&e)])?
            && purge::is_ours(&live, key)
        {
            jobs.insert(
                component.clone(),
                job(&left.id, &left.namespace, left.version, &live),
            );
        }
    }
    let status = match record.phase {
        Phase::Settled => "settled",
        Phase::Applying | Phase::Destroying => "applying",
    };
    set(&mut state, "id", key.to_string().into());
    set(
        &mut state,
        "revision",
        Value::from(i64::try_from(record.revision).unwrap_or(i64::MAX)),
    );
    set(&mut state, "status", status.into());
    set(&mut state, "jobs", Value::Map(jobs));
    set(&mut state, "drift", Value::List(drift));
    Ok((state, private))
}

/// The state before, where it says the same as the record: an empty list stays an empty list. The
/// record otherwise.
fn base(recorded: &Node, before: &Value, ty: &Type) -> Value {
    let says = oam::to_document(&config::node(before));
    if says == oam::to_document(recorded) {
        return before.clone();
    }
    let mut state = convert::to_value(recorded, ty);
    set(&mut state, "timeouts", before.get("timeouts").clone());
    convert::complete(&mut state, def::application());
    state
}

/// Puts each difference where it belongs. Answers whether there is any.
fn compare(
    translation: &Translation,
    live: &LiveJob,
    ty: &Type,
    state: &mut Value,
    drift: &mut Vec<Value>,
) -> bool {
    let differences = translate::drift::compare(translation, &live.json);
    for difference in &differences {
        tracing::info!(
            job = translation.job.id,
            path = difference.job_path,
            "the live job differs from the recorded application"
        );
        match &difference.attribute {
            Some((path, node)) => convert::put(state, ty, path, node),
            // `jobs` says so.
            None if difference.job_path == "Stop" => {}
            None => drift.push(Value::from([
                (
                    "path",
                    format!("{}/{}", translation.job.id, difference.job_path).into(),
                ),
                ("recorded", text(&difference.recorded)),
                ("live", text(&difference.live)),
            ])),
        }
    }
    !differences.is_empty()
}

fn text(json: &Json) -> Value {
    json.to_string().into()
}

/// What `jobs` says of a live job.
fn job(id: &str, namespace: &str, applied: Option<u64>, live: &LiveJob) -> Value {
    // Not the live one: an autoscaler makes versions, too, and those are no drift.
    let version = i64::try_from(applied.unwrap_or(live.version)).unwrap_or(i64::MAX);
    Value::from([
        ("id", id.into()),
        ("namespace", namespace.into()),
        ("type", live.kind.as_str().into()),
        ("version", version.into()),
        ("stopped", live.stop.into()),
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
