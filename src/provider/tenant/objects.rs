//! What a tenant has on the servers: finding it, making it so, and taking it away.

use futures_util::FutureExt;
use futures_util::future::try_join_all;

use super::kind::Kind;
use super::object::{Aim, AimVault, Object, Whose};
use super::{enterprise, failure, limits};
use crate::consul::{self, AclPolicy, AclRole, BindingRule};
use crate::http::{self, Acl};
use crate::nomad::Deleted;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::provider::{Clients, Vault};
use crate::store::TenantRecord;
use crate::tenants::{Limits, Mark, Names, Spaces};
use crate::vault::{self, KvVersion};

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
    /// store, and Consul for the auth methods with which Nomad's tasks log in.
    ///
    /// # Errors
    /// Where Vault does not say, or has none there, or Consul does not say.
    pub async fn of(
        clients: &'a Clients,
        name: &str,
        display_name: &str,
        active: bool,
        spaces: &Spaces,
    ) -> Result<Self, Diagnostic> {
        let vault = vault_of(clients, spaces).await?;
        let mut objects = Self::with(clients, name, display_name, active, vault, spaces);
        objects.find_methods().await?;
        Ok(objects)
    }

    /// Asks Consul for the auth methods with which Nomad's tasks log in.
    async fn find_methods(&mut self) -> Result<(), Diagnostic> {
        let methods = methods(&self.consul(Kind::ConsulBindingRule)).await;
        let refused = |error| failure::refused(Kind::ConsulBindingRule, &error);
        self.aim.methods = methods.map_err(refused)?;
        Ok(())
    }

    /// Those of a tenant that is looked at. Where Vault does not tell the version of its key-value
    /// store, it is taken for the second: what is wrong is for the next apply to tell.
    ///
    /// # Errors
    /// Where Consul does not say with which auth methods Nomad's tasks log in.
    pub async fn to_see(
        clients: &'a Clients,
        record: &TenantRecord,
        name: &str,
    ) -> Result<Self, Diagnostic> {
        let (display, active) = (record.display_name.as_str(), record.active);
        let spaces = &record.namespaces;
        let vault = vault_of(clients, spaces).await;
        let vault = vault.unwrap_or_else(|_| supposed(clients));
        let mut objects = Self::with(clients, name, display, active, vault, spaces);
        objects.find_methods().await?;
        Ok(objects)
    }

    /// Those of a tenant that is to be destroyed, for which nothing is wanted.
    pub fn to_delete(clients: &'a Clients, record: &TenantRecord, name: &str) -> Self {
        let spaces = &record.namespaces;
        Self::with(clients, name, "", false, supposed(clients), spaces)
    }

    fn with(
        clients: &'a Clients,
        name: &str,
        display_name: &str,
        active: bool,
        vault: Option<AimVault>,
        spaces: &Spaces,
    ) -> Self {
        let namespace = clients.store.consul().endpoint().namespace.as_deref();
        Self {
            clients,
            aim: Aim {
                names: Names::of(clients.store.prefix(), name),
                display_name: display_name.to_owned(),
                active,
                spaces: spaces.clone(),
                is_apart: namespace.is_some_and(|namespace| namespace != "default"),
                methods: Vec::new(),
                vault,
            },
        }
    }

    /// What there is of each kind.
    ///
    /// # Errors
    /// Where a server does not answer, or denies access.
    pub async fn find_all(&self) -> Result<Vec<(Kind, Found)>, Diagnostic> {
        // First the namespaces that others may be in: nothing is in one that is not there.
        let first = [Kind::ConsulNamespace, Kind::VaultNamespace];
        let spaces = try_join_all(first.map(async |kind| self.told(kind).await)).await?;
        let all = Kind::ALL.map(async |kind| {
            let of = |kind| spaces.iter().find(|(it, _)| *it == kind);
            match (of(kind), kind.inside().and_then(of)) {
                (Some(found), _) => Ok(found.clone()),
                (_, Some((_, Found::Absent))) => Ok((kind, Found::Absent)),
                _ => self.told(kind).await,
            }
        });
        try_join_all(all).await
    }

    async fn told(&self, kind: Kind) -> Result<(Kind, Found), Diagnostic> {
        let found = self.find(kind).await;
        let found = found.map_err(|error| failure::refused(kind, &error))?;
        Ok((kind, found))
    }

    /// The Consul that a kind of thing is in.
    fn consul(&self, kind: Kind) -> consul::Client {
        let consul = self.clients.store.consul();
        match (kind.inside(), &self.aim.spaces.consul) {
            (Some(Kind::ConsulNamespace), Some(own)) => consul.in_namespace(own),
            _ if kind == Kind::ConsulBindingRule => consul.of_auth_methods(),
            _ => consul.clone(),
        }
    }

    /// The Vault that a kind of thing is in.
    fn vault(&self, kind: Kind) -> Option<vault::Client> {
        let client = &self.clients.vault.as_ref()?.client;
        Some(match (kind.inside(), &self.aim.spaces.vault) {
            (Some(Kind::VaultNamespace), Some(own)) => client.in_namespace(own),
            _ => client.clone(),
        })
    }

    async fn find(&self, kind: Kind) -> Result<Found, http::Error> {
        let nomad = &self.clients.nomad;
        let (consul, name) = (self.consul(kind), self.aim.name(kind));
        Ok(match kind {
            Kind::ConsulNamespace if self.aim.spaces.consul.is_none() => Found::Off,
            Kind::ConsulNamespace => {
                let found = consul.namespace(&name).await?;
                // One that is being deleted is as good as gone.
                let found = found.filter(|it| it.deleted_at.is_none());
                found.map_or(Found::Absent, |it| there(Object::ConsulNamespace(it)))
            }
            Kind::ConsulBindingRule => match consul.binding_rules().await? {
                Acl::Off => Found::Off,
                Acl::On(rules) => {
                    let mark = Mark::of(&self.aim.names);
                    let rules = rules.into_iter();
                    let ours: Vec<_> = rules
                        .filter(|it| Mark::read(&it.description).as_ref() == Some(&mark))
                        .collect();
                    match (ours.is_empty(), self.aim.methods.is_empty()) {
                        (false, _) => there(Object::ConsulBindingRules(ours)),
                        (true, false) => Found::Absent,
                        // No task of Nomad's logs in here.
                        (true, true) => Found::Off,
                    }
                }
            },
            Kind::VaultNamespace if self.aim.spaces.vault.is_none() => Found::Off,
            Kind::VaultNamespace => match self.vault(kind) {
                None => Found::Off,
                Some(client) => {
                    let found = client.namespace(&name).await?;
                    found.map_or(Found::Absent, |it| there(Object::VaultNamespace(it)))
                }
            },
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
                let (Some(vault), Some(client)) = (&self.clients.vault, self.vault(kind)) else {
                    return Ok(Found::Off);
                };
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
        wanted_limits: &Limits,
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
                                touched || error.is_uncertain(),
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
                    let is_new = live.is_none();
                    let object = match live {
                        Some(live) => live.shaped(wanted),
                        None => wanted,
                    };
                    tracing::info!(
                        tenant = self.aim.names.tenant(),
                        "writing the {}",
                        kind.noun()
                    );
                    let written = self.write(kind, object, is_new).await;
                    let there = written.map_err(|error| {
                        refused(
                            touched || error.is_uncertain(),
                            failure::refused(kind, &error),
                        )
                    })?;
                    touched = true;
                    if !there {
                        continue;
                    }
                }
            }
            // Before anybody has a policy for it, and after it is known to be the tenant's.
            if kind == Kind::Namespace {
                let limited = self.limit(wanted_limits).await;
                touched |= limited.map_err(|diagnostic| refused(true, diagnostic))?;
            }
            if kind == Kind::VaultNamespace {
                let furnished = self.furnish().await;
                furnished.map_err(|diagnostic| refused(touched, diagnostic))?;
            }
            made.push((kind, self.aim.place(kind)));
        }
        self.leave(before, &made).await;
        Ok(made)
    }

    /// Gives the tenant's namespaces its limits; whether anything was written.
    async fn limit(&self, limits: &Limits) -> Result<bool, Diagnostic> {
        let written = limits::write(&self.clients.nomad, &self.aim.names, limits).await;
        written.map_err(|error| failure::refused(Kind::Namespace, &error))
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
        let Some(client) = self.vault(Kind::VaultRole) else {
            return;
        };
        let deleted = client.delete_jwt_role(login, name).await;
        tracing::info!(login, name, ?deleted, "the role of another login is left");
    }

    /// Puts into the tenant's own Vault namespace what has to be there before anything else: Nomad's login,
    /// which trusts whom the provider's own trusts, and a key-value store. Of what is there nothing is changed.
    async fn furnish(&self) -> Result<(), Diagnostic> {
        let (Some(vault), Some(own)) = (&self.clients.vault, self.vault(Kind::VaultPolicy)) else {
            return Ok(());
        };
        let failed = |error| failure::furnish(own.namespace_name().unwrap_or_default(), &error);
        let (login, mount) = (&vault.auth_path, &vault.secrets_mount);
        if own.jwt_trust(login).await.map_err(failed)?.is_none() {
            let trust = vault.client.jwt_trust(login).await.map_err(failed)?;
            let trust = trust.ok_or_else(|| failure::no_login(login))?;
            own.enable_jwt(login, &trust).await.map_err(failed)?;
        }
        match own.kv_version(mount).await {
            Err(error) if is_not_mounted(&error) => own.mount_kv(mount).await.map_err(failed),
            told => told.map(drop).map_err(failed),
        }
    }

    /// Writes a thing. `false` where the server has no access control any more.
    async fn write(&self, kind: Kind, object: Object, is_new: bool) -> Result<bool, http::Error> {
        let nomad = &self.clients.nomad;
        let (consul, vault) = (self.consul(kind), self.vault(kind));
        let name = self.aim.name(kind);
        let is_on = match object {
            Object::ConsulNamespace(it) => {
                consul.write_namespace(&it).await?;
                true
            }
            Object::ConsulBindingRules(rules) => self.write_binding_rules(&rules).await?,
            Object::VaultNamespace(meta) => match vault {
                None => false,
                Some(client) => {
                    match is_new {
                        true => client.write_namespace(&name, &meta).await?,
                        false => client.patch_namespace(&name, &meta).await?,
                    }
                    true
                }
            },
            Object::Namespace(it) => {
                nomad.write_namespace(&it).await?;
                true
            }
            Object::NomadPolicy(it) => nomad.write_acl_policy(&it).await? != Acl::Off,
            Object::ConsulPolicy(it) => consul.write_acl_policy(&it).await?.on().is_some(),
            Object::ConsulRole(it) => consul.write_acl_role(&it).await?.on().is_some(),
            Object::VaultPolicy(text) => match vault {
                None => false,
                Some(client) => {
                    client.write_policy(&name, &text).await?;
                    true
                }
            },
            Object::VaultRole(role) => match (vault, &self.aim.vault) {
                (Some(client), Some(AimVault { auth_path, .. })) => {
                    client.write_jwt_role(auth_path, &name, &role).await?;
                    true
                }
                _ => false,
            },
        };
        Ok(is_on)
    }

    /// Writes the rules that are wanted, and deletes what else says that it is the tenant's: one of an auth
    /// method that Nomad's tasks no longer log in with, and a second one for the same.
    async fn write_binding_rules(&self, wanted: &[BindingRule]) -> Result<bool, http::Error> {
        let consul = self.consul(Kind::ConsulBindingRule);
        for rule in wanted {
            if consul.write_binding_rule(rule).await? == Acl::Off {
                return Ok(false);
            }
        }
        let Found::There(now) = self.find(Kind::ConsulBindingRule).await? else {
            return Ok(true);
        };
        let Object::ConsulBindingRules(now) = *now else {
            return Ok(true);
        };
        let mut kept = Vec::new();
        for rule in now {
            let is_wanted = wanted.iter().any(|it| it.auth_method == rule.auth_method);
            let is_the_one = wanted.iter().any(|it| it.id == rule.id)
                || !wanted
                    .iter()
                    .any(|it| it.auth_method == rule.auth_method && !it.id.is_empty());
            if is_wanted && is_the_one && !kept.contains(&rule.auth_method) {
                kept.push(rule.auth_method);
            } else {
                consul.delete_binding_rule(&rule.id).await?;
            }
        }
        Ok(true)
    }

    async fn delete(&self, kind: Kind, live: &Object) -> Result<Deleted, http::Error> {
        let nomad = &self.clients.nomad;
        let (consul, vault) = (self.consul(kind), self.vault(kind));
        let name = self.aim.name(kind);
        tracing::info!(
            tenant = self.aim.names.tenant(),
            "deleting the {}",
            kind.noun()
        );
        match live {
            Object::ConsulNamespace(_) => {
                consul.delete_namespace(&name).await?;
                let is_gone = || async { Ok(consul.namespace(&name).await?.is_none()) };
                enterprise::until_gone(|| is_gone().boxed()).await?;
            }
            Object::ConsulBindingRules(rules) => {
                for rule in rules {
                    consul.delete_binding_rule(&rule.id).await?;
                }
            }
            Object::VaultNamespace(_) => {
                if let Some(client) = vault {
                    client.delete_namespace(&name).await?;
                    let is_gone = || async { Ok(client.namespace(&name).await?.is_none()) };
                    enterprise::until_gone(|| is_gone().boxed()).await?;
                }
            }
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
                if let Some(client) = vault {
                    client.delete_policy(&name).await?;
                }
            }
            Object::VaultRole(_) => {
                if let (Some(client), Some(AimVault { auth_path, .. })) = (vault, &self.aim.vault) {
                    client.delete_jwt_role(auth_path, &name).await?;
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
        for (kind, found) in &found {
            if let Found::There(live) = found
                && live.whose(&self.aim.names) == Whose::Ours
            {
                self.check_empty(*kind).await?;
            }
        }
        // The namespace is what can refuse, and goes before what gives access to it.
        found[1..].reverse();
        for (kind, found) in found {
            let Found::There(live) = found else { continue };
            let name = self.aim.name(kind);
            let recorded = record.made.contains_key(kind.field());
            let is_ours = match live.whose(&self.aim.names) {
                Whose::Ours => true,
                // A namespace without marks is another one: somebody has made it in its place.
                Whose::Nobodys => {
                    recorded
                        && !matches!(
                            kind,
                            Kind::Namespace | Kind::ConsulNamespace | Kind::VaultNamespace
                        )
                }
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

    /// Whether a namespace of Consul or Vault can go: with it, the server deletes whatever is in it. Nomad
    /// looks at its own by itself.
    ///
    /// # Errors
    /// Where something is in it that nobody here has made, or the server does not tell.
    async fn check_empty(&self, kind: Kind) -> Result<(), Diagnostic> {
        let refused = |error| failure::refused(kind, &error);
        let left = match kind {
            Kind::ConsulNamespace => {
                let consul = self.consul(Kind::ConsulRole);
                let keys = consul.keys("").await.map_err(refused)?.into_iter();
                let services = consul.services().await.map_err(refused)?.into_iter();
                let keys = keys.map(|key| format!("the key {key}"));
                let services = services.map(|name| format!("the service {name}"));
                keys.chain(services).collect()
            }
            Kind::VaultNamespace => self.left_in_vault().await.map_err(refused)?,
            _ => Vec::new(),
        };
        match left.is_empty() {
            true => Ok(()),
            false => Err(failure::space_not_empty(kind, &self.aim.name(kind), &left)),
        }
    }

    /// What is in the tenant's Vault namespace beside what `furnish` has put there.
    async fn left_in_vault(&self) -> Result<Vec<String>, http::Error> {
        let (Some(vault), Some(own)) = (&self.clients.vault, self.vault(Kind::VaultPolicy)) else {
            return Ok(Vec::new());
        };
        let below = own.namespaces().await?.into_iter();
        let mut left: Vec<_> = below.map(|name| format!("the namespace {name}")).collect();
        for mount in own.mounts().await? {
            let is_the_store = mount == vault.secrets_mount.trim_matches('/');
            let version = match is_the_store {
                true => own.kv_version(&mount).await?,
                false => None,
            };
            match version {
                Some(version) if own.is_kv_empty(&mount, version).await? => {}
                Some(_) => left.push(format!("secrets in {mount}")),
                None => left.push(format!("what is mounted at {mount}")),
            }
        }
        Ok(left)
    }
}

/// The auth methods of Consul with which Nomad's tasks log in: those that bind a task to the role of its
/// namespace, as `nomad setup consul` has it (`bind_name` in Nomad's `command/setup_consul.go`).
async fn methods(consul: &consul::Client) -> Result<Vec<String>, http::Error> {
    const ROLE: &str = "nomad-${value.nomad_namespace}-tasks";
    let Acl::On(rules) = consul.binding_rules().await? else {
        return Ok(Vec::new());
    };
    let rules = rules.into_iter();
    let of_tasks = rules.filter(|rule| rule.bind_type == "role" && rule.bind_name == ROLE);
    let mut methods: Vec<_> = of_tasks.map(|rule| rule.auth_method).collect();
    methods.sort();
    methods.dedup();
    Ok(methods)
}

/// Vault does not tell nothing mounted from nothing allowed, nor a namespace that is not there from either.
fn is_not_mounted(error: &http::Error) -> bool {
    error.is_not_found() || matches!(error.kind, http::Kind::Unauthorized { .. })
}

/// The Vault that the tenant's tasks read, with the version of its key-value store.
///
/// # Errors
/// Where Vault does not say, or has none there.
async fn vault_of(clients: &Clients, spaces: &Spaces) -> Result<Option<AimVault>, Diagnostic> {
    let Some(vault) = &clients.vault else {
        return Ok(None);
    };
    let mount = &vault.secrets_mount;
    let version = match &spaces.vault {
        None => vault.client.kv_version(mount).await,
        Some(own) => match vault.client.in_namespace(own).kv_version(mount).await {
            // It will be mounted: see `furnish`.
            Err(error) if is_not_mounted(&error) => Ok(Some(KvVersion::Two)),
            told => told,
        },
    };
    let version = version.map_err(|error| failure::mount(mount, &error))?;
    let version = version.ok_or_else(|| failure::no_key_value_store(mount))?;
    Ok(Some(with_version(vault, version)))
}

/// The same where Vault was not asked, or did not tell.
fn supposed(clients: &Clients) -> Option<AimVault> {
    let vault = clients.vault.as_ref()?;
    Some(with_version(vault, KvVersion::Two))
}

fn with_version(vault: &Vault, version: KvVersion) -> AimVault {
    AimVault {
        auth_path: vault.auth_path.clone(),
        mount: vault.secrets_mount.clone(),
        version,
        audience: vault.audience.clone(),
    }
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
