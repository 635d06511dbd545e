//! Writing one job, each only as the plan has seen it, and finding out what became of a write whose answer
//! was lost.

use super::{failure, purge};
use crate::http;
use crate::nomad::{self, Enforce, LiveJob, Registered};
use crate::protocol::diagnostic::Diagnostic;
use crate::provider::Clients;
use crate::store::ApplicationKey;
use crate::translate::{self, Translation};

/// A job that was not registered, as far as is known.
pub struct Refused {
    /// Why.
    pub diagnostic: Diagnostic,
    /// Whether Nomad may still register it.
    pub is_uncertain: bool,
}

impl Refused {
    fn by(error: &http::Error) -> Self {
        Self {
            diagnostic: failure::nomad(error),
            is_uncertain: error.is_uncertain(),
        }
    }
}

impl From<Diagnostic> for Refused {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostic,
            is_uncertain: false,
        }
    }
}

/// What a registration needs to know of the apply that it is a part of.
#[derive(Clone, Copy)]
pub struct Registration<'a> {
    /// The servers.
    pub clients: &'a Clients,
    /// Whose jobs they are.
    pub key: &'a ApplicationKey,
    /// Whether there was no record before the apply.
    pub is_new: bool,
}

impl Registration<'_> {
    /// Writes one job. One that should not be there and is this component's all the same was left
    /// by an apply that was interrupted, or by somebody who has deleted the record.
    ///
    /// # Errors
    /// Where Nomad does not do it, or the job is not as the plan has seen it.
    pub async fn of(
        self,
        translation: &Translation,
        enforce: Enforce,
    ) -> Result<Registered, Refused> {
        let job = &translation.job;
        let nomad = self.clients.nomad_of(translation.cluster.as_deref())?;
        let error = match self.once(nomad, translation, enforce).await {
            Ok(registered) => return Ok(registered),
            Err(error) => error,
        };
        if !error.is_conflict() {
            return Err(Refused::by(&error));
        }
        let found = nomad.job(&job.namespace, &job.id).await;
        let Some(live) = found.map_err(|error| failure::nomad(&error))? else {
            return Err(failure::job_changed(&job.id).into());
        };
        if enforce != Enforce::New {
            return Err(failure::job_changed(&job.id).into());
        }
        if !purge::is_ours(&live, self.key) {
            let owner = live.meta.get(translate::META_APPLICATION);
            let owner = owner.map(String::as_str);
            return Err(failure::job_of_another(job, owner, self.is_new).into());
        }
        tracing::info!(
            job = job.id,
            "the job is already there and this application's: taking it over"
        );
        let registered = self
            .once(nomad, translation, Enforce::Index(live.job_modify_index))
            .await;
        registered.map_err(|error| match error.is_conflict() {
            true => failure::job_changed(&job.id).into(),
            false => Refused::by(&error),
        })
    }

    /// Sends one registration, once. Where its answer is lost, the job tells whether it was done; sent again,
    /// it could overwrite what somebody has made of the job since.
    async fn once(
        self,
        nomad: &nomad::Client,
        translation: &Translation,
        enforce: Enforce,
    ) -> Result<Registered, http::Error> {
        let job = &translation.job;
        let registered = nomad.register(&job.namespace, job, enforce).await;
        let look = async {
            let live = nomad.job(&job.namespace, &job.id).await.ok()??;
            if !self.is_done(translation, &live) {
                return None;
            }
            let registered = nomad.registration(&job.namespace, &live).await.ok()?;
            tracing::info!(
                job = job.id,
                "the answer was lost, and the job is registered"
            );
            Some(registered)
        };
        http::found_out(registered, look).await
    }

    fn is_done(self, translation: &Translation, live: &LiveJob) -> bool {
        purge::is_ours(live, self.key)
            && translate::drift::compare(translation, &live.json).is_empty()
    }
}
