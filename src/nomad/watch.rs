//! Follows a registered job until it is healthy, or tells why it is not.
//!
//! A registration makes an evaluation; the scheduler, when it has decided, notes in it what it could
//! not place and which deployment it began. What "healthy" means then depends on the job:
//!
//! | job | healthy when |
//! |---|---|
//! | service, system | the deployment of the job's version is successful, or its canaries are healthy and somebody has to promote them |
//! | the same, where there is no deployment (count 0; a system job of a Nomad before 1.11; one that was lost) | every allocation of the version runs |
//! | batch, sysbatch | the scheduler has taken it; what could not be placed waits for room |
//! | periodic, parameterized | it is registered |
//!
//! What does not fit on any node waits for room as long as the caller lets it, since a node may come.
//! Everything is asked with blocking queries, so nothing is polled. What was observed with Nomad 1.11.2
//! and is relied on here:
//! - the evaluation of a registration that changes nothing names the deployment of before, finished;
//!   so does the one of a job scaled to zero, with the deployment of an older version;
//! - a failed deployment stays failed: registering the same job again starts nothing, and neither does
//!   an evaluation that forces it; only another specification or a purge does;
//! - an allocation that is to be started again later is waited for even by a newer version whose tasks
//!   are the same: the version's deployment begins only then;
//! - the deployment of a system job can vanish when its tasks fail;
//! - the index in the answer to a registration that changes nothing is not the job's `JobModifyIndex`.

use std::fmt;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::client::{Client, LiveJob, Registered, Wait};
use super::diagnosis::{Diagnosis, Placement, placements};
use super::model::{Allocation, Deployment, Evaluation};
use crate::http::Error;

/// Longest single wait; after it, what is wrong so far is looked at.
const PATIENCE: Duration = Duration::from_secs(10);

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
        /// How many were given to a node, failed ones included.
        placed: i64,
        /// How many are healthy.
        healthy: i64,
        /// How many were found unhealthy.
        unhealthy: i64,
    },
    /// Something is wrong so far. Nomad goes on trying.
    Trouble(Diagnosis),
}

/// A job that is as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthy {
    /// The job's version.
    pub version: u64,
    /// The job's index. Not always that of the registration's answer, see the module.
    pub job_modify_index: u64,
    /// What could not be placed (yet), for jobs that are accepted all the same.
    pub unplaced: Vec<Placement>,
    /// The deployment whose canaries are healthy, where it goes on only when somebody promotes it.
    pub to_promote: Option<String>,
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
    /// The scheduler gave up on the job, with its description of why.
    Evaluation(String),
    /// The deployment of this version of the job failed.
    Deployment {
        /// The job's version. Nomad may have gone back to another by now.
        version: u64,
        /// Nomad's description of why.
        description: String,
        /// What Nomad has gone back to, where it has.
        reverted: Option<Reverted>,
    },
    /// The job's deployment had failed before this watch, and its allocations do not all run. Nomad
    /// starts nothing new for this version.
    Stuck,
    /// Allocations of a job without a deployment failed, and nothing follows them.
    Allocations,
    /// The job was changed or stopped by somebody else meanwhile.
    Replaced,
}

/// What Nomad goes back to by itself after a failed deployment (`auto_revert`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reverted {
    /// The older version.
    pub to: u64,
    /// The version that the job has now; the older one gets a new number.
    pub now: Option<u64>,
}

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        Reason::Request(Box::new(error))
    }
}

/// Follows the job until it is healthy, or cannot become so. `registered` is the answer to its
/// registration; without one (an earlier apply registered it), it is judged as it is found.
///
/// Ends promptly when `cancel` is cancelled. Sets no time limit of its own: wrap it in one, and make
/// the failure with [`diagnose`] and [`Failure::timed_out`].
///
/// # Errors
/// The reason, with a diagnosis.
pub async fn until_healthy(
    client: &Client,
    namespace: &str,
    job: &str,
    registered: Option<&Registered>,
    cancel: &CancellationToken,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<Healthy, Failure> {
    let watch = Watch {
        client,
        namespace,
        job,
        progress: &progress,
    };
    let fail = |reason, diagnosis| Failure {
        namespace: namespace.to_owned(),
        job: job.to_owned(),
        reason,
        diagnosis,
    };
    match cancel.run_until_cancelled(watch.follow(registered)).await {
        Some(Ok(healthy)) => Ok(healthy),
        None => Err(fail(Reason::Cancelled, Diagnosis::default())),
        Some(Err(reason)) => {
            let known = match reason {
                Reason::Request(_) | Reason::Replaced => None,
                Reason::Deployment { version, .. } => {
                    let known = diagnose_failed(client, namespace, job, version);
                    cancel.run_until_cancelled(known).await
                }
                _ => {
                    cancel
                        .run_until_cancelled(diagnose(client, namespace, job))
                        .await
                }
            };
            // The reason stands without the diagnosis, too.
            Err(fail(reason, known.and_then(Result::ok).unwrap_or_default()))
        }
    }
}

/// What is known about a job that is not healthy.
///
/// # Errors
/// As of [`crate::http::Client::send`].
pub async fn diagnose(client: &Client, namespace: &str, job: &str) -> Result<Diagnosis, Error> {
    diagnose_version(client, namespace, job, None).await
}

/// As [`diagnose`], of a version that need not be the newest: a deployment that failed may have been
/// followed by the version of before.
async fn diagnose_version(
    client: &Client,
    namespace: &str,
    job: &str,
    version: Option<u64>,
) -> Result<Diagnosis, Error> {
    let evaluations = client.evaluations(namespace, job);
    let allocations = client.allocations(namespace, job, Wait::NONE);
    let (evaluations, (_, mut allocations)) = tokio::try_join!(evaluations, allocations)?;
    allocations.retain(|allocation| version.is_none_or(|it| allocation.job_version == it));
    Ok(Diagnosis::of(&evaluations, &allocations))
}

/// As [`diagnose_version`], of a deployment that has just failed: a deployment fails by its deadline on the
/// server, and what its clients have to say of it can come a moment later.
async fn diagnose_failed(
    client: &Client,
    namespace: &str,
    job: &str,
    version: u64,
) -> Result<Diagnosis, Error> {
    for _ in 0..10 {
        let known = diagnose_version(client, namespace, job, Some(version)).await?;
        if !known.is_empty() {
            return Ok(known);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    diagnose_version(client, namespace, job, Some(version)).await
}

struct Watch<'a, P> {
    client: &'a Client,
    namespace: &'a str,
    job: &'a str,
    progress: &'a P,
}

/// How a deployment ended.
enum Ended {
    Successful,
    /// It has not, but its canaries are healthy and wait for somebody.
    ToPromote,
    /// It is not of the job's version, or there is none.
    NoneOfThis,
    /// It had failed before.
    FailedBefore,
}

impl<P: Fn(Progress) + Send + Sync> Watch<'_, P> {
    async fn follow(&self, registered: Option<&Registered>) -> Result<Healthy, Reason> {
        let evaluation = match registered {
            Some(Registered {
                eval_id: Some(id),
                eval_create_index,
                ..
            }) => Some(self.scheduled(id, *eval_create_index).await?),
            _ => None,
        };
        let unplaced = evaluation.as_ref().map(placements).unwrap_or_default();
        let mut live = self.found().await?;
        if registered.is_some_and(|registered| live.job_modify_index < registered.job_modify_index)
        {
            // The registration changed nothing, or the answer is an old one: a server that was cut off takes
            // itself for the leader for a moment.
            live = self.found().await?;
        }
        if live.stop {
            return Err(Reason::Replaced);
        }
        let healthy = |unplaced| {
            Ok(Healthy {
                version: live.version,
                job_modify_index: live.job_modify_index,
                unplaced,
                to_promote: None,
            })
        };
        if matches!(live.kind.as_str(), "batch" | "sysbatch") {
            return healthy(unplaced);
        }
        if !unplaced.is_empty() && live.kind == "service" {
            (self.progress)(Progress::Blocked(unplaced.clone()));
        }
        let mut began = evaluation
            .as_ref()
            .map(|evaluation| evaluation.create_index);
        let mut next = self.deployment(evaluation.as_ref()).await?;
        if let (Some(registered), Some((_, deployment))) = (registered, &next)
            && deployment.job_spec_modify_index == registered.job_modify_index
            && deployment.job_version < live.version
        {
            // It has been followed by another version already: by Nomad's own, where it had failed.
            return Err(match deployment.status.as_str() {
                "failed" => failed(deployment, Some(live.version)),
                _ => Reason::Replaced,
            });
        }
        loop {
            let (hopeless, judged) = match next {
                None => (Reason::Allocations, None),
                Some((index, deployment)) => {
                    let id = deployment.id.clone();
                    match self.deployed(&live, began, index, deployment).await? {
                        Ended::Successful if live.kind == "system" => return healthy(unplaced),
                        Ended::Successful => return healthy(Vec::new()),
                        Ended::ToPromote => {
                            let to_promote = Some(id);
                            return healthy(unplaced).map(|healthy| Healthy {
                                to_promote,
                                ..healthy
                            });
                        }
                        Ended::NoneOfThis => (Reason::Allocations, Some(id)),
                        Ended::FailedBefore => (Reason::Stuck, Some(id)),
                    }
                }
            };
            next = self.running(&live, hopeless, judged.as_deref()).await?;
            if next.is_none() {
                return healthy(unplaced);
            }
            began = Some(0);
        }
    }

    /// The job as it is now.
    async fn found(&self) -> Result<LiveJob, Reason> {
        let found = self.client.job(self.namespace, self.job).await?;
        found.ok_or(Reason::Replaced)
    }

    /// Waits until the scheduler has decided.
    async fn scheduled(&self, id: &str, created: u64) -> Result<Evaluation, Reason> {
        (self.progress)(Progress::Scheduling);
        let mut id = id.to_owned();
        let mut wait = Wait {
            index: created,
            time: PATIENCE,
        };
        loop {
            let (index, evaluation) = self.client.evaluation(self.namespace, &id, wait).await?;
            match evaluation.status.as_str() {
                "pending" => wait.index = index,
                "failed" if evaluation.next_eval.is_empty() => {
                    return Err(Reason::Evaluation(evaluation.status_description));
                }
                // "maximum attempts reached": the scheduler tries again with this one.
                "failed" => (id, wait.index) = (evaluation.next_eval, 0),
                _ => return Ok(evaluation),
            }
        }
    }

    /// The deployment to follow: the evaluation's, or the job's latest.
    async fn deployment(
        &self,
        evaluation: Option<&Evaluation>,
    ) -> Result<Option<(u64, Deployment)>, Reason> {
        match evaluation.map(|evaluation| evaluation.deployment_id.as_str()) {
            Some(id) if !id.is_empty() => {
                match self.client.deployment(self.namespace, id, Wait::NONE).await {
                    Ok(found) => Ok(Some(found)),
                    Err(error) if error.is_not_found() => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
            // The scheduler has looked, and made none.
            Some(_) if evaluation.is_some_and(|evaluation| evaluation.status == "complete") => {
                Ok(None)
            }
            _ => {
                let latest = self
                    .client
                    .latest_deployment(self.namespace, self.job, Wait::NONE);
                let (index, deployment) = latest.await?;
                Ok(deployment.map(|deployment| (index, deployment)))
            }
        }
    }

    /// Waits until the deployment has ended.
    async fn deployed(
        &self,
        live: &LiveJob,
        began: Option<u64>,
        index: u64,
        deployment: Deployment,
    ) -> Result<Ended, Reason> {
        let id = deployment.id.clone();
        let mut found = (index, deployment);
        let (mut told, mut troubles) = (None, Diagnosis::default());
        loop {
            let (index, deployment) = found;
            if deployment.job_version < live.version {
                return Ok(Ended::NoneOfThis);
            }
            if deployment.job_version > live.version {
                return Err(Reason::Replaced);
            }
            match deployment.status.as_str() {
                "successful" => return Ok(Ended::Successful),
                "failed" | "cancelled"
                    if began.is_none_or(|began| deployment.modify_index < began) =>
                {
                    return Ok(Ended::FailedBefore);
                }
                // By a newer version, or because the job was stopped.
                "cancelled" => return Err(Reason::Replaced),
                "failed" => {
                    // The reason stands without what follows it, too.
                    let now = self.client.job(self.namespace, self.job).await;
                    let now = now.ok().flatten().map(|now| now.version);
                    return Err(failed(&deployment, now));
                }
                _ if deployment.awaits_promotion() => return Ok(Ended::ToPromote),
                _ => {}
            }
            let now = deploying(&deployment);
            let unhealthy = deployment
                .task_groups
                .values()
                .any(|group| group.unhealthy_allocs > 0);
            let quiet = told.as_ref() == Some(&now);
            if !quiet {
                (self.progress)(now.clone());
                told = Some(now);
            }
            if quiet || unhealthy {
                let known = diagnose(self.client, self.namespace, self.job).await?;
                if !known.is_empty() && known != troubles {
                    (self.progress)(Progress::Trouble(known.clone()));
                }
                troubles = known;
            }
            let wait = Wait {
                index,
                time: PATIENCE,
            };
            found = match self.client.deployment(self.namespace, &id, wait).await {
                Ok(found) => found,
                Err(error) if error.is_not_found() => return Ok(Ended::NoneOfThis),
                Err(error) => return Err(error.into()),
            };
        }
    }

    /// Looks whether the job is still there in this version.
    async fn still(&self, version: u64) -> Result<(), Reason> {
        match self.client.job(self.namespace, self.job).await? {
            Some(live) if live.version == version && !live.stop => Ok(()),
            _ => Err(Reason::Replaced),
        }
    }

    /// Waits until every allocation of the version runs, or until there is a deployment of it other
    /// than `judged`: Nomad makes that late where a failed allocation is to be started again later.
    async fn running(
        &self,
        live: &LiveJob,
        hopeless: Reason,
        judged: Option<&str>,
    ) -> Result<Option<(u64, Deployment)>, Reason> {
        let desired = desired(live);
        let mut wait = Wait {
            index: 0,
            time: PATIENCE,
        };
        let mut told = None;
        loop {
            let (index, all) = self
                .client
                .allocations(self.namespace, self.job, wait)
                .await?;
            if all
                .iter()
                .any(|allocation| allocation.job_version > live.version)
            {
                return Err(Reason::Replaced);
            }
            let of_this = |allocation: &&Allocation| {
                allocation.job_version == live.version && allocation.desired_status == "run"
            };
            let current: Vec<_> = all.iter().filter(of_this).collect();
            let count = |status: &str| current.iter().filter(|a| a.client_status == status).count();
            let (running, pending) = (count("running"), count("pending"));
            // The replaced ones still say "run".
            let failed = current
                .iter()
                .filter(|a| a.has_ended() && a.next_allocation.is_empty());
            let (lost, coming): (Vec<&&Allocation>, Vec<&&Allocation>) =
                failed.partition(|a| a.followup_eval_id.is_empty());
            let enough = desired.is_none_or(|desired| running >= desired);
            if enough && pending == 0 && lost.is_empty() && coming.is_empty() {
                return Ok(None);
            }
            let latest = self
                .client
                .latest_deployment(self.namespace, self.job, Wait::NONE);
            match latest.await? {
                (index, Some(deployment))
                    if deployment.job_version == live.version
                        && judged != Some(deployment.id.as_str()) =>
                {
                    return Ok(Some((index, deployment)));
                }
                _ => {}
            }
            if matches!(hopeless, Reason::Stuck) && pending == 0 {
                return Err(hopeless);
            }
            let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            let now = Progress::Deploying {
                desired: number(desired.unwrap_or(current.len())),
                placed: number(current.len()),
                healthy: number(running),
                unhealthy: number(lost.len() + coming.len()),
            };
            if told.as_ref() == Some(&now) {
                self.still(live.version).await?;
                // Not at the first look: Nomad notes a moment later what is to follow them.
                if !lost.is_empty() {
                    return Err(hopeless);
                }
            } else {
                (self.progress)(now.clone());
                told = Some(now);
            }
            wait.index = index;
        }
    }
}

/// Why a deployment failed, where the job now has a version. Nomad makes the older one the newest in the same
/// step (`DeploymentStatusDescriptionRollback` in its `nomad/structs/structs.go`).
fn failed(deployment: &Deployment, now: Option<u64>) -> Reason {
    let description = deployment.status_description.clone();
    let to = description
        .rsplit_once(" - rolling back to job version ")
        .and_then(|(_, version)| version.parse().ok());
    let now = now.filter(|now| *now > deployment.job_version);
    Reason::Deployment {
        version: deployment.job_version,
        description,
        reverted: to.map(|to| Reverted { to, now }),
    }
}

/// How many allocations the job shall have; `None` for system jobs, where it depends on the nodes.
fn desired(live: &LiveJob) -> Option<usize> {
    if live.kind == "system" {
        return None;
    }
    let groups = live.json.get("TaskGroups")?.as_array()?;
    let counts = groups.iter().map(|group| {
        group
            .get("Count")
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(1)
    });
    usize::try_from(counts.sum::<u64>()).ok()
}

fn deploying(deployment: &Deployment) -> Progress {
    let sum = |of: fn(&super::model::Group) -> i64| deployment.task_groups.values().map(of).sum();
    Progress::Deploying {
        desired: sum(|group| group.desired_total),
        placed: sum(|group| group.placed_allocs),
        healthy: sum(|group| group.healthy_allocs),
        unhealthy: sum(|group| group.unhealthy_allocs),
    }
}

impl Failure {
    /// The failure of a caller whose time is up, with what [`diagnose`] found.
    pub fn timed_out(namespace: &str, job: &str, diagnosis: Diagnosis) -> Self {
        Self {
            namespace: namespace.to_owned(),
            job: job.to_owned(),
            reason: Reason::TimedOut,
            diagnosis,
        }
    }

    /// What went wrong, in one line.
    pub fn summary(&self) -> String {
        let job = &self.job;
        match &self.reason {
            Reason::Request(error) => error.summary(),
            Reason::Cancelled => format!("Waiting for the job {job} was interrupted"),
            Reason::TimedOut => format!("The job {job} did not become healthy in time"),
            Reason::Evaluation(_) => format!("Nomad could not schedule the job {job}"),
            Reason::Deployment { .. } => format!("The job {job} did not become healthy"),
            Reason::Stuck | Reason::Allocations => format!("The job {job} does not run"),
            Reason::Replaced => format!("The job {job} was changed by somebody else"),
        }
    }

    /// Everything known, and what to do.
    pub fn detail(&self) -> String {
        let Self { namespace, job, .. } = self;
        let first = match &self.reason {
            Reason::Request(error) => {
                return format!("While waiting for the job {job}: {}", error.detail());
            }
            Reason::Cancelled => {
                return format!(
                    "The job is registered and Nomad goes on with it; the next plan and apply of {job} go on from there."
                );
            }
            Reason::Replaced => {
                return format!(
                    "While it was waited for, another version of {job} was registered, or it was stopped. Find out who does that, then run the plan again."
                );
            }
            Reason::TimedOut => "Nomad goes on trying.".to_owned(),
            Reason::Evaluation(description) => format!("The scheduler says: {description}."),
            Reason::Deployment {
                version,
                description,
                reverted,
            } => {
                let description = description.trim_end_matches('.');
                let after = match reverted {
                    Some(reverted) => reverted.to_string(),
                    None => format!(
                        "Nomad has not gone back to an older version: the job stays at version {version}."
                    ),
                };
                format!("Nomad says of its deployment: {description}. {after}")
            }
            Reason::Stuck => format!(
                "Its last deployment failed, and Nomad tries nothing more with the same specification. Correct the application; or, where the cause lay elsewhere and is gone, run `nomad job stop -purge -namespace {namespace} {job}` and apply again, which starts it anew."
            ),
            Reason::Allocations => {
                "Its tasks failed, and Nomad does not start them again.".to_owned()
            }
        };
        let mut lines = vec![first];
        if self.diagnosis.is_empty() {
            lines.push(match &self.reason {
                Reason::TimedOut => "Its tasks run, but are not healthy yet: look at its health checks, and at `timeouts`.".to_owned(),
                _ => "Nothing is known about its tasks.".to_owned(),
            });
        } else {
            lines.push(self.diagnosis.to_string());
        }
        let look = match self.diagnosis.failing() {
            Some(task) => format!(
                "nomad alloc logs -namespace {namespace} -stderr {} {}",
                task.allocation, task.task
            ),
            None => format!("nomad job status -namespace {namespace} {job}"),
        };
        lines.push(format!("To look into it: {}", look.trim_end()));
        lines.join("\n")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.summary(), self.detail())
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Reverted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nomad has gone back to version {} of the job", self.to)?;
        if let Some(now) = self.now {
            write!(f, ", which is its version {now} now")?;
        }
        f.write_str(": that is what runs, and the next plan shows the difference.")
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Progress::Scheduling => f.write_str("waiting for the scheduler"),
            Progress::Blocked(placements) => {
                let all: Vec<_> = placements.iter().map(ToString::to_string).collect();
                write!(f, "waiting for room: {}", all.join(" "))
            }
            Progress::Deploying {
                desired,
                healthy,
                unhealthy,
                placed,
            } => {
                write!(
                    f,
                    "{healthy} of {desired} healthy ({placed} placed, {unhealthy} unhealthy)"
                )
            }
            Progress::Trouble(diagnosis) => {
                write!(f, "{}", diagnosis.to_string().replace('\n', " "))
            }
        }
    }
}
