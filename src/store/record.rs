//! The record of one application.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::form::Recorded;
use super::usage::Measure;
use super::{FORMAT, Key, Operation, Phase, ScopeKey, scope};
use crate::tenants::{Spaces, Usage};

/// The tenant of applications that name none.
pub const DEFAULT_TENANT: &str = "default";

/// Which application: tenant and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationKey {
    tenant: String,
    name: String,
}

impl ApplicationKey {
    /// The key of an application; without a tenant it is of the tenant `default`.
    pub fn new(tenant: Option<&str>, name: &str) -> Self {
        Self {
            tenant: tenant.unwrap_or(DEFAULT_TENANT).to_owned(),
            name: name.to_owned(),
        }
    }

    /// Reads an ID, `tenant/name` or `name`, as `terraform import` gets it.
    ///
    /// # Errors
    /// A sentence that says what an ID looks like.
    pub fn parse(id: &str) -> Result<Self, String> {
        let (tenant, name) = match id.split_once('/') {
            Some((tenant, name)) => (Some(tenant), name),
            None => (None, id),
        };
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') // no dots, no slashes
        };
        if plain(name) && tenant.is_none_or(plain) {
            Ok(Self::new(tenant, name))
        } else {
            Err(format!(
                "\"{id}\" is no application ID. Write it as \"name\" or \"tenant/name\"."
            ))
        }
    }

    /// The tenant, `default` where the application names none.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The application's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The ID, `tenant/name`.
impl fmt::Display for ApplicationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.name)
    }
}

/// The record of one application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Always [`FORMAT`].
    pub format: u32,
    /// Counts the applies, from 1.
    pub revision: u64,
    /// What is happening.
    pub phase: Phase,
    /// The application as a portable OAM document.
    pub document: Value,
    /// The jobs by component, and `@` and the cluster where a job is in one of several.
    pub jobs: BTreeMap<String, JobRecord>,
    /// The properties of the scopes that the document refers to, by ID, as the jobs have them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub applied_scopes: BTreeMap<String, Value>,
    /// The namespaces of Consul and Vault that the jobs name: those that their tenant had.
    #[serde(default, skip_serializing_if = "Spaces::is_none")]
    pub namespaces: Spaces,
    /// Scopes that the record before used and this document does not: the jobs may still be in
    /// them. Written by the store while the phase is not settled.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub leaving: BTreeSet<ScopeKey>,
    /// What it has of its tenant's quotas or, while the phase is not settled, what is reserved for it:
    /// the most of what it had and what it is to have. `None` without a tenant, and in a record from
    /// before there were quotas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Usage>,
    /// Who is at it; written by the store while the phase is not settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

impl Record {
    /// The scopes that the application uses, or may still use.
    ///
    /// # Errors
    /// What is wrong with the document.
    pub fn scopes(&self) -> Result<BTreeSet<ScopeKey>, String> {
        let mut scopes = scope::of_document(&self.document)?;
        scopes.extend(self.leaving.iter().cloned());
        Ok(scopes)
    }
}

impl Recorded for Record {
    type Key = ApplicationKey;
    const FOLDER: &'static str = "applications";
    const FOLLOWS: bool = true;

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
            leaving: BTreeSet::new(),
            ..self
        }
    }

    fn following(self, before: &Self) -> Result<Self, String> {
        let mut leaving = before.scopes()?;
        for scope in scope::of_document(&self.document)? {
            leaving.remove(&scope);
        }
        let reserved = match (self.reserved, before.reserved) {
            (Some(after), Some(before)) => Some(after.most(before)),
            (after, before) => after.or(before),
        };
        Ok(Self {
            leaving,
            reserved,
            ..self
        })
    }

    fn adoptable(&self) -> bool {
        self.phase == Phase::Applying && self.revision == 1
    }

    fn is_like(&self, other: &Self) -> bool {
        self.document == other.document
            && self.applied_scopes == other.applied_scopes
            && self.namespaces == other.namespaces
    }

    fn account(key: &ApplicationKey) -> Option<&ApplicationKey> {
        (key.tenant() != DEFAULT_TENANT).then_some(key)
    }

    fn reserved(&self) -> Option<Usage> {
        self.reserved
    }

    fn measured(self, key: &ApplicationKey, measure: Option<&Measure>) -> Self {
        let reserved = self
            .reserved
            .or_else(|| measure.and_then(|measure| measure.of(key, &self)));
        Self { reserved, ..self }
    }
}

impl From<ApplicationKey> for Key {
    fn from(key: ApplicationKey) -> Self {
        Key::Application(key)
    }
}

/// One Nomad job of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRecord {
    /// Job ID.
    pub id: String,
    /// Nomad namespace.
    pub namespace: String,
    /// The job's version in Nomad, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The job's index in Nomad, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_modify_index: Option<u64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::ScopeKind;
    use super::super::form::{decode, encode};
    use super::*;

    #[test]
    fn ids() {
        for (id, tenant, name) in [
            ("shop", "default", "shop"),
            ("default/shop", "default", "shop"),
            ("acme/shop-2", "acme", "shop-2"),
        ] {
            let key = ApplicationKey::parse(id).unwrap();
            assert_eq!((key.tenant(), key.name()), (tenant, name));
            assert_eq!(ApplicationKey::parse(&key.to_string()), Ok(key));
        }
        for id in [
            "", "/", "a/", "/a", "a/b/c", "..", "a/..", "a b", "a/%2e", "ümlaut", "a\n",
        ] {
            let error = ApplicationKey::parse(id).unwrap_err();
            assert!(error.contains("tenant/name"), "{error}");
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let job = JobRecord {
            id: "shop-web".to_owned(),
            namespace: "default".to_owned(),
            version: Some(3),
            job_modify_index: None,
        };
        let operation = Operation {
            id: "s/1".to_owned(),
            started_at: "2026-01-01T00:00:00Z".to_owned(),
            host: String::new(),
            pid: 7,
        };
        assert_eq!(
            operation.to_string(),
            "process 7 on an unknown host, since 2026-01-01T00:00:00Z"
        );
        let key = ApplicationKey::new(None, "shop");
        for operation in [None, Some(operation)] {
            let mesh = ScopeKey::new(ScopeKind::Network, "mesh");
            let leaving: BTreeSet<_> = operation.iter().map(|_| mesh.clone()).collect();
            for phase in [Phase::Applying, Phase::Settled, Phase::Destroying] {
                let record = Record {
                    format: FORMAT,
                    revision: u64::MAX,
                    phase,
                    document: serde_json::json!({ "a": [1, 2.5, null, "ü"], "big": u64::MAX }),
                    jobs: [("web".to_owned(), job.clone())].into(),
                    applied_scopes: [("network/mesh".to_owned(), serde_json::json!({}))].into(),
                    namespaces: Spaces {
                        consul: Some("shop".to_owned()),
                        vault: None,
                    },
                    leaving: leaving.clone(),
                    reserved: operation.is_none().then(|| Usage {
                        jobs: 1,
                        ..Usage::default()
                    }),
                    operation: operation.clone(),
                };
                let value = encode(&record);
                assert_eq!(decode::<Record>(&key, "path", &value).unwrap(), record);
                assert!(
                    String::from_utf8(value)
                        .unwrap()
                        .contains(&format!("\"phase\":\"{phase}\""))
                );
            }
        }
    }
}
