//! Consul's access control: policies, roles and tokens. All of it needs `acl:write`, reading
//! `acl:read`.
//!
//! Objects have an ID and a name that is unique; a write names the ID, so that of two that make an
//! object of one name only one does.
//!
//! Sources: <https://developer.hashicorp.com/consul/api-docs/acl/policies>, `/roles` and `/tokens`
//! beside it, Consul's `agent/acl_endpoint.go` and `agent/consul/acl_endpoint.go`.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::Client;
use crate::http::{Acl, Error, Kind, Repeat, Request, Secret, found_out};

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AclPolicy {
    /// Consul's ID, a UUID; empty for one that is to be made.
    #[serde(default, rename = "ID", skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// 1 to 128 letters, digits, hyphens and underscores.
    pub name: String,
    /// Anything.
    #[serde(default)]
    pub description: String,
    /// The rules as HCL or JSON.
    #[serde(default)]
    pub rules: String,
    /// The datacenters where it holds; all where there are none.
    #[serde(default, deserialize_with = "or_empty")]
    pub datacenters: Vec<String>,
}

/// A role: what its policies and the rest of it allow.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AclRole {
    /// Consul's ID, a UUID; empty for one that is to be made.
    #[serde(default, rename = "ID", skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// 1 to 256 letters, digits, hyphens and underscores.
    pub name: String,
    /// Anything.
    #[serde(default)]
    pub description: String,
    /// Its policies, which have to exist.
    #[serde(default, deserialize_with = "or_empty")]
    pub policies: Vec<AclLink>,
    /// Services that it may act as, as Consul sends them.
    #[serde(default, deserialize_with = "or_empty")]
    pub service_identities: Vec<Value>,
    /// Nodes that it may act as, as Consul sends them.
    #[serde(default, deserialize_with = "or_empty")]
    pub node_identities: Vec<Value>,
    /// What it has from templates, as Consul sends it.
    #[serde(default, deserialize_with = "or_empty")]
    pub templated_policies: Vec<Value>,
}

/// What an identity that logs in by an auth method gets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BindingRule {
    /// Consul's ID, a UUID; empty for one that is to be made.
    #[serde(default, rename = "ID", skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Anything.
    #[serde(default)]
    pub description: String,
    /// The name of the auth method.
    pub auth_method: String,
    /// Which identities, in Consul's language of filters; empty for all.
    #[serde(default)]
    pub selector: String,
    /// `role`, `policy`, `service`, and others.
    pub bind_type: String,
    /// The name of what they get, which may refer to claims.
    #[serde(default)]
    pub bind_name: String,
}

impl BindingRule {
    /// Whether what is there is this rule, or what making it comes to.
    fn is_met_by(&self, now: &Self) -> bool {
        let id = match self.id.is_empty() {
            true => &now.id,
            false => &self.id,
        };
        *now == Self {
            id: id.clone(),
            ..self.clone()
        }
    }
}

/// A reference to a policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AclLink {
    /// The policy's ID; empty where the name is to find it.
    #[serde(default, rename = "ID", skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The policy's name.
    #[serde(default)]
    pub name: String,
}

impl AclLink {
    /// A reference by name.
    pub fn to(name: &str) -> Self {
        Self {
            id: String::new(),
            name: name.to_owned(),
        }
    }
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAclToken {
    /// What the lists of tokens show.
    pub description: String,
    /// The names of its policies, which have to exist.
    pub policies: Vec<String>,
    /// The names of its roles, which have to exist.
    pub roles: Vec<String>,
    /// Whether it is good in this datacenter alone.
    pub local: bool,
    /// When it ends by itself; Consul takes a minute to a day, unless configured otherwise
    /// (`acl_token_min_expiration_ttl` and `…max…` in its runtime configuration).
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

/// What policies and roles have in common.
trait Object: Serialize + DeserializeOwned + Sized {
    const PATH: &'static str;

    fn id(&self) -> &str;

    fn name(&self) -> &str;

    /// Whether the two are the same but for their IDs.
    fn same(&self, other: &Self) -> bool;
}

impl Object for AclPolicy {
    const PATH: &'static str = "policy";

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn same(&self, other: &Self) -> bool {
        AclPolicy::same(self, other)
    }
}

impl Object for AclRole {
    const PATH: &'static str = "role";

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn same(&self, other: &Self) -> bool {
        AclRole::same(self, other)
    }
}

impl AclPolicy {
    /// Whether the two are the same but for their IDs.
    pub fn same(&self, other: &Self) -> bool {
        let known = |it: &Self| Self {
            id: String::new(),
            ..it.clone()
        };
        known(self) == known(other)
    }
}

impl AclRole {
    /// Whether the two are the same but for the IDs: their own and those of their policies.
    pub fn same(&self, other: &Self) -> bool {
        let known = |it: &Self| Self {
            id: String::new(),
            policies: it.policies.iter().map(|it| AclLink::to(&it.name)).collect(),
            ..it.clone()
        };
        known(self) == known(other)
    }
}

impl Client {
    /// Whether Consul has its ACLs on. Any token may ask, and none.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn has_acls(&self) -> Result<bool, Error> {
        let request = self.at(Request::get(&["acl", "token", "self"]));
        match Acl::told(self.http.send(request).await) {
            Ok(Acl::Off) => Ok(false),
            // A token that is refused or not found is so by the ACLs.
            Ok(Acl::On(_)) => Ok(true),
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) if matches!(error.kind, Kind::Unauthorized { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The policy of that name, or `None` where there is none.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn acl_policy(&self, name: &str) -> Result<Acl<Option<AclPolicy>>, Error> {
        self.acl_object(name).await
    }

    /// Makes the policy where its ID is empty, and otherwise replaces the one with that ID.
    ///
    /// # Errors
    /// [`Kind::Conflict`] where another one has its name. As of [`crate::http::Client::send`]
    /// otherwise; rules that Consul cannot read are [`Kind::Server`].
    pub async fn write_acl_policy(&self, policy: &AclPolicy) -> Result<Acl<AclPolicy>, Error> {
        self.write_acl_object(policy).await
    }

    /// Deletes the policy with this ID. `false` where there is none any more. Tokens and roles lose it.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn delete_acl_policy(&self, id: &str) -> Result<Acl<bool>, Error> {
        self.delete_acl(AclPolicy::PATH, id).await
    }

    /// The role of that name, or `None` where there is none.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn acl_role(&self, name: &str) -> Result<Acl<Option<AclRole>>, Error> {
        self.acl_object(name).await
    }

    /// Makes the role where its ID is empty, and otherwise replaces the one with that ID.
    ///
    /// # Errors
    /// As of [`Client::write_acl_policy`]; also where one of its policies does not exist.
    pub async fn write_acl_role(&self, role: &AclRole) -> Result<Acl<AclRole>, Error> {
        self.write_acl_object(role).await
    }

    /// Deletes the role with this ID. `false` where there is none any more. Tokens lose it.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn delete_acl_role(&self, id: &str) -> Result<Acl<bool>, Error> {
        self.delete_acl(AclRole::PATH, id).await
    }

    /// All binding rules, of every auth method.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn binding_rules(&self) -> Result<Acl<Vec<BindingRule>>, Error> {
        let request = self.at(Request::get(&["acl", "binding-rules"]));
        match Acl::told(self.http.send(request).await)? {
            Acl::Off => Ok(Acl::Off),
            Acl::On(answer) => answer.json().map(Acl::On),
        }
    }

    /// Makes the rule where its ID is empty, and otherwise replaces the one with that ID.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]; one of an auth method that does not exist is [`Kind::Server`].
    pub async fn write_binding_rule(&self, rule: &BindingRule) -> Result<Acl<()>, Error> {
        let mut path = vec!["acl", "binding-rule"];
        if !rule.id.is_empty() {
            path.push(&rule.id);
        }
        // Sent again after a lost answer, it would make another one.
        let request = Request::put(&path, Repeat::Unsent);
        let body = serde_json::to_vec(rule).unwrap_or_default();
        let sent = self.http.send(self.at(request).body(body)).await;
        let look = async {
            let rules = self.binding_rules().await.ok()?.on()?;
            let mut rules = rules.iter();
            rules.any(|now| rule.is_met_by(now)).then_some(Acl::On(()))
        };
        found_out(Acl::told(sent.map(|_| ())), look).await
    }

    /// Deletes the rule with this ID. `false` where there is none any more. Tokens keep what they have.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn delete_binding_rule(&self, id: &str) -> Result<Acl<bool>, Error> {
        self.delete_acl("binding-rule", id).await
    }

    /// Makes a token. One whose answer is lost stays until it ends by itself: nobody knows its secret.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn create_acl_token(&self, token: &NewAclToken) -> Result<Acl<AclToken>, Error> {
        let links = |names: &[String]| -> Vec<Value> {
            names.iter().map(|name| json!({ "Name": name })).collect()
        };
        let body = json!({
            "Description": token.description,
            "Policies": links(&token.policies),
            "Roles": links(&token.roles),
            "Local": token.local,
            "ExpirationTTL": format!("{}s", token.ttl.as_secs()),
        });
        let request = Request::put(&["acl", "token"], Repeat::Unsent).body(body.to_string().into());
        match Acl::told(self.http.send(self.at(request)).await)? {
            Acl::Off => Ok(Acl::Off),
            Acl::On(answer) => answer.json().map(Acl::On),
        }
    }

    /// Deletes the token with this accessor. `false` where there is none any more.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn delete_acl_token(&self, accessor: &str) -> Result<Acl<bool>, Error> {
        self.delete_acl("token", accessor).await
    }

    async fn acl_object<T: Object>(&self, name: &str) -> Result<Acl<Option<T>>, Error> {
        let request = self.at(Request::get(&["acl", T::PATH, "name", name]));
        match Acl::told(self.http.send(request).await) {
            Ok(Acl::Off) => Ok(Acl::Off),
            Ok(Acl::On(answer)) => Ok(Acl::On(Some(answer.json()?))),
            Err(error) if error.is_not_found() => Ok(Acl::On(None)),
            Err(error) => Err(error),
        }
    }

    async fn write_acl_object<T: Object>(&self, object: &T) -> Result<Acl<T>, Error> {
        let mut path = vec!["acl", T::PATH];
        if !object.id().is_empty() {
            path.push(object.id());
        }
        // Sent again after a lost answer, it would overwrite what somebody has written in between.
        let request = Request::put(&path, Repeat::Unsent);
        let body = serde_json::to_vec(object).unwrap_or_default();
        let written = match Acl::told(self.http.send(self.at(request).body(body)).await) {
            Ok(Acl::Off) => Ok(Acl::Off),
            Ok(Acl::On(answer)) => answer.json().map(Acl::On),
            Err(error) => Err(taken(error)),
        };
        let look = async {
            let now = self.acl_object::<T>(object.name()).await.ok()?.on()??;
            now.same(object).then_some(Acl::On(now))
        };
        found_out(written, look).await
    }

    async fn delete_acl(&self, kind: &str, id: &str) -> Result<Acl<bool>, Error> {
        // Done twice it changes nothing the second time: IDs are not used again.
        let request = Request::delete(&["acl", kind, id], Repeat::Always);
        match Acl::told(self.http.send(self.at(request)).await) {
            Ok(Acl::Off) => Ok(Acl::Off),
            Ok(Acl::On(_)) => Ok(Acl::On(true)),
            Err(error) if error.is_not_found() => Ok(Acl::On(false)),
            Err(error) => Err(error),
        }
    }
}

/// `PolicySet` and `RoleSet` in Consul's `agent/consul/acl_endpoint.go` say it with status 500.
fn taken(error: Error) -> Error {
    match &error.kind {
        Kind::Server { message, .. }
            if message.contains("with Name") || message.contains("with name") =>
        {
            let message = message.clone();
            Error {
                kind: Kind::Conflict { message },
                ..error
            }
        }
        _ => error,
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}

fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
