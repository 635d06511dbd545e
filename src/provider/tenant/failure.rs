//! What users are told of tenants and of what is made for them.

use super::kind::Kind;
use super::object::Whose;
use crate::http;
use crate::protocol::diagnostic::Diagnostic;
use crate::protocol::path::AttributePath;
use crate::store::{StoreError, TenantKey};
use crate::tenants::{META_TENANT, Mark, Names, Taken};

pub use crate::provider::application::failure::{cancelled, not_refreshed};

/// A record that cannot be read or written, at the attribute that is the reason.
pub fn store(error: &StoreError) -> Diagnostic {
    let said = Diagnostic::error(error.summary(), error.detail());
    match error {
        StoreError::DomainTaken { .. } | StoreError::DomainInUse { .. } => {
            said.at(AttributePath::new("domain"))
        }
        StoreError::NameTaken { .. } => said.at(AttributePath::new("name")),
        _ => said,
    }
}

/// A domain of which a plan can see that another tenant has it.
pub fn domain_taken(tenant: &str, domain: &str, by: Taken) -> Diagnostic {
    store(&StoreError::DomainTaken {
        tenant: TenantKey::new(tenant),
        domain: domain.to_owned(),
        by,
    })
}

/// A name of which a plan can see that another tenant has it in other letters.
pub fn name_taken(tenant: &str, other: &TenantKey) -> Diagnostic {
    store(&StoreError::NameTaken {
        tenant: TenantKey::new(tenant),
        other: other.clone(),
    })
}

/// The tenant's folder in Consul would be that of the records.
pub fn in_the_way(names: &Names) -> Diagnostic {
    Diagnostic::error(
        format!("No tenant can be called {:?} here", names.tenant()),
        format!(
            "A tenant has the folder of its name in Consul's key-value store for its own, and the \
             provider keeps its records below {:?} there. Choose another name, or another `key_prefix`.",
            names.prefix()
        ),
    )
    .at(AttributePath::new("name"))
}

/// A name of what is made for the tenant is longer than a server takes.
pub fn too_long(names: &Names) -> Diagnostic {
    Diagnostic::error(
        "The key prefix is too long for tenants",
        format!(
            "What is made for the tenant is called after it and the provider's `key_prefix`, such as {:?}, \
             and Nomad and Consul take 128 characters at most.",
            names.tasks_policy()
        ),
    )
    .at(AttributePath::new("name"))
}

/// A server did not do what was asked.
pub fn refused(kind: Kind, error: &http::Error) -> Diagnostic {
    let mut detail = error.detail();
    if matches!(error.kind, http::Kind::Unauthorized { .. }) {
        detail.push_str(match kind {
            Kind::Namespace | Kind::NomadPolicy => {
                " Namespaces and policies of Nomad take a management token."
            }
            Kind::ConsulNamespace => {
                " Namespaces of Consul take a token with `operator = \"write\"`."
            }
            Kind::VaultNamespace => {
                " The token needs to read, write and delete `sys/namespaces/*`."
            }
            Kind::ConsulTasksPolicy
            | Kind::ConsulRole
            | Kind::ConsulPolicy
            | Kind::ConsulBindingRule => {
                " Policies and roles of Consul take a token with `acl = \"write\"`."
            }
            Kind::VaultPolicy | Kind::VaultRole => {
                " The token needs to read, write and delete policies and the roles of the login."
            }
        });
    }
    if kind == Kind::VaultRole && error.is_not_found() {
        detail.push_str(
            " Vault has no login mounted there: enable it (`nomad setup vault`), or set `auth_path` in the \
             provider's `vault` block.",
        );
    }
    let noun = kind.noun();
    Diagnostic::error(format!("The tenant's {noun}: {}", error.summary()), detail)
}

/// Vault does not tell what is mounted where the secrets should be.
pub fn mount(mount: &str, error: &http::Error) -> Diagnostic {
    let mut detail = error.detail();
    if matches!(error.kind, http::Kind::Unauthorized { .. }) {
        detail.push_str(&format!(
            " Vault says so, too, where nothing is mounted at {mount:?}: see `secrets_mount` in the \
             provider's `vault` block."
        ));
    }
    Diagnostic::error(error.summary(), detail)
}

/// Something else is mounted where the secrets should be.
pub fn no_key_value_store(mount: &str) -> Diagnostic {
    Diagnostic::error(
        format!("No key-value store at {mount:?} in Vault"),
        "Something else is mounted there. Set `secrets_mount` in the provider's `vault` block to the mount \
         with the tenants' secrets.",
    )
}

/// What was to be made is there, and is not the tenant's.
pub fn exists(kind: Kind, name: &str, whose: &Whose, names: &Names) -> Diagnostic {
    let noun = kind.noun();
    let who = match whose {
        Whose::Anothers(who) => format!("It was made by {who}"),
        Whose::Ours | Whose::Nobodys => "This tenant has not made it".to_owned(),
    };
    let take_over = match (whose, kind) {
        (Whose::Anothers(_), _) | (_, Kind::VaultRole) => String::new(),
        (_, Kind::Namespace | Kind::ConsulNamespace | Kind::VaultNamespace) => format!(
            " To hand it over to this tenant, give it the meta {META_TENANT:?} = {:?} and \
             \"oam.prefix\" = {:?}.",
            names.tenant(),
            names.prefix()
        ),
        (_, Kind::VaultPolicy) => {
            format!(
                " To hand it over to this tenant, make its first line \"# {}\".",
                Mark::of(names)
            )
        }
        _ => format!(
            " To hand it over to this tenant, make its description {:?}.",
            Mark::of(names).to_string()
        ),
    };
    Diagnostic::error(
        format!("The {noun} {name:?} already exists"),
        format!(
            "{who}, so it was left as it is, and nothing was made for the tenant. Choose another name for \
             the tenant, or remove the {noun} first.{take_over}"
        ),
    )
    .at(AttributePath::new("name"))
}

/// A server that had access control at the plan has none any more.
pub fn turned_off(kind: Kind) -> Diagnostic {
    Diagnostic::error(
        format!("There is no {} any more", kind.noun()),
        "The server had access control when the plan was made, and has none now. Plan and apply again.",
    )
    .at(AttributePath::new(kind.field()))
}

/// Something is still in the namespace that is to be deleted with its tenant.
pub fn not_empty(name: &str, words: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The Nomad namespace {name:?} is not empty"),
        format!(
            "Nomad does not delete it: {words}. What is in it belongs to no application of this tenant. \
             Remove it and destroy the tenant again; until then no application of it can be applied."
        ),
    )
}

/// Something is still in a namespace that the server would delete with all that is in it.
pub fn space_not_empty(kind: Kind, name: &str, left: &[String]) -> Diagnostic {
    const SHOWN: usize = 10;
    let noun = kind.noun();
    let mut all = left
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if left.len() > SHOWN {
        all.push_str(&format!(" and {} more", left.len() - SHOWN));
    }
    Diagnostic::error(
        format!("The {noun} {name:?} is not empty"),
        format!(
            "It would be deleted with all that is in it: {all}. Remove that and destroy the tenant again; \
             until then no application of it can be applied."
        ),
    )
}

/// A tenant is to have a namespace that the servers do not have.
pub fn no_spaces(kind: Kind, why: &str) -> Diagnostic {
    Diagnostic::error(
        format!("There are no {}s here", kind.noun()),
        format!("{why} Remove the attribute: without it, the tenant has what the servers have."),
    )
    .at(AttributePath::new(kind.field()))
}

/// What a tenant's own Vault namespace needs could not be put there.
pub fn furnish(namespace: &str, error: &http::Error) -> Diagnostic {
    let mut detail = error.detail();
    detail.push_str(&format!(
        " The tenant's Vault namespace {namespace:?} needs the login of Nomad's tasks and a key-value store. \
         Give the token the rights to make them, or make them by hand (`nomad setup vault` with \
         VAULT_NAMESPACE={namespace}, `vault secrets enable`), and apply again."
    ));
    Diagnostic::error(
        format!("The tenant's Vault namespace: {}", error.summary()),
        detail,
    )
}

/// The provider's own login, which that of a tenant's namespace is to be like, is not there.
pub fn no_login(login: &str) -> Diagnostic {
    Diagnostic::error(
        format!("No login of Nomad's tasks at {login:?} in Vault"),
        "The one in the tenant's namespace trusts whom this one trusts. Enable it (`nomad setup vault`), or \
         set `auth_path` in the provider's `vault` block.",
    )
}

/// What the record says was made here says of itself that it was not.
pub fn left_alone(kind: Kind, name: &str) -> Diagnostic {
    let noun = kind.noun();
    Diagnostic::warning(
        format!("The {noun} {name:?} is left alone"),
        "It does not say that this tenant has made it: somebody has put another in its place, or edited \
         it.",
    )
}

/// What is in Vault stays, since the provider has no Vault any more.
pub fn vault_left(name: &str) -> Diagnostic {
    Diagnostic::warning(
        format!("The Vault policy and role {name:?} are left"),
        "They were made for the tenant, and the provider has no `vault` block any more. Delete them by \
         hand.",
    )
}

/// No record of a tenant.
pub fn no_such(key: &TenantKey) -> Diagnostic {
    Diagnostic::error(
        "No such tenant",
        format!(
            "Consul has no record of the tenant {key}. Check its name, and the provider's `key_prefix`."
        ),
    )
}

/// A tenant that cannot be removed now.
pub fn not_removed(error: &StoreError) -> Diagnostic {
    let mut diagnostic = store(error);
    if matches!(error, StoreError::TenantInUse { .. }) {
        diagnostic.detail.push_str(
            " An application in the same configuration is destroyed first where its `tenant` is this \
             resource's `name`.",
        );
    }
    diagnostic
}

/// The lock was lost on the way.
pub fn lost(key: &TenantKey) -> Diagnostic {
    store(&StoreError::Lost {
        key: key.clone().into(),
    })
}
