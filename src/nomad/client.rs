//! One method per request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::ahead::Indexes;
use super::model::{Allocation, AllocationMetric, Deployment, Evaluation, JobStub};
use crate::ahead::Ahead;
use crate::http::{self, Endpoint, Error, Kind, Repeat, Request};

/// A client of one Nomad agent. Cheap to make and to clone; connects at its first request.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) http: http::Client,
    pub(super) ahead: Arc<Ahead<Indexes>>,
    /// Whether it is the Enterprise build, once somebody has asked.
    pub(super) enterprise: Arc<OnceCell<bool>>,
}

/// A job as Nomad has it.
#[derive(Debug, Clone)]
pub struct LiveJob {
    /// The whole answer of `GET /v1/job/:id`.
    pub json: Value,
    /// Index of the last change of the specification; what [`Enforce::Index`] takes.
    pub job_modify_index: u64,
    /// Version, counted from 0.
    pub version: u64,
    /// Whether it is stopped.
    pub stop: bool,
    /// `pending`, `running` or `dead`.
    pub status: String,
    /// `service`, `batch`, `system` or `sysbatch`.
    pub kind: String,
    /// The job's meta.
    pub meta: BTreeMap<String, String>,
}

/// What must hold for a registration to be done.
///
/// Source: `EnforceIndex` at <https://developer.hashicorp.com/nomad/api-docs/jobs#create-job>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforce {
    /// There is no such job, not even a stopped one.
    New,
    /// The job's `JobModifyIndex` is this one.
    Index(u64),
    /// Nothing.
    Nothing,
}

/// The answer to a registration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Registered {
    /// The evaluation that schedules the job; `None` for periodic and parameterized jobs.
    #[serde(default, rename = "EvalID", deserialize_with = "filled")]
    pub eval_id: Option<String>,
    /// Index of that evaluation's creation.
    #[serde(default)]
    pub eval_create_index: u64,
    /// The job's new index. Where the job was the same before, Nomad 1.11 sends another index
    /// (`Register` in its `nomad/job_endpoint.go`); [`LiveJob::job_modify_index`] is always right.
    pub job_modify_index: u64,
    /// Nomad's warnings about the specification.
    #[serde(default, deserialize_with = "filled")]
    pub warnings: Option<String>,
}

/// The answer to a validation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validated {
    /// What is wrong with the job; empty where it is valid.
    pub errors: Vec<String>,
    /// Nomad's warnings about the specification.
    pub warnings: Option<String>,
}

/// What the scheduler would do.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Planned {
    /// The job's index now; 0 where there is no such job.
    pub job_modify_index: u64,
    /// Why allocations could not be placed, by task group.
    #[serde(default, rename = "FailedTGAllocs", deserialize_with = "or_empty")]
    pub failed_tg_allocs: BTreeMap<String, AllocationMetric>,
    /// Nomad's warnings about the specification.
    #[serde(default, deserialize_with = "filled")]
    pub warnings: Option<String>,
    /// The differences to the job as it is, as Nomad sends them; `null` unless asked for.
    #[serde(default)]
    pub diff: Value,
    /// What the scheduler would do, as Nomad sends it.
    #[serde(default)]
    pub annotations: Value,
}

/// What the scheduler would do with the instances of a task group: how many of each.
///
/// Source: `DesiredUpdates` in Nomad's `api/evaluations.go`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Change {
    /// Task group.
    #[serde(skip)]
    pub group: String,
    /// Started.
    pub place: u64,
    /// Stopped.
    pub stop: u64,
    /// Moved to another node.
    pub migrate: u64,
    /// Changed as they run.
    pub in_place_update: u64,
    /// Stopped, and new ones started in their place.
    pub destructive_update: u64,
    /// Started beside the old ones, to be promoted.
    pub canary: u64,
    /// Of other jobs, stopped to make room.
    pub preemptions: u64,
}

impl Planned {
    /// What the scheduler would do, by task group.
    pub fn changes(&self) -> Vec<Change> {
        let groups = self.annotations.get("DesiredTGUpdates");
        let groups = groups.and_then(Value::as_object).into_iter().flatten();
        let change = |(group, counts): (&String, &Value)| Change {
            group: group.clone(),
            ..serde_json::from_value(counts.clone()).unwrap_or_default()
        };
        groups.map(change).collect()
    }
}

/// A blocking query: answer once the index is past `index`, or after about `time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The index that was seen last; 0 answers at once.
    pub index: u64,
    /// Longest wait.
    pub time: Duration,
}

impl Wait {
    /// An answer at once.
    pub const NONE: Wait = Wait {
        index: 0,
        time: Duration::ZERO,
    };
}

impl Client {
    /// A client for `endpoint`.
    pub fn new(endpoint: Endpoint) -> Self {
        Self::with(http::Client::new(endpoint))
    }

    /// A client of another agent, which may lead to the same cluster: what one of them writes, the other
    /// knows to have changed.
    pub fn beside(&self, endpoint: Endpoint) -> Self {
        Self::with(self.http.beside(endpoint))
    }

    fn with(http: http::Client) -> Self {
        Self {
            http,
            ahead: Arc::default(),
            enterprise: Arc::default(),
        }
    }

    /// How many HTTP requests were sent, each try counted.
    pub fn requests(&self) -> u64 {
        self.http.requests()
    }

    /// The endpoint it speaks to.
    pub fn endpoint(&self) -> &Endpoint {
        self.http.endpoint()
    }

    /// The job, or `None` where there is none, not even a stopped one.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn job(&self, namespace: &str, id: &str) -> Result<Option<LiveJob>, Error> {
        let request = self.at(Request::get(&["job", id]), namespace);
        let Some(answer) = found(self.http.send(request).await)? else {
            return Ok(None);
        };
        let json: Value = answer.json()?;
        LiveJob::read(json)
            .map(Some)
            .map_err(|missing| answer.unreadable(missing))
    }

    /// The jobs whose ID begins with `prefix`, with their meta, in one namespace (`*` for all).
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn jobs(&self, namespace: &str, prefix: &str) -> Result<Vec<JobStub>, Error> {
        let request = self
            .at(Request::get(&["jobs"]), namespace)
            .query("prefix", prefix)
            .query("meta", "true");
        self.http.send(request).await?.json()
    }

    /// Registers the job (`POST /v1/jobs`), if `enforce` holds.
    ///
    /// Lost answers are not asked for again: the job may then be registered, see
    /// [`Error::may_have_been_done`].
    ///
    /// # Errors
    /// [`Kind::Conflict`] where `enforce` does not hold; nothing was changed then. Otherwise as of
    /// [`http::Client::send`]; an invalid job is [`Kind::Server`] with Nomad's reasons.
    pub async fn register(
        &self,
        namespace: &str,
        job: &impl Serialize,
        enforce: Enforce,
    ) -> Result<Registered, Error> {
        let request = self.at(Request::post(&["jobs"], Repeat::Unsent), namespace);
        let body = match enforce {
            Enforce::New => serde_json::json!({ "EnforceIndex": true, "JobModifyIndex": 0 }),
            Enforce::Index(index) => {
                serde_json::json!({ "EnforceIndex": true, "JobModifyIndex": index })
            }
            Enforce::Nothing => serde_json::json!({}),
        };
        let request = request.body(with_job(body, job));
        self.http.send(request).await.map_err(conflict)?.json()
    }

    /// What a registration that made the job what it is was answered, for one whose answer was lost.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn registration(&self, namespace: &str, live: &LiveJob) -> Result<Registered, Error> {
        let id = live.json.get("ID").and_then(Value::as_str);
        let evaluations = self.evaluations(namespace, id.unwrap_or_default()).await?;
        // Nomad notes in it which change of the job it is about (`Register` in its `nomad/job_endpoint.go`).
        let evaluation = evaluations.iter().find(|evaluation| {
            evaluation.triggered_by == "job-register"
                && evaluation.job_modify_index == live.job_modify_index
        });
        Ok(Registered {
            eval_id: evaluation.map(|evaluation| evaluation.id.clone()),
            eval_create_index: evaluation.map_or(0, |evaluation| evaluation.create_index),
            job_modify_index: live.job_modify_index,
            warnings: None,
        })
    }

    /// Stops the job, and with `purge` forgets it. Gives the evaluation that stops its allocations;
    /// `None` where there was no such job, or nothing to stop.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn deregister(
        &self,
        namespace: &str,
        id: &str,
        purge: bool,
    ) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        struct Deregistered {
            #[serde(default, rename = "EvalID", deserialize_with = "filled")]
            eval_id: Option<String>,
        }
        // Done twice it changes nothing the second time.
        let request = self.at(Request::delete(&["job", id], Repeat::Always), namespace);
        let request = if purge {
            request.query("purge", "true")
        } else {
            request
        };
        match found(self.http.send(request).await)? {
            Some(answer) => Ok(answer.json::<Deregistered>()?.eval_id),
            None => Ok(None),
        }
    }

    /// Asks Nomad whether the job is valid. Nothing is registered.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn validate(
        &self,
        namespace: &str,
        job: &impl Serialize,
    ) -> Result<Validated, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Raw {
            #[serde(default, deserialize_with = "or_empty")]
            validation_errors: Vec<String>,
            #[serde(default, deserialize_with = "filled")]
            error: Option<String>,
            #[serde(default, deserialize_with = "filled")]
            warnings: Option<String>,
        }
        let request = self.at(
            Request::post(&["validate", "job"], Repeat::Always).question(),
            namespace,
        );
        let request = request.body(with_job(serde_json::json!({}), job));
        let raw: Raw = self.http.send(request).await?.json()?;
        let mut errors = raw.validation_errors;
        if errors.is_empty() {
            errors.extend(raw.error);
        }
        Ok(Validated {
            errors,
            warnings: raw.warnings,
        })
    }

    /// Asks Nomad what it would do with the job. Nothing is registered.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn plan(
        &self,
        namespace: &str,
        id: &str,
        job: &impl Serialize,
        diff: bool,
    ) -> Result<Planned, Error> {
        let request = self.at(
            Request::post(&["job", id, "plan"], Repeat::Always).question(),
            namespace,
        );
        let request = request.body(with_job(serde_json::json!({ "Diff": diff }), job));
        self.http.send(request).await?.json()
    }

    /// The evaluation, and the index to wait for next.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn evaluation(
        &self,
        namespace: &str,
        id: &str,
        wait: Wait,
    ) -> Result<(u64, Evaluation), Error> {
        self.watched(&["evaluation", id], namespace, wait).await
    }

    /// The evaluations of a job.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn evaluations(&self, namespace: &str, job: &str) -> Result<Vec<Evaluation>, Error> {
        Ok(self
            .watched(&["job", job, "evaluations"], namespace, Wait::NONE)
            .await?
            .1)
    }

    /// The deployment, and the index to wait for next.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn deployment(
        &self,
        namespace: &str,
        id: &str,
        wait: Wait,
    ) -> Result<(u64, Deployment), Error> {
        self.watched(&["deployment", id], namespace, wait).await
    }

    /// The job's latest deployment, if it has any, and the index to wait for next.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn latest_deployment(
        &self,
        namespace: &str,
        job: &str,
        wait: Wait,
    ) -> Result<(u64, Option<Deployment>), Error> {
        self.watched(&["job", job, "deployment"], namespace, wait)
            .await
    }

    /// The job's allocations of all versions, and the index to wait for next.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn allocations(
        &self,
        namespace: &str,
        job: &str,
        wait: Wait,
    ) -> Result<(u64, Vec<Allocation>), Error> {
        self.watched(&["job", job, "allocations"], namespace, wait)
            .await
    }

    async fn watched<T: serde::de::DeserializeOwned>(
        &self,
        path: &[&str],
        namespace: &str,
        wait: Wait,
    ) -> Result<(u64, T), Error> {
        let request = self.at(Request::get(path), namespace);
        let request = if wait.index > 0 {
            request.blocking(wait.index, wait.time)
        } else {
            request
        };
        let answer = self.http.send(request).await?;
        // An index that went backwards (a restored cluster) starts over, and 1 is the least that a
        // query can block on, so that no loop spins on a table that is still empty.
        let index = answer
            .index()
            .filter(|index| *index >= wait.index)
            .unwrap_or(1);
        Ok((index, answer.json()?))
    }

    pub(super) fn at(&self, request: Request, namespace: &str) -> Request {
        self.in_region(request.query("namespace", namespace))
    }

    pub(super) fn in_region(&self, request: Request) -> Request {
        request.query_some("region", self.http.endpoint().region.as_deref())
    }

    pub(super) async fn send(&self, request: Request) -> Result<http::Answer, Error> {
        self.http.send(request).await
    }
}

impl LiveJob {
    fn read(json: Value) -> Result<Self, String> {
        let text = |name: &str| {
            json.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let number = |name: &str| {
            json.get(name)
                .and_then(Value::as_u64)
                .ok_or_else(|| format!("the job has no number `{name}`"))
        };
        let meta = json.get("Meta").and_then(Value::as_object);
        let meta = meta.into_iter().flatten();
        Ok(Self {
            job_modify_index: number("JobModifyIndex")?,
            version: number("Version")?,
            stop: json.get("Stop").and_then(Value::as_bool).unwrap_or(false),
            status: text("Status"),
            kind: text("Type"),
            meta: meta
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
            json,
        })
    }
}

/// A request's body with the job in it. A job that cannot be written as JSON becomes `null`, which
/// Nomad refuses ("Job must be specified").
fn with_job(mut body: Value, job: &impl Serialize) -> Vec<u8> {
    if let Value::Object(fields) = &mut body {
        fields.insert(
            "Job".to_owned(),
            serde_json::to_value(job).unwrap_or(Value::Null),
        );
    }
    body.to_string().into_bytes()
}

pub(super) fn found(answer: Result<http::Answer, Error>) -> Result<Option<http::Answer>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// `RegisterEnforceIndexErrPrefix` in Nomad's `nomad/job_endpoint.go`; it comes with status 500.
fn conflict(error: Error) -> Error {
    match &error.kind {
        Kind::Server { message, .. } if message.contains("Enforcing job modify index") => {
            let message = message.clone();
            Error {
                kind: Kind::Conflict { message },
                ..error
            }
        }
        _ => error,
    }
}

fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

pub(super) fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
