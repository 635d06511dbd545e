//! The versions of many records at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::{ApplicationKey, ScopeKey, ScopeRecord, Store, StoreError, Stored, Version, unseen};
use crate::ahead::{Ahead, Look};
use crate::consul;
use crate::http;
use crate::tenants::Domains;

/// Versions by the end of the record's key, `<tenant>/<name>`.
pub(super) type Versions = HashMap<String, Version>;

/// Scopes that were read, one by one.
pub(super) type Scopes = Mutex<BTreeMap<ScopeKey, Arc<Ahead<Stored<ScopeRecord>>>>>;

/// What many plans ask about all tenants, whatever their own.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    names: Ahead<BTreeSet<String>>,
    domains: Ahead<Domains>,
    /// Counts what this process writes of tenants. What it writes of applications, in the same run, says
    /// nothing of them.
    changes: AtomicU64,
}

impl Tenants {
    fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Does what writes tenants or their domains: what was read before it ended is no answer any more.
    pub(super) async fn changing<T>(&self, work: impl Future<Output = T>) -> T {
        let count = || self.changes.fetch_add(1, Ordering::SeqCst);
        count();
        let done = work.await;
        count();
        done
    }
}

/// An entry of Consul's, of which only the digest of the value is kept: the values of thousands of records
/// would be all the memory that there is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    key: String,
    #[serde(default = "nothing", deserialize_with = "digest", rename = "Value")]
    digest: u64,
    modify_index: u64,
}

impl Store {
    /// The version of a record, where a list of all records has it that is not older than
    /// [`crate::ahead`] says. The list has `worth` records at most. `None` says nothing of the record: read
    /// it.
    pub async fn version_ahead(&self, key: &ApplicationKey, worth: usize) -> Option<Version> {
        let consul = &self.inner.consul;
        let root = self.applications();
        let look = || async {
            versions(consul, &root, worth)
                .await
                .unwrap_or_else(|error| {
                    tracing::info!(%error, "the records are not listed: each is read");
                    Look::Refused
                })
        };
        let changes = || consul.changes();
        let list = self.inner.ahead.list(worth, changes, look).await?;
        list.get(&key.to_string()).copied()
    }
}

impl Store {
    /// As [`Store::read_scope`], of what may have been read a moment before, not longer than
    /// [`crate::ahead`] says: many applications of one plan have the same scope.
    ///
    /// # Errors
    /// As of [`Store::read_scope`].
    pub async fn scope_ahead(
        &self,
        key: &ScopeKey,
    ) -> Result<Option<Stored<ScopeRecord>>, StoreError> {
        let scopes = self.inner.scopes_ahead.lock();
        let ahead = Arc::clone(
            scopes
                .unwrap_or_else(PoisonError::into_inner)
                .entry(key.clone())
                .or_default(),
        );
        let look = || async {
            match self.read_scope(key).await {
                Ok(Some(stored)) => Look::Listed(stored),
                _ => Look::Refused,
            }
        };
        let changes = || self.inner.consul.changes();
        match ahead.list(usize::MAX, changes, look).await {
            Some(stored) => Ok(Some((*stored).clone())),
            None => self.read_scope(key).await,
        }
    }
}

impl Store {
    /// The names of all tenants that have a record, also of one that cannot be read. They may have been read
    /// a moment before, not longer than [`crate::ahead`] says: it is for plans, and an apply looks for itself
    /// ([`Store::list_tenants`]).
    ///
    /// # Errors
    /// As of [`Store::list_tenants`].
    pub async fn tenants_ahead(&self) -> Result<Arc<BTreeSet<String>>, StoreError> {
        let tenants = &self.inner.tenants_ahead;
        let look = || async { looked(self.tenant_names().await) };
        let changes = || tenants.changes();
        match tenants.names.list(usize::MAX, changes, look).await {
            Some(names) => Ok(names),
            None => self.tenant_names().await.map(Arc::new),
        }
    }

    /// As [`Store::domains`], and as old as [`Store::tenants_ahead`].
    ///
    /// # Errors
    /// As of [`Store::domains`].
    pub async fn domains_ahead(&self) -> Result<Arc<Domains>, StoreError> {
        let tenants = &self.inner.tenants_ahead;
        let look = || async { looked(self.domains().await) };
        let changes = || tenants.changes();
        match tenants.domains.list(usize::MAX, changes, look).await {
            Some(domains) => Ok(domains),
            None => self.domains().await.map(Arc::new),
        }
    }
}

/// An answer that others may look at. Whoever finds it refused asks again, and says why.
fn looked<T>(answer: Result<T, StoreError>) -> Look<T> {
    answer.map_or(Look::Refused, Look::Listed)
}

async fn versions(
    consul: &consul::Client,
    root: &str,
    worth: usize,
) -> Result<Look<Versions>, http::Error> {
    let keys = consul.keys(root).await?;
    let count = keys.iter().filter(|key| !unseen::may_be_mark(key)).count();
    if count > worth {
        return Ok(Look::TooMany(count));
    }
    let entries = consul.list_as::<Listed>(root).await?;
    let versions = entries.into_iter().filter_map(|entry| {
        let Listed {
            key,
            digest,
            modify_index: index,
        } = entry;
        Some((
            key.strip_prefix(root)?.to_owned(),
            Version { index, digest },
        ))
    });
    Ok(Look::Listed(versions.collect()))
}

fn nothing() -> u64 {
    Version::of(0, &[]).digest
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Base64;

    impl Visitor<'_> for Base64 {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Base64 or null")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            let value = STANDARD.decode(text).map_err(E::custom)?;
            Ok(Version::of(0, &value).digest)
        }

        fn visit_unit<E: Error>(self) -> Result<u64, E> {
            Ok(nothing())
        }
    }

    deserializer.deserialize_any(Base64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_entry_has_the_version_that_its_record_has() {
        let read = |value: &str| -> Listed {
            serde_json::from_str(&format!(r#"{{"Key":"a/b",{value}"ModifyIndex":7}}"#)).unwrap()
        };
        for (json, value) in [
            (r#""Value":"eyJhIjoi/+8=","#, &b"{\"a\":\"\xff\xef"[..]),
            (r#""Value":null,"#, b""),
            (r#""Value":"","#, b""),
            ("", b""),
        ] {
            let listed = read(json);
            let found = (listed.modify_index, listed.digest);
            assert_eq!(found, (7, Version::of(7, value).digest), "{json}");
        }
        let broken = r#"{"Key":"a/b","Value":"%","ModifyIndex":7}"#;
        assert!(serde_json::from_str::<Listed>(broken).is_err());
    }
}
