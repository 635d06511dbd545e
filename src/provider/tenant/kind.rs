//! What is made for a tenant on the servers.

/// One kind of thing that a tenant has on a server; one of each at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The Nomad namespace.
    Namespace,
    /// The Nomad ACL policy of its pipeline.
    NomadPolicy,
    /// The Consul ACL policy of its tasks.
    ConsulTasksPolicy,
    /// The Consul role of its tasks, with that policy.
    ConsulRole,
    /// The Consul ACL policy of its pipeline.
    ConsulPolicy,
    /// The Vault policy of its tasks.
    VaultPolicy,
    /// The Vault role with which its tasks get that policy.
    VaultRole,
}

impl Kind {
    /// All, each after those that it refers to.
    pub const ALL: [Kind; 7] = [
        Kind::Namespace,
        Kind::NomadPolicy,
        Kind::ConsulTasksPolicy,
        Kind::ConsulRole,
        Kind::ConsulPolicy,
        Kind::VaultPolicy,
        Kind::VaultRole,
    ];

    /// The attribute with its name, and its entry in the record.
    pub fn field(self) -> &'static str {
        match self {
            Kind::Namespace => "namespace",
            Kind::NomadPolicy => "nomad_policy",
            Kind::ConsulTasksPolicy => "consul_tasks_policy",
            Kind::ConsulRole => "consul_role",
            Kind::ConsulPolicy => "consul_policy",
            Kind::VaultPolicy => "vault_policy",
            Kind::VaultRole => "vault_role",
        }
    }

    /// What it is called.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Namespace => "Nomad namespace",
            Kind::NomadPolicy => "Nomad ACL policy",
            Kind::ConsulTasksPolicy | Kind::ConsulPolicy => "Consul ACL policy",
            Kind::ConsulRole => "Consul role",
            Kind::VaultPolicy => "Vault policy",
            Kind::VaultRole => "Vault JWT role",
        }
    }
}
