//! What must hold of other records for an operation to begin or end, checked in the same transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::absent::Absent;
use super::form::Stored;
use super::tenants::Claim;
use super::usage::{Asked, Entered};
use super::{
    ApplicationKey, DEFAULT_TENANT, MOST_SCOPES, Phase, Record, ScopeKey, Store, StoreError,
    TenantRecord, Version,
};
use crate::consul::Op;
use crate::tenants::Usage;

/// What an application that begins uses of other records, as it was read.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// The scopes, which must be in these versions.
    pub scopes: Vec<(ScopeKey, Version)>,
    /// The tenant.
    pub tenant: SeenTenant,
    /// Until when it waits for other deployments of its tenant to end, where too many are under way;
    /// as long as for another operation on itself where that is not said.
    pub until: Option<Instant>,
}

/// The record of an application's tenant as it was read.
#[derive(Debug, Clone, Default)]
pub enum SeenTenant {
    /// It was not read: [`Store::begin`] does it.
    #[default]
    Unread,
    /// There was none. An application may name a tenant that nobody manages.
    Absent,
    /// It was this one.
    Found(Box<Stored<TenantRecord>>),
}

/// What is checked or written in a transaction beside the record that it is about.
#[derive(Debug)]
pub(super) enum Guard {
    /// The key has this index.
    Same { key: String, index: u64 },
    /// The key has this index, or is not there where it is 0, and gets this value.
    Write {
        key: String,
        value: Vec<u8>,
        index: u64,
    },
    /// The key goes.
    Delete { key: String },
}

impl Guard {
    pub(super) fn op(&self) -> Op<'_> {
        match self {
            Self::Same { key, index } => Op::CheckIndex { key, index: *index },
            Self::Write { key, value, index } => Op::Cas {
                key,
                value,
                index: *index,
            },
            Self::Delete { key } => Op::Delete { key },
        }
    }
}

/// What guards one try of a transaction.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    /// What is in the transaction.
    pub(super) all: Vec<Guard>,
    /// What is looked at again after it.
    pub(super) absent: Absent,
}

/// What must hold for an operation. The guards of a transaction are made from it for each try.
#[derive(Debug, Default)]
pub(super) struct Guards {
    /// What an application uses that begins.
    pub(super) application: Option<Application>,
    /// What a tenant does to the domains of all.
    pub(super) claim: Option<Claim>,
    /// What goes along.
    pub(super) deleted: BTreeSet<String>,
}

/// What an application uses.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) key: ApplicationKey,
    /// The scopes that must be there, settled, each with the version it must have where one is given.
    scopes: BTreeMap<ScopeKey, Option<Version>>,
    /// The tenant, which must be settled and active or have no record; `None` where there is nothing
    /// to look after.
    tenant: Option<SeenTenant>,
    /// The hosts, none of which may be another tenant's.
    pub(super) hosts: BTreeSet<String>,
    until: Option<Instant>,
}

/// The operation for whose beginning guards are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning<'a> {
    /// Its ID.
    pub(super) operation: &'a str,
    /// What it reserves of the tenant's quotas.
    pub(super) usage: Option<Usage>,
    /// Until when it waits.
    pub(super) until: Instant,
    /// As of [`Asked::look`].
    pub(super) look: bool,
}

impl Guards {
    /// The scopes that the record's document names, those that were read, and the tenant.
    pub(super) fn of(
        key: &ApplicationKey,
        record: &Record,
        uses: &Uses,
    ) -> Result<Self, StoreError> {
        let mut scopes = BTreeMap::new();
        let mut tenant = None;
        let mut hosts = BTreeSet::new();
        // What is destroyed begins to use nothing.
        if record.phase != Phase::Destroying {
            let named = super::scope::of_document(&record.document);
            let named = named.map_err(|reason| StoreError::BadScopes {
                key: key.clone(),
                reason,
            })?;
            scopes.extend(named.into_iter().map(|scope| (scope, None)));
            hosts = super::hosts::of_document(&record.document);
            if key.tenant() != DEFAULT_TENANT {
                tenant = Some(uses.tenant.clone());
            }
        }
        let read = uses.scopes.iter().cloned();
        scopes.extend(read.map(|(scope, version)| (scope, Some(version))));
        if scopes.len() > MOST_SCOPES {
            return Err(StoreError::TooManyScopes {
                key: key.clone(),
                count: scopes.len(),
            });
        }
        Ok(Self {
            application: Some(Application {
                key: key.clone(),
                scopes,
                tenant,
                until: uses.until,
                hosts,
            }),
            ..Self::default()
        })
    }
}

impl Guards {
    /// Whether the operation may be given up when its intent is written: there has to be a way back.
    pub(super) fn may_be_given_up(&self) -> bool {
        self.application.is_some() || self.claim.is_some()
    }
}

impl Store {
    /// The guards for one try of a transaction, of an operation that begins or of one that ends. What
    /// was read before is taken for what is, but where it is tried `again`. `None` where the operation
    /// had to wait, so that all has to be looked at again.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) async fn guards(
        &self,
        guards: &Guards,
        again: bool,
        begins: Option<Beginning<'_>>,
    ) -> Result<Option<Guarded>, StoreError> {
        let Guarded {
            mut all,
            mut absent,
        } = Guarded::default();
        if let Some(application) = &guards.application {
            let Application {
                key,
                scopes,
                tenant,
                until,
                hosts,
            } = application;
            let scopes = self.guarded_scopes(key, scopes);
            let tenant = async {
                match tenant {
                    None => Ok(None),
                    Some(seen) => self.guarded_tenant(key, seen, again).await.map(Some),
                }
            };
            let hosts = async {
                match hosts.is_empty() {
                    true => Ok(None),
                    false => self.guarded_hosts(key, hosts).await.map(Some),
                }
            };
            let found = futures_util::future::try_join3(scopes, tenant, hosts).await?;
            let (scopes, tenant, hosts) = found;
            all.extend(scopes);
            absent.domains = matches!(hosts, Some(None));
            all.extend(hosts.flatten());
            if let Some((tenant, quotas)) = tenant {
                absent.tenant = tenant.is_none();
                all.extend(tenant);
                if let Some(begins) = begins {
                    let asked = Asked {
                        application: key,
                        usage: begins.usage.unwrap_or_default(),
                        operation: begins.operation,
                        until: until.unwrap_or(begins.until),
                        look: begins.look,
                        quotas,
                    };
                    match self.entered(&asked).await? {
                        Entered::If(guard) => all.extend(guard),
                        Entered::Waited => return Ok(None),
                    }
                }
            }
        }
        if let Some(claim) = &guards.claim {
            all.extend(self.claimed(claim).await?);
        }
        let deleted = guards.deleted.iter().cloned();
        all.extend(deleted.map(|key| Guard::Delete { key }));
        Ok(Some(Guarded { all, absent }))
    }
}
