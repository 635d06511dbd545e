//! The records in Consul KV.

mod error;
mod record;

pub use error::StoreError;
pub use record::{
    ApplicationKey, DEFAULT_TENANT, FORMAT, JobRecord, Operation, Phase, Record, Stored, Version,
};

use std::time::Duration;

use crate::consul;
use crate::http::SettingsError;

/// Largest transaction that Consul takes unless configured otherwise, in bytes of its JSON form
/// (`txn_max_req_len`, <https://developer.hashicorp.com/consul/docs/agent/config/config-files>).
pub(crate) const LARGEST: usize = 512 * 1024;

/// What the record must be for an operation to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is none.
    Absent,
    /// It is the one that was read.
    Version(Version),
}

/// The records, in one Consul datacenter under one prefix. Cheap to clone; connects at its first use.
#[derive(Debug, Clone)]
pub struct Store {
    consul: consul::Client,
    prefix: String,
}

/// A record whose lock is held. Give it back with [`Store::settle`], [`Store::abandon`] or
/// [`Store::remove`]; one that is dropped stays locked until the process ends.
#[derive(Debug)]
pub struct Held {
    key: ApplicationKey,
    adopted: Option<Record>,
}

impl Held {
    /// Which application it is.
    pub fn key(&self) -> &ApplicationKey {
        &self.key
    }

    /// What an interrupted creation had left, where this operation took it over.
    pub fn adopted(&self) -> Option<&Record> {
        self.adopted.as_ref()
    }

    /// Whether the lock is known to be lost.
    pub fn is_lost(&self) -> bool {
        todo!()
    }
}

impl Store {
    /// The records under `prefix` (such as `oam`). Does no work yet.
    ///
    /// # Errors
    /// A prefix that is empty or holds something else than letters, digits, `-`, `_`, `.` and `/`.
    pub fn new(consul: consul::Client, prefix: &str) -> Result<Self, SettingsError> {
        Ok(Self {
            consul,
            prefix: prefix.to_owned(),
        })
    }

    /// How long [`Store::begin`] waits for another operation to end; 40 seconds unless set.
    pub fn with_lock_wait(self, wait: Duration) -> Self {
        let _ = wait;
        self
    }

    /// The client it speaks through.
    pub fn consul(&self) -> &consul::Client {
        &self.consul
    }

    /// The record, or `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Newer`], [`StoreError::Consul`].
    pub async fn read(&self, key: &ApplicationKey) -> Result<Option<Stored>, StoreError> {
        let _ = (key, &self.prefix);
        todo!()
    }

    /// All records, or those of one tenant. A record that cannot be read is an error in its place.
    ///
    /// # Errors
    /// [`StoreError::Consul`].
    pub async fn list(
        &self,
        tenant: Option<&str>,
    ) -> Result<Vec<(ApplicationKey, Result<Stored, StoreError>)>, StoreError> {
        let _ = tenant;
        todo!()
    }

    /// Writes the intent and takes the lock, if the record is what `expect` says.
    /// The record's `operation` is filled in here.
    ///
    /// # Errors
    /// Any but [`StoreError::Lost`]; nothing was written then.
    pub async fn begin(
        &self,
        key: &ApplicationKey,
        expect: Expect,
        record: Record,
    ) -> Result<Held, StoreError> {
        let _ = (key, expect, record);
        todo!()
    }

    /// Writes the outcome as settled and gives the lock back.
    ///
    /// # Errors
    /// [`StoreError::Lost`], [`StoreError::TooLarge`], [`StoreError::Consul`].
    pub async fn settle(&self, held: Held, record: Record) -> Result<Version, StoreError> {
        let _ = (held, record);
        todo!()
    }

    /// Gives the lock back with the phase of the intent, for an operation that did not succeed.
    /// `record` may hold the jobs so far.
    ///
    /// # Errors
    /// As of [`Store::settle`].
    pub async fn abandon(&self, held: Held, record: Record) -> Result<Version, StoreError> {
        let _ = (held, record);
        todo!()
    }

    /// Deletes the record.
    ///
    /// # Errors
    /// [`StoreError::Lost`], [`StoreError::Consul`].
    pub async fn remove(&self, held: Held) -> Result<(), StoreError> {
        let _ = held;
        todo!()
    }

    /// Ends the Consul session, if there is one. Locks still held are given back by that.
    pub async fn close(&self) {}
}
