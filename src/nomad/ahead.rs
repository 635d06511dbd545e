//! The indexes of many jobs at once.
//!
//! `JobModifyIndex` moves with every change of a job's specification, by whomever: a registration, a stop, a
//! revert, an autoscaler, Nomad's own going back. It stays where only the job's status or stability
//! changes, and no two registrations have the same (`upsertJobImpl` in Nomad's
//! `nomad/state/state_store.go`). So a job that has the index it was last seen with is as it was.

use std::collections::HashMap;

use serde::Deserialize;

use super::Client;
use crate::ahead::Look;
use crate::http::{Answer, Error, Request};

/// Jobs with a mark of an application, and no children of a schedule, which carry the same one. A Nomad that
/// does not know filters sends all jobs.
const OURS: &str = r#""oam.application" in Meta and ParentID == """#;

/// The longest page, which bounds the memory that a list takes: an item is about 600 bytes.
const PAGE: usize = 5000;

/// Jobs that are listed although not all that are listed are asked about: components have a job each, and
/// other prefixes may have applications in the same cluster.
const SPARE: usize = 4;

/// `JobModifyIndex` by namespace and ID.
pub type Indexes = HashMap<String, HashMap<String, u64>>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    namespace: String,
    job_modify_index: u64,
}

impl Client {
    /// The `JobModifyIndex` of a job, where a list of all jobs has it that is not older than
    /// [`crate::ahead`] says. The list is of the jobs of about `worth` applications at most. `None` says
    /// nothing of the job: ask for it.
    pub async fn index_ahead(&self, namespace: &str, id: &str, worth: usize) -> Option<u64> {
        let look = || async {
            match self.indexes(worth.saturating_mul(SPARE).max(1000)).await {
                Ok(look) => look,
                Err(error) => {
                    tracing::info!(%error, "the jobs are not listed: each is asked for");
                    Look::Refused
                }
            }
        };
        let changes = || self.http.changes();
        let list = self.ahead.list(worth, changes, look).await?;
        list.get(namespace)?.get(id).copied()
    }

    /// All jobs of applications in all namespaces where the token may list them, `most` at most.
    async fn indexes(&self, most: usize) -> Result<Look<Indexes>, Error> {
        let (mut all, mut count) = (Indexes::new(), 0_usize);
        let mut next: Option<String> = None;
        loop {
            let page = most.saturating_sub(count).min(PAGE);
            let answer = self.page(page, next.as_deref()).await?;
            for item in answer.json::<Vec<Item>>()? {
                count += 1;
                let jobs = all.entry(item.namespace).or_default();
                jobs.insert(item.id, item.job_modify_index);
            }
            next = answer.next_page().map(str::to_owned);
            if next.is_none() {
                return Ok(Look::Listed(all));
            }
            if count >= most {
                return Ok(Look::TooMany(count + 1));
            }
        }
    }

    async fn page(&self, items: usize, next: Option<&str>) -> Result<Answer, Error> {
        let request = self
            .at(Request::get(&["jobs"]), "*")
            .query("filter", OURS)
            .query("per_page", items.to_string())
            .query_some("next_token", next);
        self.send(request).await
    }
}
