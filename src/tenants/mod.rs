//! Tenants: what is a tenant's by its name alone, how much of everything it may have, what its jobs may be run
//! with, whose a host is, and what an application may reach.
//!
//! A tenant has a namespace in Nomad, a prefix for its services and a folder in Consul, and a folder of
//! secrets in Vault, and policies that let nobody else's things be reached with its tokens.

pub mod bounds;
mod domains;
mod ledger;
mod limits;
mod mark;
mod names;
pub mod policies;
mod spaces;
mod usage;

pub use domains::{Domains, Taken, is_within};
pub use ledger::{Entry, LEDGER_FORMAT, Ledger, Overrun};
pub use limits::{Limit, Limits, META_LIMITS, is_marked, listed};
pub use mark::{META_TENANT, Mark};
pub use names::Names;
pub use spaces::{Spaces, is_space};
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
