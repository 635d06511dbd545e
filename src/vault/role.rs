//! The role of a JWT login: who may log in with it, and what the token may do.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A role. A write sends all of it, so that nothing that others have set stays.
///
/// Source: <https://developer.hashicorp.com/vault/api-docs/auth/jwt#create-update-role>, and
/// `path_role.go` of Vault's JWT plugin. What only OIDC logins have is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JwtRole {
    /// `jwt`; Vault takes `oidc` where it is not told.
    pub role_type: String,
    /// The audiences of which a token has to have one.
    #[serde(default, deserialize_with = "or_empty")]
    pub bound_audiences: Vec<String>,
    /// The subject that a token has to have; empty for any.
    #[serde(default)]
    pub bound_subject: String,
    /// The claims that a token has to have.
    #[serde(default, deserialize_with = "or_empty")]
    pub bound_claims: Map<String, Value>,
    /// Whether the claims are meant as they are (`string`) or as patterns (`glob`).
    #[serde(default = "string")]
    pub bound_claims_type: String,
    /// What of a token's claims becomes metadata: claim → name.
    #[serde(default, deserialize_with = "or_empty")]
    pub claim_mappings: BTreeMap<String, String>,
    /// The claim that tells one user from another.
    pub user_claim: String,
    /// Whether the user claim is a JSON pointer.
    #[serde(default)]
    pub user_claim_json_pointer: bool,
    /// The claim with the user's groups; empty for none.
    #[serde(default)]
    pub groups_claim: String,
    /// `service` or `batch`, or `default` for the mount's.
    #[serde(default = "default")]
    pub token_type: String,
    /// The policies of Vault's token.
    #[serde(default, deserialize_with = "or_empty")]
    pub token_policies: Vec<String>,
    /// Whether the token goes without Vault's policy `default`.
    #[serde(default)]
    pub token_no_default_policy: bool,
    /// Seconds; a token that is renewed within lives on. 0 for no such token.
    #[serde(default)]
    pub token_period: u64,
    /// Seconds; 0 for the mount's.
    #[serde(default)]
    pub token_ttl: u64,
    /// Seconds; 0 for the mount's.
    #[serde(default)]
    pub token_max_ttl: u64,
    /// Seconds; 0 for none.
    #[serde(default)]
    pub token_explicit_max_ttl: u64,
    /// How often the token is good; 0 for always.
    #[serde(default)]
    pub token_num_uses: u64,
    /// Addresses that a login may come from; all where there are none.
    #[serde(default, deserialize_with = "or_empty")]
    pub token_bound_cidrs: Vec<String>,
}

impl Default for JwtRole {
    fn default() -> Self {
        Self {
            role_type: "jwt".to_owned(),
            bound_audiences: Vec::new(),
            bound_subject: String::new(),
            bound_claims: Map::new(),
            bound_claims_type: string(),
            claim_mappings: BTreeMap::new(),
            user_claim: String::new(),
            user_claim_json_pointer: false,
            groups_claim: String::new(),
            token_type: default(),
            token_policies: Vec::new(),
            token_no_default_policy: false,
            token_period: 0,
            token_ttl: 0,
            token_max_ttl: 0,
            token_explicit_max_ttl: 0,
            token_num_uses: 0,
            token_bound_cidrs: Vec::new(),
        }
    }
}

impl JwtRole {
    /// The role of Nomad's workload identities, as `nomad setup vault` makes it, but for one namespace
    /// alone: what logs in with it is told apart by its job, and renews its token as long as it runs.
    pub fn of_namespace(namespace: &str, audience: &str, policy: &str) -> Self {
        let claims = ["nomad_namespace", "nomad_job_id", "nomad_task"];
        Self {
            bound_audiences: vec![audience.to_owned()],
            bound_claims: Map::from_iter([("nomad_namespace".to_owned(), namespace.into())]),
            claim_mappings: claims
                .map(|claim| (claim.to_owned(), claim.to_owned()))
                .into(),
            user_claim: "/nomad_job_id".to_owned(),
            user_claim_json_pointer: true,
            token_type: "service".to_owned(),
            token_policies: vec![policy.to_owned()],
            token_period: 30 * 60,
            ..Self::default()
        }
    }
}

fn string() -> String {
    "string".to_owned()
}

fn default() -> String {
    "default".to_owned()
}

fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
