//! The actions, one file each: what is done to a running application without changing what it is.
//!
//! None of them takes the lock of the application, and none writes its record: what they ask of Nomad names
//! one deployment or one version of a job, and Nomad refuses it where that is not there any more.

mod promote;
mod restart;
mod rollback;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, timeout_at};

use super::application::{apply, failure, purge};
use super::{Clients, Servers};
use crate::nomad::watch::{self, Healthy, Reason};
use crate::nomad::{self, LiveJob, Registered};
use crate::oam::form;
use crate::protocol::action::{Action, Progress};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, Block, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::store::{ApplicationKey, JobRecord, Phase};
use crate::translate;

/// Every action, by its full type name.
pub fn all(servers: &Arc<Servers>) -> Vec<(&'static str, Arc<dyn Action>)> {
    let on = || Arc::clone(servers);
    vec![
        ("oam_promote", Arc::new(promote::Promote::new(on()))),
        ("oam_restart", Arc::new(restart::Restart::new(on()))),
        ("oam_rollback", Arc::new(rollback::Rollback::new(on()))),
    ]
}

/// How long an action may take, unless its configuration says otherwise.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The shape that all of them have.
fn schema(description: &str, components: &str) -> Schema {
    let attributes = vec![
        Attribute::new(
            "name",
            Type::String,
            Mode::Required,
            "Name of the application.",
        ),
        Attribute::new(
            "tenant",
            Type::String,
            Mode::Optional,
            "Tenant that it belongs to, where it belongs to one.",
        ),
        Attribute::new(
            "components",
            Type::List(Box::new(Type::String)),
            Mode::Optional,
            components,
        ),
        Attribute::new(
            "timeout",
            Type::String,
            Mode::Optional,
            "How long it may take, such as `90s` or `10m`; `15m` otherwise.",
        ),
    ];
    let block = Block {
        attributes,
        blocks: Vec::new(),
        description: description.to_owned(),
    };
    Schema { version: 0, block }
}

/// What is wrong with a configuration, as far as it is known.
fn validate(config: &Value) -> Diagnostics {
    let mut found = Vec::new();
    for (name, form) in [("name", &form::LABEL), ("tenant", &form::TENANT)] {
        let wrong = config.get(name).as_str().filter(|text| !(form.check)(text));
        found.extend(wrong.map(|text| {
            Diagnostic::error(format!("{text:?} is not {}", form.what), form.how)
                .at(AttributePath::new(name))
        }));
    }
    if config
        .get("components")
        .as_list()
        .is_some_and(<[_]>::is_empty)
    {
        let detail = "An empty list names no component. Leave it out to mean all of them.";
        let empty = Diagnostic::error("No component is named", detail);
        found.push(empty.at(AttributePath::new("components")));
    }
    found.extend(timeout(config).err());
    found
}

fn timeout(config: &Value) -> Result<Duration, Diagnostic> {
    let Some(text) = config.get("timeout").as_str() else {
        return Ok(TIMEOUT);
    };
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(Diagnostic::error(
            "Unreadable duration",
            format!("{text:?} is not a duration. Write it such as `90s`, `10m` or `1h30m`."),
        )
        .at(AttributePath::new("timeout"))),
    }
}

/// An action that has found its application.
struct Work<'a> {
    cx: &'a Context,
    progress: &'a Progress,
    clients: Arc<Clients>,
    key: ApplicationKey,
    phase: Phase,
    /// The jobs that it is about, in order, each with its name for the user.
    jobs: Vec<(String, JobRecord)>,
    deadline: Instant,
}

/// A job that is there.
struct Found<'a> {
    /// The component, and its cluster where it is in several.
    component: &'a str,
    recorded: &'a JobRecord,
    nomad: &'a nomad::Client,
    live: LiveJob,
}

impl<'a> Work<'a> {
    /// # Errors
    /// Where there is no such application or component, or it is being destroyed.
    async fn new(
        servers: &Servers,
        cx: &'a Context,
        config: &Value,
        progress: &'a Progress,
    ) -> Result<Self, Diagnostics> {
        let clients = servers.required().map_err(|error| vec![error])?;
        let name = config.get("name").as_str().unwrap_or_default();
        let key = ApplicationKey::new(config.get("tenant").as_str(), name);
        let deadline = Instant::now() + timeout(config).map_err(|error| vec![error])?;
        let stored = clients.store.read(&key).await;
        let Some(stored) = stored.map_err(|error| vec![failure::store(&error)])? else {
            return Err(vec![no_application(&key)]);
        };
        let record = stored.record;
        if record.phase == Phase::Destroying {
            return Err(vec![no_application(&key)]);
        }
        let left = |key: &str| key.ends_with(apply::LEFT);
        let mut jobs: Vec<_> = record
            .jobs
            .into_iter()
            .filter(|(key, _)| !left(key))
            .collect();
        if let Some(wanted) = config.get("components").as_list() {
            let wanted: Vec<_> = wanted.iter().filter_map(Value::as_str).collect();
            let is_of = |key: &str, component: &str| translate::split_key(key).0 == component;
            let unknown = wanted
                .iter()
                .filter(|component| !jobs.iter().any(|(key, _)| is_of(key, component)));
            let unknown: Diagnostics = unknown.map(|it| no_component(&key, it)).collect();
            if !unknown.is_empty() {
                return Err(unknown);
            }
            jobs.retain(|(key, _)| wanted.iter().any(|component| is_of(key, component)));
        }
        Ok(Self {
            cx,
            progress,
            clients,
            key,
            phase: record.phase,
            jobs,
            deadline,
        })
    }

    /// The jobs as they are now.
    ///
    /// # Errors
    /// Where one is not there, or is another's.
    async fn found(&self) -> Result<Vec<Found<'_>>, Diagnostics> {
        let asked = self.jobs.iter().map(|(component, recorded)| async move {
            let place = apply::job_ref(component, recorded);
            let nomad = self.clients.nomad_of(place.cluster.as_deref())?;
            let live = nomad.job(&recorded.namespace, &recorded.id).await;
            let live = live.map_err(|error| failure::nomad(&error))?;
            let live = live.filter(|live| purge::is_ours(live, &self.key));
            let live = live.ok_or_else(|| not_there(&self.key, &recorded.id))?;
            Ok(Found {
                component,
                recorded,
                nomad,
                live,
            })
        });
        let found = try_join_all(asked).await;
        found.map_err(|error: Diagnostic| vec![error])
    }

    /// Waits until a job is healthy, and tells how far it is.
    ///
    /// # Errors
    /// Why it is not.
    async fn healthy(
        &self,
        found: &Found<'_>,
        registered: Option<&Registered>,
    ) -> Result<Healthy, Diagnostic> {
        let JobRecord { id, namespace, .. } = found.recorded;
        let nomad = found.nomad;
        let say = |step: watch::Progress| self.say(found, &step.to_string());
        let cancel = &self.cx.cancel;
        let healthy = watch::until_healthy(nomad, namespace, id, registered, cancel, say);
        let result = match timeout_at(self.deadline, healthy).await {
            Ok(result) => result,
            Err(_) => Err(apply::too_late(nomad, namespace, id).await),
        };
        match result {
            Ok(healthy) => Ok(healthy),
            Err(error) if matches!(error.reason, Reason::Cancelled) => Err(interrupted(id)),
            Err(error) => Err(failure::unhealthy(&self.clients, nomad, &error).await),
        }
    }

    fn say(&self, found: &Found<'_>, what: &str) {
        tracing::info!(job = found.recorded.id, "{what}");
        self.progress.say(format!("{}: {what}", found.component));
    }
}

impl Found<'_> {
    fn namespace(&self) -> &str {
        &self.recorded.namespace
    }

    fn id(&self) -> &str {
        &self.recorded.id
    }

    /// Whether the job is of the version that the last apply made, as far as that has said so.
    fn is_as_applied(&self) -> bool {
        let applied = self.recorded.version;
        applied.is_none_or(|version| version == self.live.version)
    }
}

fn no_application(key: &ApplicationKey) -> Diagnostic {
    let detail = format!(
        "Consul has no record of the application {key}, or it is being destroyed. Check the name and the \
         tenant, and the provider's `key_prefix`."
    );
    Diagnostic::error("No such application", detail).at(AttributePath::new("name"))
}

fn no_component(key: &ApplicationKey, component: &str) -> Diagnostic {
    let summary = format!("No component {component:?}");
    let detail = format!("The application {key}, as it was applied last, has none of that name.");
    Diagnostic::error(summary, detail).at(AttributePath::new("components"))
}

fn not_there(key: &ApplicationKey, id: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The job {id} is not there"),
        format!(
            "Somebody has removed it, or put another in its place that is not the application {key}'s. \
             Nothing was done. Plan and apply the application first."
        ),
    )
}

/// The job's version is not what the last apply made.
fn not_as_applied(found: &Found<'_>) -> Diagnostic {
    let id = found.id();
    let applied = found.recorded.version.unwrap_or_default();
    let now = found.live.version;
    Diagnostic::error(
        format!("The job {id} is not as it was applied"),
        format!(
            "The last apply made its version {applied}, and now it has version {now}, which is somebody \
             else's. It was left as it is. A plan of the application shows the difference."
        ),
    )
}

fn interrupted(id: &str) -> Diagnostic {
    Diagnostic::error(
        "Interrupted",
        format!(
            "The action was stopped before it was through with the job {id}. Nomad goes on with what it was \
             told to do."
        ),
    )
}
