//! Creating and updating a tenant.
//!
//! The intent is in the record before any other server is touched, and no application of the tenant can
//! begin until the record is settled again. So whatever ends an apply half way, the next refresh finds
//! what was intended, and the next apply does it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::kind::Kind;
use super::objects::{Found, Objects, Refused};
use super::read::{recorded, set};
use super::{config, enterprise, failure, plan};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::{ApplyRequest, ApplyResponse, Context};
use crate::protocol::value::Value;
use crate::provider::Clients;
use crate::provider::scope::private::Private;
use crate::store::{
    Expect, FORMAT, Held, Phase, StoreError, Stored, TenantKey, TenantRecord, Version,
};
use crate::tenants::Spaces;

/// Makes a planned tenant true.
pub async fn apply(clients: &Clients, cx: &Context, request: ApplyRequest) -> ApplyResponse {
    let ApplyRequest { prior, planned, .. } = &request;
    if !prior.is_null() && !plan::changes(prior, planned) {
        return ApplyResponse {
            state: request.planned,
            private: request.private,
            diagnostics: Vec::new(),
        };
    }
    let work = match Work::new(clients, &request).await {
        Ok(work) => work,
        Err(diagnostic) => return request.unchanged(vec![diagnostic]),
    };
    if let Err(diagnostics) = work.check().await {
        return request.unchanged(diagnostics);
    }
    let begun = clients
        .store
        .begin_tenant(&work.key, work.expect, work.intent());
    match cx.cancel.run_until_cancelled(begun).await {
        Some(Ok(held)) => work.carry_out(clients, cx, held).await,
        Some(Err(error)) => request.unchanged(vec![failure::store(&error)]),
        None => request.unchanged(vec![failure::cancelled()]),
    }
}

/// One apply, thought through before anything is touched.
struct Work<'a> {
    key: TenantKey,
    prior: &'a Value,
    planned: &'a Value,
    expect: Expect,
    objects: Objects<'a>,
    /// The record so far. Of a creation, what an interrupted one has left.
    before: Option<TenantRecord>,
    /// When it was begun, RFC 3339.
    now: String,
    /// The ID of a tenant that is new.
    id: String,
}

impl<'a> Work<'a> {
    async fn new(clients: &'a Clients, request: &'a ApplyRequest) -> Result<Self, Diagnostic> {
        let ApplyRequest { prior, planned, .. } = request;
        let key = config::key(planned).ok_or_else(|| {
            Diagnostic::error(
                "Tenant without a name",
                "The tenant's name is still not known.",
            )
        })?;
        // What was not known at the plan is looked at now.
        if let Some(diagnostic) = config::validate(planned).into_iter().next() {
            return Err(diagnostic);
        }
        let expect = match prior {
            Value::Null => Some(Expect::Absent),
            _ => Private::read(&request.private)
                .version()
                .map(Expect::Version),
        };
        let expect = expect.ok_or_else(failure::not_refreshed)?;
        let stored = clients.store.read_tenant(&key).await;
        let stored = stored.map_err(|error| failure::store(&error))?;
        overtaken(&key, expect, stored.as_ref(), planned)
            .map_err(|error| failure::store(&error))?;
        let (display, active) = (config::display_name(planned), config::is_active(planned));
        let spaces = spaces(clients, &key, prior, planned).await?;
        let objects = Objects::of(clients, key.name(), &display, active, &spaces).await?;
        let names = &objects.aim.names;
        if names.is_in_the_way() {
            return Err(failure::in_the_way(names));
        }
        if !names.fit() {
            return Err(failure::too_long(names));
        }
        Ok(Self {
            prior,
            planned,
            expect,
            objects,
            before: stored.map(|stored| stored.record),
            key,
            now: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            id: uuid(),
        })
    }

    /// Looks at the servers before anything is written.
    async fn check(&self) -> Result<(), Diagnostics> {
        let found = self.objects.find_all().await;
        let found = found.map_err(|diagnostic| vec![diagnostic])?;
        let before = self.before.as_ref();
        self.objects.check(&found, before)?;
        // What a namespace's attribute says is asked for, and not found.
        let promised = |kind: Kind| {
            !config::SPACES.contains(&kind) && self.planned.get(kind.field()).as_str().is_some()
        };
        let off = found
            .iter()
            .find(|(kind, found)| *found == Found::Off && promised(*kind));
        match off {
            Some((kind, _)) => Err(vec![failure::turned_off(*kind)]),
            None => Ok(()),
        }
    }

    /// The record before anything else is touched: what was made so far stays in it, and who has made
    /// what is new is told by its marks.
    fn intent(&self) -> TenantRecord {
        let made = self.before.as_ref().map(|before| before.made.clone());
        self.record(made.unwrap_or_default())
    }

    fn record(&self, made: BTreeMap<String, String>) -> TenantRecord {
        let planned = self.planned.get("revision").as_i64();
        let revision = planned.and_then(|revision| u64::try_from(revision).ok());
        // A creation that takes over what another has left goes on with its ID.
        let (id, created_at) = match &self.before {
            Some(before) => (before.id.clone(), before.created_at.clone()),
            None => (self.id.clone(), self.now.clone()),
        };
        TenantRecord {
            format: FORMAT,
            revision: revision.unwrap_or(1),
            phase: Phase::Applying,
            id,
            display_name: config::display_name(self.planned),
            domain: config::domain(self.planned),
            quotas: config::quotas(self.planned),
            limits: config::limits(self.planned),
            active: config::is_active(self.planned),
            namespaces: self.objects.aim.spaces.clone(),
            created_at,
            updated_at: self.now.clone(),
            made,
            operation: None,
        }
    }

    async fn carry_out(
        self,
        clients: &Clients,
        cx: &Context,
        held: Held<TenantRecord>,
    ) -> ApplyResponse {
        let goes_on = || {
            if cx.cancel.is_cancelled() {
                return Err(failure::cancelled());
            }
            match held.is_lost() {
                true => Err(failure::lost(&self.key)),
                false => Ok(()),
            }
        };
        let limits = config::limits(self.planned);
        let made = self.objects.reach(self.before.as_ref(), &limits, goes_on);
        let made = match made.await {
            Ok(made) => made,
            Err(refused) => return self.fail(clients, held, refused).await,
        };
        let names = &self.objects.aim.names;
        let quotas = config::quotas(self.planned);
        if let Err(diagnostic) = enterprise::limit(&clients.nomad, names, &quotas).await {
            let refused = Refused {
                diagnostics: vec![diagnostic],
                touched: true,
            };
            return self.fail(clients, held, refused).await;
        }
        let record = self.record(
            made.into_iter()
                .map(|(kind, place)| (kind.field().to_owned(), place))
                .collect(),
        );
        match clients.store.settle_tenant(held, record.clone()).await {
            Ok(version) => {
                // It does without, too; but this is the way to have it made anew.
                if let Err(error) = clients.store.recount(&self.key).await {
                    tracing::warn!(%error, "what the tenant's applications have was not counted");
                }
                ApplyResponse {
                    state: self.state(&record, "settled"),
                    private: Private::of(version).write(),
                    diagnostics: Vec::new(),
                }
            }
            // Nobody knows the version now: the next plan's refresh finds it out.
            Err(error) => self.halfway(&record, None, vec![failure::store(&error)]),
        }
    }

    /// Where nothing was touched, the record becomes what it was: the applications of a tenant that was
    /// settled can be applied as before, and one that is new is no more. Otherwise the intent stays, for
    /// the next apply to go on from.
    async fn fail(
        self,
        clients: &Clients,
        held: Held<TenantRecord>,
        refused: Refused,
    ) -> ApplyResponse {
        let Refused {
            mut diagnostics,
            touched,
        } = refused;
        let store = &clients.store;
        match &self.before {
            None if !touched => {
                if let Err(error) = store.discard_tenant(held).await {
                    diagnostics.push(failure::store(&error));
                }
                ApplyResponse {
                    state: Value::Null,
                    private: Vec::new(),
                    diagnostics,
                }
            }
            Some(before) if !touched && before.phase == Phase::Settled => {
                match store.settle_tenant(held, before.clone()).await {
                    Ok(version) => ApplyResponse {
                        state: self.prior.clone(),
                        private: Private::of(version).write(),
                        diagnostics,
                    },
                    Err(error) => {
                        diagnostics.push(failure::store(&error));
                        self.halfway(&self.intent(), None, diagnostics)
                    }
                }
            }
            _ => {
                let intent = self.intent();
                match store.abandon(held, intent.clone()).await {
                    Ok(version) => self.halfway(&intent, Some(version), diagnostics),
                    Err(error) => {
                        diagnostics.push(failure::store(&error));
                        self.halfway(&intent, None, diagnostics)
                    }
                }
            }
        }
    }

    /// The state of a tenant that is not as planned yet.
    fn halfway(
        &self,
        record: &TenantRecord,
        version: Option<Version>,
        diagnostics: Diagnostics,
    ) -> ApplyResponse {
        ApplyResponse {
            state: self.state(record, "applying"),
            private: version
                .map(|version| Private::of(version).write())
                .unwrap_or_default(),
            diagnostics,
        }
    }

    /// The state that was reached: what was planned, and what was not known then.
    fn state(&self, record: &TenantRecord, status: &str) -> Value {
        let mut state = self.planned.clone();
        for (name, value) in recorded(&self.key, record, self.planned) {
            if state.get(name).is_unknown() {
                set(&mut state, name, value);
            }
        }
        for kind in Kind::found() {
            if state.get(kind.field()).is_unknown() {
                let made = record.made.contains_key(kind.field());
                let name = made.then(|| self.objects.aim.name(kind));
                set(
                    &mut state,
                    kind.field(),
                    name.map_or(Value::Null, Value::from),
                );
            }
        }
        let names = &self.objects.aim.names;
        let secrets = self.objects.aim.vault.as_ref();
        let secrets = secrets.map(|vault| names.secrets(&vault.mount));
        for (name, value) in [
            ("service_prefix", names.service_prefix().into()),
            ("key_prefix", names.key_prefix().into()),
            ("secrets_path", secrets.map_or(Value::Null, Value::from)),
            ("drift", Value::List(Vec::new())),
        ] {
            if state.get(name).is_unknown() {
                set(&mut state, name, value);
            }
        }
        set(&mut state, "status", status.into());
        state
    }
}

/// The namespaces of its own that a tenant is to have: as planned, or as the servers are where the plan could
/// not ask them.
async fn spaces(
    clients: &Clients,
    key: &TenantKey,
    prior: &Value,
    planned: &Value,
) -> Result<Spaces, Diagnostic> {
    let mut spaces = config::spaces(planned);
    let places = [&mut spaces.consul, &mut spaces.vault];
    for (kind, place) in config::SPACES.into_iter().zip(places) {
        if planned.get(kind.field()).is_unknown() {
            let usual = enterprise::usual(clients, kind, key.name()).await;
            *place = usual.map_err(|error| failure::refused(kind, &error))?;
        } else if prior.is_null()
            && let Some(diagnostic) = plan::refused(clients, kind, planned).await
        {
            return Err(diagnostic);
        }
    }
    Ok(spaces)
}

/// What the store would refuse is refused before the other servers are looked at, so that users are told
/// the reason behind. One that is there and the same may be one that Terraform does not know of yet: that is
/// the store's to say.
fn overtaken(
    key: &TenantKey,
    expect: Expect,
    stored: Option<&Stored<TenantRecord>>,
    planned: &Value,
) -> Result<(), StoreError> {
    let changed = |revision| StoreError::Changed {
        key: key.clone().into(),
        revision,
    };
    match (expect, stored) {
        (Expect::Absent, Some(stored))
            if stored.record.phase == Phase::Settled && !says(&stored.record, planned) =>
        {
            Err(StoreError::Exists {
                key: key.clone().into(),
                phase: Phase::Settled,
            })
        }
        (Expect::Version(_), None) => Err(changed(None)),
        (Expect::Version(version), Some(stored)) if !version.is_same(&stored.version) => {
            Err(changed(Some(stored.record.revision)))
        }
        _ => Ok(()),
    }
}

/// Whether a record says what is planned.
fn says(record: &TenantRecord, planned: &Value) -> bool {
    let wanted = TenantRecord {
        display_name: config::display_name(planned),
        domain: config::domain(planned),
        quotas: config::quotas(planned),
        limits: config::limits(planned),
        active: config::is_active(planned),
        ..record.clone()
    };
    *record == wanted
}

/// A UUID, version 4 (RFC 9562). It tells tenants apart, and nobody has to be unable to guess it.
fn uuid() -> String {
    let random = fastrand::u128(..);
    let marked = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{marked:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts
        .map(|part| hex.get(part).unwrap_or_default())
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_of_version_4_and_not_another() {
        let (one, other) = (uuid(), uuid());
        assert_ne!(one, other);
        for uuid in [one, other] {
            let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
            let at = |index: usize| uuid.chars().nth(index);
            assert_eq!(at(14), Some('4'), "{uuid}");
            assert!(matches!(at(19), Some('8' | '9' | 'a' | 'b')), "{uuid}");
        }
    }
}
