//! Nomad's HTTP API.
//!
//! [`Client`] has one method per request the provider needs; [`watch`] follows a registered job
//! until it is healthy, or tells why it is not; [`job`] is the job specification; [`Namespace`] and
//! [`NodePool`] are what scopes make.
//!
//! Source: <https://developer.hashicorp.com/nomad/api-docs>, and Nomad's own Go client (`api/`).

mod acl;
mod ahead;
mod capabilities;
mod client;
mod deployments;
mod diagnosis;
pub mod job;
mod logs;
mod model;
mod nodes;
mod objects;
mod quota;
pub mod watch;

pub use acl::{AclPolicy, AclToken, NewAclToken, SelfToken};
pub use capabilities::Capability;
pub use client::{Change, Client, Enforce, LiveJob, Planned, Registered, Validated, Wait};
pub use deployments::{GivenUp, JobVersion};
pub use diagnosis::{Diagnosis, Placement, TaskEvent, TaskTrouble};
pub use logs::Tail;
pub use model::{
    AllocDeployment, Allocation, AllocationMetric, Deployment, Evaluation, Group, JobStub,
    RawTaskEvent, TaskState,
};
pub use nodes::Node;
pub use objects::{Deleted, META_PREFIX, META_SCOPE, Namespace, NodePool, Owner, owner};
pub use quota::{Quota, QuotaLimit};
