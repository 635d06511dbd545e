//! Nomad's HTTP API.
//!
//! [`Client`] has one method per request the provider needs; [`watch`] follows a registered job
//! until it is healthy, or tells why it is not; [`job`] is the job specification.
//!
//! Source: <https://developer.hashicorp.com/nomad/api-docs>, and Nomad's own Go client (`api/`).

mod client;
mod diagnosis;
pub mod job;
mod model;
pub mod watch;

pub use client::{Client, Enforce, LiveJob, Planned, Registered, Validated, Wait};
pub use diagnosis::{Diagnosis, Placement, TaskEvent, TaskTrouble};
pub use model::{
    AllocDeployment, Allocation, AllocationMetric, Deployment, Evaluation, Group, JobStub,
    RawTaskEvent, TaskState,
};
