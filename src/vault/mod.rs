//! Vault's HTTP API, as far as tenants need it: ACL policies, the roles of a JWT login, the version of
//! a key-value mount, namespaces. No secret of a mount is ever read or written.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs>. Where a path is a mount's, its parts stay
//! parts: `team/jwt` is two.

mod enterprise;
mod role;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

pub use role::JwtRole;

use crate::http::{self, Answer, Endpoint, Error, Kind, Repeat, Request, found_out};

/// A client of one Vault. Cheap to make and to clone; connects at its first request.
#[derive(Debug, Clone)]
pub struct Client {
    http: http::Client,
    /// The namespace of every request, where Vault has any (Enterprise).
    namespace: Option<String>,
    /// Whether it is the Enterprise build, once somebody has asked.
    enterprise: Arc<OnceCell<bool>>,
}

/// What Vault tells everybody of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Health {
    /// Whether it was set up.
    pub initialized: bool,
    /// Whether it is sealed, so that it answers nothing else.
    pub sealed: bool,
    /// Such as `1.21.0` or `1.21.0+ent`.
    pub version: String,
    /// Whether it is Vault Enterprise; `version` tells it of a Vault that does not say.
    #[serde(default)]
    pub enterprise: bool,
}

/// A version of the key-value store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvVersion {
    /// Secrets are at `<mount>/<path>`.
    One,
    /// Secrets are at `<mount>/data/<path>`, and what is known of their versions at
    /// `<mount>/metadata/<path>`.
    Two,
}

impl Client {
    /// A client for `endpoint`.
    pub fn new(endpoint: Endpoint) -> Self {
        let namespace = endpoint.namespace.clone();
        Self {
            http: http::Client::new(endpoint),
            namespace,
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

    /// What Vault tells everybody of itself; no token is needed.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn health(&self) -> Result<Health, Error> {
        // Its status would tell the same again.
        let request = Request::get(&["sys", "health"])
            .query("standbyok", "true")
            .query("perfstandbyok", "true")
            .query("sealedcode", "200")
            .query("uninitcode", "200");
        // It is one for all namespaces, and Vault refuses to tell it in any but the first.
        let mut health: Health = self.http.send(request).await?.json()?;
        health.enterprise |= health.version.contains("+ent");
        Ok(health)
    }

    /// The text of an ACL policy, or `None` where there is none.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn policy(&self, name: &str) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        struct Policy {
            policy: String,
        }
        let answer = self.read(&["sys", "policies", "acl", name]).await?;
        let policy = answer.map(|answer| data::<Policy>(&answer)).transpose()?;
        Ok(policy.map(|Policy { policy }| policy))
    }

    /// Makes the policy, or replaces it, whoever made it.
    ///
    /// # Errors
    /// As of [`http::Client::send`]; rules that Vault cannot read are [`Kind::Rejected`].
    pub async fn write_policy(&self, name: &str, rules: &str) -> Result<(), Error> {
        let written = self
            .write(
                &["sys", "policies", "acl", name],
                &json!({ "policy": rules }),
            )
            .await;
        let look = async {
            let now = self.policy(name).await.ok()??;
            (now == rules).then_some(())
        };
        found_out(written, look).await
    }

    /// Deletes the policy; one that is not there is deleted, too. Tokens keep its name, and have
    /// nothing from it any more.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn delete_policy(&self, name: &str) -> Result<(), Error> {
        self.delete(&["sys", "policies", "acl", name]).await
    }

    /// The role of a JWT login at `auth/<mount>`, or `None` where there is none.
    ///
    /// # Errors
    /// As of [`http::Client::send`]. A token that may read the role is told so of a login that is not
    /// there, too ([`Kind::Rejected`] 404 is no role, with words about a route no login).
    pub async fn jwt_role(&self, mount: &str, name: &str) -> Result<Option<JwtRole>, Error> {
        let answer = self.read(&role_path(mount, name)).await?;
        answer.map(|answer| data(&answer)).transpose()
    }

    /// Makes the role of a JWT login, or replaces it, whoever made it.
    ///
    /// # Errors
    /// As of [`http::Client::send`]. 404 where no login is mounted there.
    pub async fn write_jwt_role(
        &self,
        mount: &str,
        name: &str,
        role: &JwtRole,
    ) -> Result<(), Error> {
        let body = serde_json::to_value(role).unwrap_or_default();
        let written = self.write(&role_path(mount, name), &body).await;
        let look = async {
            let now = self.jwt_role(mount, name).await.ok()??;
            (now == *role).then_some(())
        };
        found_out(written, look).await
    }

    /// Deletes the role of a JWT login, so that nobody logs in with it any more; one that is not there
    /// is deleted, too. Tokens that it gave out stay.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn delete_jwt_role(&self, mount: &str, name: &str) -> Result<(), Error> {
        self.delete(&role_path(mount, name)).await
    }

    /// The version of the key-value store at a mount. `None` where something else is mounted there.
    ///
    /// # Errors
    /// As of [`http::Client::send`]; [`Kind::Unauthorized`] where nothing is mounted there, or the
    /// token has no right to anything in it.
    pub async fn kv_version(&self, mount: &str) -> Result<Option<KvVersion>, Error> {
        #[derive(Deserialize)]
        struct Mount {
            #[serde(default, rename = "type")]
            kind: String,
            #[serde(default)]
            options: Option<Map<String, Value>>,
        }
        let path = with(&["sys", "internal", "ui", "mounts"], mount);
        let answer = self.http.send(self.at(Request::get(&path))).await?;
        let Mount { kind, options } = data(&answer)?;
        if kind != "kv" && kind != "generic" {
            return Ok(None);
        }
        let version = options.as_ref().and_then(|options| options.get("version"));
        Ok(Some(match version.and_then(Value::as_str) {
            Some("2") => KvVersion::Two,
            _ => KvVersion::One,
        }))
    }

    async fn read(&self, path: &[&str]) -> Result<Option<Answer>, Error> {
        match self.http.send(self.at(Request::get(path))).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_nothing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, path: &[&str], body: &Value) -> Result<(), Error> {
        // Sent again after a lost answer, it would overwrite what somebody has written in between.
        let request = Request::post(path, Repeat::Unsent).body(body.to_string().into());
        self.http.send(self.at(request)).await.map(|_| ())
    }

    async fn delete(&self, path: &[&str]) -> Result<(), Error> {
        // Sent again after a lost answer, it would delete what somebody has made in between.
        let request = Request::delete(path, Repeat::Unsent);
        let deleted = match self.http.send(self.at(request)).await {
            Err(error) if is_nothing(&error) => return Ok(()),
            deleted => deleted.map(|_| ()),
        };
        let look = async {
            let now = self.read(path).await.ok()?;
            now.is_none().then_some(())
        };
        found_out(deleted, look).await
    }

    fn at(&self, request: Request) -> Request {
        request.header_some("x-vault-namespace", self.namespace.as_deref())
    }
}

/// Whether Vault says that there is nothing, and not that nothing is mounted at the path: the first
/// has no words, the second `no handler for route …` (`vault/router.go`).
fn is_nothing(error: &Error) -> bool {
    match &error.kind {
        Kind::Rejected {
            status: 404,
            message,
        } => message.is_empty(),
        _ => false,
    }
}

fn data<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Envelope<T> {
        data: T,
    }
    Ok(answer.json::<Envelope<T>>()?.data)
}

fn role_path<'a>(mount: &'a str, name: &'a str) -> Vec<&'a str> {
    let mut path = with(&["auth"], mount);
    path.extend(["role", name]);
    path
}

fn with<'a>(path: &[&'a str], mount: &'a str) -> Vec<&'a str> {
    let mut path = path.to_vec();
    path.extend(mount.split('/').filter(|part| !part.is_empty()));
    path
}
