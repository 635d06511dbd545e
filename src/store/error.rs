//! What can go wrong with a record, and what to do about it.

use std::fmt;

use super::{ApplicationKey, Operation, Phase, ScopeKey, TenantKey};
use crate::http;
use crate::tenants::{Overrun, Taken};

/// Whose record it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// An application's.
    Application(ApplicationKey),
    /// A scope's.
    Scope(ScopeKey),
    /// A tenant's.
    Tenant(TenantKey),
    /// That of a revision of an application, which is only ever read.
    Revision(ApplicationKey, u64),
}

impl Key {
    /// `application`, `scope`, `tenant` or `revision`.
    pub fn noun(&self) -> &'static str {
        match self {
            Key::Application(_) => "application",
            Key::Scope(_) => "scope",
            Key::Tenant(_) => "tenant",
            Key::Revision(..) => "revision",
        }
    }
}

/// The ID; of a revision, which one of what.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Application(key) => key.fmt(f),
            Key::Scope(key) => key.fmt(f),
            Key::Tenant(key) => key.fmt(f),
            Key::Revision(key, revision) => write!(f, "revision {revision} of {key}"),
        }
    }
}

/// Why the store did not do what it was asked. Nothing was overwritten.
#[derive(Debug, Clone)]
pub enum StoreError {
    /// The record is not the one that was planned with: somebody changed or deleted it.
    Changed {
        /// Whose.
        key: Key,
        /// Its revision now; `None` where the record is gone.
        revision: Option<u64>,
    },
    /// Another operation holds the record, and still did after the wait for it.
    Busy {
        /// Whose.
        key: Key,
        /// Who holds it.
        operation: Option<Box<Operation>>,
    },
    /// There is a record where none was expected.
    Exists {
        /// Whose.
        key: Key,
        /// What happens to it.
        phase: Phase,
    },
    /// The record is not what this provider writes.
    Corrupt {
        /// Whose.
        key: Key,
        /// The key in Consul.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The record was written by a newer provider.
    Newer {
        /// Whose.
        key: Key,
        /// The key in Consul.
        path: String,
        /// The record's format.
        format: u64,
    },
    /// The record does not fit into one Consul transaction.
    TooLarge {
        /// Whose.
        key: Key,
        /// Size of the transaction, in bytes.
        size: usize,
    },
    /// The lock was lost while it was held, and the record was changed by somebody else.
    Lost {
        /// Whose.
        key: Key,
    },
    /// A scope that the application uses does not exist.
    ScopeGone {
        /// Which application.
        key: ApplicationKey,
        /// Which scope.
        scope: ScopeKey,
    },
    /// A scope that the application uses is not the one that was planned with, or not settled.
    ScopeChanged {
        /// Which application.
        key: ApplicationKey,
        /// Which scope.
        scope: ScopeKey,
        /// What happens to the scope.
        phase: Phase,
    },
    /// The document does not tell which scopes the application uses.
    BadScopes {
        /// Which application.
        key: ApplicationKey,
        /// What is wrong with it.
        reason: String,
    },
    /// The application uses more scopes than one Consul transaction can look after.
    TooManyScopes {
        /// Which application.
        key: ApplicationKey,
        /// How many.
        count: usize,
    },
    /// The scope is used, so it is not removed.
    InUse {
        /// Which scope.
        scope: ScopeKey,
        /// The applications that use it.
        applications: Vec<ApplicationKey>,
    },
    /// Whether an application uses the scope cannot be told, so it is not removed.
    UseUnknown {
        /// Which scope.
        scope: ScopeKey,
        /// Which application.
        application: ApplicationKey,
        /// Why.
        reason: String,
    },
    /// The application's tenant had a record, and has none now.
    TenantGone {
        /// Which application.
        key: ApplicationKey,
    },
    /// The application's tenant is not the one that was planned with, or not settled.
    TenantChanged {
        /// Which application.
        key: ApplicationKey,
        /// What happens to the tenant.
        phase: Phase,
    },
    /// The application's tenant is not active.
    TenantInactive {
        /// Which application.
        key: ApplicationKey,
    },
    /// The tenant has applications, so it is not removed.
    TenantInUse {
        /// Which tenant.
        tenant: TenantKey,
        /// Its applications.
        applications: Vec<ApplicationKey>,
    },
    /// Another tenant has the domain, or one above or below it.
    DomainTaken {
        /// Which tenant was to have it.
        tenant: TenantKey,
        /// The domain.
        domain: String,
        /// What another has.
        by: Taken,
    },
    /// A host that the application asks for is in another tenant's domain.
    HostTaken {
        /// Which application.
        key: ApplicationKey,
        /// The host.
        host: String,
        /// Whose domain it is in.
        tenant: TenantKey,
    },
    /// Applications of others have hosts in the domain, so the tenant does not get it.
    DomainInUse {
        /// Which tenant was to have it.
        tenant: TenantKey,
        /// The domain.
        domain: String,
        /// The applications.
        applications: Vec<ApplicationKey>,
    },
    /// Another tenant has the same name, but for upper and lower case.
    NameTaken {
        /// Which tenant was to be made.
        tenant: TenantKey,
        /// The other.
        other: TenantKey,
    },
    /// The domains of all tenants are not what this provider writes.
    BadDomains {
        /// The key in Consul.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The quotas of the application's tenant leave no room for it.
    Quota {
        /// Which application.
        key: ApplicationKey,
        /// Which quotas.
        overruns: Vec<Overrun>,
    },
    /// What the tenant's applications have of its quotas was written by a newer provider.
    NewerLedger {
        /// The key in Consul.
        path: String,
        /// The ledger's format.
        format: u64,
    },
    /// So many operations change what this one changes, too, that its turn has not come.
    Contended {
        /// Whose operation it is.
        key: Key,
    },
    /// A request to Consul failed.
    Consul(Box<http::Error>),
}

impl StoreError {
    /// What went wrong, in one line.
    pub fn summary(&self) -> String {
        match self {
            StoreError::Changed { key, .. } => {
                format!("The record of {key} changed since the plan")
            }
            StoreError::Busy { key, .. } => format!("Another operation works on {key}"),
            StoreError::Exists { key, .. } => format!("The {} {key} exists already", key.noun()),
            StoreError::Corrupt { key, .. } => format!("The record of {key} cannot be read"),
            StoreError::Newer { key, .. } => {
                format!("The record of {key} was written by a newer provider")
            }
            StoreError::TooLarge { key, .. } => {
                format!("The {} {key} is too large for its record", key.noun())
            }
            StoreError::Lost { key } => {
                format!("The record of {key} was taken over while it was worked on")
            }
            StoreError::ScopeGone { key, scope } => {
                format!("The scope {scope} that {key} uses does not exist")
            }
            StoreError::ScopeChanged {
                key,
                scope,
                phase: Phase::Settled,
            } => format!("The scope {scope} that {key} uses changed since the plan"),
            StoreError::ScopeChanged { key, scope, phase } => {
                format!("The scope {scope} that {key} uses is {phase}")
            }
            StoreError::BadScopes { key, .. } => format!("The scopes of {key} cannot be read"),
            StoreError::TooManyScopes { key, .. } => format!("{key} uses too many scopes"),
            StoreError::InUse { scope, .. } => format!("The scope {scope} is in use"),
            StoreError::UseUnknown { scope, .. } => {
                format!("It cannot be told whether the scope {scope} is in use")
            }
            StoreError::TenantGone { key } => {
                format!("The tenant {} of {key} is no more", key.tenant())
            }
            StoreError::TenantChanged {
                key,
                phase: Phase::Settled,
            } => format!("The tenant {} of {key} has changed", key.tenant()),
            StoreError::TenantChanged { key, phase } => {
                format!("The tenant {} of {key} is {phase}", key.tenant())
            }
            StoreError::TenantInactive { key } => {
                format!("The tenant {} of {key} is not active", key.tenant())
            }
            StoreError::TenantInUse { tenant, .. } => {
                format!("The tenant {tenant} has applications")
            }
            StoreError::DomainTaken { domain, by, .. } => {
                format!("The domain {domain} is the tenant {}'s", by.tenant)
            }
            StoreError::HostTaken { host, tenant, .. } => {
                format!("The host {host} is the tenant {tenant}'s")
            }
            StoreError::DomainInUse { domain, .. } => {
                format!("Others have hosts in the domain {domain}")
            }
            StoreError::NameTaken { tenant, other } => {
                format!("The name {tenant} is too much like that of the tenant {other}")
            }
            StoreError::BadDomains { .. } => "The domains of the tenants cannot be read".to_owned(),
            StoreError::Quota { key, overruns } => match overruns.as_slice() {
                [overrun] => overrun.summary(key.tenant()),
                _ => format!(
                    "The tenant {} would have more than its quotas",
                    key.tenant()
                ),
            },
            StoreError::NewerLedger { .. } => {
                "The usage of the tenant was written by a newer provider".to_owned()
            }
            StoreError::Contended { key } => format!("Too many operations at once beside {key}"),
            StoreError::Consul(error) => error.summary(),
        }
    }

    /// Why, and what to do.
    pub fn detail(&self) -> String {
        match self {
            StoreError::Changed { revision, .. } => {
                let now = match revision {
                    Some(revision) => format!("It is at revision {revision} now"),
                    None => "It is gone now".to_owned(),
                };
                format!("{now}. Nothing was changed. Run the plan again, look at what changed, and apply that.")
            }
            StoreError::Busy { operation, .. } => {
                let who = match operation {
                    Some(operation) => format!("It is {operation}"),
                    None => "It does not say who it is".to_owned(),
                };
                format!(
                    "{who}. Nothing was changed. Wait until it has ended, and run the plan again. If that process crashed, its lock ends by itself within half a minute."
                )
            }
            StoreError::Exists { key, phase } => format!(
                "Its record says that it is {phase}. Nothing was changed. If it shall be managed here, import it: terraform import ADDRESS {key}. If not, choose another name{}. If this was to replace it, take `create_before_destroy` out of its `lifecycle`: it cannot be there twice.",
                match key {
                    Key::Application(_) => " or tenant",
                    Key::Scope(_) | Key::Tenant(_) | Key::Revision(..) => "",
                }
            ),
            StoreError::Corrupt { key, path, reason } => format!(
                "The Consul key {path}: {reason}. Nothing was changed. Restore the key from a backup (consul snapshot), or, if {}, delete the key (consul kv delete {path}) and apply again.",
                match key {
                    Key::Application(_) => "the application's jobs shall be adopted by a new record",
                    Key::Scope(_) => "what the scope stands for in Nomad shall be adopted by a new record",
                    Key::Tenant(_) => "what was made for the tenant shall be adopted by a new record",
                    Key::Revision(..) => "nobody needs to go back to it",
                }
            ),
            StoreError::Newer { path, format, .. } => format!(
                "The Consul key {path} has format {format}, and this provider knows formats up to {}. Nothing was changed. Use the provider's version that wrote it, or a newer one.",
                super::FORMAT
            ),
            StoreError::TooLarge { key, size } => format!(
                "Its record would take {size} bytes on the way to Consul, and {} is the limit of a transaction. Nothing was changed. {}",
                super::LARGEST,
                match key {
                    Key::Application(_) =>
                        "Split the application, or move long texts out of its environment variables.",
                    Key::Scope(_) => "Shorten the scope's properties.",
                    Key::Tenant(_) | Key::Revision(..) => "This is a defect of the provider.",
                }
            ),
            StoreError::Lost { key } => format!(
                "The connection to Consul was lost for longer than the lock lives, and another operation began. The record was not overwritten, but {}. Run the plan again, and apply what it shows.",
                match key {
                    Key::Application(_) | Key::Revision(..) => "jobs may have been registered by both",
                    Key::Scope(_) => "both may have been at what the scope stands for in Nomad",
                    Key::Tenant(_) => "both may have been at what is made for the tenant",
                }
            ),
            StoreError::ScopeGone { scope, .. } => format!(
                "There is no record of it in Consul. Nothing was changed. Create it first, as a resource that the application refers to by its `id`, or take \"{scope}\" out of the application's `scopes`."
            ),
            StoreError::ScopeChanged {
                phase: Phase::Settled,
                ..
            } => "Nothing was changed. Run the plan again, look at what changed, and apply that.".to_owned(),
            StoreError::ScopeChanged {
                phase: Phase::Applying,
                ..
            } => "An apply changes it, or one that changed it did not end well. Nothing was changed. Apply the scope, and then the application again.".to_owned(),
            StoreError::ScopeChanged {
                phase: Phase::Destroying,
                ..
            } => "Nothing was changed. Take it out of the application's `scopes`, or create it again and then apply the application.".to_owned(),
            StoreError::BadScopes { reason, .. } => format!(
                "Of the application's document: {reason}. Nothing was changed. This is a defect of the provider."
            ),
            StoreError::TooManyScopes { count, .. } => format!(
                "They are {count}, and {} is the most that can be watched over in one Consul transaction. Nothing was changed.",
                super::MOST_SCOPES
            ),
            StoreError::InUse { applications, .. } => {
                let names: Vec<_> = applications.iter().map(ToString::to_string).collect();
                format!(
                    "It is used by {}. Nothing was changed. Take it out of the applications' `scopes`, or destroy them, and try again. An application uses its old scopes, too, until an apply that leaves them has ended well.",
                    names.join(", ")
                )
            }
            StoreError::UseUnknown { application, reason, .. } => format!(
                "The record of the application {application} cannot be understood: {}. Nothing was removed.",
                reason.trim_end_matches('.')
            ),
            StoreError::TenantGone { .. } => "It had a record in Consul when it was read, and has none now: somebody has destroyed it. Nothing was changed. Run the plan again.".to_owned(),
            StoreError::TenantChanged {
                phase: Phase::Settled,
                ..
            } => "Nothing was changed. Run the plan again, look at what changed, and apply that.".to_owned(),
            StoreError::TenantChanged {
                phase: Phase::Applying,
                ..
            } => "An apply changes it, or one that changed it did not end well. Nothing was changed. Apply the tenant, and then the application again.".to_owned(),
            StoreError::TenantChanged {
                phase: Phase::Destroying,
                ..
            } => "Nothing was changed. Choose another tenant, or create it again and then apply the application.".to_owned(),
            StoreError::TenantInactive { .. } => "What runs goes on, and nothing new begins. Nothing was changed. Set `active = true` in the tenant and apply it, and then the application again.".to_owned(),
            StoreError::TenantInUse { applications, .. } => {
                let names: Vec<_> = applications.iter().map(ToString::to_string).collect();
                format!(
                    "It has {}. Nothing was changed. Destroy them, and try again.",
                    names.join(", ")
                )
            }
            StoreError::HostTaken { .. } => "It is in the domain of that tenant, which only its applications may use. Nothing was changed. Choose another host.".to_owned(),
            StoreError::DomainInUse { tenant, applications, .. } => {
                let names: Vec<_> = applications.iter().map(ToString::to_string).collect();
                format!(
                    "These are not the tenant's: {}. The tenant {tenant} was not changed. Give them other hosts first, or choose another domain.",
                    names.join(", ")
                )
            }
            StoreError::DomainTaken { tenant, by, .. } => format!(
                "That tenant has {}, and of two tenants neither may have the other's domain or one above or below it. The tenant {tenant} was not changed. Choose another domain, or change that of the tenant {} first.",
                by.domain, by.tenant
            ),
            StoreError::NameTaken { other, .. } => format!(
                "Vault and Consul do not tell upper case from lower in names, so what is made for the two there would be the same. Nothing was made. Choose another name, or destroy the tenant {other} first."
            ),
            StoreError::BadDomains { path, reason } => format!(
                "The Consul key {path}: {reason}. It has the domain of each tenant, as a JSON object. Nothing was changed. Restore the key from a backup (consul snapshot)."
            ),
            StoreError::Quota { overruns, .. } => {
                let details: Vec<_> = overruns.iter().map(Overrun::detail).collect();
                format!("{} Nothing was changed.", details.join(" "))
            }
            StoreError::NewerLedger { path, format } => format!(
                "The Consul key {path} has format {format}, and this provider knows formats up to {}. Nothing was changed. Use the provider's version that wrote it, or a newer one.",
                crate::tenants::LEDGER_FORMAT
            ),
            StoreError::Contended { .. } => "Others change the same record of the tenant all the time, and were always quicker. Nothing was changed. Apply again, or with less at once (`-parallelism`).".to_owned(),
            StoreError::Consul(error) => error.detail(),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.summary(), self.detail())
    }
}

impl std::error::Error for StoreError {}

impl From<http::Error> for StoreError {
    fn from(error: http::Error) -> Self {
        StoreError::Consul(Box::new(error))
    }
}
