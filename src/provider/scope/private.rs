//! What is kept beside a state, for the next apply: what must not have changed in the meantime.

use serde::{Deserialize, Serialize};

use crate::store::Version;

/// The record as the last refresh or apply has seen it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// Its version, as text; `None` where nobody knows it.
    pub record: Option<String>,
}

impl Private {
    /// A record in this version.
    pub fn of(version: Version) -> Self {
        Self {
            record: Some(version.to_string()),
        }
    }

    /// Reads what an earlier answer has kept. Nothing, and what another version has written, is a
    /// record nobody has seen: the apply then asks for a refresh.
    pub fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// The version of the record.
    pub fn version(&self) -> Option<Version> {
        self.record.as_ref()?.parse().ok()
    }

    /// The bytes to keep.
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
