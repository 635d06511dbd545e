//! The operations on tenants, and the guarantee that an application's tenant is there.
//!
//! An apply of a tenant is an operation like that of a scope: [`Store::begin_tenant`] writes the intent
//! and takes the lock, then the servers are touched, then [`Store::settle_tenant`] or
//! [`Store::abandon`].
//!
//! # No application is without its tenant
//!
//! The beginning of an application checks in its own transaction that the record of its tenant has the
//! index that was read, with which the tenant was settled and active. Where there was no record, it looks
//! again when its intent is written (`absent.rs`). A removal ([`Store::begin_tenant_removal`]) writes [`Phase::Destroying`] and then lists the tenant's
//! applications with `?consistent`. Why of the two one always sees the other is told in `scopes.rs`: it is
//! the same argument.
//!
//! # Domains
//!
//! `<prefix>/domains` is one key: all tenants' domains, each with its tenant. An operation that gives a
//! tenant a domain adds it in the transaction that begins it, with check-and-set, so that of two tenants
//! that want the same one is refused. Until the operation has settled, the tenant has the domain before
//! beside it. What is written at the end, or with the removal, takes away what is no more. That no other's
//! application has a host in it is told in `hosts.rs`.
//!
//! # Names
//!
//! Some servers do not tell upper case from lower in the names of what is made there, so no two tenants'
//! names may differ in that alone. A creation looks for such another after it has written its intent: of
//! two at the same time at least one sees the other.

use std::collections::BTreeSet;

use super::form::{Recorded, stored};
use super::guards::{Guard, Guards, SeenTenant};
use super::{
    ApplicationKey, Expect, Held, Phase, Store, StoreError, Stored, TenantKey, TenantRecord,
    Version,
};
use crate::consul::Entry;
use crate::tenants::{Domains, Quotas};

/// What an operation does to the domains of all tenants.
#[derive(Debug)]
pub(super) enum Claim {
    /// It gives the tenant one more.
    Add {
        /// Which tenant.
        tenant: TenantKey,
        /// The domain.
        domain: String,
    },
    /// It leaves the tenant this one alone, or none.
    Keep {
        /// Which tenant.
        tenant: TenantKey,
        /// The domain.
        domain: Option<String>,
    },
}

/// A tenant that is being removed, and that has no applications and can get none.
///
/// Give it back with [`Store::remove_tenant`] or [`Store::abandon_tenant_removal`].
#[derive(Debug)]
pub struct TenantRemoval(Held<TenantRecord>);

impl TenantRemoval {
    /// Which tenant it is.
    pub fn key(&self) -> &TenantKey {
        self.0.key()
    }

    /// The tenant's record, in the phase [`Phase::Destroying`].
    pub fn record(&self) -> &TenantRecord {
        self.0.record()
    }

    /// Whether the lock is known to be lost: look before anything is deleted, and stop then.
    pub fn is_lost(&self) -> bool {
        self.0.is_lost()
    }
}

impl Store {
    /// The key in Consul that holds the record of the tenant.
    pub fn tenant_path(&self, key: &TenantKey) -> String {
        self.place::<TenantRecord>(key)
    }

    /// The key in Consul that holds the domains of all tenants.
    pub fn domains_path(&self) -> String {
        format!("{}/domains", self.prefix())
    }

    /// The key in Consul that holds what a tenant's applications use of its quotas.
    pub fn usage_path(&self, key: &TenantKey) -> String {
        format!("{}/usage/{key}", self.prefix())
    }

    /// The record of the tenant, or `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Newer`], [`StoreError::Consul`].
    pub async fn read_tenant(
        &self,
        key: &TenantKey,
    ) -> Result<Option<Stored<TenantRecord>>, StoreError> {
        self.latest(key).await
    }

    /// All tenants that have a record, by name. One that cannot be read is an error in its place.
    ///
    /// # Errors
    /// [`StoreError::Consul`].
    pub async fn list_tenants(
        &self,
    ) -> Result<Vec<(TenantKey, Result<Stored<TenantRecord>, StoreError>)>, StoreError> {
        let root = format!("{}/{}/", self.prefix(), TenantRecord::FOLDER);
        let entries = self.inner.consul.list_latest(&root).await?;
        let records = entries.iter().filter_map(|entry| {
            let key = TenantKey::parse(entry.key.strip_prefix(&root)?).ok()?;
            let record = stored(&key, entry);
            Some((key, record))
        });
        Ok(records.collect())
    }

    /// The names of all tenants that have a record, also of one that cannot be read.
    ///
    /// # Errors
    /// [`StoreError::Consul`].
    pub async fn tenant_names(&self) -> Result<BTreeSet<String>, StoreError> {
        let all = self.list_tenants().await?;
        Ok(all
            .into_iter()
            .map(|(key, _)| key.name().to_owned())
            .collect())
    }

    /// The domains of all tenants.
    ///
    /// # Errors
    /// [`StoreError::BadDomains`], [`StoreError::Consul`].
    pub async fn domains(&self) -> Result<Domains, StoreError> {
        let (domains, _) = self.read_domains().await?;
        Ok(domains)
    }

    /// The domains of all tenants and the index of their key, 0 where there is none.
    pub(super) async fn read_domains(&self) -> Result<(Domains, u64), StoreError> {
        let path = self.domains_path();
        let Some(entry) = self.inner.consul.get_latest(&path).await? else {
            return Ok((Domains::default(), 0));
        };
        let read = |entry: &Entry| serde_json::from_slice(&entry.value);
        match read(&entry) {
            Ok(domains) => Ok((domains, entry.modify_index)),
            Err(error) => Err(StoreError::BadDomains {
                path,
                reason: error.to_string(),
            }),
        }
    }

    /// What writes a claim; nothing where it changes nothing.
    pub(super) async fn claimed(&self, claim: &Claim) -> Result<Option<Guard>, StoreError> {
        let (before, index) = self.read_domains().await?;
        let mut after = before.clone();
        match claim {
            Claim::Add { tenant, domain } => {
                let claimed = after.claim(tenant.name(), domain);
                claimed.map_err(|taken| StoreError::DomainTaken {
                    tenant: tenant.clone(),
                    domain: domain.clone(),
                    by: taken,
                })?;
            }
            Claim::Keep { tenant, domain } => after.keep(tenant.name(), domain.as_deref()),
        }
        let value = || serde_json::to_vec(&after).unwrap_or_default();
        Ok((after != before).then(|| Guard::Write {
            key: self.domains_path(),
            value: value(),
            index,
        }))
    }

    /// Writes the intent to make or change the tenant and takes its lock, if its record is what
    /// `expect` says, no other tenant has its domain, no application of others has a host in it, and no
    /// tenant has its name in other letters. Waits while another operation holds it. The record's `format`, `phase` and `operation` are filled in
    /// here.
    ///
    /// A creation takes over what an interrupted creation or removal has left ([`Held::adopted`]).
    ///
    /// # Errors
    /// [`StoreError::DomainTaken`], [`StoreError::DomainInUse`], [`StoreError::NameTaken`]; otherwise as of [`Store::begin`].
    pub async fn begin_tenant(
        &self,
        key: &TenantKey,
        expect: Expect,
        record: TenantRecord,
    ) -> Result<Held<TenantRecord>, StoreError> {
        let begun = self.begun_tenant(key, expect, record);
        self.inner.tenants_ahead.changing(begun).await
    }

    async fn begun_tenant(
        &self,
        key: &TenantKey,
        expect: Expect,
        record: TenantRecord,
    ) -> Result<Held<TenantRecord>, StoreError> {
        let domain = record.domain.clone();
        let claim = domain.clone().map(|domain| Claim::Add {
            tenant: key.clone(),
            domain,
        });
        let guards = Guards {
            claim,
            ..Guards::default()
        };
        let intent = record.stamped(Phase::Applying, None);
        let held = self.lock(key, expect, intent, Some(&guards)).await?;
        let error = match self.is_free(key, expect, domain.as_deref()).await {
            Ok(()) => return Ok(held),
            Err(error) => error,
        };
        let before = held.before();
        let guards = Guards {
            claim: Some(Claim::Keep {
                tenant: key.clone(),
                domain: before.and_then(|before| before.domain.clone()),
            }),
            deleted: match before {
                Some(_) => BTreeSet::new(),
                None => [self.usage_path(key)].into(),
            },
            ..Guards::default()
        };
        self.give_back(&held, Some(&guards)).await;
        Err(error)
    }

    /// Looks whether others have what a tenant is to have, now that the intent says that it is to.
    async fn is_free(
        &self,
        key: &TenantKey,
        expect: Expect,
        domain: Option<&str>,
    ) -> Result<(), StoreError> {
        if expect == Expect::Absent
            && let Some(other) = self.namesake(key).await?
        {
            return Err(StoreError::NameTaken {
                tenant: key.clone(),
                other,
            });
        }
        let Some(domain) = domain else { return Ok(()) };
        let applications = self.strangers(key, domain).await?;
        match applications.is_empty() {
            true => Ok(()),
            false => Err(StoreError::DomainInUse {
                tenant: key.clone(),
                domain: domain.to_owned(),
                applications,
            }),
        }
    }

    /// Another tenant of the same name in other letters.
    async fn namesake(&self, key: &TenantKey) -> Result<Option<TenantKey>, StoreError> {
        let all = self.list_tenants().await?;
        let mut names = all.into_iter().map(|(name, _)| name);
        Ok(names.find(|it| it != key && it.name().eq_ignore_ascii_case(key.name())))
    }

    /// Writes the outcome as settled, takes away domains that the tenant no longer has, and gives the
    /// lock back.
    ///
    /// # Errors
    /// As of [`Store::settle`], and [`StoreError::BadDomains`].
    pub async fn settle_tenant(
        &self,
        held: Held<TenantRecord>,
        record: TenantRecord,
    ) -> Result<Version, StoreError> {
        let guards = Guards {
            claim: Some(Claim::Keep {
                tenant: held.key().clone(),
                domain: record.domain.clone(),
            }),
            ..Guards::default()
        };
        let record = record.stamped(Phase::Settled, None);
        let written = self.write_guarded(&held, &record, &guards);
        self.inner.tenants_ahead.changing(written).await
    }

    /// Deletes the record and the domains of a tenant whose creation has failed before it had made
    /// anything.
    ///
    /// # Errors
    /// As of [`Store::remove_tenant`].
    pub async fn discard_tenant(&self, held: Held<TenantRecord>) -> Result<(), StoreError> {
        self.delete_tenant(&held).await
    }

    async fn delete_tenant(&self, held: &Held<TenantRecord>) -> Result<(), StoreError> {
        let guards = Guards {
            claim: Some(Claim::Keep {
                tenant: held.key().clone(),
                domain: None,
            }),
            deleted: [self.usage_path(held.key())].into(),
            ..Guards::default()
        };
        let deleted = self.delete_guarded(held, &guards);
        self.inner.tenants_ahead.changing(deleted).await
    }

    /// Begins to remove the tenant, if it is in this version and has no applications. From now on it
    /// can get none, until an apply has settled it again.
    ///
    /// # Errors
    /// [`StoreError::TenantInUse`]; otherwise as of [`Store::begin`]. The tenant is as before then, but
    /// where Consul failed half way: it may be left as after a crash.
    pub async fn begin_tenant_removal(
        &self,
        key: &TenantKey,
        version: Version,
    ) -> Result<TenantRemoval, StoreError> {
        let unused = async {
            let applications = self.applications_of(key).await?;
            match applications.is_empty() {
                true => Ok(()),
                false => Err(StoreError::TenantInUse {
                    tenant: key.clone(),
                    applications,
                }),
            }
        };
        self.lock_unused(key, version, unused)
            .await
            .map(TenantRemoval)
    }

    /// Deletes the tenant's record, its domain and what is known of its usage. What was made for it on
    /// the servers is to be gone before.
    ///
    /// # Errors
    /// [`StoreError::Lost`], [`StoreError::BadDomains`], [`StoreError::Consul`]. The intent stays then.
    pub async fn remove_tenant(&self, removal: TenantRemoval) -> Result<(), StoreError> {
        self.delete_tenant(&removal.0).await
    }

    /// Gives the lock back and leaves the tenant as one that is being destroyed, for a removal that
    /// could not delete all on the servers.
    ///
    /// # Errors
    /// As of [`Store::settle`].
    pub async fn abandon_tenant_removal(
        &self,
        removal: TenantRemoval,
    ) -> Result<Version, StoreError> {
        let record = removal.record().clone();
        self.write(&removal.0, &record).await
    }

    /// The tenant's applications, by name; also those whose record cannot be read.
    ///
    /// # Errors
    /// [`StoreError::Consul`].
    pub async fn applications_of(
        &self,
        tenant: &TenantKey,
    ) -> Result<Vec<ApplicationKey>, StoreError> {
        let under = format!("{}{tenant}/", self.applications());
        let entries = self.inner.consul.list_latest(&under).await?;
        let all = self.applications_in(&entries);
        Ok(all.into_iter().map(|(key, _)| key).collect())
    }

    /// What guards the tenant of an application that begins, and its quotas, where it has a record.
    /// What was read before is taken for what is, but where it is tried `again`.
    pub(super) async fn guarded_tenant(
        &self,
        key: &ApplicationKey,
        seen: &SeenTenant,
        again: bool,
    ) -> Result<(Option<Guard>, Option<Quotas>), StoreError> {
        let tenant = TenantKey::new(key.tenant());
        let now = match seen {
            SeenTenant::Absent if !again => None,
            SeenTenant::Found(found) if !again => Some((**found).clone()),
            _ => self.read_tenant(&tenant).await?,
        };
        let changed = |phase| StoreError::TenantChanged {
            key: key.clone(),
            phase,
        };
        let Some(now) = now else {
            return match seen {
                SeenTenant::Found(_) => Err(StoreError::TenantGone { key: key.clone() }),
                SeenTenant::Absent | SeenTenant::Unread => Ok((None, None)),
            };
        };
        let phase = now.record.phase;
        if phase != Phase::Settled {
            return Err(changed(phase));
        }
        if !now.record.active {
            return Err(StoreError::TenantInactive { key: key.clone() });
        }
        match seen {
            SeenTenant::Absent => Err(changed(phase)),
            SeenTenant::Found(seen) if !seen.version.is_same(&now.version) => Err(changed(phase)),
            SeenTenant::Found(_) | SeenTenant::Unread => {
                let guard = Guard::Same {
                    key: self.tenant_path(&tenant),
                    index: now.version.index,
                };
                Ok((Some(guard), Some(now.record.quotas)))
            }
        }
    }
}
