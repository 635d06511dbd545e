//! A refresh: the recorded scope, and what has become of its object in Nomad.

use std::collections::BTreeMap;

use super::kind::Kind;
use super::object::{Object, Objects};
use super::private::Private;
use super::{config, failure};
use crate::oam::{self, Node};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::{ReadRequest, ReadResponse};
use crate::protocol::value::{Type, Value};
use crate::provider::{Clients, convert};
use crate::store::{Phase, ScopeKey, ScopeRecord, Stored};

/// Compares a state with the world.
pub async fn read(kind: Kind, clients: &Clients, ty: &Type, request: ReadRequest) -> ReadResponse {
    match refreshed(kind, clients, ty, &request.state).await {
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
    kind: Kind,
    clients: &Clients,
    ty: &Type,
    state: &Value,
) -> Result<(Value, Option<Private>), Diagnostics> {
    let Some(key) = config::key(kind, state) else {
        return Err(vec![Diagnostic::error(
            "State without a name",
            "The state does not say which scope it is of. Remove it and import it again.",
        )]);
    };
    let stored = clients.store.read_scope(&key).await;
    let Some(stored) = stored.map_err(|e| vec![failure::store(&e)])? else {
        tracing::info!(scope = %key, "no record: the scope is gone");
        return Ok((Value::Null, None));
    };
    let state = observe(kind, clients, ty, &key, &stored.record, state).await?;
    Ok((state, Some(Private::of(stored.version))))
}

/// Finds a scope by its name, or by `<kind>/<name>`.
///
/// # Errors
/// Where there is no such scope.
pub async fn import(
    kind: Kind,
    clients: &Clients,
    ty: &Type,
    id: &str,
) -> Result<(Value, Vec<u8>), Diagnostics> {
    let key = key_of(kind, id)?;
    let Stored {
        record, version, ..
    } = find(clients, &key).await?;
    let empty = convert::to_value(&Node::Map(BTreeMap::new()), ty);
    let state = observe(kind, clients, ty, &key, &record, &empty).await?;
    Ok((state, Private::of(version).write()))
}

fn key_of(kind: Kind, id: &str) -> Result<ScopeKey, Diagnostics> {
    let whole = match id.contains('/') {
        true => id.to_owned(),
        false => format!("{}/{id}", kind.scope),
    };
    let unreadable = |reason| vec![Diagnostic::error("Unreadable import ID", reason)];
    let key = ScopeKey::parse(&whole).map_err(unreadable)?;
    if key.kind() != kind.scope {
        return Err(unreadable(format!(
            "{id:?} is a scope of another kind. Write \"NAME\" or \"{}/NAME\" here.",
            kind.scope
        )));
    }
    Ok(key)
}

/// The record of a scope that has to be there.
///
/// # Errors
/// Where it is not.
pub async fn find(clients: &Clients, key: &ScopeKey) -> Result<Stored<ScopeRecord>, Diagnostics> {
    let stored = clients.store.read_scope(key).await;
    let stored = stored.map_err(|e| vec![failure::store(&e)])?;
    stored.ok_or_else(|| vec![failure::no_such(key)])
}

/// The recorded scope in the normal form.
///
/// # Errors
/// Where this version cannot read it.
pub fn recorded(kind: Kind, key: &ScopeKey, record: &ScopeRecord) -> Result<Node, Diagnostics> {
    let node = oam::scope_from_properties(kind.definition, &record.properties);
    node.map_err(|problems| failure::unreadable(key, &problems))
}

/// The state of a recorded scope, given the state so far.
async fn observe(
    kind: Kind,
    clients: &Clients,
    ty: &Type,
    key: &ScopeKey,
    record: &ScopeRecord,
    before: &Value,
) -> Result<Value, Diagnostics> {
    let node = recorded(kind, key, record)?;
    let mut state = before.clone();
    if config::properties(kind, before) != record.properties {
        // A state that says the same in other words, such as an empty list, stays as it is.
        state = convert::to_value(&node, ty);
        if kind.object().is_some() {
            let description = before.get("description").clone();
            set(&mut state, "description", description);
        }
    }
    convert::complete(&mut state, kind.definition.block);
    let revision = i64::try_from(record.revision).unwrap_or(i64::MAX);
    let status = match record.phase {
        Phase::Settled => "settled",
        Phase::Applying | Phase::Destroying => "applying",
    };
    set(&mut state, "name", key.name().into());
    set(&mut state, "id", key.to_string().into());
    set(&mut state, "revision", revision.into());
    set(&mut state, "status", status.into());
    if let Some(objects) = Objects::of(kind, clients, key) {
        // What was never made need not be looked for.
        let made = match record.owns || record.phase != Phase::Settled {
            true => objects.made().await.map_err(|e| vec![failure::nomad(&e)])?,
            false => Vec::new(),
        };
        put_object(&mut state, &objects, &node, &made);
    }
    Ok(state)
}

/// Puts what the scope has made into a state, each difference at its attribute.
fn put_object(state: &mut Value, objects: &Objects<'_>, node: &Node, made: &[Object]) {
    let name = node.get(objects.kind().field()).as_str();
    let own = made.iter().find(|it| Some(it.name()) == name);
    set(state, "create", own.is_some().into());
    if let Some(own) = own {
        text(state, "description", own.description());
        if !node.get("quota").is_null() || !own.quota().is_empty() {
            text(state, "quota", own.quota());
        }
    }
    let left = made.iter().filter(|it| Some(it.name()) != name);
    let left = left.map(|it| it.name().into()).collect();
    set(state, "leaving", Value::List(left));
}

/// An empty text and none are the same in Nomad: which of them it is, is for the state before to say.
fn text(state: &mut Value, name: &str, live: &str) {
    if state.get(name).as_str().unwrap_or_default() != live {
        let value = match live {
            "" => Value::Null,
            live => live.into(),
        };
        set(state, name, value);
    }
}

/// Sets an attribute.
pub fn set(state: &mut Value, name: &str, value: Value) {
    if let Some(entries) = state.as_map_mut() {
        entries.insert(name.to_owned(), value);
    }
}
