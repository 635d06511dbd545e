//! What is kept beside a state, for the next apply: what must not have changed in the meantime.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::Version;

/// The world as the last refresh or apply has seen it. Terraform hands it from the state to the
/// plan and from the plan to the apply, and shows it to nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// The version of the record, as text; `None` where nobody knows it.
    pub record: Option<String>,
    /// The live job of each component, where there is one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub jobs: BTreeMap<String, Seen>,
    /// The jobs to adopt, as the refresh has found them, of a state that is of such jobs alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopt: Vec<Adopt>,
    /// The seal of the state that this is kept beside, where all is as it should be: see
    /// [`super::unchanged`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
    /// How many applications there were in a run that this one was sealed in, at least; 0 where nobody knows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub among: u64,
}

/// A job that no application has yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopt {
    /// The namespace it is in.
    pub namespace: String,
    /// Its ID.
    pub id: String,
    /// Nomad's `JobModifyIndex` as of the last refresh; 0 where it was not there, and `None` where nobody
    /// has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
}

/// A live job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Nomad's `JobModifyIndex`.
    pub index: u64,
    /// Whether it differs from what the state says, so that it has to be written whatever is planned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drifted: bool,
    /// What kind of job it is ([`nomad::Client`](crate::nomad::Client) does not turn one into another), where
    /// that is not what the state says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// How many instances it has, where that is an autoscaler's to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled: Option<u64>,
    /// The places in which it differs and that no attribute of the state stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unowned: Vec<String>,
    /// Whether it is as the record says, and nothing about it can change without its index.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sound: bool,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Private {
    /// Reads what an earlier answer has kept. Nothing, and what another version has written, is a
    /// world nobody has seen: the apply then asks for a refresh.
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
