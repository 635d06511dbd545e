//! Jobs that no application has yet, and that one takes over as they run: a state of `nomad_job`, of
//! Nomad's own provider, moves here, or jobs are imported by their IDs.
//!
//! A job's ID does not tell where the application's name ends and the component's begins, so such a state
//! has no name ([`is_open`]) and its identity is still open. Its `jobs` say which to adopt. The refresh leaves
//! it at that, and notes how it has found the jobs ([`Private::adopt`]). The plan is that of a creation, but of
//! the jobs in question: it says what would change in them, and each may be changed if it is as the refresh
//! has seen it. The apply writes the first record, and from then on a job is like any other. Whatever ends an
//! apply before that leaves the state as it was (where the provider is killed, without what was noted beside
//! it), and the record, if there is one, as that of an interrupted creation.
//!
//! An attribute of the application could not do that: to an object that is new, Terraform hands on nothing from
//! the plan to the apply (it plans once more), so that nobody would see that a job has changed in between.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::failure;
use super::private::{Adopt, Private, Seen};
use crate::nomad::LiveJob;
use crate::nomad::job::Job;
use crate::oam::{Node, def};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::MoveRequest;
use crate::protocol::value::{Type, Value};
use crate::provider::{Clients, convert};
use crate::store::{ApplicationKey, Phase, StoreError};
use crate::translate;

/// What an import ID of jobs begins with. No tenant's name has a colon.
const SCHEME: &str = "nomad:";

/// The state for a `nomad_job`'s; `None` for any other. The ID of such a resource is the job's
/// (`nomad/resource_job.go` of <https://github.com/hashicorp/terraform-provider-nomad>).
///
/// # Errors
/// Where the state names no job.
pub fn moved(request: &MoveRequest, ty: &Type) -> Result<Option<(Value, Vec<u8>)>, Diagnostics> {
    if request.type_name != "nomad_job" || !request.provider.ends_with("/hashicorp/nomad") {
        return Ok(None);
    }
    let source: Json = serde_json::from_slice(&request.state).unwrap_or_default();
    let text = |name: &str| source[name].as_str().filter(|text| !text.is_empty());
    let Some(id) = text("id") else {
        return Err(vec![Diagnostic::error(
            "Unreadable state",
            "The state of the nomad_job that is to be moved names no job. Remove the `moved` block.",
        )]);
    };
    let namespace = text("namespace").unwrap_or("default");
    Ok(Some((open(ty, &[adopt(namespace, id)]), Vec::new())))
}

/// The state for the jobs that an import ID names: `nomad:<namespace>/<job>`, and further jobs after commas.
/// `None` for the ID of an application.
///
/// # Errors
/// Where the ID names no job.
pub fn imported(id: &str, ty: &Type) -> Result<Option<(Value, Vec<u8>)>, Diagnostics> {
    let Some(jobs) = id.strip_prefix(SCHEME) else {
        return Ok(None);
    };
    let named = jobs.split_once('/').map(|(namespace, ids)| {
        let jobs = ids.split(',').map(|id| adopt(namespace, id.trim()));
        jobs.collect::<Vec<_>>()
    });
    let whole = |job: &Adopt| !job.namespace.is_empty() && !job.id.is_empty();
    match named.filter(|jobs| jobs.iter().all(whole)) {
        Some(jobs) => Ok(Some((open(ty, &jobs), Vec::new()))),
        None => Err(vec![Diagnostic::error(
            "Unreadable import ID",
            format!(
                "{id:?} names no job. Write `nomad:<namespace>/<job>`, with further jobs of the same \
                 namespace after commas, or the application's `<tenant>/<name>`."
            ),
        )]),
    }
}

fn adopt(namespace: &str, id: &str) -> Adopt {
    Adopt {
        namespace: namespace.to_owned(),
        id: id.to_owned(),
        index: None,
    }
}

/// The state of an application that nobody has named yet.
fn open(ty: &Type, adopt: &[Adopt]) -> Value {
    let mut state = convert::to_value(&Node::Map(BTreeMap::new()), ty);
    convert::complete(&mut state, def::application());
    let jobs = adopt.iter().map(|job| (key(job), entry(job, None)));
    if let Some(entries) = state.as_map_mut() {
        entries.insert("jobs".to_owned(), Value::Map(jobs.collect()));
    }
    state
}

/// The key in `jobs` of one that is to be adopted: no component has such a name.
fn key(job: &Adopt) -> String {
    let Adopt { namespace, id, .. } = job;
    format!("{SCHEME}{namespace}/{id}")
}

fn entry(job: &Adopt, live: Option<&LiveJob>) -> Value {
    let version = live.and_then(|live| i64::try_from(live.version).ok());
    Value::from([
        ("id", job.id.as_str().into()),
        ("namespace", job.namespace.as_str().into()),
        (
            "type",
            live.map_or(Value::Null, |live| live.kind.as_str().into()),
        ),
        ("version", version.map_or(Value::Null, Value::from)),
        ("stopped", live.map_or(Value::Null, |live| live.stop.into())),
        ("changes", Value::Null),
    ])
}

/// Whether a state is of jobs that are still to be adopted.
pub fn is_open(state: &Value) -> bool {
    !state.is_null() && state.get("name").is_null()
}

/// The jobs to adopt of a state, with what the refresh has noted of them.
pub fn jobs(state: &Value, private: &Private) -> Vec<Adopt> {
    if !is_open(state) {
        return Vec::new();
    }
    let jobs = state.get("jobs").as_map().into_iter().flatten();
    let jobs = jobs.filter_map(|(_, job)| {
        let wanted = adopt(job.get("namespace").as_str()?, job.get("id").as_str()?);
        let noted = private
            .adopt
            .iter()
            .find(|noted| key(noted) == key(&wanted));
        Some(noted.cloned().unwrap_or(wanted))
    });
    jobs.collect()
}

/// The state and what to keep beside it, with the jobs to adopt as they are found.
///
/// # Errors
/// Where Nomad cannot be asked.
pub async fn refresh(clients: &Clients, state: &Value) -> Result<(Value, Private), Diagnostic> {
    let mut private = Private::default();
    let mut entries = BTreeMap::new();
    for mut job in jobs(state, &private) {
        let live = clients.nomad.job(&job.namespace, &job.id).await;
        let live = live.map_err(|error| failure::nomad(&error))?;
        job.index = Some(index(live.as_ref()));
        entries.insert(key(&job), entry(&job, live.as_ref()));
        private.adopt.push(job);
    }
    let mut state = state.clone();
    if let Some(attributes) = state.as_map_mut() {
        attributes.insert("jobs".to_owned(), Value::Map(entries));
    }
    Ok((state, private))
}

fn index(live: Option<&LiveJob>) -> u64 {
    live.map_or(0, |live| live.job_modify_index)
}

/// Looks at the jobs to adopt, which must be among the `jobs` that are planned (as of the state's attribute of
/// that name), and notes them as seen. What changes in them is put into `jobs`, for those of `changed`. Answers with warnings.
///
/// # Errors
/// Where a job cannot become this application's, or is not as the refresh has seen it.
pub async fn look(
    clients: &Clients,
    application: &ApplicationKey,
    adopt: &[Adopt],
    jobs: &mut Value,
    changed: &[(String, Job)],
    private: &mut Private,
) -> Result<Diagnostics, Diagnostic> {
    let Some(entries) = jobs.as_map_mut() else {
        return Ok(Vec::new());
    };
    let stored = clients.store.read(application).await;
    let stored = stored.map_err(|error| failure::store(&error))?;
    let mut warnings = Vec::new();
    for adopt in adopt {
        let is_it = |key: &str, job: &Value| {
            let (_, cluster) = translate::split_key(key);
            let namespace = job.get("namespace");
            cluster.is_none()
                && job.get("id").as_str() == Some(&adopt.id)
                && (namespace.is_unknown() || namespace.as_str() == Some(&adopt.namespace))
        };
        let Some(key) = entries
            .iter()
            .find_map(|(key, job)| is_it(key, job).then(|| key.clone()))
        else {
            let jobs = entries.values().filter_map(|job| {
                let id = job.get("id").as_str()?;
                let namespace = job.get("namespace").as_str().unwrap_or("?");
                Some(format!("{id} in {namespace}"))
            });
            return Err(failure::not_adopted(adopt, &jobs.collect::<Vec<_>>()));
        };
        if let Some(stored) = &stored
            && stored.record.phase == Phase::Settled
        {
            return Err(failure::store(&StoreError::Exists {
                key: application.clone().into(),
                phase: stored.record.phase,
            }));
        }
        let live = clients.nomad.job(&adopt.namespace, &adopt.id).await;
        let live = live.map_err(|error| failure::nomad(&error))?;
        match adopt.index {
            None => return Err(failure::not_looked_at(adopt)),
            Some(seen) if seen != index(live.as_ref()) => {
                return Err(failure::job_changed(&adopt.id));
            }
            Some(_) => {}
        }
        let Some(live) = live else {
            warnings.push(failure::nothing_to_adopt(adopt));
            continue;
        };
        let owner = live.meta.get(translate::META_APPLICATION);
        if let Some(owner) = owner.filter(|owner| **owner != application.to_string()) {
            return Err(failure::adopted_by_another(adopt, owner));
        }
        let kind = entries.get(&key).and_then(|job| job.get("type").as_str());
        if let Some(kind) = kind.filter(|kind| *kind != live.kind) {
            return Err(failure::adopted_of_another_type(adopt, kind, &live.kind));
        }
        let next = changed.iter().find(|(changed, _)| *changed == key);
        if let Some((_, job)) = next {
            let (ours, theirs) = (job.periodic.is_some(), !live.json["Periodic"].is_null());
            if ours != theirs {
                let called = |periodic| if periodic { "periodic" } else { "not periodic" };
                let (ours, theirs) = (called(ours), called(theirs));
                return Err(failure::adopted_of_another_type(adopt, ours, theirs));
            }
            let changes = translate::drift::changes_of_live(&live.json, job);
            let changes = changes.into_iter().map(Value::String).collect();
            if let Some(entry) = entries.get_mut(&key).and_then(Value::as_map_mut) {
                entry.insert("changes".to_owned(), Value::List(changes));
            }
        }
        let seen = Seen {
            index: live.job_modify_index,
            // Nobody knows yet that it is as it should be.
            drifted: true,
            ..Seen::default()
        };
        private.jobs.insert(key, seen);
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::provider::application::schema::schema;

    fn request(provider: &str, type_name: &str, state: &str) -> MoveRequest {
        MoveRequest {
            provider: provider.to_owned(),
            type_name: type_name.to_owned(),
            version: 0,
            state: state.as_bytes().to_vec(),
            private: Vec::new(),
            identity: Vec::new(),
        }
    }

    #[test]
    fn only_jobs_of_nomads_provider_are_moved() {
        let ty = schema().implied_type();
        let state = r#"{"id":"shop-web","namespace":"acme","jobspec":"job {}"}"#;
        let nomad = "example.com/hashicorp/nomad";
        for (provider, type_name) in [
            (nomad, "nomad_volume"),
            ("example.com/other/nomad", "nomad_job"),
        ] {
            let request = request(provider, type_name, state);
            assert_eq!(moved(&request, &ty).unwrap(), None, "{provider}");
        }
        let (value, private) = moved(&request(nomad, "nomad_job", state), &ty)
            .unwrap()
            .unwrap();
        assert!(value.is_wholly_known());
        assert_eq!(value.get("name"), &Value::Null);
        assert_eq!(value.get("component"), &Value::Map(BTreeMap::new()));
        assert!(private.is_empty() && is_open(&value));
        let found = jobs(&value, &Private::default());
        assert_eq!(found, [adopt("acme", "shop-web")]);
        for state in ["", "{", "{}", r#"{"id":""}"#, r#"{"id":1}"#, "[]"] {
            assert!(moved(&request(nomad, "nomad_job", state), &ty).is_err());
        }
    }

    #[test]
    fn an_import_id_names_jobs_or_an_application() {
        let ty = schema().implied_type();
        let jobs = |id: &str| {
            let found = imported(id, &ty).unwrap();
            found.map(|(state, _)| jobs(&state, &Private::default()))
        };
        assert_eq!(jobs("shop"), None);
        assert_eq!(jobs("nomad/shop"), None);
        let web = adopt("acme", "shop-web");
        assert_eq!(jobs("nomad:acme/shop-web"), Some(vec![web.clone()]));
        let both = vec![adopt("acme", "shop-db"), web];
        assert_eq!(jobs("nomad:acme/shop-web, shop-db"), Some(both));
        for id in [
            "nomad:",
            "nomad:shop-web",
            "nomad:/a",
            "nomad:a/",
            "nomad:a/b,",
        ] {
            assert!(imported(id, &ty).is_err(), "{id}");
        }
    }
}
