//! What a tenant has on the servers: finding it, making it so, and taking it away.

use futures_util::future::try_join_all;

use super::failure;
use super::kind::Kind;
use super::object::{Aim, AimVault, Object, Whose};
use crate::consul::{AclPolicy, AclRole};
use crate::http::{self, Acl};
use crate::nomad::Deleted;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::provider::Clients;
use crate::store::TenantRecord;
use crate::tenants::Names;
use crate::vault::KvVersion;

/// What there is of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The server has no access control, or there is no Vault: there can be none.
    Off,
    /// There is none.
    Absent,
    /// This.
    There(Box<Object>),
}

/// What a tenant has on the servers, and should have.
pub struct Objects<'a> {
    clients: &'a Clients,
    /// What it should have.
    pub aim: Aim,
}

/// What could not be done.
pub struct Refused {
    /// Why.
    pub diagnostics: Diagnostics,
    /// Whether something on a server was changed before, or may have been.
    pub touched: bool,
}

impl<'a> Objects<'a> {
    /// Those of a tenant that is to be made or changed. Vault is asked for the version of its key-value
    /// store.
    ///
    /// # Errors
    /// Where Vault does not say, or has none there.
    pub async fn of(
        clients: &'a Clients,
        name: &str,
        display_name: &str,
        active: bool,
    ) -> Result<Self, Diagnostic> {
        let vault = match &clients.vault {
            None => None,
            Some(vault) => {
                let mount = &vault.secrets_mount;
                let version = vault.client.kv_version(mount).await;
                let version = version.map_err(|error| failure::mount(mount, &error))?;
                Some(AimVault {
                    auth_path: vault.auth_path.clone(),
                    mount: mount.clone(),
                    version: version.ok_or_else(|| failure::no_key_value_store(mount))?,
                    audience: vault.audience.clone(),
                })
            }
        };
        Ok(Self::with(clients, name, display_name, active, vault))
    }

    /// Those of a tenant that is looked at. Where Vault does not tell the version of its key-value
    /// store, it is taken for the second: what is wrong is for the next apply to tell.
    pub async fn to_see(clients: &'a Clients, record: &TenantRecord, name: &str) -> Self {
        let (display, active) = (record.display_name.as_str(), record.active);
        match Self::of(clients, name, display, active).await {
            Ok(objects) => objects,
            Err(_) => Self::with(clients, name, display, active, supposed(clients)),
        }
    }

    /// Those of a tenant that is to be destroyed, for which nothing is wanted.
    pub fn to_delete(clients: &'a Clients, name: &str) -> Self {
        Self::with(clients, name, "", false, supposed(clients))
    }

    fn with(
        clients: &'a Clients,
        name: &str,
        display_name: &str,
        active: bool,
        vault: Option<AimVault>,
    ) -> Self {
        Self {
            clients,
            aim: Aim {
                names: Names::of(clients.store.prefix(), name),
                display_name: display_name.to_owned(),
                active,
                vault,
            },
        }
    }

    /// What there is of each kind.
    ///
    /// # Errors
    /// Where a server does not answer, or denies access.
    pub async fn find_all(&self) -> Result<Vec<(Kind, Found)>, Diagnostic> {
        let all = Kind::ALL.map(async |kind| {
            let found = self.find(kind).await;
            let found = found.map_err(|error| failure::refused(kind, &error))?;
            Ok((kind, found))
        });
        try_join_all(all).await
    }

    async fn find(&self, kind: Kind) -> Result<Found, http::Error> {
        let Clients {
            nomad,
            store,
            vault,
            ..
        } = self.clients;
        let (consul, name) = (store.consul(), self.aim.name(kind));
        Ok(match kind {
            Kind::Namespace => {
                let found = nomad.namespace(&name).await?;
                found.map_or(Found::Absent, |it| there(Object::Namespace(it)))
            }
            Kind::NomadPolicy => from(nomad.acl_policy(&name).await?, Object::NomadPolicy),
            Kind::ConsulTasksPolicy | Kind::ConsulPolicy => {
                from(consul.acl_policy(&name).await?, Object::ConsulPolicy)
            }
            Kind::ConsulRole => from(consul.acl_role(&name).await?, Object::ConsulRole),
            Kind::VaultPolicy | Kind::VaultRole => {
                let Some(vault) = vault else {
                    return Ok(Found::Off);
                };
                let client = &vault.client;
                let found = match kind {
                    Kind::VaultPolicy => client.policy(&name).await?.map(Object::VaultPolicy),
                    _ => match client.jwt_role(&vault.auth_path, &name).await {
                        Ok(role) => role.map(Object::VaultRole),
                        // There is no such login.
                        Err(error) if error.is_not_found() => None,
                        Err(error) => return Err(error),
                    },
                };
                found.map_or(Found::Absent, there)
            }
        })
    }

    /// Whether the tenant may change or delete what is there: it has made it, or the record says so
    /// and nobody else does.
    fn may_change(
        &self,
        kind: Kind,
        found: &Object,
        before: Option<&TenantRecord>,
    ) -> Result<(), Diagnostic> {
        let whose = found.whose(&self.aim.names);
        let recorded = before.is_some_and(|record| record.made.contains_key(kind.field()));
        match whose {
            Whose::Ours => Ok(()),
            Whose::Nobodys if recorded => Ok(()),
            whose => Err(failure::exists(
                kind,
                &self.aim.name(kind),
                &whose,
                &self.aim.names,
            )),
        }
    }

    /// Whether the aim can be reached, as far as can be told without changing anything.
    ///
    /// # Errors
    /// Everything that stands in the way.
    pub fn check(
        &self,
        found: &[(Kind, Found)],
        before: Option<&TenantRecord>,
    ) -> Result<(), Diagnostics> {
        let mut diagnostics = Vec::new();
        for (kind, found) in found {
            if let Found::There(object) = found
                && self.aim.wanted(*kind).is_some()
            {
                diagnostics.extend(self.may_change(*kind, object, before).err());
            }
        }
        match diagnostics.is_empty() {
            true => Ok(()),
            false => Err(diagnostics),
        }
    }

    /// Makes the servers what the tenant wants, under the lock of its record. Gives what is there
    /// then, as the record has it.
    ///
    /// # Errors
    /// Where a server does not do it, or somebody else has made a thing.
    pub async fn reach(
        &self,
        before: Option<&TenantRecord>,
        goes_on: impl Fn() -> Result<(), Diagnostic>,
    ) -> Result<Vec<(Kind, String)>, Refused> {
        let mut touched = false;
        let refused = |touched: bool, diagnostic: Diagnostic| Refused {
            diagnostics: vec![diagnostic],
            touched,
        };
        let found = self.find_all().await;
        let found = found.map_err(|diagnostic| refused(false, diagnostic))?;
        self.check(&found, before).map_err(|diagnostics| Refused {
            diagnostics,
            touched: false,
        })?;
        let mut made = Vec::new();
        for (kind, found) in found {
            let live = match found {
                Found::Off => continue,
                Found::Absent => None,
                Found::There(live) => Some(*live),
            };
            let is_there = |touched| -> Result<(), Refused> {
                goes_on().map_err(|diagnostic| refused(touched, diagnostic))
            };
            match (self.aim.wanted(kind), live) {
                (None, None) => continue,
                (None, Some(live)) => {
                    if self.may_change(kind, &live, before).is_ok() {
                        is_there(touched)?;
                        let deleted = self.delete(kind, &live).await;
                        deleted.map_err(|error| {
                            refused(
                                touched || is_uncertain(&error),
                                failure::refused(kind, &error),
                            )
                        })?;
                        touched = true;
                    }
                    continue;
                }
                (Some(wanted), Some(live)) if live.differences(&wanted).is_empty() => {}
                (Some(wanted), live) => {
                    is_there(touched)?;
                    let object = match live {
                        Some(live) => live.shaped(wanted),
                        None => wanted,
                    };
                    tracing::info!(
                        tenant = self.aim.names.tenant(),
                        "writing the {}",
                        kind.noun()
                    );
                    let written = self.write(kind, object).await;
                    let there = written.map_err(|error| {
                        refused(
                            touched || is_uncertain(&error),
                            failure::refused(kind, &error),
                        )
                    })?;
                    touched = true;
                    if !there {
                        continue;
                    }
                }
            }
            made.push((kind, self.aim.place(kind)));
        }
        self.leave(before, &made).await;
        Ok(made)
    }

    /// Deletes the Vault role of a login that the provider no longer uses. What fails here is left: the
    /// login is no longer Nomad's.
    async fn leave(&self, before: Option<&TenantRecord>, made: &[(Kind, String)]) {
        let Some(vault) = &self.clients.vault else {
            return;
        };
        let old = before.and_then(|before| before.made.get(Kind::VaultRole.field()));
        let Some((login, name)) = old.and_then(|old| old.rsplit_once('/')) else {
            return;
        };
        let is_kept = made
            .iter()
            .any(|(kind, place)| *kind == Kind::VaultRole && Some(place) == old);
        if is_kept || login == vault.auth_path {
            return;
        }
        let deleted = vault.client.delete_jwt_role(login, name).await;
        tracing::info!(login, name, ?deleted, "the role of another login is left");
    }

    /// Writes a thing. `false` where the server has no access control any more.
    async fn write(&self, kind: Kind, object: Object) -> Result<bool, http::Error> {
        let Clients {
            nomad,
            store,
            vault,
            ..
        } = self.clients;
        let name = self.aim.name(kind);
        let is_on = match object {
            Object::Namespace(it) => {
                nomad.write_namespace(&it).await?;
                true
            }
            Object::NomadPolicy(it) => nomad.write_acl_policy(&it).await? != Acl::Off,
            Object::ConsulPolicy(it) => store.consul().write_acl_policy(&it).await?.on().is_some(),
            Object::ConsulRole(it) => store.consul().write_acl_role(&it).await?.on().is_some(),
            Object::VaultPolicy(text) => match vault {
                None => false,
                Some(vault) => {
                    vault.client.write_policy(&name, &text).await?;
                    true
                }
            },
            Object::VaultRole(role) => match vault {
                None => false,
                Some(vault) => {
                    let login = &vault.auth_path;
                    vault.client.write_jwt_role(login, &name, &role).await?;
                    true
                }
            },
        };
        Ok(is_on)
    }

    async fn delete(&self, kind: Kind, live: &Object) -> Result<Deleted, http::Error> {
        let Clients {
            nomad,
            store,
            vault,
            ..
        } = self.clients;
        let (consul, name) = (store.consul(), self.aim.name(kind));
        tracing::info!(
            tenant = self.aim.names.tenant(),
            "deleting the {}",
            kind.noun()
        );
        match live {
            Object::Namespace(_) => return nomad.delete_namespace(&name).await,
            Object::NomadPolicy(_) => {
                nomad.delete_acl_policy(&name).await?;
            }
            Object::ConsulPolicy(AclPolicy { id, .. }) => {
                consul.delete_acl_policy(id).await?;
            }
            Object::ConsulRole(AclRole { id, .. }) => {
                consul.delete_acl_role(id).await?;
            }
            Object::VaultPolicy(_) => {
                if let Some(vault) = vault {
                    vault.client.delete_policy(&name).await?;
                }
            }
            Object::VaultRole(_) => {
                if let Some(vault) = vault {
                    let login = &vault.auth_path;
                    vault.client.delete_jwt_role(login, &name).await?;
                }
            }
        }
        Ok(Deleted::Done)
    }

    /// Deletes all that the tenant has on the servers, those first that refer to others. A warning of
    /// what the record says was made, and is somebody else's now.
    ///
    /// # Errors
    /// Where something is still in the namespace, or a server does not do it.
    pub async fn delete_all(
        &self,
        record: &TenantRecord,
        goes_on: impl Fn() -> Result<(), Diagnostic>,
    ) -> Result<Diagnostics, Diagnostic> {
        let mut warnings = Vec::new();
        let mut found = self.find_all().await?;
        // The namespace is what can refuse, and goes before what gives access to it.
        found[1..].reverse();
        for (kind, found) in found {
            let Found::There(live) = found else { continue };
            let name = self.aim.name(kind);
            let recorded = record.made.contains_key(kind.field());
            let is_ours = match live.whose(&self.aim.names) {
                Whose::Ours => true,
                // A namespace without marks is another one: somebody has made it in its place.
                Whose::Nobodys => recorded && kind != Kind::Namespace,
                Whose::Anothers(_) => false,
            };
            if !is_ours {
                if recorded {
                    warnings.push(failure::left_alone(kind, &name));
                }
                continue;
            }
            goes_on()?;
            let deleted = self.delete(kind, &live).await;
            match deleted.map_err(|error| failure::refused(kind, &error))? {
                Deleted::Done | Deleted::Absent => {}
                Deleted::NotEmpty(words) => return Err(failure::not_empty(&name, &words)),
            }
        }
        if self.clients.vault.is_none() && record.made.contains_key(Kind::VaultPolicy.field()) {
            warnings.push(failure::vault_left(&self.aim.names.vault_slug()));
        }
        self.leave(Some(record), &[]).await;
        Ok(warnings)
    }
}

/// Vault as it is where it was not asked.
fn supposed(clients: &Clients) -> Option<AimVault> {
    let vault = clients.vault.as_ref()?;
    Some(AimVault {
        auth_path: vault.auth_path.clone(),
        mount: vault.secrets_mount.clone(),
        version: KvVersion::Two,
        audience: vault.audience.clone(),
    })
}

fn from<T>(found: Acl<Option<T>>, object: fn(T) -> Object) -> Found {
    match found {
        Acl::Off => Found::Off,
        Acl::On(None) => Found::Absent,
        Acl::On(Some(it)) => there(object(it)),
    }
}

fn there(object: Object) -> Found {
    Found::There(Box::new(object))
}

/// Whether a write may have been done although no answer says so.
fn is_uncertain(error: &http::Error) -> bool {
    error.may_have_been_done() && !matches!(error.kind, http::Kind::Server { .. })
}
