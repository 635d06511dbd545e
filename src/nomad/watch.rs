//! Follows a registered job until it is healthy.

use std::fmt;

use tokio_util::sync::CancellationToken;

use super::client::{Client, Registered};
use super::diagnosis::{Diagnosis, Placement};
use crate::http::Error;

/// What a job is doing on its way to health. `Display` is one line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The scheduler has not decided yet.
    Scheduling,
    /// No node was found for some allocations; Nomad tries again when the cluster changes.
    Blocked(Vec<Placement>),
    /// Allocations are started and checked.
    Deploying {
        /// How many allocations there shall be.
        desired: i64,
        /// How many have a node.
        placed: i64,
        /// How many are healthy.
        healthy: i64,
        /// How many were found unhealthy.
        unhealthy: i64,
        /// What is wrong so far.
        trouble: Diagnosis,
    },
}

/// A job that is as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthy {
    /// The job's version.
    pub version: u64,
    /// What could not be placed yet, for jobs that are accepted all the same (batch jobs).
    pub unplaced: Vec<Placement>,
}

/// A job that did not become healthy.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Namespace of the job.
    pub namespace: String,
    /// Job ID.
    pub job: String,
    /// What ended the watch.
    pub reason: Reason,
    /// What is known about the job.
    pub diagnosis: Diagnosis,
}

/// What ended the watch.
#[derive(Debug, Clone)]
pub enum Reason {
    /// A request failed.
    Request(Box<Error>),
    /// The caller cancelled.
    Cancelled,
    /// The caller's time was up; made by [`Failure::timed_out`].
    TimedOut,
    /// The scheduler gave up on the job.
    Evaluation(String),
    /// The deployment ended without health, with Nomad's description of why.
    Deployment {
        /// `failed` or `cancelled`.
        status: String,
        /// Nomad's description.
        description: String,
    },
    /// Allocations of a job without deployments failed.
    Allocations,
    /// The job was changed or stopped by somebody else meanwhile.
    Replaced,
}

/// Follows the job that `registered` stands for until it is healthy, or cannot become so.
///
/// # Errors
/// The reason, with a diagnosis.
pub async fn until_healthy(
    client: &Client,
    namespace: &str,
    job: &str,
    registered: &Registered,
    cancel: &CancellationToken,
    progress: impl Fn(Progress),
) -> Result<Healthy, Failure> {
    let _ = (client, namespace, job, registered, cancel, progress);
    todo!()
}

/// What is known about a job that is not healthy, for a caller whose time is up.
///
/// # Errors
/// As of [`crate::http::Client::send`].
pub async fn diagnose(client: &Client, namespace: &str, job: &str) -> Result<Diagnosis, Error> {
    let _ = (client, namespace, job);
    todo!()
}

impl Failure {
    /// What went wrong, in one line.
    pub fn summary(&self) -> String {
        todo!()
    }

    /// Everything known, and what to do.
    pub fn detail(&self) -> String {
        todo!()
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
