//! What a tenant's applications have of its quotas, and the guarantee that it is never too much.
//!
//! `<prefix>/usage/<tenant>` holds the tenant's [`Ledger`]: for each application what is reserved for
//! it, and the operation that deploys it. It is written with check-and-set in the transactions that
//! write the applications' records, so that it always says what they say:
//!
//! | transaction | the application's entry |
//! |---|---|
//! | the beginning of an apply | the most of what it had and what it is to have, if the tenant's quotas leave room for it; the operation, if they leave one more deployment |
//! | that of a destroy | as it was |
//! | [`Store::settle`] | what it has now; no operation |
//! | [`Store::abandon`] | as it was; no operation |
//! | [`Store::remove`] | none |
//!
//! # Why no quota is exceeded
//!
//! A beginning reads the ledger, decides, and writes it only if it is still the one that was read, with
//! the record of the tenant, which has the quotas, as it was read. So the beginnings of a tenant's
//! applications come one after the other, each with all before it in view. Between two of them an entry
//! only becomes smaller.
//!
//! A ledger that is not there is made from the records ([`Store::ledger_of_records`]): at the first
//! beginning after the tenant got its record. The records are listed with `?consistent` after the ledger
//! was looked for; whoever begins after that list changes the ledger, or makes one, and so has this
//! transaction refused. Who has begun without a ledger has found no record of the tenant when its intent
//! was written (`absent.rs`), so that the intent comes before the tenant's record, and is in the list; or
//! it gives the intent back, without having touched a job.
//!
//! In the same manner the ledger is made anew before a quota refuses anything, since it can say too
//! much: where a record was deleted by hand, where an operation could not write its end into the
//! ledger, because others were always quicker, or where it ended just when the first ledger was made. It
//! cannot say too little: what ends only makes an entry smaller.
//!
//! # Crashes
//!
//! What a process that has died had reserved stays reserved, as its jobs may be there, until the next
//! operation on the application ends. The place of its deployment is free as soon as its lock has
//! expired: an entry counts only while the record is locked by the operation in it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::form::{Recorded, decode, stored};
use super::guards::Guard;
use super::{ApplicationKey, Phase, Record, Store, StoreError, TenantKey};
use crate::consul::{Entry, TxnError};
use crate::tenants::{self, LEDGER_FORMAT, Ledger, Overrun, Quota, Quotas, Usage};

/// How often it is looked whether those that deploy still live.
pub(super) const LOOK: Duration = Duration::from_secs(3);

/// After how many tries a pause becomes no longer.
const LONGEST_PAUSE: u32 = 6;

/// How often [`Store::recount`] tries.
const TRIES: u32 = 20;

type Measuring = dyn Fn(&ApplicationKey, &Record) -> Option<Usage> + Send + Sync;

/// Tells what an application has whose record does not say so itself; `None` where the record's
/// document cannot be understood.
#[derive(Clone)]
pub struct Measure(Arc<Measuring>);

impl Measure {
    /// Tells it with this function.
    pub fn new(
        measure: impl Fn(&ApplicationKey, &Record) -> Option<Usage> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(measure))
    }

    /// What the application of this record has.
    pub fn of(&self, key: &ApplicationKey, record: &Record) -> Option<Usage> {
        (self.0)(key, record)
    }
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Measure")
    }
}

/// What an apply that begins asks of its tenant.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) application: &'a ApplicationKey,
    /// What is to be reserved.
    pub(super) usage: Usage,
    /// The operation's ID.
    pub(super) operation: &'a str,
    /// Until when it waits for other deployments to end.
    pub(super) until: Instant,
    /// Whether to find out which of those that deploy have crashed.
    pub(super) look: bool,
    /// The tenant's quotas; `None` where nobody manages it.
    pub(super) quotas: Option<Quotas>,
}

/// Whether an apply can begin.
#[derive(Debug)]
pub(super) enum Entered {
    /// It can, if this holds.
    If(Option<Guard>),
    /// It had to wait, and is to look again.
    Waited,
}

/// What an operation that ends leaves in the ledger.
#[derive(Debug, Clone, Copy)]
pub(super) enum Left {
    /// So much is reserved, or as much as before where it cannot be told.
    Usage(Option<Usage>),
    /// The application is no more.
    Nothing,
}

/// The ledger in Consul.
#[derive(Debug, Default)]
struct Found {
    /// `None` where there is none that can be read: it is made from the records then.
    ledger: Option<Ledger>,
    /// Its index, 0 where there is no such key.
    index: u64,
}

impl Store {
    /// Has the usage of applications told by `measure` whose records do not say it.
    pub fn with_measure(mut self, measure: Measure) -> Self {
        self.measure = Some(measure);
        self
    }

    /// What the tenant's applications have of its quotas. Nothing is written.
    ///
    /// # Errors
    /// [`StoreError::NewerLedger`], [`StoreError::Consul`].
    pub async fn ledger(&self, tenant: &TenantKey) -> Result<Ledger, StoreError> {
        match self.read_ledger(tenant.name()).await?.ledger {
            Some(ledger) => Ok(ledger),
            None => self.ledger_of_records(tenant.name()).await,
        }
    }

    /// Makes the tenant's ledger anew from the records of its applications.
    ///
    /// # Errors
    /// [`StoreError::Contended`], [`StoreError::NewerLedger`], [`StoreError::Consul`].
    pub async fn recount(&self, tenant: &TenantKey) -> Result<Ledger, StoreError> {
        for tried in 0..TRIES {
            let found = self.read_ledger(tenant.name()).await?;
            let ledger = self.ledger_of_records(tenant.name()).await?;
            if found.ledger.as_ref() == Some(&ledger) {
                return Ok(ledger);
            }
            let guard = self.written(tenant.name(), &ledger, found.index);
            match self.inner.consul.txn(&[guard.op()]).await {
                Ok(_) => return Ok(ledger),
                Err(TxnError::Refused(_)) => pause(tried).await,
                Err(TxnError::Http(error)) => return Err(error.into()),
            }
        }
        Err(StoreError::Contended {
            key: tenant.clone().into(),
        })
    }

    /// The applications of the tenant of whose usage the ledger says less than their records, by name: what
    /// the record says, and what the ledger says, if anything. No operation of a provider leaves that, but for
    /// one that died just when its tenant got a record (`absent.rs`); so somebody has written the ledger or a
    /// record by hand. A ledger that is not there, or cannot be read, understates nothing: it is made from the
    /// records.
    ///
    /// # Errors
    /// [`StoreError::NewerLedger`], [`StoreError::Consul`].
    pub async fn understated(
        &self,
        tenant: &TenantKey,
    ) -> Result<BTreeMap<String, (Usage, Option<Usage>)>, StoreError> {
        for tried in 0..TRIES {
            let before = self.read_ledger(tenant.name()).await?;
            let Some(ledger) = before.ledger else {
                break;
            };
            let records = self.ledger_of_records(tenant.name()).await?;
            let less = ledger.less_than(&records);
            // The two are of one moment where the ledger, which changes with the records, has not changed.
            if less.is_empty() || self.read_ledger(tenant.name()).await?.index == before.index {
                return Ok(less);
            }
            pause(tried).await;
        }
        Ok(BTreeMap::new())
    }

    /// Whether an apply can begin, and what must hold for it. Waits where it cannot yet.
    pub(super) async fn entered(&self, asked: &Asked<'_>) -> Result<Entered, StoreError> {
        let (tenant, name) = (asked.application.tenant(), asked.application.name());
        let Found { ledger, index } = self.read_ledger(tenant).await?;
        if ledger.is_none() && asked.quotas.is_none() {
            return Ok(Entered::If(None));
        }
        let quotas = asked.quotas.unwrap_or_default();
        let begin = |ledger: &mut Ledger| {
            let operation = Some(asked.operation.to_owned());
            ledger.begin(name, asked.usage, operation, &quotas)
        };
        let made_before = ledger.is_some();
        let mut ledger = match ledger {
            Some(ledger) => ledger,
            None => self.ledger_of_records(tenant).await?,
        };
        let mut begun = begin(&mut ledger);
        if let Err(overruns) = &begun
            && made_before
        {
            let only_to_wait = can_wait(overruns);
            match only_to_wait {
                true if asked.look => self.free_the_crashed(tenant, &mut ledger).await?,
                true => {}
                false => ledger = self.ledger_of_records(tenant).await?,
            }
            begun = begin(&mut ledger);
        }
        let overruns = match begun {
            Ok(()) => return Ok(Entered::If(Some(self.written(tenant, &ledger, index)))),
            Err(overruns) => overruns,
        };
        let left = asked.until.saturating_duration_since(Instant::now());
        if !can_wait(&overruns) || left.is_zero() {
            return Err(StoreError::Quota {
                key: asked.application.clone(),
                overruns,
            });
        }
        info!(application = %asked.application, "waiting for another deployment of the tenant to end");
        let path = self.ledger_path(tenant);
        self.inner
            .consul
            .get_changed(&path, index, left.min(LOOK))
            .await?;
        // All that wait are told at once, and one of them can go on.
        pause(LONGEST_PAUSE).await;
        Ok(Entered::Waited)
    }

    /// Takes out of the ledger the operations whose record they no longer hold.
    async fn free_the_crashed(&self, tenant: &str, ledger: &mut Ledger) -> Result<(), StoreError> {
        let deploying = ledger.deploying();
        let deploying: Vec<_> = deploying
            .map(|(name, operation)| (name.to_owned(), operation.to_owned()))
            .collect();
        for (name, operation) in deploying {
            let key = ApplicationKey::new(Some(tenant), &name);
            let entry = self.inner.consul.get_latest(&self.path(&key)).await?;
            let holds = |entry: &Entry| match decode::<Record>(&key, &entry.key, &entry.value) {
                Ok(record) => record.operation.is_some_and(|it| it.id == operation),
                // Nobody can tell; its lock does not last.
                Err(_) => true,
            };
            let lives = entry.is_some_and(|entry| entry.session.is_some() && holds(&entry));
            if !lives {
                info!(application = %key, operation, "its deployment has ended without saying so");
                ledger.free(&name, &operation);
            }
        }
        Ok(())
    }

    /// What makes an application's entry say that its operation has ended, and what it has left.
    pub(super) async fn left(
        &self,
        key: &ApplicationKey,
        left: Left,
    ) -> Result<Option<Guard>, StoreError> {
        let Found { ledger, index } = match self.read_ledger(key.tenant()).await {
            Ok(found) => found,
            Err(StoreError::NewerLedger { path, .. }) => {
                warn!(path, "the ledger is of a newer provider and left as it is");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        // One that is made meanwhile has what was reserved until now: too much, but never too little.
        let Some(before) = ledger else {
            return Ok(None);
        };
        let mut after = before.clone();
        match left {
            Left::Usage(Some(usage)) => after.end(key.name(), usage),
            Left::Usage(None) => after.end(key.name(), before.usage(key.name())),
            Left::Nothing => after.remove(key.name()),
        }
        Ok((after != before).then(|| self.written(key.tenant(), &after, index)))
    }

    /// The ledger as the records of the tenant's applications have it: what is reserved for each, and
    /// the operation of each apply whose lock is held.
    async fn ledger_of_records(&self, tenant: &str) -> Result<Ledger, StoreError> {
        let under = format!("{}/{}/{tenant}/", self.prefix(), Record::FOLDER);
        let entries = self.inner.consul.list_latest(&under).await?;
        let mut ledger = Ledger::default();
        for entry in entries {
            let name = entry.key.strip_prefix(&under).unwrap_or_default();
            if name.is_empty() || name.contains('/') {
                continue;
            }
            let key = ApplicationKey::new(Some(tenant), name);
            let record = match stored::<Record>(&key, &entry) {
                Ok(stored) => stored.record.measured(&key, self.measure.as_ref()),
                Err(error) => {
                    warn!(application = %key, %error, "not counted: its record cannot be read");
                    continue;
                }
            };
            if record.reserved.is_none() {
                warn!(application = %key, "not counted: its record does not tell what it has");
            }
            let deploys = entry.session.is_some() && record.phase == Phase::Applying;
            let operation = record.operation.filter(|_| deploys);
            let entry = tenants::Entry {
                usage: record.reserved.unwrap_or_default(),
                deploying: operation.map(|operation| operation.id),
            };
            ledger.applications.insert(name.to_owned(), entry);
        }
        Ok(ledger)
    }

    async fn read_ledger(&self, tenant: &str) -> Result<Found, StoreError> {
        let path = self.ledger_path(tenant);
        let Some(entry) = self.inner.consul.get_latest(&path).await? else {
            return Ok(Found::default());
        };
        let json = serde_json::from_slice::<serde_json::Value>(&entry.value).unwrap_or_default();
        let format = json.get("format").and_then(serde_json::Value::as_u64);
        if let Some(format) = format.filter(|format| *format > u64::from(LEDGER_FORMAT)) {
            return Err(StoreError::NewerLedger { path, format });
        }
        let ledger = serde_json::from_value(json);
        if let Err(error) = &ledger {
            warn!(path, %error, "the ledger cannot be read, and is made anew from the records");
        }
        Ok(Found {
            ledger: ledger.ok(),
            index: entry.modify_index,
        })
    }

    fn written(&self, tenant: &str, ledger: &Ledger, index: u64) -> Guard {
        Guard::Write {
            key: self.ledger_path(tenant),
            value: serde_json::to_vec(ledger).unwrap_or_default(),
            index,
        }
    }

    fn ledger_path(&self, tenant: &str) -> String {
        self.usage_path(&TenantKey::new(tenant))
    }
}

/// Whether it is only that others are being deployed, and that they could end.
fn can_wait(overruns: &[Overrun]) -> bool {
    overruns
        .iter()
        .all(|overrun| overrun.quota == Quota::Deployments && overrun.limit > 0)
}

/// Waits a little before the next try, the longer the more there were, so that of many that change one
/// key each gets its turn.
pub(super) async fn pause(tried: u32) {
    let most = 5_u64.saturating_mul(1 << tried.min(LONGEST_PAUSE));
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=most))).await;
}
