//! How much an application has of what a tenant's quotas limit.

use serde::{Deserialize, Serialize};

use super::Quotas;

/// What an application has, or asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Jobs.
    pub jobs: u64,
    /// CPU of all instances, in MHz.
    pub cpu_mhz: u64,
    /// Memory of all instances, in MiB, which Nomad calls MB.
    pub memory_mb: u64,
}

impl Usage {
    /// Of each the larger: what there is at most while one becomes the other.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        self.with(other, u64::max)
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// So often the same.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        self.with(
            Self {
                jobs: count,
                cpu_mhz: count,
                memory_mb: count,
            },
            u64::saturating_mul,
        )
    }

    fn with(self, other: Self, each: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            jobs: each(self.jobs, other.jobs),
            cpu_mhz: each(self.cpu_mhz, other.cpu_mhz),
            memory_mb: each(self.memory_mb, other.memory_mb),
        }
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::plus)
    }
}

/// One thing that a quota limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quota {
    /// Jobs.
    Jobs,
    /// CPU, in MHz.
    Cpu,
    /// Memory, in MiB.
    Memory,
    /// Deployments at one time.
    Deployments,
}

impl Quota {
    /// What an application's usage is made of.
    pub const OF_USAGE: [Quota; 3] = [Quota::Jobs, Quota::Cpu, Quota::Memory];

    /// The attribute of the tenant that sets it.
    pub fn attribute(self) -> &'static str {
        match self {
            Quota::Jobs => "max_jobs",
            Quota::Cpu => "max_cpu_mhz",
            Quota::Memory => "max_memory_mb",
            Quota::Deployments => "max_deployments",
        }
    }

    /// An amount in words, such as `500 MHz`.
    pub fn amount(self, amount: u64) -> String {
        match (self, amount) {
            (Quota::Jobs, 1) => "1 job".to_owned(),
            (Quota::Jobs, _) => format!("{amount} jobs"),
            (Quota::Cpu, _) => format!("{amount} MHz"),
            (Quota::Memory, _) => format!("{amount} MB"),
            (Quota::Deployments, 1) => "1 deployment".to_owned(),
            (Quota::Deployments, _) => format!("{amount} deployments"),
        }
    }

    /// The limit, where there is one.
    pub fn limit(self, quotas: &Quotas) -> Option<u64> {
        match self {
            Quota::Jobs => quotas.max_jobs,
            Quota::Cpu => quotas.max_cpu_mhz,
            Quota::Memory => quotas.max_memory_mb,
            Quota::Deployments => quotas.max_deployments,
        }
    }

    /// How much of it is in a usage; nothing of deployments, which are no part of one.
    pub fn of(self, usage: &Usage) -> u64 {
        match self {
            Quota::Jobs => usage.jobs,
            Quota::Cpu => usage.cpu_mhz,
            Quota::Memory => usage.memory_mb,
            Quota::Deployments => 0,
        }
    }
}
