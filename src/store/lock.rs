//! One operation on one record: the intent and the lock, then the outcome.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use tracing::{info, warn};

use super::form::{Recorded, decode, encode, stored};
use super::guards::{Beginning, Guard, Guarded, Guards};
use super::session::Session;
use super::unseen::{self, Seen};
use super::usage::{LOOK, Left, Measure, pause};
use super::{
    Expect, Key, LARGEST, LONGEST_QUERY, Operation, Phase, Record, Store, StoreError, Version,
};
use crate::consul::{Entry, Op, TxnError, encode_txn};
use crate::http::{Kind, found_out};
use crate::tenants::Usage;

/// A record whose lock is held. Give it back with [`Store::settle`], [`Store::abandon`] or
/// [`Store::remove`]; one that is dropped stays locked until [`Store::close`] or the process' end.
#[derive(Debug)]
pub struct Held<R: Recorded = Record> {
    key: R::Key,
    path: String,
    session: Arc<Session>,
    /// The intent, as it was written.
    record: R,
    value: Vec<u8>,
    index: u64,
    before: Option<Before<R>>,
    /// Whether Terraform knows nothing of it so far.
    is_new: bool,
}

/// What an operation goes back to where it gives up before it has done anything.
#[derive(Debug)]
struct Before<R> {
    record: R,
    /// As it was read: whoever has planned with it finds the same.
    value: Vec<u8>,
}

/// What becomes of the mark that tells of a creation which Terraform may not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It is made.
    Made,
    /// It goes.
    Goes,
    /// It stays as it is.
    Stays,
}

impl<R: Recorded> Held<R> {
    /// Whose record it is.
    pub fn key(&self) -> &R::Key {
        &self.key
    }

    /// The intent as it was written, with this operation in it.
    pub fn record(&self) -> &R {
        &self.record
    }

    /// What an interrupted creation had left, where this operation took it over.
    pub fn adopted(&self) -> Option<&R> {
        self.before().filter(|_| self.is_new)
    }

    /// The record before, where it was read or taken over.
    pub(super) fn before(&self) -> Option<&R> {
        self.before.as_ref().map(|before| &before.record)
    }

    /// Whether the lock is known to be lost. Others may be at work then: stop.
    pub fn is_lost(&self) -> bool {
        self.session.is_lost()
    }

    /// The index of the intent: what was begun later has a higher one.
    pub(super) fn index(&self) -> u64 {
        self.index
    }
}

/// How an operation ends.
enum Outcome {
    /// The record becomes this value.
    Write {
        value: Vec<u8>,
        /// What is reserved then of the tenant's quotas.
        reserved: Option<Usage>,
    },
    Delete,
}

impl Outcome {
    fn write<R: Recorded>(record: &R) -> Self {
        Self::Write {
            value: encode(record),
            reserved: record.reserved(),
        }
    }

    /// What it leaves in the tenant's ledger.
    fn left(&self) -> Left {
        match self {
            Self::Write { reserved, .. } => Left::Usage(*reserved),
            Self::Delete => Left::Nothing,
        }
    }
}

/// What to do after a refused begin.
enum Next<R> {
    /// Try again from this state of the record, which is taken over where it is there.
    Again(Expect, Option<Before<R>>),
    /// Another operation holds the record in this state.
    Wait {
        index: u64,
        operation: Option<Operation>,
    },
    /// There is one already, and it is settled.
    Exists(Entry),
}

impl<R: Recorded> Before<R> {
    fn measured(self, key: &R::Key, measure: Option<&Measure>) -> Self {
        Self {
            record: self.record.measured(key, measure),
            ..self
        }
    }
}

impl<R: Recorded> Next<R> {
    fn measured(self, key: &R::Key, measure: Option<&Measure>) -> Self {
        match self {
            Self::Again(expect, Some(before)) => {
                Self::Again(expect, Some(before.measured(key, measure)))
            }
            next => next,
        }
    }
}

impl Store {
    /// Writes the intent and takes the lock, if the record is what `expect` says and the guards
    /// hold. Waits while another operation holds it. The operation is filled in here.
    ///
    /// What the guards found absent is looked for again when the intent is written, and the intent given
    /// back where it has come.
    pub(super) async fn lock<R: Recorded>(
        &self,
        key: &R::Key,
        expect: Expect,
        record: R,
        guards: Option<&Guards>,
    ) -> Result<Held<R>, StoreError> {
        let consul = &self.inner.consul;
        let path = self.place::<R>(key);
        let mut deadline = Instant::now() + self.lock_wait;
        let is_new = expect == Expect::Absent;
        let mut expect = expect;
        // What an adopted record has to be followed in is not known before it is adopted.
        let goes_back = guards.is_some_and(Guards::may_be_given_up);
        let mut before = match expect {
            Expect::Version(version) if R::FOLLOWS || goes_back => {
                self.in_version(key, version).await?
            }
            _ => None,
        };
        let (mut tried, mut refused, mut looked) = (0, 0, None::<Instant>);
        loop {
            let session = self.inner.sessions.current(consul).await?;
            let operation = self.operation(&session);
            let id = operation.id.clone();
            let record = record.clone().stamped(record.phase(), Some(operation));
            let record = match &before {
                Some(before) => self.after(key, record, &before.record)?,
                None => record,
            };
            let Guarded {
                all: guarded,
                absent,
            } = match guards {
                Some(guards) => {
                    let begun = Instant::now();
                    let look = looked.is_none_or(|looked| looked.elapsed() >= LOOK);
                    let begins = Beginning {
                        operation: &id,
                        usage: record.reserved(),
                        until: deadline,
                        look,
                    };
                    let guarded = self.guards(guards, tried > 0, Some(begins)).await?;
                    tried += 1;
                    looked = looked.filter(|_| !look).or(Some(begun));
                    let Some(guarded) = guarded else {
                        // It is not on this record that it has waited.
                        deadline += begun.elapsed();
                        continue;
                    };
                    guarded
                }
                None => Guarded::default(),
            };
            let value = encode(&record);
            let check = match expect {
                Expect::Absent => Op::CheckNotExists { key: &path },
                Expect::Version(version) => Op::CheckIndex {
                    key: &path,
                    index: version.index,
                },
            };
            let mut ops: Vec<_> = guarded.iter().map(Guard::op).collect();
            ops.push(check);
            ops.push(Op::Lock {
                key: &path,
                value: &value,
                session: &session.id,
            });
            fits(key.clone().into(), &ops)?;
            let written = match consul.txn(&ops).await {
                Ok(entries) => Ok(entries.last().map_or(0, |entry| entry.modify_index)),
                Err(TxnError::Refused(refusals)) => Err(refusals),
                Err(TxnError::Http(error)) => {
                    let look = async {
                        let entry = consul.get_latest(&path).await.ok()??;
                        let holder = entry.session.as_deref();
                        let is_ours = entry.value == value && holder == Some(session.id.as_str());
                        is_ours.then_some(entry.modify_index)
                    };
                    Ok(found_out(Err(error), look).await?)
                }
            };
            let refusals = match written {
                Ok(index) => {
                    let held = Held {
                        key: key.clone(),
                        path,
                        session,
                        record,
                        value,
                        index,
                        before,
                        is_new,
                    };
                    let Some(guards) = guards else {
                        return Ok(held);
                    };
                    return match self.still_absent(guards, absent).await {
                        Ok(()) => Ok(held),
                        Err(error) => {
                            self.give_back(&held, None).await;
                            Err(error)
                        }
                    };
                }
                Err(refusals) => refusals,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let guards_alone = refusals
                .iter()
                .all(|refusal| refusal.op_index < guarded.len());
            if guards_alone {
                if left.is_zero() {
                    let key = key.clone().into();
                    return Err(StoreError::Contended { key });
                }
                // Another record was touched in between. What is the matter with it shows when it is
                // read.
                pause(refused).await;
                refused += 1;
                continue;
            }
            // `kvsLockTxn` in Consul's `agent/consul/state/kvs.go`.
            let session_ended = refusals
                .iter()
                .any(|refusal| refusal.what.contains("invalid session"));
            if session_ended {
                self.inner.sessions.ended(&session);
            }
            let entry = consul.get_latest(&path).await?;
            let next = next(key, expect, entry)?;
            match next.measured(key, self.measure.as_ref()) {
                Next::Exists(entry) => {
                    let found = stored::<R>(key, &entry)?;
                    match self
                        .seen(key, &record, &entry, &session.id, deadline)
                        .await?
                    {
                        Seen::No => {
                            info!(%key, "there already, by an apply that Terraform does not know of");
                            let found_before = Before {
                                record: found.record,
                                value: entry.value,
                            };
                            expect = Expect::Version(found.version);
                            before = Some(found_before.measured(key, self.measure.as_ref()));
                        }
                        Seen::Perhaps => {}
                        Seen::Yes => {
                            return Err(StoreError::Exists {
                                key: key.clone().into(),
                                phase: found.record.phase(),
                            });
                        }
                    }
                }
                Next::Again(next, found) if next != expect || session_ended => {
                    (expect, before) = (next, found.or(before));
                }
                Next::Again(..) | Next::Wait { .. } if left.is_zero() => {
                    let operation = consul
                        .get_latest(&path)
                        .await?
                        .and_then(|entry| holder::<R>(key, &entry))
                        .map(Box::new);
                    return Err(StoreError::Busy {
                        key: key.clone().into(),
                        operation,
                    });
                }
                Next::Again(_, found) => {
                    // Refused for a reason that is gone already, or for somebody's lock delay.
                    before = found.or(before);
                    tokio::time::sleep(left.min(Duration::from_millis(200))).await;
                }
                Next::Wait { index, operation } => {
                    let by = operation
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default();
                    let noun = key.clone().into().noun();
                    info!(%key, noun, by, "waiting for another operation to end");
                    consul
                        .get_changed(&path, index, left.min(LONGEST_QUERY))
                        .await?;
                }
            }
        }
    }

    /// The record in this version; `None` where it is in another one, which refuses the operation.
    async fn in_version<R: Recorded>(
        &self,
        key: &R::Key,
        version: Version,
    ) -> Result<Option<Before<R>>, StoreError> {
        let entry = self.inner.consul.get_latest(&self.place::<R>(key)).await?;
        let found = entry.filter(|entry| Version::of(0, &entry.value).digest == version.digest);
        let Some(entry) = found else { return Ok(None) };
        let before = Before {
            record: decode::<R>(key, &entry.key, &entry.value)?,
            value: entry.value,
        };
        Ok(Some(before.measured(key, self.measure.as_ref())))
    }

    /// A record with what has to be kept in mind of the one before.
    pub(super) fn after<R: Recorded>(
        &self,
        key: &R::Key,
        record: R,
        before: &R,
    ) -> Result<R, StoreError> {
        record
            .following(before)
            .map_err(|reason| StoreError::Corrupt {
                key: key.clone().into(),
                path: self.place::<R>(key),
                reason,
            })
    }

    /// Writes the outcome and gives the lock back.
    pub(super) async fn write<R: Recorded>(
        &self,
        held: &Held<R>,
        record: &R,
    ) -> Result<Version, StoreError> {
        self.write_beside(held, record, &[]).await
    }

    /// As [`Store::write`], with further operations in the same transaction. They are left out where it
    /// would be too large with them.
    pub(super) async fn write_beside<R: Recorded>(
        &self,
        held: &Held<R>,
        record: &R,
        beside: &[Op<'_>],
    ) -> Result<Version, StoreError> {
        let mark = self.tells(held, record);
        self.conclude(held, Outcome::write(record), None, mark, beside)
            .await
            .map(|index| Version::of(index, &encode(record)))
    }

    /// As [`Store::write`], where the guards hold.
    pub(super) async fn write_guarded<R: Recorded>(
        &self,
        held: &Held<R>,
        record: &R,
        guards: &Guards,
    ) -> Result<Version, StoreError> {
        let mark = self.tells(held, record);
        self.conclude(held, Outcome::write(record), Some(guards), mark, &[])
            .await
            .map(|index| Version::of(index, &encode(record)))
    }

    /// Where what is written ends a creation, it is remembered as one that is marked.
    fn tells<R: Recorded>(&self, held: &Held<R>, record: &R) -> Mark {
        if !held.is_new || record.phase() != Phase::Settled {
            return Mark::Goes;
        }
        self.marked(unseen::mark(&held.path), &held.session.id);
        Mark::Made
    }

    /// Takes back an intent that was not begun to be carried out, where the guards hold: the record is what
    /// it was before, or is deleted where there was none. Where that fails, it is left as after a crash.
    pub(super) async fn give_back<R: Recorded>(&self, held: &Held<R>, guards: Option<&Guards>) {
        let outcome = match &held.before {
            None => Outcome::Delete,
            Some(before) => Outcome::Write {
                value: before.value.clone(),
                reserved: before.record.reserved(),
            },
        };
        let back = self.conclude(held, outcome, guards, Mark::Stays, &[]);
        if let Err(error) = back.await {
            let (key, noun) = (&held.key, held.key.clone().into().noun());
            warn!(%key, %error, "the {noun} is left as one that is being applied");
        }
    }

    /// Deletes the record, and the lock with it.
    pub(super) async fn delete<R: Recorded>(&self, held: &Held<R>) -> Result<(), StoreError> {
        self.delete_beside(held, &[]).await
    }

    /// As [`Store::delete`], with further operations in the same transaction.
    pub(super) async fn delete_beside<R: Recorded>(
        &self,
        held: &Held<R>,
        beside: &[Op<'_>],
    ) -> Result<(), StoreError> {
        self.conclude(held, Outcome::Delete, None, Mark::Goes, beside)
            .await
            .map(drop)
    }

    /// As [`Store::delete`], where the guards hold.
    pub(super) async fn delete_guarded<R: Recorded>(
        &self,
        held: &Held<R>,
        guards: &Guards,
    ) -> Result<(), StoreError> {
        self.conclude(held, Outcome::Delete, Some(guards), Mark::Goes, &[])
            .await
            .map(drop)
    }

    /// Ends an operation, where the guards hold, with what goes along if there is room for it. Gives
    /// the record's new index.
    ///
    /// The ledger of the application's tenant goes along, too, unless others are always quicker to
    /// change it: it says too much then, and is made anew when that matters.
    ///
    /// Where an answer was lost and the record is still the intent, it is tried again. A try that arrives at
    /// Consul late does nothing then, since the record has another index.
    async fn conclude<R: Recorded>(
        &self,
        held: &Held<R>,
        outcome: Outcome,
        guards: Option<&Guards>,
        mark: Mark,
        beside: &[Op<'_>],
    ) -> Result<u64, StoreError> {
        let consul = &self.inner.consul;
        let (key, session) = (held.path.as_str(), held.session.id.as_str());
        let (mut index, mut locked) = (held.index, true);
        let deadline = Instant::now() + self.lock_wait;
        let (mut rounds, mut refused) = (0, 0);
        // Of the last try of which nobody knows whether it was done.
        let mut unheard = None;
        let mut account = R::account(&held.key);
        let mark_key = unseen::mark(key);
        let about = match &outcome {
            Outcome::Write { value, .. } => unseen::digest(value),
            Outcome::Delete => Vec::new(),
        };
        // The second round is for a lock that expired. A third: it expired just in between.
        while rounds < 3 {
            let mut guarded = match guards {
                Some(guards) => {
                    self.guards(guards, true, None)
                        .await?
                        .unwrap_or_default()
                        .all
                }
                None => Vec::new(),
            };
            if let Some(application) = account {
                guarded.extend(self.left(application, outcome.left()).await?);
            }
            let mut ops: Vec<_> = guarded.iter().map(Guard::op).collect();
            ops.extend(match (&outcome, locked) {
                (Outcome::Write { value, .. }, true) => {
                    vec![
                        Op::CheckIndex { key, index },
                        Op::Unlock {
                            key,
                            value,
                            session,
                        },
                    ]
                }
                (Outcome::Write { value, .. }, false) => vec![Op::Cas { key, value, index }],
                (Outcome::Delete, true) => {
                    vec![
                        Op::CheckSession { key, session },
                        Op::DeleteCas { key, index },
                    ]
                }
                (Outcome::Delete, false) => vec![Op::DeleteCas { key, index }],
            });
            ops.extend(match mark {
                Mark::Made if locked => Some(Op::Lock {
                    key: &mark_key,
                    value: &about,
                    session,
                }),
                Mark::Made | Mark::Goes => Some(Op::Delete { key: &mark_key }),
                Mark::Stays => None,
            });
            if let Err(error) = fits(held.key.clone().into(), &ops) {
                account.take().ok_or(error)?;
                warn!(key, "the record leaves no room for its tenant's ledger");
                continue;
            }
            let own = ops.len();
            ops.extend_from_slice(beside);
            if fits(held.key.clone().into(), &ops).is_err() {
                warn!(key, "the record leaves no room for its revision");
                ops.truncate(own);
            }
            let lost_answer = match consul.txn(&ops).await {
                // What is written in one transaction has one index.
                Ok(entries) => return Ok(entries.last().map_or(0, |entry| entry.modify_index)),
                Err(TxnError::Refused(refusals)) => {
                    // Another record was touched in between, and nothing is the matter with this one.
                    let guards_alone = refusals
                        .iter()
                        .all(|refusal| refusal.op_index < guarded.len());
                    if !guards_alone || Instant::now() >= deadline {
                        rounds += 1;
                    }
                    if guards_alone {
                        if rounds > 0 && account.take().is_some() {
                            warn!(
                                key,
                                "others are always quicker to change the tenant's ledger"
                            );
                        }
                        pause(refused).await;
                        refused += 1;
                        continue;
                    }
                    None
                }
                Err(TxnError::Http(error)) if error.may_have_been_done() => {
                    rounds += 1;
                    Some(error)
                }
                Err(TxnError::Http(error)) => return Err(error.into()),
            };
            // Who has waited for a whole timeout does not wait for another.
            let is_late = lost_answer
                .as_ref()
                .is_some_and(|error| matches!(error.kind, Kind::Timeout { .. }));
            match (consul.get_latest(key).await, &outcome, lost_answer) {
                (Ok(Some(entry)), Outcome::Write { value, .. }, _)
                    if entry.value == *value && entry.session.is_none() =>
                {
                    return Ok(entry.modify_index);
                }
                (Ok(None), Outcome::Delete, lost) if lost.is_some() || unheard.is_some() => {
                    return Ok(0);
                }
                (Ok(Some(entry)), _, lost) if entry.value == held.value && !is_late => {
                    // Still the intent, so nobody else was here; only the lock may have gone.
                    index = entry.modify_index;
                    locked = entry.session.is_some();
                    if lost.is_some() {
                        unheard = lost;
                        pause(refused).await;
                        refused += 1;
                    }
                }
                (_, _, Some(error)) | (Err(error), _, None) => return Err(error.into()),
                (Ok(_), _, None) => break,
            }
        }
        Err(match unheard {
            Some(error) => error.into(),
            None => StoreError::Lost {
                key: held.key.clone().into(),
            },
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

/// Looks at what refused a begin.
fn next<R: Recorded>(
    key: &R::Key,
    expect: Expect,
    entry: Option<Entry>,
) -> Result<Next<R>, StoreError> {
    let changed = |revision| StoreError::Changed {
        key: key.clone().into(),
        revision,
    };
    let (version, entry) = match (expect, entry) {
        (Expect::Absent, None) => return Ok(Next::Again(expect, None)),
        (Expect::Version(_), None) => return Err(changed(None)),
        (Expect::Absent, Some(entry)) => (None, entry),
        (Expect::Version(version), Some(entry)) => (Some(version), entry),
    };
    let found = stored::<R>(key, &entry)?;
    if version.is_some_and(|version| version.digest != found.version.digest) {
        return Err(changed(Some(found.record.revision())));
    }
    if found.locked {
        return Ok(Next::Wait {
            index: entry.modify_index,
            operation: found.record.operation().cloned(),
        });
    }
    if version.is_some() {
        // Only the lock changed: that of an operation that crashed has expired.
        return Ok(Next::Again(Expect::Version(found.version), None));
    }
    if found.record.adoptable() {
        let before = Before {
            record: found.record,
            value: entry.value,
        };
        return Ok(Next::Again(Expect::Version(found.version), Some(before)));
    }
    if found.record.phase() == Phase::Settled {
        return Ok(Next::Exists(entry));
    }
    Err(StoreError::Exists {
        key: key.clone().into(),
        phase: found.record.phase(),
    })
}

fn holder<R: Recorded>(key: &R::Key, entry: &Entry) -> Option<Operation> {
    decode::<R>(key, &entry.key, &entry.value)
        .ok()?
        .operation()
        .cloned()
}

fn fits(key: Key, ops: &[Op<'_>]) -> Result<(), StoreError> {
    let size = encode_txn(ops).len();
    if size > LARGEST {
        Err(StoreError::TooLarge { key, size })
    } else {
        Ok(())
    }
}
