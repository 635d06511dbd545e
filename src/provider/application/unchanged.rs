//! Whether a state can stay as it is, without a look at every job.
//!
//! Where a refresh or an apply has found, or made, everything as it should be, it seals the private data
//! beside the state: with a digest of the state, of where the provider block says that things are, and of
//! this provider's version. A sealed state is what a refresh would make of the record and the jobs as long
//! as the record is in the version that was sealed and each job has the index that it had. Both are in
//! lists that all refreshes of a run share ([`crate::ahead`]).
//!
//! The lists can only say that nothing has changed. Anything else (a record or a job that is not in them
//! or is another one, no list at all) is looked at afresh, record first, as if there were no lists.
//!
//! Beside the seal is how many applications there were in the run that sealed it ([`crate::ahead::Questions`]), by which a
//! later run knows early that the lists are worth it.
//!
//! What is not sealed, since something can change without the record and the index of the job:
//! - an application that is being applied, or whose apply has failed;
//! - jobs with canaries, until their deployment is successful and so at its end;
//! - what differs from the record in any way, or is not all there.

use super::private::Private;
use crate::protocol::resource::ReadRequest;
use crate::protocol::value::Value;
use crate::provider::{Clients, config::Location};
use crate::store::{ApplicationKey, Digest};
use crate::translate;

/// The private data for a request whose state is as it should be, where the lists say so.
pub async fn unchanged(
    clients: &Clients,
    key: &ApplicationKey,
    request: &ReadRequest,
) -> Option<Private> {
    let mut private = Private::read(&request.private);
    if !is_sealed(clients, &request.state, &private) {
        return None;
    }
    let worth = clients.questions.ask(private.among);
    let version = clients.store.version_ahead(key, worth).await?;
    if !version.is_same(&private.version()?) {
        return None;
    }
    for (job_key, seen) in &private.jobs {
        let (_, cluster) = translate::split_key(job_key);
        let job = request.state.get("jobs").get(job_key);
        let (namespace, id) = (job.get("namespace").as_str()?, job.get("id").as_str()?);
        let nomad = clients.nomad_of(cluster).ok()?;
        if nomad.index_ahead(namespace, id, worth).await? != seen.index {
            return None;
        }
    }
    tracing::debug!(application = %key, "unchanged");
    // A lock may have come and gone.
    private.record = Some(version.to_string());
    private.among = clients.questions.remember(private.among);
    Some(private)
}

/// Seals private data where the state beside it says that all is as it should be, and the jobs are sound.
pub fn seal(clients: &Clients, state: &Value, private: &mut Private) {
    let no_drift = state.get("drift").as_list().is_some_and(<[_]>::is_empty);
    let settled = state.get("status").as_str() == Some("settled");
    let jobs = state.get("jobs").as_map();
    let all = jobs.is_some_and(|jobs| !jobs.is_empty() && jobs.keys().eq(private.jobs.keys()));
    let sound = private.jobs.values().all(|job| job.sound && !job.drifted);
    let sealed = no_drift && settled && all && sound && private.version().is_some();
    private.seal = sealed.then(|| digest(clients, state));
    if sealed {
        clients.questions.find();
        private.among = clients.questions.remember(private.among);
    }
}

/// Seals the private data of a new state that says the same as the one before, if that one was sealed.
pub fn seal_again(clients: &Clients, before: &Value, after: &Value, private: &mut Private) {
    if is_sealed(clients, before, private) {
        private.seal = Some(digest(clients, after));
    }
}

/// Whether private data are the sealed ones of this very state.
pub fn is_sealed(clients: &Clients, state: &Value, private: &Private) -> bool {
    private.adopt.is_empty()
        && private
            .seal
            .as_ref()
            .is_some_and(|seal| *seal == digest(clients, state))
}

/// What a seal is for. Timeouts are of no consequence to a refresh.
fn digest(clients: &Clients, state: &Value) -> String {
    let mut digest = Digest::default();
    digest.add(env!("CARGO_PKG_VERSION").as_bytes());
    let Location(places) = &clients.location;
    digest.add(places.as_bytes());
    for (name, value) in state.as_map().into_iter().flatten() {
        if name != "timeouts" {
            digest.add(name.as_bytes());
            add(&mut digest, value);
        }
    }
    format!("{:016x}", digest.value())
}

/// Adds a value. What is null is as good as absent.
fn add(digest: &mut Digest, value: &Value) {
    match value {
        Value::Null => digest.add(b"null"),
        Value::Unknown(_) => digest.add(b"unknown"),
        Value::Bool(true) => digest.add(b"true"),
        Value::Bool(false) => digest.add(b"false"),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => digest.add(&whole.to_le_bytes()),
            None => digest.add(number.to_string().as_bytes()),
        },
        Value::String(text) => digest.add(text.as_bytes()),
        Value::List(items) => {
            digest.add(b"[");
            items.iter().for_each(|item| add(digest, item));
            digest.add(b"]");
        }
        Value::Map(entries) => {
            digest.add(b"{");
            for (name, entry) in entries.iter().filter(|(_, entry)| !entry.is_null()) {
                digest.add(name.as_bytes());
                add(digest, entry);
            }
            digest.add(b"}");
        }
        Value::Dynamic(inner) => add(digest, &inner.1),
    }
}
