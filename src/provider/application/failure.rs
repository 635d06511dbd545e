//! Errors of the layers below, as diagnostics.

use std::time::Duration;

use tokio::time::timeout;

use super::private::Adopt;
use crate::http;
use crate::nomad::job::Job;
use crate::nomad::{self, Diagnosis, watch};
use crate::oam::Problem;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::provider::Clients;
use crate::store::{ApplicationKey, StoreError};

/// An answer of Nomad, or none.
pub fn nomad(error: &http::Error) -> Diagnostic {
    Diagnostic::error(error.summary(), error.detail())
}

/// A record that cannot be read or written.
pub fn store(error: &StoreError) -> Diagnostic {
    Diagnostic::error(error.summary(), error.detail())
}

/// A recorded document that this version cannot read.
pub fn document(key: &ApplicationKey) -> impl Fn(Vec<Problem>) -> Diagnostics {
    let key = key.to_string();
    move |problems| {
        let problems: Vec<_> = problems
            .iter()
            .map(|p| format!("{}: {}", p.path, p.summary))
            .collect();
        vec![Diagnostic::error(
            "Unreadable record",
            format!(
                "The record of the application {key} in Consul holds a document that this version \
                 of the provider cannot read ({}). Nothing was changed. Use the provider version \
                 that wrote it, or repair the record.",
                problems.join("; ")
            ),
        )]
    }
}

/// A scope that the application refers to is not there.
pub fn no_scope(id: &str) -> Diagnostic {
    Diagnostic::error(
        format!("No scope {id:?}"),
        "Consul has no record of it. Create it first, as a resource whose `id` the application refers \
         to, or take it out of the application.",
    )
}

/// A scope that the application refers to will be gone.
pub fn scope_destroyed(id: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The scope {id:?} is being destroyed"),
        "The application still refers to it. Take it out of the application, or keep the scope.",
    )
}

/// A scope is not what the plan was made with.
pub fn scope_changed(id: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The scope {id:?} has changed since the plan"),
        "So the plan no longer says what would happen. Nothing was changed. Plan and apply again.",
    )
}

/// A revision that is not kept.
pub fn no_revision(key: &ApplicationKey, revision: u64, kept: &[String]) -> Diagnostic {
    let kept = match kept {
        [] => "None is kept".to_owned(),
        kept => format!("Those that are kept are {}", kept.join(", ")),
    };
    Diagnostic::error(
        format!("No revision {revision} of {key}"),
        format!(
            "{kept}. Name another, or say what the application shall be with blocks or a manifest."
        ),
    )
}

/// The user wants to stop.
pub fn cancelled() -> Diagnostic {
    Diagnostic::error(
        "Interrupted",
        "The apply was stopped before it was through. What was done is in the state and in the \
         record; the next apply goes on from there.",
    )
}

/// The last apply could not say what it left in the record.
pub fn not_refreshed() -> Diagnostic {
    Diagnostic::error(
        "The record has not been read",
        "What the plan was made from does not say which version of the record in Consul it saw, so \
         nothing was changed. Plan again without `-refresh=false`.",
    )
}

/// Somebody has changed a job after the plan was made.
pub fn job_changed(id: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The job {id} has changed since the plan"),
        "Somebody else has changed or removed it in the meantime, so the plan no longer says what \
         would happen. It was left as it is. Plan and apply again.",
    )
}

/// A job that is somebody else's has the name that one of ours should have. One that no application
/// has can be adopted by an application that is new.
pub fn job_of_another(job: &Job, owner: Option<&str>, is_new: bool) -> Diagnostic {
    let Job { id, namespace, .. } = job;
    let why = match owner {
        Some(owner) => format!(
            "It says in its meta that it belongs to the application {owner}, and was left as it is. Give \
             this application or the component another name, or destroy that application first."
        ),
        None => {
            let take_over = match is_new {
                true => {
                    format!(
                        "To take it over as it runs, import it: add an `import` block with the ID \
                         `nomad:{namespace}/{id}` to this application, and plan again; or, where it is a \
                         `nomad_job` of Nomad's own provider, a `moved` block from there (Terraform 1.8 or \
                         later). Otherwise stop"
                    )
                }
                false => "Stop".to_owned(),
            };
            format!(
                "No application has it, and it was left as it is. {take_over} and purge it first (`nomad \
                 job stop -purge -namespace {namespace} {id}`), or give the application or the component \
                 another name."
            )
        }
    };
    Diagnostic::error(format!("The job {id} already exists"), why)
}

/// A job that is somebody else's has taken the place of one of ours.
pub fn left_alone(id: &str, key: &ApplicationKey) -> Diagnostic {
    Diagnostic::warning(
        format!("The job {id} is left alone"),
        format!(
            "It does not say (in its meta) that it belongs to the application {key}: somebody has \
             put another in its place."
        ),
    )
}

/// A job that is to be adopted is none of the application's.
pub fn not_adopted(job: &Adopt, jobs: &[String]) -> Diagnostic {
    let Adopt { namespace, id, .. } = job;
    let jobs = match jobs {
        [] => "none".to_owned(),
        jobs => jobs.join(", "),
    };
    Diagnostic::error(
        format!("The job {id} would not be one of the application's"),
        format!(
            "The job {id} in the namespace {namespace} was moved or imported here, and the application \
             has these jobs: {jobs}. Nomad cannot rename a job. Name the application and its component so that \
             `<application>-<component>` is the job's ID, and set the tenant whose namespace it is in."
        ),
    )
}

/// A job that is to be adopted, and that no refresh has looked at.
pub fn not_looked_at(job: &Adopt) -> Diagnostic {
    let id = &job.id;
    Diagnostic::error(
        format!("The job {id} has not been looked at"),
        "It is to become this application's, so the plan has to know how it is. Nothing was changed. Plan \
         again without `-refresh=false`.",
    )
}

/// A job that is to be adopted is not there.
pub fn nothing_to_adopt(job: &Adopt) -> Diagnostic {
    let Adopt { namespace, id, .. } = job;
    Diagnostic::warning(
        format!("The job {id} is not there"),
        format!(
            "It was moved or imported here, but there is no such job in the namespace {namespace} of the Nomad \
             that the provider speaks to. It will be a new one."
        ),
    )
}

/// A job that is to be adopted is another application's.
pub fn adopted_by_another(job: &Adopt, owner: &str) -> Diagnostic {
    let id = &job.id;
    Diagnostic::error(
        format!("The job {id} belongs to the application {owner}"),
        "It says so in its meta, and will be left as it is. Remove the `moved` or `import` block.",
    )
}

/// The tenant has other namespaces of Consul and Vault than it had at the plan.
pub fn tenant_changed(tenant: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The tenant {tenant} has changed since the plan"),
        "It has other namespaces of Consul or Vault now. Plan and apply again.",
    )
    .at(AttributePath::new("tenant"))
}

/// A job that is to be adopted would have to become another.
pub fn adopted_of_another_type(job: &Adopt, wanted: &str, found: &str) -> Diagnostic {
    let id = &job.id;
    Diagnostic::error(
        format!("The job {id} is of another type"),
        format!(
            "It is a {found} job, and its component makes a {wanted} job. Nomad does not turn one into \
             the other. Choose another component type, or stop and purge the job first."
        ),
    )
}

/// A job that was to be adopted, and now is not.
pub fn never_adopted(job: &Adopt) -> Diagnostic {
    let Adopt { namespace, id, .. } = job;
    Diagnostic::warning(
        format!("The job {id} is left as it is"),
        format!(
            "It was moved or imported here, but it has never become an application's. It stays in the \
             namespace {namespace}, and Terraform no longer knows of it."
        ),
    )
}

/// A job is gone, and its tasks may not be.
pub fn still_stopping(id: &str) -> Diagnostic {
    Diagnostic::warning(
        format!("Tasks of the job {id} are still stopping"),
        "The time to wait for them (see the `timeouts` block) is over. The job is purged, and Nomad \
         goes on stopping its tasks.",
    )
}

/// A deployment that goes on only when somebody says so.
pub fn to_promote(job: &Job, deployment: &str) -> Diagnostic {
    let id = &job.id;
    let region = job.region.as_deref();
    let region = region
        .map(|region| format!("-region {region} "))
        .unwrap_or_default();
    let namespace = &job.namespace;
    Diagnostic::warning(
        format!("The deployment of the job {id} waits to be promoted"),
        format!(
            "Its canaries are healthy, and run beside the instances of before. To let the new version \
             take over, apply once more with `promote = true` in the component's `update_strategy`, use the \
             action `oam_promote`, or run `nomad deployment promote {region}-namespace {namespace} {deployment}`. \
             To take it away again, change the application back and apply. With `auto_promote = true` a \
             component needs none of it."
        ),
    )
}

/// A job that did not become healthy, with the last lines of the task that failed, where they are to be told.
pub async fn unhealthy(
    clients: &Clients,
    nomad: &nomad::Client,
    failure: &watch::Failure,
) -> Diagnostic {
    if matches!(failure.reason, watch::Reason::Cancelled) {
        return cancelled();
    }
    let mut detail = failure.detail();
    let lines = last_lines(clients, nomad, &failure.namespace, &failure.diagnosis).await;
    if let Some(lines) = lines {
        detail = format!("{detail}\n{lines}");
    }
    Diagnostic::error(failure.summary(), detail)
}

/// What is known about a job that is not well, with the last lines of the task that failed; `None` where it
/// cannot be found out, or is nothing. Finding out has a time of its own.
pub async fn known(
    clients: &Clients,
    nomad: &nomad::Client,
    namespace: &str,
    id: &str,
) -> Option<String> {
    let diagnosis = timeout(LOGS_LIMIT, watch::diagnose(nomad, namespace, id)).await;
    let diagnosis = diagnosis.ok()?.ok().filter(|known| !known.is_empty())?;
    let told = diagnosis.to_string();
    Some(
        match last_lines(clients, nomad, namespace, &diagnosis).await {
            Some(lines) => format!("{told}\n{lines}"),
            None => told,
        },
    )
}

/// How long the node of a failed task may take to send what it wrote.
const LOGS_LIMIT: Duration = Duration::from_secs(5);

/// What the failed task wrote last, or why that is not known; `None` where there is no such task, or nothing,
/// or nobody wants to know.
async fn last_lines(
    clients: &Clients,
    nomad: &nomad::Client,
    namespace: &str,
    diagnosis: &Diagnosis,
) -> Option<String> {
    let trouble = diagnosis.failing()?;
    let task = &trouble.task;
    if task.is_empty() || !clients.failure_logs {
        return None;
    }
    let tail = nomad.last_lines(namespace, &trouble.allocation, task);
    let why = match timeout(LOGS_LIMIT, tail).await {
        Ok(Ok(tail)) => {
            let nomad::Tail { stream, lines } = tail?;
            let lines = lines.join("\n    ");
            return Some(format!(
                "The last lines of the {stream} of the task {task}:\n    {lines}"
            ));
        }
        Ok(Err(error)) => error.summary(),
        Err(_) => "its node did not send it in time".to_owned(),
    };
    Some(format!(
        "What the task {task} wrote could not be read: {why}."
    ))
}
