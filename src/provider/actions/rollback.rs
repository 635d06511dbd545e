//! `oam_rollback`: gives up what is being rolled out, and has the version before run again.
//!
//! The record stays: it says what was applied, and that is not what runs then. So the next plan shows the
//! difference, as it does where Nomad has gone back by itself.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;

use super::{Found, Work, not_as_applied, schema, validate};
use crate::nomad::{GivenUp, Registered, Wait};
use crate::protocol::action::{Action, Progress};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::Context;
use crate::protocol::schema::Schema;
use crate::protocol::value::Value;
use crate::provider::Servers;
use crate::provider::application::failure;

/// The action.
pub struct Rollback {
    servers: Arc<Servers>,
}

impl Rollback {
    /// The action, on these servers.
    pub fn new(servers: Arc<Servers>) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl Action for Rollback {
    fn schema(&self) -> Schema {
        schema(
            "Gives up the deployments of an application that are under way or have failed, and has the last \
             healthy version of their jobs run again.",
            "The components to roll back; all otherwise.",
        )
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        validate(config)
    }

    async fn invoke(&self, cx: &Context, config: Value, progress: Progress) -> Diagnostics {
        let work = match Work::new(&self.servers, cx, &config, &progress).await {
            Ok(work) => work,
            Err(diagnostics) => return diagnostics,
        };
        let found = match work.found().await {
            Ok(found) => found,
            Err(diagnostics) => return diagnostics,
        };
        let results = join_all(found.iter().map(|found| roll_back(&work, found))).await;
        results.into_iter().filter_map(Result::err).collect()
    }
}

async fn roll_back(work: &Work<'_>, found: &Found<'_>) -> Result<(), Diagnostic> {
    let nomad = found.nomad;
    let (namespace, id, now) = (found.namespace(), found.id(), found.live.version);
    let latest = nomad.latest_deployment(namespace, id, Wait::NONE);
    let (_, latest) = latest.await.map_err(|error| failure::nomad(&error))?;
    let Some(deployment) = latest.filter(|it| it.job_version == now && it.status != "cancelled")
    else {
        work.say(found, "nothing is being rolled out");
        return Ok(());
    };
    if deployment.status == "successful" {
        work.say(
            found,
            "the deployment is through, and nothing is rolled back",
        );
        return Ok(());
    }
    if !found.is_as_applied() {
        return Err(not_as_applied(found));
    }
    // Before anything is given up, there must be something to go back to.
    let versions = nomad.job_versions(namespace, id).await;
    let versions = versions.map_err(|error| failure::nomad(&error))?;
    let stable = versions.iter().filter(|it| it.stable && it.version < now);
    let to = stable.map(|it| it.version).max();
    let to = to.ok_or_else(|| nothing_before(id))?;
    let mut given_up = GivenUp::default();
    if deployment.status != "failed" {
        let done = nomad.fail_deployment(namespace, &deployment.id).await;
        given_up = done.map_err(|error| failure::nomad(&error))?;
        work.say(found, "the deployment is given up");
    }
    let registered = match given_up.reverted_job_version {
        Some(to) => {
            work.say(found, &format!("Nomad goes back to version {to}"));
            Registered {
                eval_id: Some(given_up.eval_id).filter(|id| !id.is_empty()),
                eval_create_index: given_up.eval_create_index,
                job_modify_index: 0,
                warnings: None,
            }
        }
        None => {
            let reverted = nomad.revert_job(namespace, id, now, to).await;
            let reverted = reverted.map_err(|error| failure::nomad(&error))?;
            work.say(found, &format!("going back to version {to}"));
            reverted
        }
    };
    let healthy = work.healthy(found, Some(&registered)).await?;
    // Its own canaries: somebody wants it back at once.
    if let Some(deployment) = healthy.to_promote {
        let done = nomad.promote_deployment(namespace, &deployment).await;
        done.map_err(|error| failure::nomad(&error))?;
        work.healthy(found, None).await?;
    }
    work.say(
        found,
        &format!("what was version {to} runs, as version {}", healthy.version),
    );
    Ok(())
}

fn nothing_before(id: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The job {id} has no version to go back to"),
        "Nomad knows of no older version of it whose deployment was successful. Nothing was done. Change the \
         application and apply, or destroy it.",
    )
}
