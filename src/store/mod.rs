//! The records in Consul KV: what each application is, which jobs it has, and who is at it.
//!
//! There is one key per application, `<prefix>/applications/<tenant>/<name>`, whose value is a
//! [`Record`]. It is the only state there is beside Nomad's jobs and Terraform's own, but for the
//! scopes: `<prefix>/scopes/<kind>/<name>` holds a [`ScopeRecord`], which is worked on in the same
//! manner. How the two are kept together is told in `scopes.rs`. `<prefix>/tenants/<name>` holds a
//! [`TenantRecord`], and `<prefix>/domains` the domains of all tenants: see `tenants.rs`.
//! `<prefix>/usage/<tenant>` adds up what the tenant's applications have of its quotas: see `usage.rs`.
//!
//! What each apply made of an application is kept for a while below `<prefix>/revisions/`: see
//! `revisions.rs`.
//!
//! # Protocol
//!
//! An operation (create, update, destroy) is
//!
//! 1. [`Store::begin`], one Consul transaction: *the record is still the one that was planned with*
//!    (`check-index`; `check-not-exists` for a creation) and *lock it, with the intent as its value*
//!    (`lock`). Between the two stand the scopes that the application uses, its tenant and the domains; of
//!    these, what is not there is looked for again after it: see `absent.rs`. The intent is the new document,
//!    phase [`Phase::Applying`] or [`Phase::Destroying`].
//! 2. The jobs, each registered under check-and-set of Nomad's own (`EnforceIndex`).
//! 3. [`Store::settle`], one transaction: *nobody touched the intent* (`check-index`) and *unlock it,
//!    with the outcome as its value* (`unlock`, which checks the session). [`Store::remove`] deletes
//!    the key in the same manner, [`Store::abandon`] unlocks it in the phase of the intent.
//!
//! The lock belongs to a Consul session of this process, renewed while the process lives. When the
//! process dies the session expires, 15 to 30 seconds later, and the lock is released; the intent stays.
//!
//! # Why nothing is lost
//!
//! Two operations on one application cannot both pass step 1 from the same record, since the first to
//! pass changes its index, and the lock keeps others out until step 3. So each step 3 follows its own
//! step 1 with nothing in between. Should the lock be lost on the way (no contact with Consul for
//! longer than the session lives), step 3 still looks at the value: an intent is unique (it carries the
//! operation's ID), so a record that still holds it was touched by nobody, and one that does not is left
//! alone ([`StoreError::Lost`]).
//!
//! | crash | what is left | what the next plan and apply do |
//! |---|---|---|
//! | before step 1 | nothing | the same again |
//! | after the intent of a creation | record, revision 1, applying, no jobs | Terraform knows no resource, so it creates again: `begin` adopts the record ([`Held::adopted`]) |
//! | after the intent of an update | record with the new document, applying; old jobs | refresh shows the jobs' drift from the document; apply begins from that record |
//! | after job N of several | record as above; N jobs are new | the same; jobs that are as they should be are not touched |
//! | before step 3 | record as above; all jobs new | the same, and the apply only settles |
//! | after step 3 of a creation, before Terraform knows | record, settled, with a mark | Terraform creates again: `begin` adopts the record, see `unseen.rs` |
//! | during a destroy | record, destroying; some jobs gone | the resource is still in Terraform's state; destroy again purges the rest and deletes the record |
//!
//! In each row an apply that comes before the dead process's lock has expired waits for that.
//!
//! # Lost answers
//!
//! A connection can break after Consul did what it was asked and before the answer was here. Then the
//! record is read, and it tells by the unique intent or outcome whether it was done.
//!
//! Sources: <https://developer.hashicorp.com/consul/api-docs/txn>,
//! <https://developer.hashicorp.com/consul/docs/automate/session>, and for what each verb checks, Consul's
//! `agent/consul/state/kvs.go` and `txn.go`.

mod absent;
mod ahead;
mod error;
mod form;
mod guards;
mod hosts;
mod lock;
mod record;
mod removal;
mod revisions;
mod scope;
mod scopes;
mod session;
mod tenant;
mod tenants;
mod unseen;
mod usage;
mod version;

pub use error::{Key, StoreError};
pub use form::{FORMAT, Operation, Phase, Stored};
pub use guards::{SeenTenant, Uses};
pub use lock::Held;
pub use record::{ApplicationKey, DEFAULT_TENANT, JobRecord, Record};
pub use revisions::{KEPT, MOST_KEPT, Revision};
pub use scope::{ScopeKey, ScopeKind, ScopeRecord};
pub use scopes::{MOST_SCOPES, Removal};
pub use tenant::{TenantKey, TenantRecord};
pub use tenants::TenantRemoval;
pub use usage::Measure;
pub use version::{Digest, Version};

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::ahead::Versions;
use self::form::{Recorded, stored};
use self::guards::Guards;
use self::session::Sessions;
use crate::ahead::Ahead;
use crate::consul::{self, Entry, Op};
use crate::http::SettingsError;

/// Largest transaction that Consul takes unless configured otherwise, in bytes of its JSON form, in
/// which values are Base64 (`txn_max_req_len`,
/// <https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/general>).
pub(crate) const LARGEST: usize = 512 * 1024;

/// How long an operation waits for another one to end: the life of a dead process's session, and some.
const LOCK_WAIT: Duration = Duration::from_secs(40);

/// Longest single blocking query while waiting.
const LONGEST_QUERY: Duration = Duration::from_secs(10);

/// What the record must be for an operation to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is none, or only that of a creation that was interrupted.
    Absent,
    /// It is the one that was read.
    Version(Version),
}

/// The records, in one Consul datacenter under one prefix. Cheap to clone; connects at its first use.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
    lock_wait: Duration,
    revisions: u64,
    measure: Option<Measure>,
}

#[derive(Debug)]
struct Inner {
    consul: consul::Client,
    prefix: String,
    sessions: Sessions,
    operations: AtomicU64,
    ahead: Ahead<Versions>,
    scopes_ahead: ahead::Scopes,
    tenants_ahead: ahead::Tenants,
    /// Keys that tell of creations which Terraform may not know yet, and the session that holds each.
    marks: Mutex<BTreeMap<String, String>>,
}

impl Store {
    /// The records under `prefix` (such as `oam`). Does no work yet.
    ///
    /// # Errors
    /// A prefix with an empty part, a part `.` or `..`, or other characters than letters, digits,
    /// `-`, `_`, `.` and, between the parts, `/`.
    pub fn new(consul: consul::Client, prefix: &str) -> Result<Self, SettingsError> {
        let plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        if !prefix.split('/').all(plain) {
            return Err(SettingsError {
                field: "key_prefix",
                summary: "The key prefix cannot be used".to_owned(),
                detail: format!(
                    "\"{prefix}\" is no Consul key. Write letters, digits, hyphens, underscores and dots, with single slashes between, such as \"oam\" or \"teams/shop\"."
                ),
            });
        }
        let inner = Inner {
            consul,
            prefix: prefix.to_owned(),
            sessions: Sessions::default(),
            operations: AtomicU64::new(0),
            ahead: Ahead::default(),
            scopes_ahead: ahead::Scopes::default(),
            tenants_ahead: ahead::Tenants::default(),
            marks: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
            lock_wait: LOCK_WAIT,
            revisions: revisions::KEPT,
            measure: None,
        })
    }

    /// How long [`Store::begin`] waits for another operation to end; 40 seconds unless set.
    pub fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// The client it speaks through.
    pub fn consul(&self) -> &consul::Client {
        &self.inner.consul
    }

    /// The key prefix, such as `oam`.
    pub fn prefix(&self) -> &str {
        &self.inner.prefix
    }

    /// The key in Consul that holds the record.
    pub fn path(&self, key: &ApplicationKey) -> String {
        self.place::<Record>(key)
    }

    /// The key in Consul that holds the record of this kind.
    fn place<R: Recorded>(&self, key: &R::Key) -> String {
        format!("{}/{}/{key}", self.inner.prefix, R::FOLDER)
    }

    /// The record, or `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Newer`], [`StoreError::Consul`].
    pub async fn read(&self, key: &ApplicationKey) -> Result<Option<Stored>, StoreError> {
        let path = self.path(key);
        match self.inner.consul.get(&path).await? {
            Some(entry) => stored(key, &entry).map(Some),
            None => Ok(None),
        }
    }

    /// All records, or those of one tenant, by key. One that cannot be read is an error in its place.
    ///
    /// # Errors
    /// [`StoreError::Consul`].
    pub async fn list(
        &self,
        tenant: Option<&str>,
    ) -> Result<Vec<(ApplicationKey, Result<Stored, StoreError>)>, StoreError> {
        let under = match tenant {
            Some(tenant) => format!("{}{tenant}/", self.applications()),
            None => self.applications(),
        };
        Ok(self.applications_in(&self.inner.consul.list(&under).await?))
    }

    /// The folder of all applications' records.
    fn applications(&self) -> String {
        format!("{}/{}/", self.inner.prefix, Record::FOLDER)
    }

    /// The applications among entries.
    fn applications_in(
        &self,
        entries: &[Entry],
    ) -> Vec<(ApplicationKey, Result<Stored, StoreError>)> {
        let root = self.applications();
        let records = entries.iter().filter_map(|entry| {
            // Keys that are no application's (a folder's own key, something deeper) are not ours.
            let key = entry
                .key
                .strip_prefix(&root)
                .filter(|id| id.contains('/'))?;
            let key = ApplicationKey::parse(key).ok()?;
            let record = stored(&key, entry);
            Some((key, record))
        });
        records.collect()
    }

    /// Writes the intent and takes the lock, if the record is what `expect` says and the scopes that
    /// the application uses are as they were read, and its tenant, unless nobody manages it, is settled
    /// and active. Waits while another operation holds it. The record's `format`, `leaving` and `operation` are filled in here.
    ///
    /// The scopes are those in the record's document, unless it is being destroyed, and those in
    /// `scopes`, whose version must be the one given.
    ///
    /// # Errors
    /// Any but [`StoreError::Lost`]; nothing was written then, but where a request that failed
    /// [may have been done](crate::http::Error::may_have_been_done) and Consul could not be asked.
    pub async fn begin(
        &self,
        key: &ApplicationKey,
        expect: Expect,
        record: Record,
        scopes: &[(ScopeKey, Version)],
    ) -> Result<Held, StoreError> {
        let uses = Uses {
            scopes: scopes.to_vec(),
            ..Uses::default()
        };
        self.begin_using(key, expect, record, &uses).await
    }

    /// As [`Store::begin`], with the tenant as it was read.
    ///
    /// # Errors
    /// As of [`Store::begin`].
    pub async fn begin_using(
        &self,
        key: &ApplicationKey,
        expect: Expect,
        record: Record,
        uses: &Uses,
    ) -> Result<Held, StoreError> {
        let guards = Guards::of(key, &record, uses)?;
        let phase = record.phase;
        self.lock(key, expect, record.stamped(phase, None), Some(&guards))
            .await
    }

    /// Writes the outcome as settled and gives the lock back.
    ///
    /// # Errors
    /// [`StoreError::Lost`], [`StoreError::TooLarge`], [`StoreError::Consul`]. The intent stays then.
    pub async fn settle<R: Recorded>(
        &self,
        held: Held<R>,
        record: R,
    ) -> Result<Version, StoreError> {
        self.write(&held, &record.stamped(Phase::Settled, None))
            .await
    }

    /// Gives the lock back in the phase of the intent, for an operation that did not succeed.
    /// `record` may hold the jobs so far; the operation stays in it, to tell who it was.
    ///
    /// # Errors
    /// As of [`Store::settle`].
    pub async fn abandon<R: Recorded>(
        &self,
        held: Held<R>,
        record: R,
    ) -> Result<Version, StoreError> {
        let intent = held.record();
        let record = record.stamped(intent.phase(), intent.operation().cloned());
        let record = self.after(held.key(), record, intent)?;
        self.write(&held, &record).await
    }

    /// Deletes the record and the revisions.
    ///
    /// # Errors
    /// [`StoreError::Lost`], [`StoreError::Consul`]. The intent stays then.
    pub async fn remove(&self, held: Held) -> Result<(), StoreError> {
        let revisions = self.revisions_of(held.key());
        let beside = [Op::DeleteTree { key: &revisions }];
        self.delete_beside(&held, &beside).await
    }

    /// Ends the Consul session, if there is one. Locks still held are given back by that. To be called when
    /// whoever asked for the operations has their results: creations count as known from here on.
    pub async fn close(&self) {
        self.take_marks_away().await;
        self.inner.sessions.close(&self.inner.consul).await;
    }
}
