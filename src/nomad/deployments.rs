//! What somebody may do to a deployment, to a job's versions and to what runs.

use serde::Deserialize;
use serde_json::json;

use super::client::{Client, Registered, or_empty};
use crate::http::{Error, Repeat, Request};

/// A version of a job that Nomad still has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JobVersion {
    /// Counted from 0.
    pub version: u64,
    /// Whether a deployment of it has been successful.
    #[serde(default)]
    pub stable: bool,
}

/// The answer to a deployment that was given up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GivenUp {
    /// The evaluation that follows; empty where none does.
    #[serde(rename = "EvalID")]
    pub eval_id: String,
    /// Index of that evaluation's creation.
    pub eval_create_index: u64,
    /// The version that Nomad goes back to by itself (`auto_revert`), if it does.
    pub reverted_job_version: Option<u64>,
}

impl Client {
    /// Lets the canaries of a deployment take over, in every task group.
    ///
    /// Source: <https://developer.hashicorp.com/nomad/api-docs/deployments#promote-deployment>.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]; [`crate::http::Kind::Server`] where canaries are not healthy, or
    /// the deployment is over.
    pub async fn promote_deployment(&self, namespace: &str, id: &str) -> Result<(), Error> {
        let request = Request::post(&["deployment", "promote", id], Repeat::Unsent);
        let body = json!({ "DeploymentID": id, "All": true });
        let request = self.at(request, namespace).body(body.to_string().into());
        self.send(request).await.map(drop)
    }

    /// Gives a deployment up. With `auto_revert` Nomad goes back to the last stable version.
    ///
    /// Source: <https://developer.hashicorp.com/nomad/api-docs/deployments#fail-deployment>.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]; [`crate::http::Kind::Server`] where the deployment is over.
    pub async fn fail_deployment(&self, namespace: &str, id: &str) -> Result<GivenUp, Error> {
        let request = Request::post(&["deployment", "fail", id], Repeat::Unsent);
        let body = json!({ "DeploymentID": id });
        let request = self.at(request, namespace).body(body.to_string().into());
        self.send(request).await?.json()
    }

    /// The versions of a job that Nomad still has, newest first.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn job_versions(&self, namespace: &str, job: &str) -> Result<Vec<JobVersion>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            #[serde(default, deserialize_with = "or_empty")]
            versions: Vec<JobVersion>,
        }
        let request = self.at(Request::get(&["job", job, "versions"]), namespace);
        let answer: Answer = self.send(request).await?.json()?;
        Ok(answer.versions)
    }

    /// Makes an older version of a job the newest, if its version now is `from`.
    ///
    /// Source: <https://developer.hashicorp.com/nomad/api-docs/jobs#revert-to-older-job-version>.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]; [`crate::http::Kind::Server`] where the job has another version now.
    pub async fn revert_job(
        &self,
        namespace: &str,
        job: &str,
        from: u64,
        to: u64,
    ) -> Result<Registered, Error> {
        let request = Request::post(&["job", job, "revert"], Repeat::Unsent);
        let body = json!({ "JobID": job, "JobVersion": to, "EnforcePriorVersion": from });
        let request = self.at(request, namespace).body(body.to_string().into());
        self.send(request).await?.json()
    }

    /// Restarts the tasks of an allocation that run, where they are.
    ///
    /// Source: <https://developer.hashicorp.com/nomad/api-docs/allocations#restart-allocation>.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn restart_allocation(&self, namespace: &str, id: &str) -> Result<(), Error> {
        let path = ["client", "allocation", id, "restart"];
        let request = self.at(Request::post(&path, Repeat::Unsent), namespace);
        self.send(request.body(b"{}".to_vec())).await.map(drop)
    }
}
