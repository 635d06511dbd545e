//! The record of one tenant.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::form::Recorded;
use super::{DEFAULT_TENANT, FORMAT, Key, Operation, Phase};
use crate::oam::form;
use crate::tenants::{Limits, Quotas, Spaces};

/// Which tenant: its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantKey(String);

impl TenantKey {
    /// The key of a tenant.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Reads a name, as `terraform import` gets it.
    ///
    /// # Errors
    /// A sentence that says what a name looks like.
    pub fn parse(name: &str) -> Result<Self, String> {
        if !(form::TENANT.check)(name) {
            return Err(format!(
                "{name:?} is not {}. {}",
                form::TENANT.what,
                form::TENANT.how
            ));
        }
        if name.eq_ignore_ascii_case(DEFAULT_TENANT) {
            return Err(format!(
                "{name:?} stands for applications without a tenant, and cannot be one."
            ));
        }
        Ok(Self::new(name))
    }

    /// The tenant's name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// The name.
impl fmt::Display for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<TenantKey> for Key {
    fn from(key: TenantKey) -> Self {
        Key::Tenant(key)
    }
}

/// The record of one tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantRecord {
    /// Always [`FORMAT`].
    pub format: u32,
    /// Counts the applies, from 1.
    pub revision: u64,
    /// What is happening.
    pub phase: Phase,
    /// UUID, version 4, of this tenant and of none that had its name before.
    pub id: String,
    /// What people call it.
    pub display_name: String,
    /// The domain below which its hosts are, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The most that its applications may have.
    #[serde(default)]
    pub quotas: Quotas,
    /// What its jobs may be run with.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    /// Whether its applications can be applied.
    pub active: bool,
    /// The namespaces of Consul and Vault that it has for itself.
    #[serde(default, skip_serializing_if = "Spaces::is_none")]
    pub namespaces: Spaces,
    /// When it was made, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// What was made for it on the servers: the kind of each, such as `nomad_policy`, and its name
    /// or path. What an operation that has not settled has made is told by its marks alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub made: BTreeMap<String, String>,
    /// Who is at it; written by the store while the phase is not settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

impl Recorded for TenantRecord {
    type Key = TenantKey;
    const FOLDER: &'static str = "tenants";
    const FOLLOWS: bool = false;

    fn revision(&self) -> u64 {
        self.revision
    }

    fn phase(&self) -> Phase {
        self.phase
    }

    fn operation(&self) -> Option<&Operation> {
        self.operation.as_ref()
    }

    fn stamped(self, phase: Phase, operation: Option<Operation>) -> Self {
        Self {
            format: FORMAT,
            phase,
            operation,
            ..self
        }
    }

    fn following(self, _: &Self) -> Result<Self, String> {
        Ok(self)
    }

    /// An interrupted removal, too: making the tenant again is as good as ending its removal.
    fn adoptable(&self) -> bool {
        match self.phase {
            Phase::Applying => self.revision == 1,
            Phase::Destroying => true,
            Phase::Settled => false,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.display_name == other.display_name
            && self.domain == other.domain
            && self.quotas == other.quotas
            && self.limits == other.limits
            && self.active == other.active
            && self.namespaces == other.namespaces
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::form::{decode, encode};
    use super::*;

    #[test]
    fn names() {
        for name in ["acme", "A1", "0123456789abcdef0123456789abcdef"] {
            assert_eq!(TenantKey::parse(name).unwrap().to_string(), name);
        }
        for name in [
            "",
            "a",
            "a-b",
            "a/b",
            "..",
            "a b",
            "ümlaut",
            "acme\n",
            "acme\"",
            "acme*",
            "default",
            "Default",
            "0123456789abcdef0123456789abcdef0",
        ] {
            assert!(TenantKey::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let key = TenantKey::new("acme");
        let full = TenantRecord {
            format: FORMAT,
            revision: 3,
            phase: Phase::Settled,
            id: "7f1c9d9e-0b5a-4a57-9a5e-1d0c5b3a2f10".to_owned(),
            display_name: "ACME \"Corp\" ü".to_owned(),
            domain: Some("acme.example.com".to_owned()),
            quotas: Quotas {
                max_jobs: Some(0),
                max_cpu_mhz: Some(u64::MAX),
                max_memory_mb: None,
                max_deployments: Some(3),
            },
            limits: Limits {
                task_drivers: Some(["docker".to_owned()].into()),
                network_modes: None,
            },
            active: false,
            namespaces: Spaces {
                consul: Some("acme".to_owned()),
                vault: None,
            },
            created_at: "2026-01-01T00:00:00Z".to_owned(),
            updated_at: "2026-01-02T00:00:00Z".to_owned(),
            made: [("namespace".to_owned(), "acme".to_owned())].into(),
            operation: None,
        };
        let bare = TenantRecord {
            domain: None,
            quotas: Quotas::default(),
            limits: Limits::default(),
            namespaces: Spaces::default(),
            made: BTreeMap::new(),
            ..full.clone()
        };
        for record in [full, bare] {
            let read = decode::<TenantRecord>(&key, "path", &encode(&record));
            assert_eq!(read.unwrap(), record);
        }
    }
}
