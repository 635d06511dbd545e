//! What all records have in common: a format, a phase, who is at it, and their form in Consul.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::usage::Measure;
use super::{ApplicationKey, Key, StoreError, Version};
use crate::consul::Entry;
use crate::tenants::Usage;

/// The record format this provider writes. Records of a higher one are never touched.
pub const FORMAT: u32 = 1;

/// A kind of record that operations work on under a lock.
pub trait Recorded: Clone + fmt::Debug + Serialize + DeserializeOwned {
    /// What tells one record of this kind from another. It is displayed as the end of its path.
    type Key: Clone + fmt::Debug + fmt::Display + Into<Key>;

    /// The folder of these records, below the prefix.
    const FOLDER: &'static str;

    /// Whether [`Recorded::following`] looks at the record before.
    const FOLLOWS: bool;

    /// Counts the changes, from 1.
    fn revision(&self) -> u64;

    /// What is happening.
    fn phase(&self) -> Phase;

    /// Who is at it.
    fn operation(&self) -> Option<&Operation>;

    /// The same in this provider's format, in this phase and of this operation.
    fn stamped(self, phase: Phase, operation: Option<Operation>) -> Self;

    /// The same, with what has to be kept in mind of the record before.
    ///
    /// # Errors
    /// What is wrong with the record before.
    fn following(self, before: &Self) -> Result<Self, String>;

    /// Whether a creation may take this over, as something that was interrupted.
    fn adoptable(&self) -> bool;

    /// Whether the two are to make the same thing.
    fn is_like(&self, other: &Self) -> bool;

    /// The application whose tenant has a ledger in which this is, where it is that of one.
    fn account(_: &Self::Key) -> Option<&ApplicationKey> {
        None
    }

    /// What is reserved for it of its tenant's quotas.
    fn reserved(&self) -> Option<Usage> {
        None
    }

    /// The same with what is reserved for it, where it does not say so itself.
    fn measured(self, _: &Self::Key, _: Option<&Measure>) -> Self {
        self
    }
}

/// What is happening to an application or a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Nomad is being made what the record says.
    Applying,
    /// Nomad is what the record says.
    Settled,
    /// What there is in Nomad is being taken away.
    Destroying,
}

/// `applying`, `settled` or `destroying`.
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Applying => "applying",
            Phase::Settled => "settled",
            Phase::Destroying => "destroying",
        })
    }
}

/// One apply or destroy: who does it, since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Unique: the Consul session's ID and a count.
    pub id: String,
    /// Start, RFC 3339 in UTC.
    pub started_at: String,
    /// Host name of the machine that does it, where known.
    pub host: String,
    /// Process ID on that machine.
    pub pid: u32,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.is_empty() {
            "an unknown host"
        } else {
            &self.host
        };
        write!(
            f,
            "process {} on {host}, since {}",
            self.pid, self.started_at
        )
    }
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<R = super::Record> {
    /// The record.
    pub record: R,
    /// Which state of the record this is; what [`super::Expect::Version`] takes.
    pub version: Version,
    /// Whether some operation holds its lock now.
    pub locked: bool,
}

/// Reads the record in an entry.
pub(super) fn stored<R: Recorded>(key: &R::Key, entry: &Entry) -> Result<Stored<R>, StoreError> {
    Ok(Stored {
        record: decode(key, &entry.key, &entry.value)?,
        version: Version::of(entry.modify_index, &entry.value),
        locked: entry.session.is_some(),
    })
}

/// The value in Consul: JSON with its keys in a fixed order.
pub(super) fn encode<R: Recorded>(record: &R) -> Vec<u8> {
    // These types cannot fail to become JSON; an empty value would be refused as corrupt when read.
    serde_json::to_vec(record).unwrap_or_default()
}

/// How much of what is wrong with a value is said: it may have all of the value in it.
const REASON: usize = 200;

/// Reads a record.
pub(super) fn decode<R: Recorded>(key: &R::Key, path: &str, value: &[u8]) -> Result<R, StoreError> {
    decode_as(|| key.clone().into(), path, value)
}

/// Reads a value of this form. The format is looked at first, so that a newer one is not called corrupt.
pub(super) fn decode_as<T: DeserializeOwned>(
    key: impl Fn() -> Key,
    path: &str,
    value: &[u8],
) -> Result<T, StoreError> {
    let corrupt = |mut reason: String| {
        if let Some((end, _)) = reason.char_indices().nth(REASON) {
            reason.truncate(end);
            reason.push_str(" ...");
        }
        StoreError::Corrupt {
            key: key(),
            path: path.to_owned(),
            reason,
        }
    };
    let json: Value = serde_json::from_slice(value)
        .map_err(|error| corrupt(format!("it is no JSON: {error}")))?;
    match json.get("format").and_then(Value::as_u64) {
        None | Some(0) => Err(corrupt("it has no `format` number".to_owned())),
        Some(format) if format > u64::from(FORMAT) => Err(StoreError::Newer {
            key: key(),
            path: path.to_owned(),
            format,
        }),
        Some(_) => serde_json::from_value(json).map_err(|error| corrupt(error.to_string())),
    }
}
