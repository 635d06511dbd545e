//! The shape of a tenant.

use super::kind::Kind;
use crate::protocol::schema::{
    Attribute, AttributeNesting, Block, BlockNesting, Mode, NestedBlock, Schema,
};
use crate::protocol::value::Type;
use crate::tenants::Limit;

/// The quotas, each with what it limits.
pub const QUOTAS: [(&str, &str); 4] = [
    (
        "max_jobs",
        "The most jobs that the tenant's applications have together.",
    ),
    (
        "max_cpu_mhz",
        "The most CPU, in MHz, that all instances of their jobs ask for; of a component with a scaler, as \
         many instances as it allows.",
    ),
    (
        "max_memory_mb",
        "The most memory, in MB of Nomad's (MiB), counted in the same manner.",
    ),
    (
        "max_deployments",
        "The most applies of the tenant's applications at one time.",
    ),
];

/// The schema of the resource.
pub fn resource() -> Schema {
    let text = |name: &str, mode: Mode, doc: &str| Attribute::new(name, Type::String, mode, doc);
    let mut attributes = vec![
        text(
            "name",
            Mode::Required,
            "The tenant's name, as applications have it in `tenant`: 2 to 32 letters and digits. Another \
             name is another tenant.",
        ),
        text(
            "display_name",
            Mode::Required,
            "What people call the tenant: 1 to 64 characters. It is the description of the namespace.",
        ),
        text(
            "domain",
            Mode::Optional,
            "The domain of the tenant's hosts, such as `acme.example.com`. No two tenants have the same, or \
             one below the other's.",
        ),
        Attribute::new(
            "active",
            Type::Bool,
            Mode::OptionalComputed,
            "Whether the tenant's applications can be applied; `true` otherwise. With `false`, what runs goes \
             on and nothing new begins: the tenant's tokens can only read, and no task that starts gets \
             secrets any more.",
        ),
    ];
    attributes.extend([
        text(
            Kind::ConsulNamespace.field(),
            Mode::OptionalComputed,
            "The namespace of Consul that is the tenant's own, on Enterprise builds of Nomad and Consul: for its \
             services and what its tasks read. A tenant that is new there has one of its name, unless this \
             says another, or none with `\"\"`. One that is there keeps what it has, whatever the servers \
             become. Another one is another tenant.",
        ),
        text(
            Kind::VaultNamespace.field(),
            Mode::OptionalComputed,
            "The namespace of Vault that is the tenant's own, below the provider's: the same, on Enterprise \
             builds of Nomad and Vault.",
        ),
    ]);
    attributes.extend(limits(Mode::Optional));
    attributes.extend(computed());
    Schema {
        version: 0,
        block: Block {
            attributes,
            blocks: vec![NestedBlock {
                name: "quotas".to_owned(),
                nesting: BlockNesting::Single,
                block: Block {
                    attributes: quotas(Mode::Optional),
                    blocks: Vec::new(),
                    description:
                        "The most that the tenant's applications may have together. Without a \
                                  number there is no limit. A component counts in each of its \
                                  clusters, with as many instances as its scaler allows and the \
                                  canaries of its updates beside them, each with its sidecars and the \
                                  proxies of the mesh; what runs on every node counts once for each \
                                  node that is ready. While an application is changed, the most of \
                                  before and after counts. What would be too much is an error of the \
                                  plan, or of the apply where another was quicker; what does not grow \
                                  is never refused. An apply that would be one deployment too many \
                                  waits for its turn, as long as its `timeouts` allow."
                            .to_owned(),
                },
            }],
            description:
                "A tenant: a namespace in Nomad, and policies of Nomad, Consul and Vault with \
                          which its applications are kept apart from those of others."
                    .to_owned(),
        },
    }
}

/// The quotas as attributes.
pub fn quotas(mode: Mode) -> Vec<Attribute> {
    let quota = |(name, doc): (&str, &str)| Attribute::new(name, Type::Number, mode, doc);
    QUOTAS.map(quota).into()
}

/// The limits as attributes.
pub fn limits(mode: Mode) -> Vec<Attribute> {
    let limit = |limit: Limit, doc| {
        let names = Type::Set(Box::new(Type::String));
        Attribute::new(limit.attribute(), names, mode, doc)
    };
    vec![
        limit(
            Limit::TaskDrivers,
            "The only task drivers that the tenant's jobs may use, such as `[\"docker\"]`; the proxies of the \
             mesh are run with `docker`. Nomad refuses every other job in the tenant's namespaces, also one \
             that is written by hand. Without it, what others have allowed there is left as it is. Beyond \
             the OAM vocabulary.",
        ),
        limit(
            Limit::NetworkModes,
            "The only network modes that the tenant's task groups may have: `bridge`, `host`, `none` or \
             `cni/<name>`. A component that no network scope puts elsewhere is in `host`. Nomad, from 1.9 on, \
             refuses every other `network` block in the tenant's namespaces; a group without one it does not \
             look at. Without it, what others have allowed there is left as it is. Beyond the OAM vocabulary.",
        ),
    ]
}

/// What is found out of a tenant.
pub fn computed() -> Vec<Attribute> {
    let text = |name: &str, doc: &str| Attribute::new(name, Type::String, Mode::Computed, doc);
    let difference = vec![
        text(
            "path",
            "What differs, such as `nomad_policy.rules`; the name alone where it is not there at all.",
        ),
        text("recorded", "What should be there, as JSON."),
        text("live", "What is there, as JSON."),
    ];
    let mut all = vec![
        text(
            "id",
            "UUID of the tenant, of this one and of none before it.",
        ),
        text("created_at", "When the tenant was made (RFC 3339)."),
        text("updated_at", "When the tenant was last changed (RFC 3339)."),
        Attribute::new(
            "revision",
            Type::Number,
            Mode::Computed,
            "Raised by one with each apply that changes the tenant.",
        ),
        text(
            "status",
            "`settled`, or `applying` where an apply was interrupted or has failed: the next one takes it \
             from there. No application of the tenant can be applied until then.",
        ),
    ];
    all.extend(Kind::found().map(|kind| text(kind.field(), doc(kind))));
    all.extend([
        text(
            "service_prefix",
            "What the names of its services in Consul begin with.",
        ),
        text(
            "key_prefix",
            "The folder in Consul's key-value store that its tasks can read.",
        ),
        text(
            "secrets_path",
            "The folder in Vault with the secrets that its tasks can read; null without a `vault` block in \
             the provider.",
        ),
        Attribute::nested(
            "drift",
            difference,
            AttributeNesting::List,
            Mode::Computed,
            "What was changed outside in what was made for the tenant, and no other attribute stands for. The \
             next apply puts it right.",
        ),
    ]);
    all
}

fn doc(kind: Kind) -> &'static str {
    match kind {
        Kind::Namespace => "The Nomad namespace of its jobs.",
        Kind::ConsulNamespace => "Its own namespace of Consul, where it has one.",
        Kind::VaultNamespace => "Its own namespace of Vault, where it has one.",
        Kind::ConsulBindingRule => {
            "What Consul tells the tasks in the tenant's further namespaces by (those of namespace scopes, such \
             as `acme-batch`), so that they get the same role: the selector of a binding rule. Null where \
             Consul has its ACLs off, or Nomad's tasks do not log in there."
        }
        Kind::NomadPolicy => {
            "The Nomad ACL policy for its pipeline; null where Nomad has its ACLs off."
        }
        Kind::ConsulTasksPolicy => {
            "The Consul ACL policy of its tasks; null where Consul has its ACLs off."
        }
        Kind::ConsulRole => {
            "The Consul role of its tasks, called as `nomad setup consul` binds identities to it; null \
             where Consul has its ACLs off."
        }
        Kind::ConsulPolicy => {
            "The Consul ACL policy for its pipeline; null where Consul has its ACLs off."
        }
        Kind::VaultPolicy => {
            "The Vault policy of its tasks; null without a `vault` block in the provider."
        }
        Kind::VaultRole => {
            "The Vault JWT role with which its tasks get that policy; null without a `vault` block in the \
             provider, and while the tenant is not active."
        }
    }
}
