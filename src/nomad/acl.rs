//! Nomad's access control: policies and tokens.
//!
//! Nomad has no check-and-set for policies, and one write for new and old alike. Every method but
//! [`Client::self_token`] needs a management token.
//!
//! Sources: <https://developer.hashicorp.com/nomad/api-docs/acl/policies> and `/tokens` beside it,
//! Nomad's `command/agent/acl_endpoint.go` and `nomad/acl_endpoint.go`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Client;
use super::client::{found, or_empty};
use crate::http::{Acl, Error, Kind, Repeat, Request, Secret, found_out};

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AclPolicy {
    /// 1 to 128 letters, digits and hyphens.
    pub name: String,
    /// At most 256 bytes.
    #[serde(default)]
    pub description: String,
    /// The rules as HCL or JSON.
    #[serde(default)]
    pub rules: String,
    /// The job whose workload identities have the policy of itself, as Nomad sends it; `null` for a
    /// policy of tokens.
    #[serde(default, rename = "JobACL")]
    pub job_acl: Value,
}

/// A token to be made: of the type `client`, for the region that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAclToken {
    /// What the lists of tokens show; at most 256 bytes.
    pub name: String,
    /// The names of its policies. Nomad does not look whether they exist.
    pub policies: Vec<String>,
    /// Whether it is good in all regions of the federation.
    pub global: bool,
    /// When it ends by itself; Nomad takes a minute to a day, unless configured otherwise
    /// (`token_min_expiration_ttl`, `token_max_expiration_ttl`).
    pub ttl: Duration,
}

/// A token that was made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AclToken {
    /// What deletes it; not secret.
    #[serde(rename = "AccessorID")]
    pub accessor: String,
    /// The token itself.
    #[serde(rename = "SecretID", deserialize_with = "secret")]
    pub secret: Secret,
    /// When it ends by itself, RFC 3339.
    #[serde(default)]
    pub expiration_time: Option<String>,
}

/// The token that requests are sent with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SelfToken {
    /// Its accessor; not secret.
    #[serde(default, rename = "AccessorID")]
    pub accessor: String,
    /// `management` or `client`.
    #[serde(default, rename = "Type")]
    pub kind: String,
    /// The names of its policies.
    #[serde(default, deserialize_with = "or_empty")]
    pub policies: Vec<String>,
}

impl Client {
    /// Whether Nomad has its ACLs on. Any token may ask, and none.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn has_acls(&self) -> Result<bool, Error> {
        match self.self_token().await {
            Ok(Acl::Off) => Ok(false),
            // A token that is refused is refused by the ACLs.
            Ok(Acl::On(_))
            | Err(Error {
                kind: Kind::Unauthorized { .. },
                ..
            }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The token that requests are sent with.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]; [`Kind::Unauthorized`] for an unknown or expired token.
    pub async fn self_token(&self) -> Result<Acl<SelfToken>, Error> {
        let request = self.in_region(Request::get(&["acl", "token", "self"]));
        let token: SelfToken = self.send(request).await?.json()?;
        // `ACLsDisabledToken` in Nomad's `nomad/structs/acl.go`: of all ACL requests this one alone is
        // answered with ACLs off.
        match token.accessor.as_str() {
            "acls-disabled" => Ok(Acl::Off),
            _ => Ok(Acl::On(token)),
        }
    }

    /// The policy, or `None` where there is none. Its own holder may read it, too.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn acl_policy(&self, name: &str) -> Result<Acl<Option<AclPolicy>>, Error> {
        let request = self.in_region(Request::get(&["acl", "policy", name]));
        let answer = Acl::told(found(self.send(request).await))?;
        read(answer, |answer| {
            answer.map(|answer| answer.json()).transpose()
        })
    }

    /// The names of the policies that the token may see.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn acl_policies(&self) -> Result<Acl<Vec<String>>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Stub {
            name: String,
        }
        let request = self.in_region(Request::get(&["acl", "policies"]));
        let answer = Acl::told(self.send(request).await)?;
        read(answer, |answer| {
            let stubs: Vec<Stub> = answer.json()?;
            Ok(stubs.into_iter().map(|stub| stub.name).collect())
        })
    }

    /// Makes the policy, or replaces it, whoever made it.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]; rules that Nomad cannot read are [`Kind::Rejected`].
    pub async fn write_acl_policy(&self, policy: &AclPolicy) -> Result<Acl<()>, Error> {
        // Sent again after a lost answer, it would overwrite what somebody has written in between.
        let request = Request::put(&["acl", "policy", &policy.name], Repeat::Unsent);
        let body = serde_json::to_vec(policy).unwrap_or_default();
        let request = self.in_region(request).body(body);
        let written = Acl::told(self.send(request).await.map(|_| ()));
        let look = async {
            let now = self.acl_policy(&policy.name).await.ok()?.on()??;
            (now == *policy).then_some(Acl::On(()))
        };
        found_out(written, look).await
    }

    /// Deletes the policy, whoever made it; one that is not there is deleted, too. Tokens keep its
    /// name, and have nothing from it any more.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn delete_acl_policy(&self, name: &str) -> Result<Acl<()>, Error> {
        // Sent again after a lost answer, it would delete what somebody has made in between.
        let request = Request::delete(&["acl", "policy", name], Repeat::Unsent);
        let deleted = Acl::told(self.send(self.in_region(request)).await.map(|_| ()));
        let look = async {
            let now = self.acl_policy(name).await.ok()?.on()?;
            now.is_none().then_some(Acl::On(()))
        };
        found_out(deleted, look).await
    }

    /// Makes a token. One whose answer is lost stays until it ends by itself: nobody knows its secret.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]; a time to live that Nomad does not take is
    /// [`Kind::Rejected`].
    pub async fn create_acl_token(&self, token: &NewAclToken) -> Result<Acl<AclToken>, Error> {
        let body = json!({
            "Name": token.name,
            "Type": "client",
            "Policies": token.policies,
            "Global": token.global,
            "ExpirationTTL": format!("{}s", token.ttl.as_secs()),
        });
        let request = Request::put(&["acl", "token"], Repeat::Unsent).body(body.to_string().into());
        let answer = Acl::told(self.send(self.in_region(request)).await)?;
        read(answer, |answer| answer.json())
    }

    /// Deletes the token with this accessor. `false` where there is none any more.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn delete_acl_token(&self, accessor: &str) -> Result<Acl<bool>, Error> {
        // Done twice it changes nothing the second time: accessors are not used again.
        let request = Request::delete(&["acl", "token", accessor], Repeat::Always);
        match Acl::told(self.send(self.in_region(request)).await) {
            Ok(Acl::On(_)) => Ok(Acl::On(true)),
            Ok(Acl::Off) => Ok(Acl::Off),
            // `DeleteTokens` in Nomad's `nomad/acl_endpoint.go`.
            Err(Error {
                kind: Kind::Rejected { message, .. },
                ..
            }) if message.contains("nonexistent tokens") => Ok(Acl::On(false)),
            Err(error) => Err(error),
        }
    }
}

/// Reads an answer where there is one.
fn read<A, T>(answer: Acl<A>, read: impl FnOnce(A) -> Result<T, Error>) -> Result<Acl<T>, Error> {
    match answer {
        Acl::Off => Ok(Acl::Off),
        Acl::On(answer) => read(answer).map(Acl::On),
    }
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}
