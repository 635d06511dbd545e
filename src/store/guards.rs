//! What must hold of other records for an operation to begin or end, checked in the same transaction.

use std::collections::{BTreeMap, BTreeSet};

use super::form::Stored;
use super::tenants::Claim;
use super::{
    ApplicationKey, DEFAULT_TENANT, MOST_SCOPES, Phase, Record, ScopeKey, Store, StoreError,
    TenantRecord, Version,
};
use crate::consul::Op;

/// What an application that begins uses of other records, as it was read.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// The scopes, which must be in these versions.
    pub scopes: Vec<(ScopeKey, Version)>,
    /// The tenant.
    pub tenant: SeenTenant,
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
    /// There is no such key.
    Absent { key: String },
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
            Self::Absent { key } => Op::CheckNotExists { key },
            Self::Write { key, value, index } => Op::Cas {
                key,
                value,
                index: *index,
            },
            Self::Delete { key } => Op::Delete { key },
        }
    }
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
    key: ApplicationKey,
    /// The scopes that must be there, settled, each with the version it must have where one is given.
    scopes: BTreeMap<ScopeKey, Option<Version>>,
    /// The tenant, which must be settled and active or have no record; `None` where there is nothing
    /// to look after.
    tenant: Option<SeenTenant>,
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
        // What is destroyed begins to use nothing.
        if record.phase != Phase::Destroying {
            let named = super::scope::of_document(&record.document);
            let named = named.map_err(|reason| StoreError::BadScopes {
                key: key.clone(),
                reason,
            })?;
            scopes.extend(named.into_iter().map(|scope| (scope, None)));
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
            }),
            ..Self::default()
        })
    }
}

impl Store {
    /// The guards for one try of a transaction. What was read before is taken for what is, but where
    /// it is tried `again`.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) async fn guards(
        &self,
        guards: &Guards,
        again: bool,
    ) -> Result<Vec<Guard>, StoreError> {
        let mut all = Vec::new();
        if let Some(application) = &guards.application {
            let Application {
                key,
                scopes,
                tenant,
            } = application;
            let scopes = self.guarded_scopes(key, scopes);
            let tenant = async {
                match tenant {
                    None => Ok(None),
                    Some(seen) => self.guarded_tenant(key, seen, again).await.map(Some),
                }
            };
            let (scopes, tenant) = futures_util::future::try_join(scopes, tenant).await?;
            all.extend(scopes);
            all.extend(tenant);
        }
        if let Some(claim) = &guards.claim {
            all.extend(self.claimed(claim).await?);
        }
        let deleted = guards.deleted.iter().cloned();
        all.extend(deleted.map(|key| Guard::Delete { key }));
        Ok(all)
    }
}
