//! Creating and updating a scope.
//!
//! The intent is in the record before Nomad is touched, and no application can begin in the scope until
//! the record is settled again. So whatever ends an apply half way, the next refresh finds what was
//! intended, and the next apply does it.

use super::config::{self, Aim};
use super::failure;
use super::kind::Kind;
use super::object::{Objects, Refused};
use super::plan;
use super::private::Private;
use super::read::set;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::{ApplyRequest, ApplyResponse, Context};
use crate::protocol::value::Value;
use crate::provider::Clients;
use crate::store::{
    Expect, FORMAT, Held, Phase, ScopeKey, ScopeRecord, StoreError, Stored, Version,
};

/// Makes a planned scope true.
pub async fn apply(
    kind: Kind,
    clients: &Clients,
    cx: &Context,
    request: ApplyRequest,
) -> ApplyResponse {
    let ApplyRequest { prior, planned, .. } = &request;
    if !prior.is_null() && !plan::changes(kind, prior, planned) {
        return ApplyResponse {
            state: request.planned,
            private: request.private,
            diagnostics: Vec::new(),
        };
    }
    let work = match Work::new(kind, clients, &request).await {
        Ok(work) => work,
        Err(diagnostic) => return request.unchanged(vec![diagnostic]),
    };
    let warnings = match work.check(clients).await {
        Ok(warnings) => warnings,
        Err(diagnostic) => return request.unchanged(vec![diagnostic]),
    };
    let begun = clients
        .store
        .begin_scope(&work.key, work.expect, work.record(work.owned()));
    match cx.cancel.run_until_cancelled(begun).await {
        Some(Ok(held)) => work.carry_out(clients, cx, held, warnings).await,
        Some(Err(error)) => request.unchanged(vec![failure::store(&error)]),
        None => request.unchanged(vec![failure::cancelled()]),
    }
}

/// One apply, thought through before anything is touched.
struct Work<'a> {
    kind: Kind,
    key: ScopeKey,
    prior: &'a Value,
    planned: &'a Value,
    expect: Expect,
    aim: Aim,
    /// The record so far. Of a creation, what an interrupted one has left.
    before: Option<ScopeRecord>,
}

impl<'a> Work<'a> {
    async fn new(
        kind: Kind,
        clients: &Clients,
        request: &'a ApplyRequest,
    ) -> Result<Self, Diagnostic> {
        let ApplyRequest { prior, planned, .. } = request;
        let key = config::key(kind, planned).ok_or_else(|| {
            Diagnostic::error(
                "Scope without a name",
                "The scope's name is still not known.",
            )
        })?;
        let expect = match prior {
            Value::Null => Some(Expect::Absent),
            _ => Private::read(&request.private)
                .version()
                .map(Expect::Version),
        };
        let expect = expect.ok_or_else(failure::not_refreshed)?;
        let stored = clients.store.read_scope(&key).await;
        let stored = stored.map_err(|error| failure::store(&error))?;
        let wanted = config::properties(kind, planned);
        overtaken(&key, expect, stored.as_ref(), &wanted)
            .map_err(|error| failure::store(&error))?;
        Ok(Self {
            kind,
            prior,
            planned,
            expect,
            aim: config::aim(kind, planned),
            before: stored.map(|stored| stored.record),
            key,
        })
    }

    /// Looks at Nomad before anything is written.
    async fn check(&self, clients: &Clients) -> Result<Diagnostics, Diagnostic> {
        match Objects::of(self.kind, clients, &self.key) {
            Some(objects) => objects.check(&self.aim, self.before.as_ref()).await,
            None => Ok(Vec::new()),
        }
    }

    /// Whether the record so far says that the object was made here: this one, and not one that the scope
    /// is leaving.
    fn owned(&self) -> bool {
        let Some(object) = self.kind.object() else {
            return false;
        };
        let wanted = config::properties(self.kind, self.planned);
        let named = object.property();
        self.before
            .as_ref()
            .is_some_and(|before| before.owns && before.properties[named] == wanted[named])
    }

    /// The record. While the scope is applied it says what was made before: who has made what is new
    /// is told by its marks.
    fn record(&self, owns: bool) -> ScopeRecord {
        let planned = self.planned.get("revision").as_i64();
        let revision = planned.and_then(|revision| u64::try_from(revision).ok());
        ScopeRecord {
            format: FORMAT,
            revision: revision.unwrap_or(1),
            phase: Phase::Applying,
            properties: config::properties(self.kind, self.planned),
            owns,
            making: match &self.aim {
                Aim::Own(wanted) => Some(wanted.name.clone()),
                Aim::Refer(_) | Aim::Nothing => None,
            },
            operation: None,
        }
    }

    async fn carry_out(
        self,
        clients: &Clients,
        cx: &Context,
        held: Held<ScopeRecord>,
        mut diagnostics: Diagnostics,
    ) -> ApplyResponse {
        match self.reach(clients, cx, &held).await {
            Ok(warnings) => diagnostics.extend(warnings),
            Err(refused) => return self.fail(clients, held, refused, diagnostics).await,
        }
        let owns = matches!(self.aim, Aim::Own(_));
        match clients.store.settle(held, self.record(owns)).await {
            Ok(version) => ApplyResponse {
                state: self.planned.clone(),
                private: Private::of(version).write(),
                diagnostics,
            },
            Err(error) => {
                diagnostics.push(failure::store(&error));
                // Nobody knows the version now: the next plan's refresh finds it out.
                self.halfway(None, diagnostics)
            }
        }
    }

    async fn reach(
        &self,
        clients: &Clients,
        cx: &Context,
        held: &Held<ScopeRecord>,
    ) -> Result<Diagnostics, Refused> {
        if cx.cancel.is_cancelled() {
            return Err(Refused::early(failure::cancelled()));
        }
        let Some(objects) = Objects::of(self.kind, clients, &self.key) else {
            return Ok(Vec::new());
        };
        let turn = clients.store.await_turn(held);
        match cx.cancel.run_until_cancelled(turn).await {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(Refused::early(failure::store(&error))),
            None => return Err(Refused::early(failure::cancelled())),
        }
        if held.is_lost() {
            return Err(Refused::early(failure::lost(&self.key)));
        }
        let leaving = self.prior.get("leaving").as_list().unwrap_or_default();
        let leaving: Vec<_> = leaving.iter().filter_map(Value::as_str).collect();
        let leaving: Vec<_> = leaving.into_iter().map(str::to_owned).collect();
        objects
            .reach(&self.aim, self.before.as_ref(), &leaving, || held.is_lost())
            .await
    }

    /// Where nothing was touched, the record becomes what it was: a scope that was settled can be used
    /// as before, and one that is new is no more. Otherwise the intent stays, for the next apply to
    /// go on from.
    async fn fail(
        self,
        clients: &Clients,
        held: Held<ScopeRecord>,
        refused: Refused,
        mut diagnostics: Diagnostics,
    ) -> ApplyResponse {
        diagnostics.push(refused.diagnostic);
        let store = &clients.store;
        let untouched = !refused.touched;
        match &self.before {
            None if untouched => {
                if let Err(error) = store.discard_scope(held).await {
                    diagnostics.push(failure::store(&error));
                }
                ApplyResponse {
                    state: Value::Null,
                    private: Vec::new(),
                    diagnostics,
                }
            }
            Some(before) if untouched && before.phase == Phase::Settled => {
                match store.settle(held, before.clone()).await {
                    Ok(version) => ApplyResponse {
                        state: self.prior.clone(),
                        private: Private::of(version).write(),
                        diagnostics,
                    },
                    Err(error) => {
                        diagnostics.push(failure::store(&error));
                        self.halfway(None, diagnostics)
                    }
                }
            }
            _ => match store.abandon(held, self.record(self.owned())).await {
                Ok(version) => self.halfway(Some(version), diagnostics),
                Err(error) => {
                    diagnostics.push(failure::store(&error));
                    self.halfway(None, diagnostics)
                }
            },
        }
    }

    /// The state of a scope that is not as planned yet.
    fn halfway(&self, version: Option<Version>, diagnostics: Diagnostics) -> ApplyResponse {
        let mut state = self.planned.clone();
        set(&mut state, "status", "applying".into());
        ApplyResponse {
            state,
            private: version
                .map(|version| Private::of(version).write())
                .unwrap_or_default(),
            diagnostics,
        }
    }
}

/// What the store would refuse is refused before Nomad is looked at, so that users are told the reason
/// behind. One that is there and the same may be one that Terraform does not know of yet: that is the
/// store's to say.
fn overtaken(
    key: &ScopeKey,
    expect: Expect,
    stored: Option<&Stored<ScopeRecord>>,
    wanted: &serde_json::Value,
) -> Result<(), StoreError> {
    let changed = |revision| StoreError::Changed {
        key: key.clone().into(),
        revision,
    };
    match (expect, stored) {
        (Expect::Absent, Some(stored))
            if stored.record.phase == Phase::Settled && stored.record.properties != *wanted =>
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
