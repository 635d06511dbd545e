//! What an operation depends on that is not there, and the guarantee that nothing comes up unseen.
//!
//! An application that begins with hosts depends on `<prefix>/domains`, and one of a tenant on that tenant's
//! record. Where the key is there, its index is checked in the transaction that writes the intent. Where it is
//! not, nothing is: Consul checks that a key is absent (`check-not-exists`) only for a token that may write it
//! (`preApply` in its `agent/consul/kvs_endpoint.go`), and a pipeline of applications may not write what is
//! everybody's. So the operation
//!
//! 1. writes its intent,
//! 2. reads the key again, with `?consistent`; this costs one request for each key that was absent, and none
//!    where all were there,
//! 3. and where something has come up that refuses it, gives the intent back before it has touched anything:
//!    the record is what it was, or is no more.
//!
//! # Why neither side misses the other
//!
//! Both sides write first and read then. Say the application's intent is written at index *b* of Consul's
//! log and what it depends on at index *d*; they are two, so one comes first. A read with `?consistent`
//! shows a state of at least the last write that was answered before it was asked for.
//!
//! * *d < b*: step 2 comes after *b* was answered, so it shows *d*, and the application gives up.
//! * *b < d*: whoever has written *d* lists the records after it was answered, and finds the intent:
//!   a tenant that is given a domain looks for hosts in it (`hosts.rs`), and the ledger of a tenant that has
//!   got quotas is made from the list (`usage.rs`), whether that is then taken back or not.
//!
//! Where step 2 shows *d*, too, in the second case, both may give up. That is safe, and the next apply of
//! either finds the other as it is by then. A domain that was claimed and given back between *b* and step 2
//! is not seen, and need not be: nobody has it.
//!
//! # Crashes
//!
//! | crash | what is left | what comes of it |
//! |---|---|---|
//! | before step 1 | nothing | the same again |
//! | between 1 and 2, or before 3 has ended | the intent; no job was touched | the next apply takes it over or begins from it, and asks for everything anew: by now the key is there, and refuses, or it is not, and step 2 follows. Until then a tenant that wants a domain with a host of the intent is refused, and told whose it is |
//!
//! The other side's crashes are told in `tenants.rs`: until its domain is given back, it is the tenant's.

use super::guards::Guards;
use super::{SeenTenant, Store, StoreError};

/// What an operation depends on and was not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Absent {
    /// The domains of all tenants, where the application has hosts.
    pub(super) domains: bool,
    /// The record of the application's tenant.
    pub(super) tenant: bool,
}

impl Store {
    /// Looks again for what was absent, now that the intent is written.
    ///
    /// # Errors
    /// As of [`Store::begin`], where something has come up that refuses the operation.
    pub(super) async fn still_absent(
        &self,
        guards: &Guards,
        absent: Absent,
    ) -> Result<(), StoreError> {
        let Some(application) = &guards.application else {
            return Ok(());
        };
        let (key, hosts) = (&application.key, &application.hosts);
        let domains = async {
            match absent.domains {
                true => self.guarded_hosts(key, hosts).await.map(drop),
                false => Ok(()),
            }
        };
        let tenant = async {
            let seen = &SeenTenant::Absent;
            match absent.tenant {
                true => self.guarded_tenant(key, seen, true).await.map(drop),
                false => Ok(()),
            }
        };
        futures_util::future::try_join(domains, tenant)
            .await
            .map(drop)
    }
}
