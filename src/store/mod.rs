//! The records in Consul KV: what each application is, which jobs it has, and who is at it.
//!
//! There is one key per application, `<prefix>/applications/<tenant>/<name>`, whose value is a
//! [`Record`]. It is the only state there is beside Nomad's jobs and Terraform's own.
//!
//! # Protocol
//!
//! An operation (create, update, destroy) is
//!
//! 1. [`Store::begin`], one Consul transaction: *the record is still the one that was planned with*
//!    (`check-index`; `check-not-exists` for a creation) and *lock it, with the intent as its value*
//!    (`lock`). The intent is the new document, phase [`Phase::Applying`] or [`Phase::Destroying`].
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

mod error;
mod record;
mod session;

pub use error::StoreError;
pub use record::{
    ApplicationKey, DEFAULT_TENANT, FORMAT, JobRecord, Operation, Phase, Record, Stored, Version,
};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tracing::info;

use self::record::{decode, encode};
use self::session::{Session, Sessions};
use crate::consul::{self, Entry, Op, TxnError, encode_txn};
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
}

#[derive(Debug)]
struct Inner {
    consul: consul::Client,
    prefix: String,
    sessions: Sessions,
    operations: AtomicU64,
}

/// A record whose lock is held. Give it back with [`Store::settle`], [`Store::abandon`] or
/// [`Store::remove`]; one that is dropped stays locked until [`Store::close`] or the process' end.
#[derive(Debug)]
pub struct Held {
    key: ApplicationKey,
    session: Arc<Session>,
    /// The intent, as it was written.
    record: Record,
    value: Vec<u8>,
    index: u64,
    adopted: Option<Record>,
}

impl Held {
    /// Which application it is.
    pub fn key(&self) -> &ApplicationKey {
        &self.key
    }

    /// The intent as it was written, with this operation in it.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What an interrupted creation had left, where this operation took it over.
    pub fn adopted(&self) -> Option<&Record> {
        self.adopted.as_ref()
    }

    /// Whether the lock is known to be lost. Others may be at the jobs then: stop.
    pub fn is_lost(&self) -> bool {
        self.session.is_lost()
    }
}

/// How an operation ends.
enum Outcome {
    Write(Vec<u8>),
    Delete,
}

/// What to do after a refused begin.
enum Next {
    /// Try again from this state of the record.
    Again(Expect, Option<Record>),
    /// Another operation holds the record in this state.
    Wait {
        index: u64,
        operation: Option<Operation>,
    },
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
        };
        Ok(Self {
            inner: Arc::new(inner),
            lock_wait: LOCK_WAIT,
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

    /// The key in Consul that holds the record.
    pub fn path(&self, key: &ApplicationKey) -> String {
        format!(
            "{}/applications/{}/{}",
            self.inner.prefix,
            key.tenant(),
            key.name()
        )
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
        let root = format!("{}/applications/", self.inner.prefix);
        let under = match tenant {
            Some(tenant) => format!("{root}{tenant}/"),
            None => root.clone(),
        };
        let entries = self.inner.consul.list(&under).await?;
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
        Ok(records.collect())
    }

    /// Writes the intent and takes the lock, if the record is what `expect` says. Waits while another
    /// operation holds it. The record's `format` and `operation` are filled in here.
    ///
    /// # Errors
    /// Any but [`StoreError::Lost`]; nothing was written then, but where a request that failed
    /// [may have been done](crate::http::Error::may_have_been_done) and Consul could not be asked.
    pub async fn begin(
        &self,
        key: &ApplicationKey,
        expect: Expect,
        record: Record,
    ) -> Result<Held, StoreError> {
        let consul = &self.inner.consul;
        let path = self.path(key);
        let deadline = Instant::now() + self.lock_wait;
        let (mut expect, mut adopted) = (expect, None);
        loop {
            let session = self.inner.sessions.current(consul).await?;
            let record = Record {
                format: FORMAT,
                operation: Some(self.operation(&session)),
                ..record.clone()
            };
            let value = encode(&record);
            let check = match expect {
                Expect::Absent => Op::CheckNotExists { key: &path },
                Expect::Version(version) => Op::CheckIndex {
                    key: &path,
                    index: version.index,
                },
            };
            let ops = [
                check,
                Op::Lock {
                    key: &path,
                    value: &value,
                    session: &session.id,
                },
            ];
            fits(key, &ops)?;
            let written = match consul.txn(&ops).await {
                Ok(entries) => Ok(entries.last().map_or(0, |entry| entry.modify_index)),
                Err(TxnError::Refused(refusals)) => Err(refusals),
                Err(TxnError::Http(error)) => {
                    if error.may_have_been_done()
                        && let Ok(Some(entry)) = consul.get(&path).await
                        && entry.value == value
                        && entry.session.as_deref() == Some(session.id.as_str())
                    {
                        Ok(entry.modify_index)
                    } else {
                        return Err(error.into());
                    }
                }
            };
            let refusals = match written {
                Ok(index) => {
                    return Ok(Held {
                        key: key.clone(),
                        session,
                        record,
                        value,
                        index,
                        adopted,
                    });
                }
                Err(refusals) => refusals,
            };
            // `kvsLockTxn` in Consul's `agent/consul/state/kvs.go`.
            let session_ended = refusals
                .iter()
                .any(|refusal| refusal.what.contains("invalid session"));
            if session_ended {
                self.inner.sessions.ended(&session);
            }
            let entry = consul.get(&path).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            match self.next(key, expect, adopted.take(), entry)? {
                Next::Again(next, adopt) if next != expect || session_ended => {
                    (expect, adopted) = (next, adopt);
                }
                Next::Again(..) | Next::Wait { .. } if left.is_zero() => {
                    let operation = consul
                        .get(&path)
                        .await?
                        .and_then(|entry| holder(key, &entry))
                        .map(Box::new);
                    return Err(StoreError::Busy {
                        key: key.clone(),
                        operation,
                    });
                }
                Next::Again(_, adopt) => {
                    // Refused for a reason that is gone already, or for somebody's lock delay.
                    adopted = adopt;
                    tokio::time::sleep(left.min(Duration::from_millis(200))).await;
                }
                Next::Wait { index, operation } => {
                    let by = operation
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default();
                    info!(application = %key, by, "waiting for another operation to end");
                    consul
                        .get_changed(&path, index, left.min(LONGEST_QUERY))
                        .await?;
                }
            }
        }
    }

    /// Looks at what refused a begin.
    fn next(
        &self,
        key: &ApplicationKey,
        expect: Expect,
        adopted: Option<Record>,
        entry: Option<Entry>,
    ) -> Result<Next, StoreError> {
        let (version, entry) = match (expect, entry) {
            (Expect::Absent, None) => return Ok(Next::Again(expect, None)),
            (Expect::Version(_), None) => {
                return Err(StoreError::Changed {
                    key: key.clone(),
                    revision: None,
                });
            }
            (Expect::Absent, Some(entry)) => (None, entry),
            (Expect::Version(version), Some(entry)) => (Some(version), entry),
        };
        let found = stored(key, &entry)?;
        if version.is_some_and(|version| version.digest != found.version.digest) {
            return Err(StoreError::Changed {
                key: key.clone(),
                revision: Some(found.record.revision),
            });
        }
        if found.locked {
            return Ok(Next::Wait {
                index: entry.modify_index,
                operation: found.record.operation,
            });
        }
        if version.is_some() {
            // Only the lock changed: that of an operation that crashed has expired.
            return Ok(Next::Again(Expect::Version(found.version), adopted));
        }
        match found.record {
            Record {
                phase: Phase::Applying,
                revision: 1,
                ..
            } => Ok(Next::Again(
                Expect::Version(found.version),
                Some(found.record),
            )),
            Record { phase, .. } => Err(StoreError::Exists {
                key: key.clone(),
                phase,
            }),
        }
    }

    /// Writes the outcome as settled and gives the lock back.
    ///
    /// # Errors
    /// [`StoreError::Lost`], [`StoreError::TooLarge`], [`StoreError::Consul`]. The intent stays then.
    pub async fn settle(&self, held: Held, record: Record) -> Result<Version, StoreError> {
        let record = Record {
            format: FORMAT,
            phase: Phase::Settled,
            operation: None,
            ..record
        };
        self.write(held, &record).await
    }

    /// Gives the lock back in the phase of the intent, for an operation that did not succeed.
    /// `record` may hold the jobs so far; the operation stays in it, to tell who it was.
    ///
    /// # Errors
    /// As of [`Store::settle`].
    pub async fn abandon(&self, held: Held, record: Record) -> Result<Version, StoreError> {
        let Record {
            phase, operation, ..
        } = &held.record;
        let record = Record {
            format: FORMAT,
            phase: *phase,
            operation: operation.clone(),
            ..record
        };
        self.write(held, &record).await
    }

    /// Deletes the record.
    ///
    /// # Errors
    /// [`StoreError::Lost`], [`StoreError::Consul`]. The intent stays then.
    pub async fn remove(&self, held: Held) -> Result<(), StoreError> {
        self.conclude(&held, Outcome::Delete).await.map(|_| ())
    }

    /// Ends the Consul session, if there is one. Locks still held are given back by that.
    pub async fn close(&self) {
        self.inner.sessions.close(&self.inner.consul).await;
    }

    async fn write(&self, held: Held, record: &Record) -> Result<Version, StoreError> {
        let value = encode(record);
        let version = |index| Version::of(index, &value);
        self.conclude(&held, Outcome::Write(value.clone()))
            .await
            .map(version)
    }

    /// Ends an operation. Gives the record's new index.
    async fn conclude(&self, held: &Held, outcome: Outcome) -> Result<u64, StoreError> {
        let consul = &self.inner.consul;
        let path = self.path(&held.key);
        let (key, session) = (path.as_str(), held.session.id.as_str());
        let (mut index, mut locked) = (held.index, true);
        // The second round is for a lock that expired. A third: it expired just in between.
        for _ in 0..3 {
            let ops = match (&outcome, locked) {
                (Outcome::Write(value), true) => {
                    vec![
                        Op::CheckIndex { key, index },
                        Op::Unlock {
                            key,
                            value,
                            session,
                        },
                    ]
                }
                (Outcome::Write(value), false) => vec![Op::Cas { key, value, index }],
                (Outcome::Delete, true) => {
                    vec![
                        Op::CheckSession { key, session },
                        Op::DeleteCas { key, index },
                    ]
                }
                (Outcome::Delete, false) => vec![Op::DeleteCas { key, index }],
            };
            fits(&held.key, &ops)?;
            let lost_answer = match consul.txn(&ops).await {
                Ok(entries) => return Ok(entries.last().map_or(0, |entry| entry.modify_index)),
                Err(TxnError::Refused(_)) => None,
                Err(TxnError::Http(error)) if error.may_have_been_done() => Some(error),
                Err(TxnError::Http(error)) => return Err(error.into()),
            };
            match (consul.get(key).await, &outcome, lost_answer) {
                (Ok(Some(entry)), Outcome::Write(value), _)
                    if entry.value == *value && entry.session.is_none() =>
                {
                    return Ok(entry.modify_index);
                }
                (Ok(None), Outcome::Delete, Some(_)) => return Ok(0),
                (_, _, Some(error)) | (Err(error), _, None) => return Err(error.into()),
                (Ok(Some(entry)), _, None) if entry.value == held.value => {
                    // Still the intent, so nobody else was here; only the lock may have gone.
                    index = entry.modify_index;
                    locked = entry.session.is_some();
                }
                (Ok(_), _, None) => break,
            }
        }
        Err(StoreError::Lost {
            key: held.key.clone(),
        })
    }

    /// This operation, for the record.
    fn operation(&self, session: &Session) -> Operation {
        let count = self.inner.operations.fetch_add(1, Ordering::Relaxed) + 1;
        Operation {
            id: format!("{}/{count}", session.id),
            started_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            pid: std::process::id(),
        }
    }
}

fn stored(key: &ApplicationKey, entry: &Entry) -> Result<Stored, StoreError> {
    Ok(Stored {
        record: decode(key, &entry.key, &entry.value)?,
        version: Version::of(entry.modify_index, &entry.value),
        locked: entry.session.is_some(),
    })
}

fn holder(key: &ApplicationKey, entry: &Entry) -> Option<Operation> {
    decode(key, &entry.key, &entry.value).ok()?.operation
}

fn fits(key: &ApplicationKey, ops: &[Op<'_>]) -> Result<(), StoreError> {
    let size = encode_txn(ops).len();
    if size > LARGEST {
        Err(StoreError::TooLarge {
            key: key.clone(),
            size,
        })
    } else {
        Ok(())
    }
}
