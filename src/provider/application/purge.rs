//! Taking jobs away: stopped first, purged when their tasks have ended.
//!
//! Nomad forgets the allocations of a job that it purges, while their tasks may run on for as long
//! as they are given to end. Whoever comes next would find their ports and volumes still in use.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::failure;
use crate::http;
use crate::nomad::{self, Allocation, LiveJob, Wait};
use crate::protocol::diagnostic::Diagnostic;
use crate::provider::Clients;
use crate::store::ApplicationKey;
use crate::translate;

/// A job, as Nomad knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRef {
    /// The cluster, where that is not the provider's own.
    pub cluster: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// The ID.
    pub id: String,
}

/// What a purge needs to know of the operation that it is a part of.
#[derive(Clone, Copy)]
pub struct Purge<'a> {
    /// The servers.
    pub clients: &'a Clients,
    /// Whose jobs may be purged.
    pub key: &'a ApplicationKey,
    /// The user's wish to stop.
    pub cancel: &'a CancellationToken,
    /// How long to wait for tasks to end.
    pub deadline: Instant,
}

impl Purge<'_> {
    /// Takes a job away, where it is there and this application's, and what a schedule has started
    /// of it. A warning where it is another's, or its tasks take too long to end.
    ///
    /// # Errors
    /// Where Nomad does not do it, or the user wants to stop; the job may be stopped then.
    pub async fn job(self, job: &JobRef) -> Result<Option<Diagnostic>, Diagnostic> {
        if self.cancel.is_cancelled() {
            return Err(failure::cancelled());
        }
        let nomad = self.clients.nomad_of(job.cluster.as_deref())?;
        let (namespace, id) = (job.namespace.as_str(), job.id.as_str());
        let live = nomad
            .job(namespace, id)
            .await
            .map_err(|e| failure::nomad(&e))?;
        let Some(live) = live else { return Ok(None) };
        if !is_ours(&live, self.key) {
            return Ok(Some(failure::left_alone(id, self.key)));
        }
        let warning = self
            .end(nomad, namespace, id, live.status == "dead")
            .await?;
        if !live.json["Periodic"].is_null() {
            // What it has started has an ID that begins with its own, and would outlive it.
            let prefix = format!("{id}/periodic-");
            let started = nomad.jobs(namespace, &prefix).await;
            for stub in started.map_err(|e| failure::nomad(&e))? {
                self.end(nomad, namespace, &stub.id, stub.status == "dead")
                    .await?;
            }
        }
        Ok(warning)
    }

    async fn end(
        self,
        nomad: &nomad::Client,
        namespace: &str,
        id: &str,
        is_dead: bool,
    ) -> Result<Option<Diagnostic>, Diagnostic> {
        let mut warning = None;
        if !is_dead {
            tracing::info!(job = id, "stopping");
            let stop = nomad.deregister(namespace, id, false).await;
            let evaluation = stop.map_err(|e| failure::nomad(&e))?;
            let stopped = async {
                if let Some(evaluation) = &evaluation {
                    until_evaluated(nomad, namespace, evaluation).await?;
                }
                until_stopped(nomad, namespace, id).await
            };
            let stopped = timeout_at(self.deadline, stopped);
            match self.cancel.run_until_cancelled(stopped).await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return Err(failure::nomad(&error)),
                Some(Err(_)) => warning = Some(failure::still_stopping(id)),
                None => return Err(failure::cancelled()),
            }
        }
        tracing::info!(job = id, "purging");
        let purge = nomad.deregister(namespace, id, true).await;
        purge.map_err(|e| failure::nomad(&e))?;
        Ok(warning)
    }
}

/// Waits for the scheduler to be through with a job: evaluations of one job come one after the other. A job
/// that is purged while a plan for it is carried out brings a Nomad server down (`applyPlan` in the
/// `nomad/plan_apply.go` of 1.11.2 looks for a job that is no more).
async fn until_evaluated(
    nomad: &nomad::Client,
    namespace: &str,
    evaluation: &str,
) -> Result<(), http::Error> {
    let mut wait = Wait::NONE;
    loop {
        let found = match nomad.evaluation(namespace, evaluation, wait).await {
            // It has been collected as garbage, long after its end.
            Err(error) if error.is_not_found() => return Ok(()),
            found => found,
        };
        let (index, evaluation) = found?;
        if evaluation.status != "pending" {
            return Ok(());
        }
        wait = Wait {
            index,
            time: Duration::from_secs(30),
        };
    }
}

async fn until_stopped(
    nomad: &nomad::Client,
    namespace: &str,
    id: &str,
) -> Result<(), http::Error> {
    let mut wait = Wait::NONE;
    loop {
        let (index, allocations) = nomad.allocations(namespace, id, wait).await?;
        if allocations.iter().all(Allocation::has_ended) {
            return Ok(());
        }
        wait = Wait {
            index,
            time: Duration::from_secs(30),
        };
    }
}

/// Whether a job says of itself that it belongs to this application.
pub fn is_ours(live: &LiveJob, key: &ApplicationKey) -> bool {
    live.meta.get(translate::META_APPLICATION) == Some(&key.to_string())
}
