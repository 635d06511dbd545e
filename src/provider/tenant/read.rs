//! A refresh: the recorded tenant, and what has become of what was made for it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::kind::Kind;
use super::object::{Object, Whose};
use super::objects::{Found, Objects};
use super::{config, enterprise, failure, limits};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::{ReadRequest, ReadResponse};
use crate::protocol::value::Value;
use crate::provider::Clients;
use crate::provider::scope::private::Private;
use crate::store::{Phase, StoreError, Stored, TenantKey, TenantRecord};
use crate::tenants::{Limit, Spaces};

/// Compares a state with the world.
pub async fn read(clients: &Clients, request: ReadRequest) -> ReadResponse {
    match refreshed(clients, &request.state).await {
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
    state: &Value,
) -> Result<(Value, Option<Private>), Diagnostics> {
    let Some(key) = config::key(state) else {
        return Err(vec![Diagnostic::error(
            "State without a name",
            "The state does not say which tenant it is of. Remove it and import it again.",
        )]);
    };
    let stored = clients.store.read_tenant(&key).await;
    let Some(stored) = stored.map_err(|e| vec![failure::store(&e)])? else {
        tracing::info!(tenant = %key, "no record: the tenant is gone");
        return Ok((Value::Null, None));
    };
    let state = observe(clients, &key, &stored.record, state).await;
    let state = state.map_err(|diagnostic| vec![diagnostic])?;
    Ok((state, Some(Private::of(stored.version))))
}

/// Finds a tenant by its name.
///
/// # Errors
/// Where there is no such tenant.
pub async fn import(clients: &Clients, id: &str) -> Result<(Value, Vec<u8>), Diagnostics> {
    let unreadable = |reason| vec![Diagnostic::error("Unreadable import ID", reason)];
    let key = TenantKey::parse(id).map_err(unreadable)?;
    let stored = clients.store.read_tenant(&key).await;
    let stored = stored.map_err(|e| vec![failure::store(&e)])?;
    let Some(Stored {
        record, version, ..
    }) = stored
    else {
        return Err(vec![failure::no_such(&key)]);
    };
    let empty = Value::Map(BTreeMap::new());
    let state = observe(clients, &key, &record, &empty).await;
    let state = state.map_err(|diagnostic| vec![diagnostic])?;
    Ok((state, Private::of(version).write()))
}

/// The state of a recorded tenant, given the state so far.
async fn observe(
    clients: &Clients,
    key: &TenantKey,
    record: &TenantRecord,
    before: &Value,
) -> Result<Value, Diagnostic> {
    let objects = Objects::to_see(clients, record, key.name()).await?;
    let found = objects.find_all().await?;
    let mut state = before.clone();
    for (name, value) in recorded(key, record, before) {
        set(&mut state, name, value);
    }
    let mut drift = Vec::new();
    for (kind, found) in found {
        let (value, differences) = looked_at(&objects, kind, &found);
        if !config::SPACES.contains(&kind) {
            set(&mut state, kind.field(), value);
        }
        drift.extend(differences);
    }
    let limited = limits::drift(&clients.nomad, &objects.aim.names, &record.limits).await;
    let limited = limited.map_err(|error| failure::refused(Kind::Namespace, &error))?;
    let limited = limited.into_iter();
    drift.extend(limited.map(|(path, recorded, live)| difference(&path, &recorded, &live)));
    let has_quotas = clients.nomad.is_enterprise().await;
    if has_quotas.map_err(|error| failure::refused(Kind::Namespace, &error))? {
        let names = &objects.aim.names;
        let found = enterprise::differences(&clients.nomad, names, &record.quotas).await?;
        let found = found.into_iter();
        drift.extend(found.map(|(path, recorded, live)| difference(&path, &recorded, &live)));
    }
    drift.extend(understated(clients, key, record).await?);
    set(&mut state, "drift", Value::List(drift));
    let names = &objects.aim.names;
    let secrets = objects.aim.vault.as_ref();
    let secrets = secrets.map(|vault| names.secrets(&vault.mount));
    set(&mut state, "service_prefix", names.service_prefix().into());
    set(&mut state, "key_prefix", names.key_prefix().into());
    set(
        &mut state,
        "secrets_path",
        secrets.map_or(Value::Null, Value::from),
    );
    Ok(state)
}

/// What the record says, as attributes. A state that says the same in other words, such as an empty
/// block, stays as it is.
pub fn recorded(
    key: &TenantKey,
    record: &TenantRecord,
    before: &Value,
) -> Vec<(&'static str, Value)> {
    let quotas = match config::quotas(before) == record.quotas {
        true => before.get("quotas").clone(),
        false => config::quotas_value(&record.quotas),
    };
    let status = match record.phase {
        Phase::Settled => "settled",
        Phase::Applying | Phase::Destroying => "applying",
    };
    let domain = record.domain.as_deref();
    let space = |kind: Kind, name: &Option<String>| match name {
        Some(name) => name.as_str().into(),
        // None, in either way of saying so.
        None if before.get(kind.field()).as_str() == Some("") => "".into(),
        None => Value::Null,
    };
    let Spaces { consul, vault } = &record.namespaces;
    let mut all = vec![
        ("name", key.name().into()),
        ("display_name", record.display_name.as_str().into()),
        ("domain", domain.map_or(Value::Null, Value::from)),
        ("quotas", quotas),
        ("active", record.active.into()),
        ("consul_namespace", space(Kind::ConsulNamespace, consul)),
        ("vault_namespace", space(Kind::VaultNamespace, vault)),
        ("id", record.id.as_str().into()),
        ("created_at", record.created_at.as_str().into()),
        ("updated_at", record.updated_at.as_str().into()),
        (
            "revision",
            i64::try_from(record.revision).unwrap_or(i64::MAX).into(),
        ),
        ("status", status.into()),
    ];
    let limits = Limit::ALL.map(|it| (it.attribute(), config::limit_value(&record.limits, it)));
    all.extend(limits);
    all
}

/// The attribute of one kind of thing, and its differences from what it should be.
fn looked_at(objects: &Objects<'_>, kind: Kind, found: &Found) -> (Value, Vec<Value>) {
    let aim = &objects.aim;
    let (field, name) = (kind.field(), aim.name(kind));
    let one = |path: String, recorded: Json, live: Json| difference(&path, &recorded, &live);
    match (found, aim.wanted(kind)) {
        (Found::Off, _) | (Found::Absent, None) => (Value::Null, Vec::new()),
        (Found::Absent, Some(_)) => {
            let all = vec![one(field.to_owned(), name.into(), Json::Null)];
            (Value::Null, all)
        }
        (Found::There(live), None) => match live.whose(&aim.names) {
            Whose::Ours => (
                name.as_str().into(),
                vec![one(field.to_owned(), Json::Null, name.into())],
            ),
            Whose::Nobodys | Whose::Anothers(_) => (Value::Null, Vec::new()),
        },
        (Found::There(live), Some(wanted)) => {
            let differences = live.differences(&wanted).into_iter();
            let all = differences
                .map(|(place, wanted, live)| one(format!("{field}.{place}"), wanted, live));
            (attribute(live, objects, &name), all.collect())
        }
    }
}

/// What the ledger of the tenant's usage says too little of. Only quotas rest on it, so that it is looked
/// at where there are any: three requests.
async fn understated(
    clients: &Clients,
    key: &TenantKey,
    record: &TenantRecord,
) -> Result<Vec<Value>, Diagnostic> {
    if record.quotas.is_unlimited() {
        return Ok(Vec::new());
    }
    let found = match clients.store.understated(key).await {
        Ok(found) => found,
        // Its own applications cannot be applied then, and are told why.
        Err(error @ StoreError::NewerLedger { .. }) => {
            tracing::warn!(tenant = %key, %error, "the usage is not compared");
            return Ok(Vec::new());
        }
        Err(error) => return Err(failure::store(&error)),
    };
    let each = found.into_iter().map(|(application, (recorded, ledger))| {
        let path = format!("usage[{application:?}]");
        difference(
            &path,
            &serde_json::json!(recorded),
            &serde_json::json!(ledger),
        )
    });
    Ok(each.collect())
}

/// The name of what is there, unless it is another's.
fn attribute(live: &Object, objects: &Objects<'_>, name: &str) -> Value {
    match live.whose(&objects.aim.names) {
        Whose::Ours | Whose::Nobodys => name.into(),
        Whose::Anothers(_) => Value::Null,
    }
}

fn difference(path: &str, recorded: &Json, live: &Json) -> Value {
    Value::from([
        ("path", path.into()),
        ("recorded", recorded.to_string().into()),
        ("live", live.to_string().into()),
    ])
}

/// Sets an attribute.
pub fn set(state: &mut Value, name: &str, value: Value) {
    if let Some(entries) = state.as_map_mut() {
        entries.insert(name.to_owned(), value);
    }
}
