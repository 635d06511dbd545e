//! What one record holds, and its form in Consul.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;

/// The record format this provider writes. Records of a higher one are never touched.
pub const FORMAT: u32 = 1;

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

/// What is happening to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Jobs are being registered; the document is what they shall become.
    Applying,
    /// The jobs are what the document says.
    Settled,
    /// Jobs are being purged.
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
    /// The jobs by component.
    pub jobs: BTreeMap<String, JobRecord>,
    /// Who is at it; written by the store while the phase is not settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
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
pub struct Stored {
    /// The record.
    pub record: Record,
    /// Which state of the record this is; what [`super::Expect::Version`] takes.
    pub version: Version,
    /// Whether some operation holds its lock now.
    pub locked: bool,
}

/// One state of a record: an opaque text for whoever keeps it from plan to apply.
///
/// It is Consul's ModifyIndex and a digest of the value. The index alone does not do: it also
/// changes when the lock of a crashed apply expires, which changes nothing that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub(super) index: u64,
    pub(super) digest: u64,
}

impl Version {
    pub(super) fn of(index: u64, value: &[u8]) -> Self {
        Self {
            index,
            digest: fnv1a(value),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.index, self.digest)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (index, digest) = text.split_once('-')?;
            Some(Self {
                index: index.parse().ok()?,
                digest: u64::from_str_radix(digest, 16).ok()?,
            })
        };
        read().ok_or_else(|| format!("\"{text}\" is no version of a record"))
    }
}

/// FNV-1a, 64 bits. It tells apart two states that the provider or an operator wrote; it need not
/// withstand anybody, since whoever may write the record may also write the jobs.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The value in Consul: JSON with its keys in a fixed order.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    // These types cannot fail to become JSON; an empty value would be refused as corrupt when read.
    serde_json::to_vec(record).unwrap_or_default()
}

/// Reads a value. The format is looked at first, so that a newer record is not called corrupt.
pub(super) fn decode(key: &ApplicationKey, path: &str, value: &[u8]) -> Result<Record, StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt {
        key: key.clone(),
        path: path.to_owned(),
        reason,
    };
    let json: Value = serde_json::from_slice(value)
        .map_err(|error| corrupt(format!("it is no JSON: {error}")))?;
    match json.get("format").and_then(Value::as_u64) {
        None | Some(0) => Err(corrupt("it has no `format` number".to_owned())),
        Some(format) if format > u64::from(FORMAT) => Err(StoreError::Newer {
            key: key.clone(),
            path: path.to_owned(),
            format,
        }),
        Some(_) => serde_json::from_value(json).map_err(|error| corrupt(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

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
    fn versions() {
        let version = Version::of(42, b"value");
        assert_eq!(version.to_string().parse(), Ok(version));
        assert_eq!(version, Version::of(42, b"value"));
        assert_ne!(version.digest, Version::of(42, b"Value").digest);
        // The test vectors of the FNV reference: the empty text and "foobar".
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        for text in ["", "42", "42-", "-1", "x-1", "1-g", "42 - 1"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
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
            for phase in [Phase::Applying, Phase::Settled, Phase::Destroying] {
                let record = Record {
                    format: FORMAT,
                    revision: u64::MAX,
                    phase,
                    document: serde_json::json!({ "a": [1, 2.5, null, "ü"], "big": u64::MAX }),
                    jobs: [("web".to_owned(), job.clone())].into(),
                    operation: operation.clone(),
                };
                let value = encode(&record);
                assert_eq!(decode(&key, "path", &value).unwrap(), record);
                assert!(
                    String::from_utf8(value)
                        .unwrap()
                        .contains(&format!("\"phase\":\"{phase}\""))
                );
            }
        }
    }
}
