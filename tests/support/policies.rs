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
    /// One provider for all: tenants, scopes, and the applications of all tenants.
    Everything,
}

/// The texts of a role's policies.
#[derive(Debug, Clone)]
pub struct Policies {
    /// For Nomad; `None` where it takes a management token.
    pub nomad: Option<String>,
    /// For Consul.
    pub consul: String,
    /// For Vault; `None` where the provider has nothing to do there.
    pub vault: Option<String>,
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

impl Policies {
    /// Those of the guide, for records below `prefix`.
    pub fn of(role: Role, prefix: &str) -> Self {
        Self::changed(role, prefix, &|_, text| text)
    }

    /// Those of the guide, with each file's text changed before anything else.
    pub fn changed(role: Role, prefix: &str, change: &dyn Fn(&str, String) -> String) -> Self {
        let slug = prefix.replace('/', "-").to_lowercase();
        let read = |file: &str| {
            let text = change(file, text(file));
            text.replace("\"oam/", &format!("\"{prefix}/"))
                .replace("/oam-", &format!("/{slug}-"))
        };
        let (nomad, consul, vault) = match role {
            Role::Applications => (
                Some("applications/nomad.hcl"),
                "applications/consul.hcl",
                None,
            ),
            Role::Platform => (None, "platform/consul.hcl", Some("platform/vault.hcl")),
            Role::Everything => (None, "everything/consul.hcl", Some("platform/vault.hcl")),
        };
        Self {
            nomad: nomad.map(read),
            consul: read(consul),
            vault: vault.map(read),
        }
    }
}

impl Tokens {
    /// Tokens of these policies, which are made under the name.
    pub fn of(servers: &Servers, name: &str, policies: &Policies) -> Self {
        let nomad = policies.nomad.as_ref().map(|rules| {
            servers.nomad.policy(name, rules);
            servers.nomad.token_of(&[name])
        });
        servers.consul.policy(name, &policies.consul);
        let vault = policies.vault.as_ref().filter(|_| servers.has_vault());
        let vault = vault.map(|rules| {
            servers.vault().rules(name, rules);
            servers.vault().token_of(&[name])
        });
        Self {
            nomad: nomad.or_else(|| servers.nomad.token.clone()),
            consul: Some(servers.consul.token_of(&[name])),
            vault,
        }
    }

    /// The tokens that may do everything.
    pub fn management(servers: &Servers) -> Self {
        Self {
            nomad: servers.nomad.token.clone(),
            consul: servers.consul.token.clone(),
            vault: servers
                .has_vault()
                .then(|| servers.vault().token.clone())
                .flatten(),
        }
    }
}
