//! Creations of which Terraform may not know yet.
//!
//! Terraform learns of a creation from the answer to it. A process that ends after the outcome was written
//! and before the answer was there leaves a settled record that is in no state, and the next apply creates
//! again: it must take that record over, and must not take over one that is in somebody's state.
//!
//! So the outcome of a creation comes with a mark, the key `<record>/unseen`, which is locked by the session
//! of the process. It is deleted when the process ends as it should ([`Store::close`]): Terraform ends a
//! provider when it has all of its answers. The mark of a process that was killed stays, and loses its lock
//! with the session.
//!
//! | record | mark | a creation |
//! |---|---|---|
//! | settled | none | exists already |
//! | settled | locked | waits: its process lives, or its session has not run out yet |
//! | settled, and to make the same | free | takes the record over |
//! | settled, and to make something else | free | exists already |
//!
//! The last row is for a process that was killed after it had answered. Any later operation on the record
//! deletes the mark. The mark is below the key of the record, so whoever may write the one may write the other.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::form::{Recorded, stored};
use super::{LONGEST_QUERY, Store, StoreError, Version};
use crate::consul::{Entry, Op, TxnError};

/// How many marks are taken away in one transaction, with two operations each; Consul takes 64.
const AT_ONCE: usize = 32;

/// What stands after the key of a record in that of its mark.
const MARK: &str = "/unseen";

/// What a mark says of a settled record that a creation has found.
pub(super) enum Seen {
    /// Terraform knows it, or it is another thing.
    Yes,
    /// Nobody can know it.
    No,
    /// It has just been found out anew: look again.
    Perhaps,
}

/// The key of the mark of a record.
pub(super) fn mark(path: &str) -> String {
    format!("{path}{MARK}")
}

/// Whether a key may be that of a mark; a record may be called like one.
pub(super) fn may_be_mark(key: &str) -> bool {
    key.ends_with(MARK)
}

impl Store {
    /// Looks at the mark of a settled record, and waits for a while where its process still lives.
    pub(super) async fn seen<R: Recorded>(
        &self,
        key: &R::Key,
        wanted: &R,
        entry: &Entry,
        session: &str,
        deadline: Instant,
    ) -> Result<Seen, StoreError> {
        let consul = &self.inner.consul;
        let found = stored::<R>(key, entry)?;
        if !wanted.is_like(&found.record) {
            return Ok(Seen::Yes);
        }
        let path = mark(&entry.key);
        let Some(mark) = consul.get_latest(&path).await? else {
            return Ok(Seen::Yes);
        };
        if mark.value != digest(&entry.value) {
            return Ok(Seen::Yes);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match &mark.session {
            None => Ok(Seen::No),
            // This process has made it: the same thing stands in the configuration twice.
            Some(holder) if holder == session || left.is_zero() => Ok(Seen::Yes),
            Some(_) => {
                info!(%key, "waiting for another creation to be known to Terraform");
                let wait = left.min(LONGEST_QUERY).max(Duration::from_millis(1));
                consul.get_changed(&path, mark.modify_index, wait).await?;
                Ok(Seen::Perhaps)
            }
        }
    }

    /// Remembers a mark, to take it away at the end.
    pub(super) fn marked(&self, path: String, session: &str) {
        if let Ok(mut marks) = self.inner.marks.lock() {
            marks.insert(path, session.to_owned());
        }
    }

    /// Takes all marks of this process away: Terraform has the answers. One that stays does not hide what it
    /// marks.
    pub(super) async fn take_marks_away(&self) {
        let marks = match self.inner.marks.lock() {
            Ok(mut marks) => std::mem::take(&mut *marks),
            Err(_) => return,
        };
        let marks: Vec<_> = marks.iter().collect();
        for some in marks.chunks(AT_ONCE) {
            let mut left = some.to_vec();
            while !left.is_empty() {
                let ops = left.iter().flat_map(|(key, session)| {
                    [Op::CheckSession { key, session }, Op::Delete { key }]
                });
                match self.inner.consul.txn(&ops.collect::<Vec<_>>()).await {
                    Ok(_) => break,
                    // Those are gone, or somebody else's by now.
                    Err(TxnError::Refused(refusals)) if !refusals.is_empty() => {
                        let mut place = 0;
                        left.retain(|_| {
                            place += 1;
                            !refusals.iter().any(|it| it.op_index / 2 == place - 1)
                        });
                    }
                    Err(error) => {
                        warn!(?error, "marks of what was created are left");
                        return;
                    }
                }
            }
        }
    }
}

/// What a mark says: which record it is about.
pub(super) fn digest(value: &[u8]) -> Vec<u8> {
    Version::of(0, value).to_string().into_bytes()
}
