//! The revisions of an application: what each apply made of it.
//!
//! `<prefix>/revisions/<tenant>/<name>/<revision>` is written in the transaction that settles the record,
//! so that there is one for each apply that ended well, and none for another. The last few are kept.
//! Where both do not fit into one transaction, the revision is left out: the record goes first.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::SystemTime;

use super::form::{Recorded, decode_as};
use super::{ApplicationKey, FORMAT, Held, Key, Phase, Record, Store, StoreError, Version};
use crate::consul::{Entry, Op};

/// How many revisions are kept, unless the configuration says otherwise.
pub const KEPT: u64 = 10;

/// The most that may be kept.
pub const MOST_KEPT: u64 = 1000;

/// How many of those that are too many go with one apply: more than one comes with it, so that a smaller
/// number to keep is reached in time.
const SWEPT: u64 = 5;

/// What one apply made of an application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Always [`FORMAT`].
    pub format: u32,
    /// Its number, from 1.
    pub revision: u64,
    /// When it was settled, RFC 3339 in UTC.
    pub applied_at: String,
    /// The application as a portable OAM document.
    pub document: Value,
    /// The properties of the scopes that the document refers to, by ID.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub applied_scopes: BTreeMap<String, Value>,
}

impl Store {
    /// How many revisions of each application to keep; [`KEPT`] unless set, and none with 0.
    pub fn with_revisions(mut self, kept: u64) -> Self {
        self.revisions = kept;
        self
    }

    /// As [`Store::settle`], and leaves a revision.
    ///
    /// # Errors
    /// As of [`Store::settle`].
    pub async fn settle_revision(&self, held: Held, record: Record) -> Result<Version, StoreError> {
        let record = record.stamped(Phase::Settled, None);
        let revision = Revision {
            format: FORMAT,
            revision: record.revision,
            applied_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            document: record.document.clone(),
            applied_scopes: record.applied_scopes.clone(),
        };
        let value = serde_json::to_vec(&revision).unwrap_or_default();
        let path = self.revision_path(held.key(), record.revision);
        let last = record.revision.saturating_sub(self.revisions);
        let swept = last.saturating_sub(SWEPT - 1).max(1)..=last;
        let swept: Vec<_> = swept
            .map(|old| self.revision_path(held.key(), old))
            .collect();
        let mut beside = Vec::new();
        if self.revisions > 0 {
            beside.push(Op::Set {
                key: &path,
                value: &value,
            });
        }
        beside.extend(swept.iter().map(|key| Op::Delete { key }));
        self.write_beside(&held, &record, &beside).await
    }

    /// The revisions that are kept, oldest first. One that cannot be read is an error in its place: it can
    /// no longer be gone back to.
    ///
    /// # Errors
    /// [`StoreError::Consul`].
    pub async fn revisions(
        &self,
        key: &ApplicationKey,
    ) -> Result<Vec<Result<Revision, StoreError>>, StoreError> {
        let folder = self.revisions_of(key);
        let entries = self.inner.consul.list(&folder).await?;
        // Keys that are no number (a folder's own key, something deeper) are not ours.
        let mut all: Vec<_> = entries
            .iter()
            .filter_map(|entry| {
                Some((entry.key.strip_prefix(&folder)?.parse::<u64>().ok()?, entry))
            })
            .map(|(number, entry)| (number, read(key, number, entry)))
            .collect();
        all.sort_by_key(|(number, _)| *number);
        Ok(all.into_iter().map(|(_, revision)| revision).collect())
    }

    /// A revision, or `None` where it is not kept.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Newer`], [`StoreError::Consul`].
    pub async fn revision(
        &self,
        key: &ApplicationKey,
        revision: u64,
    ) -> Result<Option<Revision>, StoreError> {
        let path = self.revision_path(key, revision);
        let entry = self.inner.consul.get(&path).await?;
        entry.map(|entry| read(key, revision, &entry)).transpose()
    }

    /// Where the revisions of an application are, with a slash at the end.
    pub(super) fn revisions_of(&self, key: &ApplicationKey) -> String {
        let (tenant, name) = (key.tenant(), key.name());
        format!("{}/revisions/{tenant}/{name}/", self.prefix())
    }

    /// Numbers of one length, so that Consul has them in order.
    fn revision_path(&self, key: &ApplicationKey, revision: u64) -> String {
        format!("{}{revision:010}", self.revisions_of(key))
    }
}

/// Reads the revision of this number in an entry.
fn read(key: &ApplicationKey, revision: u64, entry: &Entry) -> Result<Revision, StoreError> {
    decode_as(
        || Key::Revision(key.clone(), revision),
        &entry.key,
        &entry.value,
    )
}
