//! The operations on scopes, and the guarantee that what is used is there.
//!
//! An apply of a scope is an operation like that of an application: [`Store::begin_scope`] writes
//! the intent and takes the lock, then Nomad is touched, then [`Store::settle`] or
//! [`Store::abandon`]. Check-and-set without a lock would not do: Nomad has none for namespaces and
//! node pools, so a removal that goes on while somebody makes the scope again would delete the new
//! Nomad object.
//!
//! # No application uses a scope that is not there
//!
//! The beginning of an application ([`Store::begin`]) reads its scopes, each of which must be
//! settled and what was planned with, and then checks in the transaction that writes the intent
//! that each still has the index that was read. A removal ([`Store::begin_scope_removal`])
//!
//! 1. writes [`Phase::Destroying`] and takes the lock, if the scope is as it was planned with,
//! 2. lists all applications, and looks for the scope in their records, whatever their phase,
//! 3. where it finds one, writes back what was and fails with [`StoreError::InUse`]; where a record
//!    cannot be read it does the same with [`StoreError::UseUnknown`],
//!
//! and only then may the caller delete the Nomad object and, with [`Store::remove_scope`], the record.
//!
//! Say the intent of the application is written at index *b* of Consul's log, and `destroying` at
//! index *d*. Each write that changes a key gives it the index of that write, which no other write has.
//!
//! * *b < d*: the list is asked for after *d* was answered and with `?consistent`, so it shows a state
//!   of at least *d*, in which the record is there. It names the scope from *b* until an operation
//!   that leaves the scope has settled, or until the record is deleted, see below.
//! * *b > d*: what the application checked is the index of a settled scope. The one from before *d* is
//!   no more, so the transaction is refused. One from after *d* means that the scope was settled
//!   again, which takes the lock that the removal holds: the removal has ended without deleting, or
//!   its process has lost the lock, which [`Removal::is_lost`] tells and [`Store::remove_scope`]
//!   finds out.
//!
//! The last case is the one that is left: a process that stands still for longer than its session
//! lives (15 seconds at least), just between its last look at the lock and its request to Nomad.
//! Nomad itself then still refuses to delete a namespace or node pool with jobs that are not dead.
//!
//! # An application that leaves a scope
//!
//! From the intent on the document no longer names the scope, but the jobs are still in it. So an
//! intent, and what an abandoned operation leaves, also holds the scopes of the record before
//! ([`super::Record::leaving`]), until an operation is settled. `begin` reads the record before for it.
//!
//! # Crashes
//!
//! | crash | what is left | what the next plan and apply do |
//! |---|---|---|
//! | after the intent of a creation | record, revision 1, applying | Terraform knows no resource, so it creates again: `begin_scope` adopts the record; no application can begin until it is settled |
//! | after the intent of an update | record with the new properties, applying | apply begins from that record; no application can begin until then |
//! | in a removal, before step 3 | record, destroying; Nomad untouched | destroy begins from that record, with all three steps; an apply begins from it and settles it; a creation adopts it |
//! | after step 3 | record, destroying; the Nomad object may be gone | the same: nobody can have begun with the scope, and an apply makes the object again |
//!
//! A removal that finds a scope in use which was not settled before leaves it `applying`: whether
//! Nomad is what the record says is for the next apply to see to.

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::future::try_join_all;
use tracing::info;

use super::form::{Recorded, stored};
use super::guards::Guard;
use super::{
    ApplicationKey, Expect, Held, LONGEST_QUERY, Phase, ScopeKey, ScopeKind, ScopeRecord, Store,
    StoreError, Stored, Version,
};

/// Most scopes of one application, the ones being left not counted. Each takes an operation of the
/// transaction that begins an apply, and Consul takes 64 of them in all (`maxTxnOps` in its
/// `agent/txn_endpoint.go`; 128 since 1.14).
pub const MOST_SCOPES: usize = 50;

/// A scope that is being removed, and that nobody uses or can begin to use.
///
/// Give it back with [`Store::remove_scope`] or [`Store::abandon_scope_removal`].
#[derive(Debug)]
pub struct Removal(Held<ScopeRecord>);

impl Removal {
    /// Which scope it is.
    pub fn key(&self) -> &ScopeKey {
        self.0.key()
    }

    /// The scope's record, in the phase [`Phase::Destroying`].
    pub fn record(&self) -> &ScopeRecord {
        self.0.record()
    }

    /// Whether the lock is known to be lost: look before the Nomad object is deleted, and stop then.
    pub fn is_lost(&self) -> bool {
        self.0.is_lost()
    }
}

impl Store {
    /// The key in Consul that holds the record of the scope.
    pub fn scope_path(&self, key: &ScopeKey) -> String {
        self.place::<ScopeRecord>(key)
    }

    /// The record of the scope, or `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Newer`], [`StoreError::Consul`].
    pub async fn read_scope(
        &self,
        key: &ScopeKey,
    ) -> Result<Option<Stored<ScopeRecord>>, StoreError> {
        self.latest(key).await
    }

    /// All scopes, or those of one kind, by key. One that cannot be read is an error in its place.
    ///
    /// # Errors
    /// [`StoreError::Consul`].
    pub async fn list_scopes(
        &self,
        kind: Option<ScopeKind>,
    ) -> Result<Vec<(ScopeKey, Result<Stored<ScopeRecord>, StoreError>)>, StoreError> {
        let root = format!("{}/{}/", self.prefix(), ScopeRecord::FOLDER);
        let under = match kind {
            Some(kind) => format!("{root}{kind}/"),
            None => root.clone(),
        };
        let entries = self.inner.consul.list(&under).await?;
        let records = entries.iter().filter_map(|entry| {
            let key = ScopeKey::parse(entry.key.strip_prefix(&root)?).ok()?;
            let record = stored(&key, entry);
            Some((key, record))
        });
        Ok(records.collect())
    }

    /// Writes the intent to make or change the scope and takes its lock, if its record is what
    /// `expect` says. Waits while another operation holds it. The record's `format`, `phase` and
    /// `operation` are filled in here.
    ///
    /// A creation takes over what an interrupted creation or removal has left ([`Held::adopted`]);
    /// its `owns` tells who made the Nomad object.
    ///
    /// # Errors
    /// As of [`Store::begin`].
    pub async fn begin_scope(
        &self,
        key: &ScopeKey,
        expect: Expect,
        record: ScopeRecord,
    ) -> Result<Held<ScopeRecord>, StoreError> {
        let intent = record.stamped(Phase::Applying, None);
        self.lock(key, expect, intent, None).await
    }

    /// Waits while other scopes that have begun before are [making](ScopeRecord::making) the same Nomad
    /// object: whoever comes later finds it in Nomad, and whose it is.
    ///
    /// Of two intents, the later one's list shows the earlier one, since it is asked for with `?consistent`
    /// after its own was written. While an operation is on its way its record keeps its index. So the later
    /// one waits until the earlier one has ended, the earlier one waits for neither, and no two wait for
    /// each other.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::Consul`].
    pub async fn await_turn(&self, held: &Held<ScopeRecord>) -> Result<(), StoreError> {
        let Some(object) = &held.record().making else {
            return Ok(());
        };
        let consul = &self.inner.consul;
        let deadline = Instant::now() + self.lock_wait;
        let root = format!("{}/{}/", self.prefix(), ScopeRecord::FOLDER);
        let kind = held.key().kind();
        for entry in consul.list_latest(&format!("{root}{kind}/")).await? {
            let key = entry.key.strip_prefix(&root).map(ScopeKey::parse);
            let Some(Ok(key)) = key else { continue };
            let index = entry.modify_index;
            if entry.session.is_none() || index >= held.index() {
                continue;
            }
            // A record that cannot be read is not changed by this version either.
            let Ok(found) = stored::<ScopeRecord>(&key, &entry) else {
                continue;
            };
            if found.record.making.as_ref() != Some(object) {
                continue;
            }
            info!(scope = %held.key(), %key, object, "waiting for another scope that makes the same");
            loop {
                let now = consul.get_latest(&entry.key).await?;
                if now.is_none_or(|now| now.modify_index != index) {
                    break;
                }
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(StoreError::Busy {
                        key: key.into(),
                        operation: found.record.operation.map(Box::new),
                    });
                }
                let wait = left.min(LONGEST_QUERY);
                consul.get_changed(&entry.key, index, wait).await?;
            }
        }
        Ok(())
    }

    /// Deletes the record of a scope whose creation has failed before it had made anything.
    ///
    /// # Errors
    /// As of [`Store::remove_scope`].
    pub async fn discard_scope(&self, held: Held<ScopeRecord>) -> Result<(), StoreError> {
        self.delete(&held).await
    }

    /// Begins to remove the scope, if it is in this version and nobody uses it. From now on no
    /// application can begin to use it, until an apply has settled it again.
    ///
    /// # Errors
    /// [`StoreError::InUse`] and [`StoreError::UseUnknown`]; otherwise as of [`Store::begin`]. The
    /// scope can be used as before then, but where Consul failed half way: it may be left as after a
    /// crash.
    pub async fn begin_scope_removal(
        &self,
        key: &ScopeKey,
        version: Version,
    ) -> Result<Removal, StoreError> {
        let unused = async {
            let applications = self.users(key).await?;
            match applications.is_empty() {
                true => Ok(()),
                false => Err(StoreError::InUse {
                    scope: key.clone(),
                    applications,
                }),
            }
        };
        self.lock_unused(key, version, unused).await.map(Removal)
    }

    /// Deletes the scope's record. Its Nomad object is to be gone before.
    ///
    /// # Errors
    /// [`StoreError::Lost`], [`StoreError::Consul`]. The intent stays then.
    pub async fn remove_scope(&self, removal: Removal) -> Result<(), StoreError> {
        self.delete(&removal.0).await
    }

    /// Gives the lock back and leaves the scope as one that is being destroyed, for a removal that
    /// could not delete the Nomad object.
    ///
    /// # Errors
    /// As of [`Store::settle`].
    pub async fn abandon_scope_removal(&self, removal: Removal) -> Result<Version, StoreError> {
        let record = removal.record().clone();
        self.write(&removal.0, &record).await
    }

    /// The applications that use the scope, or may still use it, by key.
    ///
    /// # Errors
    /// [`StoreError::UseUnknown`] where a record does not tell, [`StoreError::Consul`].
    pub async fn users(&self, scope: &ScopeKey) -> Result<Vec<ApplicationKey>, StoreError> {
        self.users_told(scope).await?.into_iter().collect()
    }

    /// As [`Store::users`], but an application whose record does not tell is a
    /// [`StoreError::UseUnknown`] among the others.
    ///
    /// # Errors
    /// [`StoreError::Consul`].
    pub async fn users_told(
        &self,
        scope: &ScopeKey,
    ) -> Result<Vec<Result<ApplicationKey, StoreError>>, StoreError> {
        let entries = self.inner.consul.list_latest(&self.applications()).await?;
        let mut users = Vec::new();
        for (application, record) in self.applications_in(&entries) {
            let scopes = match record {
                Ok(stored) => stored.record.scopes(),
                Err(error) => Err(error.to_string()),
            };
            match scopes {
                Ok(scopes) if scopes.contains(scope) => users.push(Ok(application)),
                Ok(_) => {}
                Err(reason) => users.push(Err(StoreError::UseUnknown {
                    scope: scope.clone(),
                    application,
                    reason,
                })),
            }
        }
        Ok(users)
    }

    /// Reads the scopes that an application uses. Each must be settled, and in the version given.
    pub(super) async fn guarded_scopes(
        &self,
        key: &ApplicationKey,
        scopes: &BTreeMap<ScopeKey, Option<Version>>,
    ) -> Result<Vec<Guard>, StoreError> {
        let reads = scopes.iter().map(async |(scope, seen)| {
            let Some(found) = self.read_scope(scope).await? else {
                return Err(StoreError::ScopeGone {
                    key: key.clone(),
                    scope: scope.clone(),
                });
            };
            let phase = found.record.phase;
            let changed = seen.is_some_and(|seen| seen.digest != found.version.digest);
            if phase != Phase::Settled || changed {
                return Err(StoreError::ScopeChanged {
                    key: key.clone(),
                    scope: scope.clone(),
                    phase,
                });
            }
            Ok(Guard::Same {
                key: self.scope_path(scope),
                index: found.version.index,
            })
        });
        try_join_all(reads).await
    }
}
