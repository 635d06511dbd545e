//! Tenants: what is a tenant's by its name alone, how much of everything it may have, and whose a host
//! is.

mod ledger;
mod usage;

pub use ledger::{Entry, LEDGER_FORMAT, Ledger, Overrun};
pub use usage::{Quota, Usage};

use serde::{Deserialize, Serialize};

/// The most that a tenant's applications may have together; no limit where there is no number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_jobs: Option<u64>,
    /// CPU of all instances, in MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu_mhz: Option<u64>,
    /// Memory of all instances, in MiB, which Nomad calls MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_mb: Option<u64>,
    /// Deployments at one time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_deployments: Option<u64>,
}

impl Quotas {
    /// Whether nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}
