//! What only Vault Enterprise has: namespaces, and what has to be in one before a tenant can be there.
//!
//! Sources: <https://developer.hashicorp.com/vault/api-docs/system/namespaces>, `/auth` and `/mounts` beside
//! it, <https://developer.hashicorp.com/vault/api-docs/auth/jwt#configure>.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Client, KvVersion, data, is_nothing, with};
use crate::http::{Error, Kind, Repeat, Request};

/// What of a login's configuration says whom it trusts: all that Vault gives back of it but what belongs to
/// logins by a browser, and the role of those that name none.
const TRUST: [&str; 7] = [
    "jwks_url",
    "jwks_ca_pem",
    "jwt_validation_pubkeys",
    "jwt_supported_algs",
    "oidc_discovery_url",
    "oidc_discovery_ca_pem",
    "bound_issuer",
];

/// What every namespace has mounted by itself, by type, with and without the prefix `ns_`.
const BUILT_IN: [&str; 4] = ["system", "identity", "cubbyhole", "token"];

impl Client {
    /// A client for a namespace below the one of this client (Enterprise).
    pub fn in_namespace(&self, name: &str) -> Self {
        let namespace = match &self.namespace {
            Some(above) => format!("{}/{name}", above.trim_end_matches('/')),
            None => name.to_owned(),
        };
        Self {
            http: self.http.clone(),
            namespace: Some(namespace),
            enterprise: Arc::clone(&self.enterprise),
        }
    }

    /// Whether this is Vault Enterprise, which is asked once. Any token may ask.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn is_enterprise(&self) -> Result<bool, Error> {
        let ask = || async { Ok(self.health().await?.enterprise) };
        self.enterprise.get_or_try_init(ask).await.copied()
    }

    /// The namespace of its requests, such as `platform/acme`.
    pub fn namespace_name(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The meta of a namespace below the client's own, or `None` where there is none (Enterprise).
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn namespace(&self, name: &str) -> Result<Option<Map<String, Value>>, Error> {
        #[derive(Deserialize)]
        struct Namespace {
            #[serde(default)]
            custom_metadata: Option<Map<String, Value>>,
        }
        let answer = self.read(&["sys", "namespaces", name]).await?;
        let found = answer
            .map(|answer| data::<Namespace>(&answer))
            .transpose()?;
        Ok(found.map(|it| it.custom_metadata.unwrap_or_default()))
    }

    /// Makes a namespace below the client's own with this meta, or leaves the one that is there as it
    /// is (Enterprise).
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn write_namespace(
        &self,
        name: &str,
        meta: &Map<String, Value>,
    ) -> Result<(), Error> {
        let body = json!({ "custom_metadata": meta });
        self.write(&["sys", "namespaces", name], &body).await
    }

    /// Deletes a namespace below the client's own with all that is in it; one that is not there is
    /// deleted, too (Enterprise).
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn delete_namespace(&self, name: &str) -> Result<(), Error> {
        self.delete(&["sys", "namespaces", name]).await
    }

    /// Changes the meta of a namespace below the client's own: what is not named in it stays (Enterprise).
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn patch_namespace(
        &self,
        name: &str,
        meta: &Map<String, Value>,
    ) -> Result<(), Error> {
        // Sent again after a lost answer, it would overwrite what somebody has written in between.
        let request = Request::patch(&["sys", "namespaces", name], Repeat::Unsent);
        let body = json!({ "custom_metadata": meta }).to_string();
        let request = self.at(request.body(body.into()));
        self.http.send(request).await.map(|_| ())
    }

    /// The names of the namespaces directly below the client's own (Enterprise).
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn namespaces(&self) -> Result<Vec<String>, Error> {
        self.names(&["sys", "namespaces"]).await
    }

    /// Whom a JWT login trusts; `None` where there is none at `auth/<mount>`, or nobody has set it up.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn jwt_trust(&self, mount: &str) -> Result<Option<Map<String, Value>>, Error> {
        let mut path = with(&["auth"], mount);
        path.push("config");
        match self.read(&path).await {
            Ok(None) => Ok(None),
            Ok(Some(answer)) => {
                let mut config: Map<String, Value> = data(&answer)?;
                config.retain(|name, value| TRUST.contains(&name.as_str()) && !is_empty(value));
                Ok(Some(config))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Mounts a JWT login at `auth/<mount>`, where there is none, and has it trust the same as another.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn enable_jwt(&self, mount: &str, trust: &Map<String, Value>) -> Result<(), Error> {
        let body = json!({ "type": "jwt", "description": "Nomad's workload identities" });
        let enabled = self.write(&with(&["sys", "auth"], mount), &body).await;
        match enabled {
            // It was mounted and not set up.
            Err(error) if is_in_use(&error) => {}
            enabled => enabled?,
        }
        let mut path = with(&["auth"], mount);
        path.push("config");
        self.write(&path, &Value::Object(trust.clone())).await
    }

    /// Mounts a key-value store of version 2.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]; where something is mounted there already, too.
    pub async fn mount_kv(&self, mount: &str) -> Result<(), Error> {
        let body = json!({ "type": "kv", "options": { "version": "2" } });
        self.write(&with(&["sys", "mounts"], mount), &body).await
    }

    /// What is mounted in the client's namespace beside what every namespace has: the paths, without the
    /// slash at their end.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn mounts(&self) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Mount {
            #[serde(rename = "type")]
            kind: String,
        }
        let Some(answer) = self.read(&["sys", "mounts"]).await? else {
            return Ok(Vec::new());
        };
        let all: std::collections::BTreeMap<String, Mount> = data(&answer)?;
        let own = all.into_iter().filter(|(_, Mount { kind })| {
            !BUILT_IN.contains(&kind.strip_prefix("ns_").unwrap_or(kind))
        });
        Ok(own
            .map(|(path, _)| path.trim_end_matches('/').to_owned())
            .collect())
    }

    /// Whether a key-value store has no secret. Only names are asked for.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn is_kv_empty(&self, mount: &str, version: KvVersion) -> Result<bool, Error> {
        let mut path = with(&[], mount);
        if version == KvVersion::Two {
            path.push("metadata");
        }
        Ok(self.names(&path).await?.is_empty())
    }

    async fn names(&self, path: &[&str]) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Names {
            keys: Vec<String>,
        }
        let request = self.at(Request::get(path).query("list", "true"));
        match self.http.send(request).await {
            Ok(answer) => Ok(data::<Names>(&answer)?.keys),
            Err(error) if is_nothing(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// `path is already in use at …` (`vault/auth.go` and `vault/mount.go`).
fn is_in_use(error: &Error) -> bool {
    matches!(&error.kind, Kind::Rejected { message, .. } if message.contains("already in use"))
}
