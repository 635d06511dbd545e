//! The records of scopes: what is used is there, and what is in use is not removed.
//!
//! Each test has a key prefix of its own, since a removal looks at all applications under it.

mod records;
mod usage;

use oam_provider::store::{
    ApplicationKey, Expect, FORMAT, Held, Phase, Record, ScopeKey, ScopeKind, ScopeRecord, Store,
    StoreError, Version,
};
use serde_json::json;

use super::consul_at;
use super::store::record;
use super::support::servers;

pub fn store(prefix: &str) -> Store {
    store_at(&servers().consul.address, prefix)
}

pub fn store_at(address: &str, prefix: &str) -> Store {
    Store::new(consul_at(address), &format!("scopes/{prefix}")).unwrap()
}

pub fn scope(name: &str) -> ScopeKey {
    ScopeKey::new(ScopeKind::Namespace, name)
}

pub fn properties(revision: u64, text: &str) -> ScopeRecord {
    ScopeRecord {
        format: FORMAT,
        revision,
        phase: Phase::Applying,
        properties: json!({ "text": text }),
        owns: true,
        making: None,
        operation: None,
    }
}

pub async fn made(store: &Store, key: &ScopeKey) -> Version {
    let held = store
        .begin_scope(key, Expect::Absent, properties(1, "one"))
        .await
        .unwrap();
    store.settle(held, properties(1, "one")).await.unwrap()
}

pub async fn phase(store: &Store, key: &ScopeKey) -> Option<(Phase, bool)> {
    let found = store.read_scope(key).await.unwrap()?;
    Some((found.record.phase, found.locked))
}

pub fn app(name: &str) -> ApplicationKey {
    ApplicationKey::new(None, name)
}

/// An application in these scopes.
pub fn using(revision: u64, phase: Phase, scopes: &[&ScopeKey]) -> Record {
    let scopes: Vec<_> = scopes
        .iter()
        .map(
            |key| json!({ "scopeRef": { "kind": key.kind().document_kind(), "name": key.name() } }),
        )
        .collect();
    Record {
        document: json!({ "kind": "Application", "spec": { "scopes": scopes } }),
        ..record(revision, phase, "")
    }
}

pub async fn begin(
    store: &Store,
    name: &str,
    scopes: &[(ScopeKey, Version)],
) -> Result<Held, StoreError> {
    let keys: Vec<_> = scopes.iter().map(|(key, _)| key).collect();
    let intent = using(1, Phase::Applying, &keys);
    store
        .begin(&app(name), Expect::Absent, intent, scopes)
        .await
}

/// An application that uses the scope, settled.
pub async fn settled(store: &Store, name: &str, scope: &ScopeKey) -> Version {
    let version = store.read_scope(scope).await.unwrap().unwrap().version;
    let held = begin(store, name, &[(scope.clone(), version)])
        .await
        .unwrap();
    let record = using(1, Phase::Settled, &[scope]);
    store.settle(held, record).await.unwrap()
}

/// Lets an operation end as its process' death does.
pub async fn crash(store: Store) {
    store.close().await;
}

pub fn in_use(error: &StoreError) -> Vec<String> {
    match error {
        StoreError::InUse { applications, .. } => {
            applications.iter().map(ToString::to_string).collect()
        }
        other => panic!("{other:?}"),
    }
}

pub async fn removed(store: &Store, key: &ScopeKey, version: Version) -> Result<(), StoreError> {
    let removal = store.begin_scope_removal(key, version).await?;
    store.remove_scope(removal).await
}
