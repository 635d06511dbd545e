//! What Nomad says of the jobs that a plan changes, before anything is changed.
//!
//! Each is sent to Nomad's job plan (<https://developer.hashicorp.com/nomad/api-docs/jobs#plan-job>), which
//! runs the scheduler on a copy. What cannot be placed and what will be taken down on the way is a warning
//! at the component: capacity can come, and the plan stays what it is. What Nomad would refuse is an error.

use futures_util::future::join_all;

use super::failure;
use crate::http::Kind;
use crate::nomad::job::Job;
use crate::nomad::{Change, Placement, Planned};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::provider::Clients;
use crate::provider::config::DryRun;
use crate::translate;

/// Asks Nomad about the jobs, each with its key and the attribute that stands for it.
pub async fn dry_run(clients: &Clients, jobs: Vec<(String, &Job, AttributePath)>) -> Diagnostics {
    if clients.dry_run == DryRun::Off {
        return Vec::new();
    }
    let asked = jobs.into_iter().map(|(key, job, path)| async move {
        let said = of_job(clients, &key, job).await;
        let said = said
            .into_iter()
            .map(|diagnostic| diagnostic.at(path.clone()));
        said.collect::<Diagnostics>()
    });
    let mut all: Diagnostics = Vec::new();
    for diagnostic in join_all(asked).await.into_iter().flatten() {
        // A server that is not there is said once.
        let again = |other: &Diagnostic| {
            other.summary == diagnostic.summary && other.detail == diagnostic.detail
        };
        if !all.iter().any(again) {
            all.push(diagnostic);
        }
    }
    all
}

async fn of_job(clients: &Clients, key: &str, job: &Job) -> Diagnostics {
    let (_, cluster) = translate::split_key(key);
    let nomad = match clients.nomad_of(cluster) {
        Ok(nomad) => nomad,
        Err(diagnostic) => return vec![diagnostic],
    };
    match nomad.plan(&job.namespace, &job.id, job, false).await {
        Ok(planned) => said(&job.id, &planned),
        Err(error) => match &error.kind {
            // The namespace or the node pool may be one that this very plan makes.
            Kind::Server { message, .. } if message.contains("nonexistent") => {
                tracing::info!(job = job.id, message, "not planned by Nomad");
                Vec::new()
            }
            Kind::Server { .. } => vec![refused(&job.id, &failure::nomad(&error))],
            _ if clients.dry_run == DryRun::Optional => {
                let Diagnostic {
                    summary, detail, ..
                } = failure::nomad(&error);
                let detail =
                    format!("So Nomad was not asked what it would do with the jobs. {detail}");
                vec![Diagnostic::warning(summary, detail)]
            }
            _ => vec![failure::nomad(&error)],
        },
    }
}

fn refused(id: &str, error: &Diagnostic) -> Diagnostic {
    Diagnostic::error(
        format!("Nomad would not take the job {id}"),
        format!("{} {}", error.summary, error.detail),
    )
}

/// What there is to know about a job that Nomad would take.
fn said(id: &str, planned: &Planned) -> Diagnostics {
    let mut all = Vec::new();
    if let Some(warnings) = &planned.warnings {
        let summary = format!("Nomad warns about the job {id}");
        all.push(Diagnostic::warning(summary, warnings.clone()));
    }
    let placements = planned
        .failed_tg_allocs
        .iter()
        .map(|(group, metric)| Placement {
            group: group.clone(),
            metric: metric.clone(),
        });
    let placements: Vec<_> = placements.map(|placement| placement.to_string()).collect();
    if !placements.is_empty() {
        all.push(Diagnostic::warning(
            format!("There is no room for the job {id} now"),
            format!(
                "{} An apply waits for room until its time is up (see `timeouts`).",
                placements.join(" ")
            ),
        ));
    }
    let changes: Vec<_> = planned.changes().iter().filter_map(disruption).collect();
    if !changes.is_empty() {
        all.push(Diagnostic::warning(
            format!("Instances of {id} are replaced"),
            changes.join(" "),
        ));
    }
    all
}

/// What an update takes down or begins beside; nothing where it only adds or changes in place.
fn disruption(change: &Change) -> Option<String> {
    let disruptive = [
        (
            change.destructive_update,
            "replaced by new ones (create/destroy)",
        ),
        (change.canary, "started beside the old ones (canaries)"),
        (change.migrate, "moved to other nodes"),
        (change.stop, "stopped"),
        (change.preemptions, "of other jobs stopped to make room"),
    ];
    if disruptive.iter().all(|(count, _)| *count == 0) {
        return None;
    }
    let quiet = [
        (change.in_place_update, "changed in place"),
        (change.place, "started"),
    ];
    let parts = disruptive
        .iter()
        .chain(&quiet)
        .filter(|(count, _)| *count > 0);
    let parts: Vec<_> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    Some(format!(
        "Of the group {}: {}.",
        change.group,
        parts.join(", ")
    ))
}
