//! `oam_promote`: lets the canaries of an application take over.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;

use super::{Found, Work, not_as_applied, schema, validate};
use crate::nomad::{Deployment, Wait};
use crate::protocol::action::{Action, Progress};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::Context;
use crate::protocol::schema::Schema;
use crate::protocol::value::Value;
use crate::provider::Servers;
use crate::provider::application::failure;
use crate::store::{ApplicationKey, Phase};

/// The action.
pub struct Promote {
    servers: Arc<Servers>,
}

impl Promote {
    /// The action, on these servers.
    pub fn new(servers: Arc<Servers>) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl Action for Promote {
    fn schema(&self) -> Schema {
        schema(
            "Promotes the deployments of an application that wait for it, and waits until they are successful.",
            "The components to promote; all otherwise.",
        )
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        validate(config)
    }

    async fn invoke(&self, cx: &Context, config: Value, progress: Progress) -> Diagnostics {
        match promoted(&self.servers, cx, &config, &progress).await {
            Ok(()) => Vec::new(),
            Err(diagnostics) => diagnostics,
        }
    }
}

async fn promoted(
    servers: &Servers,
    cx: &Context,
    config: &Value,
    progress: &Progress,
) -> Result<(), Diagnostics> {
    let work = Work::new(servers, cx, config, progress).await?;
    if work.phase != Phase::Settled {
        return Err(vec![not_settled(&work.key)]);
    }
    let found = work.found().await?;
    let results = join_all(found.iter().map(|found| promote(&work, found))).await;
    let errors: Diagnostics = results.into_iter().filter_map(Result::err).collect();
    match errors.is_empty() {
        true => Ok(()),
        false => Err(errors),
    }
}

async fn promote(work: &Work<'_>, found: &Found<'_>) -> Result<(), Diagnostic> {
    let nomad = found.nomad;
    let latest = nomad.latest_deployment(found.namespace(), found.id(), Wait::NONE);
    let (_, latest) = latest.await.map_err(|error| failure::nomad(&error))?;
    let waits = latest.is_some_and(|it| it.job_version == found.live.version && has_canaries(&it));
    if !waits {
        work.say(found, "nothing waits to be promoted");
        return Ok(());
    }
    if !found.is_as_applied() {
        return Err(not_as_applied(found));
    }
    // Canaries that are not healthy yet are waited for.
    let healthy = work.healthy(found, None).await?;
    if let Some(deployment) = &healthy.to_promote {
        let done = nomad.promote_deployment(found.namespace(), deployment);
        done.await.map_err(|error| failure::nomad(&error))?;
        work.say(found, "promoted");
        work.healthy(found, None).await?;
    }
    work.say(found, "the new version has taken over");
    Ok(())
}

/// Whether a deployment is under way that somebody has to promote sooner or later.
fn has_canaries(deployment: &Deployment) -> bool {
    let mut groups = deployment.task_groups.values();
    deployment.status == "running"
        && groups.any(|group| group.desired_canaries > 0 && !group.promoted)
}

fn not_settled(key: &ApplicationKey) -> Diagnostic {
    Diagnostic::error(
        format!("The last apply of {key} is not through"),
        "It is under way, or has failed. Nothing was promoted. Apply the application first.",
    )
}
