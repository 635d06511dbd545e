//! Tokens of the policies that the guide gives, so that the provider runs with no more than it says.

use super::servers::Servers;

/// What a provider is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A pipeline that manages applications without a tenant, and nothing else.
    Applications,
    /// The platform's own, which manages tenants and scopes, and no applications. Nomad has no policy
    /// for that: it takes a management token.
    Platform,
}

/// The tokens that a provider is configured with.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// For Nomad.
    pub nomad: Option<String>,
    /// For Consul.
    pub consul: Option<String>,
    /// For Vault; without one the provider has no `vault` block.
    pub vault: Option<String>,
}

/// The text of a policy of the guide, such as `applications/nomad.hcl`.
pub fn text(file: &str) -> String {
    let path = format!("{}/examples/policies/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The texts of a role's policies for Nomad and Consul, for records below `prefix`.
pub fn texts(role: Role, prefix: &str) -> (Option<String>, String) {
    texts_with(role, prefix, &|_, text| text)
}

/// As [`texts`], with each file's text changed.
pub fn texts_with(
    role: Role,
    prefix: &str,
    change: &dyn Fn(&str, String) -> String,
) -> (Option<String>, String) {
    let read = |file: &str| {
        let text = change(file, text(file));
        text.replace("\"oam/", &format!("\"{prefix}/"))
    };
    match role {
        Role::Applications => (
            Some(read("applications/nomad.hcl")),
            read("applications/consul.hcl"),
        ),
        Role::Platform => (None, read("platform/consul.hcl")),
    }
}

impl Tokens {
    /// Tokens of these policies' texts, which are made under the name; a management token of Nomad's
    /// where there is none.
    pub fn of(servers: &Servers, name: &str, nomad: Option<&str>, consul: &str) -> Self {
        let nomad = nomad.map(|rules| {
            servers.nomad.policy(name, rules);
            servers.nomad.token_of(&[name])
        });
        servers.consul.policy(name, consul);
        Self {
            nomad: nomad.or_else(|| servers.nomad.token.clone()),
            consul: Some(servers.consul.token_of(&[name])),
            vault: None,
        }
    }

    /// The tokens that may do everything.
    pub fn management(servers: &Servers) -> Self {
        Self {
            nomad: servers.nomad.token.clone(),
            consul: servers.consul.token.clone(),
            vault: None,
        }
    }
}
