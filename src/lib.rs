//! Terraform provider that runs Open Application Model applications on Nomad.
//!
//! The modules follow the data: HCL or YAML → [`oam`] → [`translate`] → [`nomad`], with [`store`]
//! beside it and [`protocol`] around it. `docs/architecture.md` has the map and its invariants.

#![forbid(unsafe_code)]

pub mod ahead;
pub mod consul;
pub mod http;
pub mod nomad;
pub mod oam;
pub mod protocol;
pub mod provider;
pub mod scopes;
pub mod store;
pub mod tenants;
pub mod traits;
pub mod translate;
pub mod vault;
