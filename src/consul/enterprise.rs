//! What only Consul Enterprise has: namespaces.
//!
//! Source: <https://developer.hashicorp.com/consul/api-docs/namespaces>, and `api/namespace.go` of
//! Consul's own Go client.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Client;
use crate::http::{Error, Repeat, Request};

/// A namespace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Namespace {
    /// A DNS label.
    pub name: String,
    /// Anything.
    #[serde(default)]
    pub description: String,
    /// Anything.
    #[serde(default)]
    pub meta: BTreeMap<String, String>,
    /// When its deletion began, which goes on for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
    /// What the provider does not know: it is written back as it was read.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Client {
    /// Whether this is Consul Enterprise, which is asked once. Any token may ask.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn is_enterprise(&self) -> Result<bool, Error> {
        let ask = || self.ask_for_build();
        self.enterprise.get_or_try_init(ask).await.copied()
    }

    async fn ask_for_build(&self) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Build {
            #[serde(rename = "HumanVersion")]
            version: String,
        }
        let answer = self.http.send(Request::get(&["agent", "version"])).await?;
        // `GetHumanVersion` in Consul's `version/version.go`: `1.22.3+ent`, or `+ent.fips1402`.
        let Build { version } = answer.json()?;
        Ok(version
            .split_once('+')
            .is_some_and(|(_, metadata)| metadata.starts_with("ent")))
    }

    /// A client for the namespace that auth methods and their binding rules are in: Nomad's setup has them
    /// in `default` where there are namespaces (`createAuthMethod` in its `command/setup_consul.go`).
    pub fn of_auth_methods(&self) -> Self {
        match self.http.endpoint().namespace {
            Some(_) => self.in_namespace("default"),
            None => self.clone(),
        }
    }

    /// A client for another namespace of the same Consul and partition.
    pub fn in_namespace(&self, name: &str) -> Self {
        Self {
            http: self.http.clone(),
            namespace: Some(name.to_owned()),
            enterprise: Arc::clone(&self.enterprise),
        }
    }

    /// The namespace, or `None` where there is none.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn namespace(&self, name: &str) -> Result<Option<Namespace>, Error> {
        let request = self.in_partition(Request::get(&["namespace", name]));
        match self.http.send(request).await {
            Ok(answer) => answer.json().map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the namespace, or replaces it, whoever made it. Needs `operator:write`.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn write_namespace(&self, namespace: &Namespace) -> Result<(), Error> {
        // Sent again after a lost answer, it would overwrite what somebody has written in between.
        let request = Request::put(&["namespace", &namespace.name], Repeat::Unsent);
        let body = serde_json::to_vec(namespace).unwrap_or_default();
        let request = self.in_partition(request).body(body);
        self.http.send(request).await.map(|_| ())
    }

    /// Deletes the namespace with all that is in it; one that is not there is deleted, too. Needs
    /// `operator:write`.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn delete_namespace(&self, name: &str) -> Result<(), Error> {
        let request = Request::delete(&["namespace", name], Repeat::Unsent);
        match self.http.send(self.in_partition(request)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}
