//! Jobs that come from Nomad's own provider: a state of its `nomad_job` becomes one of an application
//! that is still to be applied.
//!
//! A job's ID does not tell where the application's name ends and the component's begins, so the moved
//! state has no name and its identity is still open. Beside it stands which job to adopt
//! ([`Private::adopt`]). The refresh leaves such a state alone. The plan is that of a creation, but of the
//! job in question: that one is looked at, and may be changed if it is as the plan has seen it. The apply
//! writes the first record, and from then on the job is like any other. Whatever ends an apply before
//! that leaves the state as it was, and the record, if there is one, as that of an interrupted creation.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::failure;
use super::private::{Adopt, Private, Seen};
use crate::oam::{Node, def};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::MoveRequest;
use crate::protocol::value::{Type, Value};
use crate::provider::{Clients, convert};
use crate::store::{ApplicationKey, Phase, StoreError};
use crate::translate;

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
    let private = Private {
        adopt: Some(Adopt {
            namespace: text("namespace").unwrap_or("default").to_owned(),
            id: id.to_owned(),
        }),
        ..Private::default()
    };
    let mut state = convert::to_value(&Node::Map(BTreeMap::new()), ty);
    convert::complete(&mut state, def::application());
    Ok(Some((state, private.write())))
}

/// Looks at the job to adopt, which must be one of `jobs` (as of the state's attribute of that name), and
/// notes it as seen. Answers with warnings.
///
/// # Errors
/// Where the job cannot become this application's.
pub async fn look(
    clients: &Clients,
    application: &ApplicationKey,
    jobs: &Value,
    private: &mut Private,
) -> Result<Diagnostics, Diagnostic> {
    let (Some(adopt), Some(jobs)) = (private.adopt.clone(), jobs.as_map()) else {
        return Ok(Vec::new());
    };
    let is_it = |key: &str, job: &Value| {
        let (_, cluster) = translate::split_key(key);
        let namespace = job.get("namespace");
        cluster.is_none()
            && job.get("id").as_str() == Some(&adopt.id)
            && (namespace.is_unknown() || namespace.as_str() == Some(&adopt.namespace))
    };
    let Some((key, job)) = jobs.iter().find(|(key, job)| is_it(key, job)) else {
        let jobs = jobs.values().filter_map(|job| {
            let id = job.get("id").as_str()?;
            let namespace = job.get("namespace").as_str().unwrap_or("?");
            Some(format!("{id} in {namespace}"))
        });
        return Err(failure::not_adopted(&adopt, &jobs.collect::<Vec<_>>()));
    };
    let stored = clients.store.read(application).await;
    let stored = stored.map_err(|error| failure::store(&error))?;
    if let Some(stored) = stored.filter(|stored| stored.record.phase == Phase::Settled) {
        return Err(failure::store(&StoreError::Exists {
            key: application.clone().into(),
            phase: stored.record.phase,
        }));
    }
    let live = clients.nomad.job(&adopt.namespace, &adopt.id).await;
    let Some(live) = live.map_err(|error| failure::nomad(&error))? else {
        return Ok(vec![failure::nothing_to_adopt(&adopt)]);
    };
    let owner = live.meta.get(translate::META_APPLICATION);
    if let Some(owner) = owner.filter(|owner| **owner != application.to_string()) {
        return Err(failure::adopted_by_another(&adopt, owner));
    }
    if let Some(kind) = job.get("type").as_str().filter(|kind| *kind != live.kind) {
        return Err(failure::adopted_of_another_type(&adopt, kind, &live.kind));
    }
    let seen = Seen {
        index: live.job_modify_index,
        // Nobody knows yet that it is as it should be.
        drifted: true,
        kind: None,
        scaled: None,
    };
    private.jobs.insert(key.clone(), seen);
    Ok(Vec::new())
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
        let adopt = Private::read(&private).adopt.unwrap();
        assert_eq!((&*adopt.namespace, &*adopt.id), ("acme", "shop-web"));
        for state in ["", "{", "{}", r#"{"id":""}"#, r#"{"id":1}"#, "[]"] {
            assert!(moved(&request(nomad, "nomad_job", state), &ty).is_err());
        }
    }
}
