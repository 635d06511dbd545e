//! `oam_restart`: restarts what runs of an application, as `nomad job restart` does: where it is, one instance
//! after another, each only when the one before has run for as long as an update would wait for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Found, Work, interrupted, schema, validate};
use crate::http;
use crate::nomad::{Allocation, LiveJob, TaskState, Wait};
use crate::protocol::action::{Action, Progress};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::Context;
use crate::protocol::schema::Schema;
use crate::protocol::value::Value;
use crate::provider::Servers;
use crate::provider::application::failure;

/// Longest single wait for a change.
const PATIENCE: Duration = Duration::from_secs(10);

/// The action.
pub struct Restart {
    servers: Arc<Servers>,
}

impl Restart {
    /// The action, on these servers.
    pub fn new(servers: Arc<Servers>) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl Action for Restart {
    fn schema(&self) -> Schema {
        schema(
            "Restarts what runs of an application: where it is, one instance after another.",
            "The components to restart; all otherwise.",
        )
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        validate(config)
    }

    async fn invoke(&self, cx: &Context, config: Value, progress: Progress) -> Diagnostics {
        match restarted(&self.servers, cx, &config, &progress).await {
            Ok(()) => Vec::new(),
            Err(diagnostics) => diagnostics,
        }
    }
}

/// One component after another, and nothing more after the first that does not come back.
async fn restarted(
    servers: &Servers,
    cx: &Context,
    config: &Value,
    progress: &Progress,
) -> Result<(), Diagnostics> {
    let work = Work::new(servers, cx, config, progress).await?;
    for found in work.found().await? {
        restart(&work, &found).await.map_err(|error| vec![error])?;
    }
    Ok(())
}

async fn restart(work: &Work<'_>, found: &Found<'_>) -> Result<(), Diagnostic> {
    let all = found
        .nomad
        .allocations(found.namespace(), found.id(), Wait::NONE);
    let (_, all) = all.await.map_err(|error| failure::nomad(&error))?;
    let running: Vec<_> = all.iter().filter(|it| runs(it)).collect();
    if running.is_empty() {
        work.say(found, "nothing runs");
    }
    for (index, allocation) in running.iter().enumerate() {
        let one = restart_one(found, allocation);
        let one = timeout_at(work.deadline, one);
        let outcome = match work.cx.cancel.run_until_cancelled(one).await {
            None => return Err(interrupted(found.id())),
            Some(Err(_)) => Outcome::TooLate,
            Some(Ok(outcome)) => outcome.map_err(|error| failure::nomad(&error))?,
        };
        let what = match outcome {
            Outcome::Runs => "runs again",
            Outcome::Gone => "was stopped meanwhile",
            Outcome::Ended | Outcome::TooLate => {
                return Err(not_back(work, found, allocation, &outcome).await);
            }
        };
        work.say(
            found,
            &format!(
                "instance {} of {} ({} on {}) {what}",
                index + 1,
                running.len(),
                allocation.id,
                allocation.node_name
            ),
        );
    }
    Ok(())
}

/// What became of an allocation after its restart.
enum Outcome {
    Runs,
    /// Somebody wants it no more, so another has taken its place, or none is to.
    Gone,
    Ended,
    TooLate,
}

fn runs(allocation: &Allocation) -> bool {
    allocation.desired_status == "run" && allocation.client_status == "running"
}

/// Restarts an allocation, and waits until every task of it that ran has started anew, and has then run without
/// another start for as long as an update would have it run.
async fn restart_one(found: &Found<'_>, allocation: &Allocation) -> Result<Outcome, http::Error> {
    let (nomad, namespace) = (found.nomad, found.namespace());
    let before = starts(allocation);
    let healthy = min_healthy_time(&found.live, &allocation.task_group);
    nomad.restart_allocation(namespace, &allocation.id).await?;
    let mut wait = Wait::NONE;
    let mut steady: Option<(BTreeMap<String, i64>, Instant)> = None;
    loop {
        let (index, all) = nomad.allocations(namespace, found.id(), wait).await?;
        let now = all.iter().find(|it| it.id == allocation.id);
        let Some(now) = now.filter(|now| now.desired_status == "run") else {
            return Ok(Outcome::Gone);
        };
        if now.has_ended() {
            return Ok(Outcome::Ended);
        }
        let latest = starts(now);
        let is_new = |(task, before)| latest.get(task).is_some_and(|now| now > before);
        let since = match steady.take() {
            _ if !runs(now) || !before.iter().all(is_new) => None,
            Some((seen, since)) if seen == latest => Some(since),
            _ => Some(Instant::now()),
        };
        let left = since.map(|since| healthy.saturating_sub(since.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Outcome::Runs);
        }
        steady = since.map(|since| (latest, since));
        let time = left.map_or(PATIENCE, |left| left.min(PATIENCE));
        wait = Wait { index, time };
    }
}

/// The tasks of an allocation that run, each with when it was started last: nanoseconds since 1970.
fn starts(allocation: &Allocation) -> BTreeMap<String, i64> {
    let states = allocation.task_states.iter();
    let running = states.filter(|(_, state)| state.state == "running");
    running
        .map(|(task, state)| (task.clone(), started(state)))
        .collect()
}

/// For how long an instance of a task group has to run until an update goes on with the next; nothing where the
/// job has no updates, such as a batch job.
fn min_healthy_time(job: &LiveJob, group: &str) -> Duration {
    let groups = job.json["TaskGroups"].as_array();
    let group = groups.and_then(|all| all.iter().find(|it| it["Name"] == group));
    let time = group.and_then(|group| group["Update"]["MinHealthyTime"].as_u64());
    Duration::from_nanos(time.unwrap_or(0))
}

/// When a task was started last: nanoseconds since 1970.
fn started(state: &TaskState) -> i64 {
    let starts = state.events.iter().filter(|event| event.kind == "Started");
    starts.map(|event| event.time).max().unwrap_or(0)
}

async fn not_back(
    work: &Work<'_>,
    found: &Found<'_>,
    allocation: &Allocation,
    outcome: &Outcome,
) -> Diagnostic {
    let id = found.id();
    let summary = match outcome {
        Outcome::TooLate => format!("The job {id} was not restarted in time"),
        _ => format!("The job {id} does not run after its restart"),
    };
    let mut detail = format!(
        "The allocation {} on {} does not run again; those after it were not restarted.",
        allocation.id, allocation.node_name
    );
    let known = failure::known(&work.clients, found.nomad, found.namespace(), id).await;
    if let Some(known) = known {
        detail = format!("{detail}\n{known}");
    }
    Diagnostic::error(summary, detail)
}
