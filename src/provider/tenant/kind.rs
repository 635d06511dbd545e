//! What is made for a tenant on the servers.

/// One kind of thing that a tenant has on a server; one of each at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The Nomad namespace.
    Namespace,
    /// The Nomad ACL policy of its pipeline.
    NomadPolicy,
    /// The Consul namespace of its services and keys (Enterprise).
    ConsulNamespace,
    /// The Consul ACL policy of its tasks.
    ConsulTasksPolicy,
    /// The Consul role of its tasks, with that policy.
    ConsulRole,
    /// The Consul ACL policy of its pipeline.
    ConsulPolicy,
    /// The Consul binding rules with which tasks in its further namespaces get that role: one for each
    /// auth method of Nomad's.
    ConsulBindingRule,
    /// The Vault namespace of its secrets (Enterprise).
    VaultNamespace,
    /// The Vault policy of its tasks.
    VaultPolicy,
    /// The Vault role with which its tasks get that policy.
    VaultRole,
}

impl Kind {
    /// All, each after those that it refers to.
    pub const ALL: [Kind; 10] = [
        Kind::Namespace,
        Kind::NomadPolicy,
        Kind::ConsulNamespace,
        Kind::ConsulTasksPolicy,
        Kind::ConsulRole,
        Kind::ConsulPolicy,
        Kind::ConsulBindingRule,
        Kind::VaultNamespace,
        Kind::VaultPolicy,
        Kind::VaultRole,
    ];

    /// The attribute with its name, and its entry in the record.
    pub fn field(self) -> &'static str {
        match self {
            Kind::Namespace => "namespace",
            Kind::NomadPolicy => "nomad_policy",
            Kind::ConsulNamespace => "consul_namespace",
            Kind::ConsulBindingRule => "consul_binding_rule",
            Kind::VaultNamespace => "vault_namespace",
            Kind::ConsulTasksPolicy => "consul_tasks_policy",
            Kind::ConsulRole => "consul_role",
            Kind::ConsulPolicy => "consul_policy",
            Kind::VaultPolicy => "vault_policy",
            Kind::VaultRole => "vault_role",
        }
    }

    /// All whose attribute tells what there is on the server. The others' tells what was asked for.
    pub fn found() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|kind| !matches!(kind, Kind::ConsulNamespace | Kind::VaultNamespace))
    }

    /// The namespace that it is in, where the tenant has one of its own.
    pub fn inside(self) -> Option<Self> {
        match self {
            Kind::ConsulTasksPolicy | Kind::ConsulRole => Some(Kind::ConsulNamespace),
            Kind::VaultPolicy | Kind::VaultRole => Some(Kind::VaultNamespace),
            _ => None,
        }
    }

    /// What it is called.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Namespace => "Nomad namespace",
            Kind::NomadPolicy => "Nomad ACL policy",
            Kind::ConsulNamespace => "Consul namespace",
            Kind::ConsulBindingRule => "Consul binding rule",
            Kind::VaultNamespace => "Vault namespace",
            Kind::ConsulTasksPolicy | Kind::ConsulPolicy => "Consul ACL policy",
            Kind::ConsulRole => "Consul role",
            Kind::VaultPolicy => "Vault policy",
            Kind::VaultRole => "Vault JWT role",
        }
    }
}
