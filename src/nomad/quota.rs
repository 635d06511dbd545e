//! Quotas of namespaces, which Nomad Enterprise keeps.
//!
//! Source: <https://developer.hashicorp.com/nomad/api-docs/quotas>, and `api/quota.go` of Nomad's own
//! Go client.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Client;
use super::client::{found, or_empty};
use crate::http::{Error, Kind, Repeat, Request};

/// A quota, which namespaces refer to by its name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Quota {
    /// 1 to 128 letters, digits and hyphens.
    pub name: String,
    /// At most 256 bytes.
    #[serde(default)]
    pub description: String,
    /// One for each region.
    #[serde(default, deserialize_with = "or_empty")]
    pub limits: Vec<QuotaLimit>,
}

/// What all jobs of a quota's namespaces may use in one region.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct QuotaLimit {
    /// The region.
    pub region: String,
    /// CPU, memory and the rest, as Nomad has it; see [`QuotaLimit::of`].
    #[serde(default)]
    pub region_limit: Map<String, Value>,
}

impl QuotaLimit {
    /// A limit of CPU and memory. `None` is no limit, and nothing at all may be used of what is zero.
    pub fn of(region: &str, cpu_mhz: Option<u64>, memory_mb: Option<u64>) -> Self {
        // To Nomad, 0 is no limit and less is nothing at all.
        let limit = |limit: Option<u64>| match limit {
            None => Value::from(0),
            Some(0) => Value::from(-1),
            Some(limit) => Value::from(limit),
        };
        Self {
            region: region.to_owned(),
            region_limit: Map::from_iter([
                ("CPU".to_owned(), limit(cpu_mhz)),
                ("MemoryMB".to_owned(), limit(memory_mb)),
            ]),
        }
    }
}

impl Client {
    /// Whether this is Nomad Enterprise, which is asked once. Any token may ask.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn is_enterprise(&self) -> Result<bool, Error> {
        let ask = || self.ask_for_quotas();
        self.enterprise.get_or_try_init(ask).await.copied()
    }

    async fn ask_for_quotas(&self) -> Result<bool, Error> {
        let request = self.in_region(Request::get(&["quotas"]));
        match self.send(request).await {
            Ok(_) => Ok(true),
            Err(error) => match &error.kind {
                // `entOnly` in Nomad's `command/agent/http_ce.go`.
                Kind::Server { status: 501, .. } => Ok(false),
                // Where there are quotas, there are rights to see them.
                Kind::Unauthorized { .. } => Ok(true),
                _ => Err(error),
            },
        }
    }

    /// The region that requests go to. Needs `agent:read` where the configuration names none.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn region(&self) -> Result<String, Error> {
        if let Some(region) = &self.endpoint().region {
            return Ok(region.clone());
        }
        let answer = self.send(Request::get(&["agent", "self"])).await?;
        let agent: Value = answer.json()?;
        let region = agent.pointer("/config/Region").and_then(Value::as_str);
        region
            .map(str::to_owned)
            .ok_or_else(|| answer.unreadable("the agent names no region"))
    }

    /// The quota, or `None` where there is none.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn quota(&self, name: &str) -> Result<Option<Quota>, Error> {
        let request = self.in_region(Request::get(&["quota", name]));
        found(self.send(request).await)?
            .map(|answer| answer.json())
            .transpose()
    }

    /// Makes the quota, or replaces it, whoever made it.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn write_quota(&self, quota: &Quota) -> Result<(), Error> {
        // Sent again after a lost answer, it would overwrite what somebody has written in between.
        let request = Request::put(&["quota"], Repeat::Unsent);
        let body = serde_json::to_vec(quota).unwrap_or_default();
        let request = self.in_region(request).body(body);
        self.send(request).await.map(|_| ())
    }

    /// Deletes the quota; one that is not there is deleted, too. Nomad does not delete one that a
    /// namespace refers to.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn delete_quota(&self, name: &str) -> Result<(), Error> {
        let request = self.in_region(Request::delete(&["quota", name], Repeat::Unsent));
        found(self.send(request).await).map(|_| ())
    }
}
