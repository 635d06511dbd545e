//! Creating and updating an application.
//!
//! The intent is in the record before Nomad is touched, and each job is written only where it is
//! still as the plan has seen it. So whatever ends an apply half way, the next refresh finds what
//! was intended and what is live, and the next plan has the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::config::{self, Operation, Said};
use super::private::{Private, Seen};
use super::purge::{JobRef, Purge};
use super::register::Registration;
use super::{adopt, failure, plan, unchanged};
use crate::nomad::job::Job;
use crate::nomad::watch::{self, Healthy};
use crate::nomad::{self, Enforce, Registered, Wait};
use crate::oam::{self, Node};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics, has_error};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::{ApplyRequest, ApplyResponse, Context};
use crate::protocol::value::Value;
use crate::provider::limits;
use crate::provider::planned::Known;
use crate::provider::quota::{self, Shares};
use crate::provider::tenancy::Tenancy;
use crate::provider::{Clients, scope};
use crate::store::{
    ApplicationKey, DEFAULT_TENANT, Expect, FORMAT, Held, JobRecord, Phase, Record, ScopeKey, Uses,
    Version,
};
use crate::translate::{self, Target, Translation};

/// Makes a planned application true and waits until it is healthy.
pub async fn apply(clients: &Clients, cx: &Context, request: ApplyRequest) -> ApplyResponse {
    let ApplyRequest {
        prior,
        planned,
        private,
        ..
    } = &request;
    let before = Said::before(prior);
    let said = Said::of(planned);
    if !prior.is_null() && !plan::changes(prior, before.as_ref(), said.as_ref().ok(), private) {
        // New timeouts concern the provider alone.
        let mut kept = Private::read(private);
        unchanged::seal_again(clients, prior, planned, &mut kept);
        return ApplyResponse {
            private: kept.write(),
            state: request.planned,
            diagnostics: Vec::new(),
        };
    }
    let written = match said {
        Ok(said) => said.written,
        Err(diagnostics) => return request.unchanged(diagnostics),
    };
    let (planned, scopes) = match scopes_of(clients, &request.planned, &written).await {
        Ok(found) => found,
        Err(diagnostics) => return request.unchanged(diagnostics),
    };
    let tenant = config::tenant(&planned).unwrap_or(DEFAULT_TENANT);
    let tenancy = match Tenancy::recorded(clients, tenant).await {
        Ok(tenancy) => tenancy,
        Err(diagnostic) => return request.unchanged(vec![diagnostic]),
    };
    let planned = match in_spaces(planned, &tenancy) {
        Ok(planned) => planned,
        Err(diagnostic) => return request.unchanged(vec![diagnostic]),
    };
    let request = ApplyRequest { planned, ..request };
    let said = Said::with(written, &request.planned);
    let mut work = match Work::new(clients, &request, before.as_ref(), said) {
        Ok(work) => work,
        Err(diagnostics) => return request.unchanged(diagnostics),
    };
    let Some(expect) = work.expect() else {
        return request.unchanged(vec![failure::not_refreshed()]);
    };
    // What was not known at the plan is known now, and tenants may have come or changed since.
    let refused = plan::tenanted(&tenancy, clients, &request.planned, &work.said).await;
    let mut refused = refused.unwrap_or_else(|error| vec![failure::store(&error)]);
    refused.extend(limits::check(&tenancy, &request.planned, work.written()));
    if has_error(&refused) {
        return request.unchanged(refused);
    }
    let uses = Uses {
        scopes,
        tenant: tenancy.seen(),
        until: Some(work.deadline.into_std()),
    };
    work.count(clients).await;
    let begun = clients
        .store
        .begin_using(&work.key, expect, work.intent(), &uses);
    match cx.cancel.run_until_cancelled(begun).await {
        Some(Ok(held)) => work.carry_out(clients, cx, held).await,
        Some(Err(error)) => {
            let diagnostics = quota::failure(work.planned, &work.shares, &error);
            request.unchanged(diagnostics)
        }
        None => request.unchanged(vec![failure::cancelled()]),
    }
}

/// The planned application with its tenant's namespaces of Consul and Vault, which must be as planned where
/// that was known.
fn in_spaces(mut planned: Value, tenancy: &Tenancy) -> Result<Value, Diagnostic> {
    let Known::Is(now) = tenancy.spaces() else {
        return Ok(planned);
    };
    if config::spaces(&planned).is_some_and(|then| then != now) {
        return Err(failure::tenant_changed(tenancy.name()));
    }
    if let Some(entries) = planned.as_map_mut() {
        let values = config::spaces_values(Some(&now));
        entries.extend(values.map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(planned)
}

/// The scopes that the application refers to, each in the version that was read: they must be as planned.
/// What was not known of them then is in the plan that is given back.
async fn scopes_of(
    clients: &Clients,
    planned: &Value,
    written: &Node,
) -> Result<(Value, Vec<(ScopeKey, Version)>), Diagnostics> {
    let mut read = Vec::new();
    let mut applied = BTreeMap::new();
    for id in oam::references(written) {
        let key = ScopeKey::parse(id)
            .map_err(|reason| vec![Diagnostic::error("Unreadable scope ID", reason)])?;
        let stored = clients.store.read_scope(&key).await;
        let Some(stored) = stored.map_err(|error| vec![failure::store(&error)])? else {
            return Err(vec![failure::no_scope(id)]);
        };
        let now = stored.record.properties.to_string();
        let then = planned.get("applied_scopes").get(id).as_str();
        if then.is_some_and(|then| !same_json(then, &now)) {
            return Err(vec![failure::scope_changed(id)]);
        }
        applied.insert(id.to_owned(), Value::from(now));
        read.push((key, stored.version));
    }
    let mut planned = planned.clone();
    if let Some(entries) = planned.as_map_mut() {
        entries.insert("applied_scopes".to_owned(), Value::Map(applied));
    }
    Ok((planned, read))
}

fn same_json(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || read(one) == read(other)
}

/// The scopes in a state, as the record has them.
pub fn applied_scopes(state: &Value) -> BTreeMap<String, serde_json::Value> {
    let entries = state.get("applied_scopes").as_map().into_iter().flatten();
    let entries = entries.filter_map(|(id, json)| {
        let json = serde_json::from_str(json.as_str()?).ok()?;
        Some((id.clone(), json))
    });
    entries.collect()
}

/// One apply, thought through before anything is touched.
struct Work<'a> {
    prior: &'a Value,
    planned: &'a Value,
    private: Private,
    /// Whether there is no record yet.
    is_new: bool,
    key: ApplicationKey,
    said: Said,
    translations: Vec<Translation>,
    /// The jobs of the state before, by key.
    before: BTreeMap<String, Job>,
    /// The jobs to be written, by key.
    writes: BTreeSet<String>,
    /// The jobs to be purged, by key: because they are no more, or are elsewhere, or because Nomad
    /// cannot turn one type of job into another.
    purges: BTreeMap<String, JobRef>,
    /// What it takes of its tenant's quotas; nothing without a tenant.
    shares: Shares,
    deadline: Instant,
}

/// What an apply has done so far.
#[derive(Default)]
struct Done {
    written: BTreeMap<String, Registered>,
    /// Whether a job may still be registered that is not among them.
    is_uncertain: bool,
    purged: BTreeSet<String>,
    healthy: BTreeMap<String, Healthy>,
    diagnostics: Diagnostics,
}

impl<'a> Work<'a> {
    fn new(
        clients: &Clients,
        request: &'a ApplyRequest,
        before: Option<&Said>,
        said: Said,
    ) -> Result<Self, Diagnostics> {
        let ApplyRequest { prior, planned, .. } = request;
        let application = config::application(planned, &said)?;
        // Of a replacement, Terraform hands on what belongs to the object that was replaced.
        let private = match prior {
            Value::Null => Private::default(),
            _ => Private::read(&request.private),
        };
        let is_new = prior.is_null() || adopt::is_open(prior);
        let operation = match is_new {
            true => Operation::Create,
            false => Operation::Update,
        };
        let timeout = config::timeout(planned, operation).map_err(|d| vec![d])?;
        let Some(key) = config::key(planned) else {
            return Err(vec![Diagnostic::error(
                "Application without a name",
                "The name of the application or its tenant is still not known.",
            )]);
        };
        let spaces_of = |value| config::spaces(value).unwrap_or_default();
        let target = config::target(clients, key.tenant(), &spaces_of(planned));
        let mut translations = translate::translate(&application, &target);
        let unknown = translate::unknown_clusters(&said.resolved, &target);
        if !unknown.is_empty() {
            return Err(config::diagnostics(planned, &unknown));
        }
        let mut writes = BTreeSet::new();
        let mut purges = BTreeMap::new();
        let target_before = config::target(clients, key.tenant(), &spaces_of(prior));
        let before = before.map(|before| plan::translated(&before.resolved, &target_before));
        let before = before.unwrap_or_default();
        for translation in &mut translations {
            let job_key = translation.key();
            let before = before.get(&job_key);
            let seen = private.jobs.get(&job_key);
            if before != Some(&translation.job) || seen.is_none_or(|seen| seen.drifted) {
                writes.insert(job_key.clone());
            }
            let Some(before) = before else { continue };
            let live = seen.and_then(|seen| seen.kind.as_deref());
            if !nomad_can_turn(before, live, &translation.job) {
                let old = JobRef {
                    cluster: translation.cluster.clone(),
                    namespace: before.namespace.clone(),
                    id: before.id.clone(),
                };
                purges.insert(job_key, old);
            } else if let Some(seen) = seen {
                keep_count(before, &mut translation.job, seen);
            }
        }
        for (job_key, job) in jobs_of(prior, &before, &target_before, &key) {
            let kept = translations.iter().any(|it| it.key() == job_key);
            if !kept {
                purges.insert(job_key, job);
            }
        }
        Ok(Self {
            prior,
            planned,
            private,
            is_new,
            key,
            said,
            translations,
            before,
            writes,
            purges,
            shares: Shares::default(),
            deadline: Instant::now() + timeout,
        })
    }

    /// The jobs to be written, by key.
    fn written(&self) -> impl Iterator<Item = (&str, &Job)> {
        self.writes.iter().filter_map(|key| {
            let translation = self.translations.iter().find(|it| it.key() == *key)?;
            Some((key.as_str(), &translation.job))
        })
    }

    /// Finds out what it takes of its tenant's quotas.
    async fn count(&mut self, clients: &Clients) {
        if self.key.tenant() != DEFAULT_TENANT {
            let jobs = self.translations.iter().map(|it| (it.key(), &it.job));
            self.shares = Shares::of(clients, jobs).await;
        }
    }

    /// What the record must be; `None` where nobody has seen it.
    fn expect(&self) -> Option<Expect> {
        match self.is_new {
            true => Some(Expect::Absent),
            false => self.private.version().map(Expect::Version),
        }
    }

    fn revision(&self) -> u64 {
        let planned = self.planned.get("revision").as_i64();
        planned
            .and_then(|revision| u64::try_from(revision).ok())
            .unwrap_or(1)
    }

    /// The record before Nomad is touched: the new document, and every job that may be there.
    fn intent(&self) -> Record {
        let mut jobs = BTreeMap::new();
        for (key, job) in &self.purges {
            let left = JobRecord {
                id: job.id.clone(),
                namespace: job.namespace.clone(),
                version: None,
                job_modify_index: None,
            };
            // One that goes elsewhere has the new place below, and so another key for the old one.
            let mut key = format!("{}{LEFT}", key.trim_end_matches(LEFT));
            while jobs.contains_key(&key) {
                key.push_str(LEFT);
            }
            jobs.insert(key, left);
        }
        for translation in &self.translations {
            let key = translation.key();
            let moved = self
                .purges
                .get(&key)
                .is_some_and(|old| old.namespace != translation.job.namespace);
            if !moved {
                jobs.remove(&format!("{key}{LEFT}"));
            }
            jobs.insert(key, self.job_record(translation, None));
        }
        self.record(Phase::Applying, jobs)
    }

    fn settled(&self, done: &Done) -> Record {
        let jobs = self
            .translations
            .iter()
            .map(|translation| (translation.key(), self.job_record(translation, Some(done))));
        self.record(Phase::Settled, jobs.collect())
    }

    fn record(&self, phase: Phase, jobs: BTreeMap<String, JobRecord>) -> Record {
        Record {
            format: FORMAT,
            revision: self.revision(),
            phase,
            document: oam::to_document(&self.said.written),
            jobs,
            applied_scopes: applied_scopes(self.planned),
            namespaces: config::spaces(self.planned).unwrap_or_default(),
            leaving: BTreeSet::new(),
            reserved: (self.key.tenant() != DEFAULT_TENANT).then(|| self.shares.sum()),
            operation: None,
        }
    }

    fn job_record(&self, translation: &Translation, done: Option<&Done>) -> JobRecord {
        let key = translation.key();
        let version = done.and_then(|done| self.version(&key, done));
        JobRecord {
            id: translation.job.id.clone(),
            namespace: translation.job.namespace.clone(),
            version,
            job_modify_index: done.and_then(|done| self.index(&key, done)),
        }
    }

    fn version(&self, component: &str, done: &Done) -> Option<u64> {
        let before = || {
            let version = self
                .prior
                .get("jobs")
                .get(component)
                .get("version")
                .as_i64();
            version.and_then(|version| u64::try_from(version).ok())
        };
        let healthy = done.healthy.get(component).map(|healthy| healthy.version);
        healthy.or_else(before)
    }

    /// The index of the last change of a job. The answer to a registration that changes nothing has
    /// another one, so that of a healthy job goes first.
    fn index(&self, component: &str, done: &Done) -> Option<u64> {
        let healthy = done
            .healthy
            .get(component)
            .map(|healthy| healthy.job_modify_index);
        let written = || {
            done.written
                .get(component)
                .map(|written| written.job_modify_index)
        };
        let seen = || self.private.jobs.get(component).map(|seen| seen.index);
        healthy.or_else(written).or_else(seen)
    }

    /// Whether the job is as the record will say, and nothing about it can change without its index. One
    /// that was registered has the index of the registration, unless somebody has changed it since.
    fn is_sound(&self, key: &str, done: &Done) -> bool {
        let healthy = done.healthy.get(key);
        match done.written.get(key) {
            Some(written) => healthy.is_some_and(|healthy| {
                healthy.job_modify_index == written.job_modify_index && healthy.to_promote.is_none()
            }),
            None => self
                .private
                .jobs
                .get(key)
                .is_some_and(|seen| seen.sound && self.index(key, done) == Some(seen.index)),
        }
    }

    async fn carry_out(mut self, clients: &Clients, cx: &Context, held: Held) -> ApplyResponse {
        let mut done = Done::default();
        if let Some(interrupted) = held.adopted() {
            self.purge_what_is_no_more(clients, interrupted).await;
        }
        self.purge(clients, cx, &mut done).await;
        if !has_error(&done.diagnostics) {
            self.write(clients, cx, &mut done).await;
        }
        if !has_error(&done.diagnostics) {
            self.wait(clients, cx, &mut done).await;
        }
        if !has_error(&done.diagnostics) {
            self.promote(clients, cx, &mut done).await;
        }
        if has_error(&done.diagnostics) {
            self.fail(clients, held, done).await
        } else {
            self.settle(clients, held, done).await
        }
    }

    /// A creation that was interrupted may have left jobs of components that are no more, or that are of
    /// another kind now.
    async fn purge_what_is_no_more(&mut self, clients: &Clients, interrupted: &Record) {
        for (key, job) in &interrupted.jobs {
            let left = job_ref(key, job);
            let ours = |it: &&Translation| {
                it.key() == *key && it.job.namespace == job.namespace && it.job.id == job.id
            };
            let stays = match self.translations.iter().find(ours) {
                None => false,
                Some(translation) => match clients.nomad_of(left.cluster.as_deref()) {
                    // What cannot be asked is told when the job is written.
                    Err(_) => true,
                    Ok(nomad) => match nomad.job(&job.namespace, &job.id).await {
                        Ok(Some(live)) => plan::live_kind(&live) == plan::kind(&translation.job),
                        _ => true,
                    },
                },
            };
            if !stays {
                self.purges.insert(key.clone(), left);
            }
        }
    }

    async fn purge(&self, clients: &Clients, cx: &Context, done: &mut Done) {
        let purge = Purge {
            clients,
            key: &self.key,
            cancel: &cx.cancel,
            deadline: self.deadline,
        };
        let purges = self
            .purges
            .iter()
            .map(|(key, job)| async move { (key, purge.job(job).await) });
        for (key, purged) in join_all(purges).await {
            match purged {
                Ok(warning) => {
                    done.purged.insert(key.clone());
                    done.diagnostics.extend(warning);
                }
                Err(diagnostic) => done
                    .diagnostics
                    .push(diagnostic.at(plan::path(self.planned, key))),
            }
        }
    }

    async fn write(&self, clients: &Clients, cx: &Context, done: &mut Done) {
        for translation in &self.translations {
            let key = translation.key();
            if !self.writes.contains(&key) {
                continue;
            }
            if cx.cancel.is_cancelled() {
                done.diagnostics.push(failure::cancelled());
                return;
            }
            let enforce = match self.private.jobs.get(&key) {
                Some(seen) if !done.purged.contains(&key) => Enforce::Index(seen.index),
                _ => Enforce::New,
            };
            let registration = Registration {
                clients,
                key: &self.key,
                is_new: self.is_new,
            };
            match registration.of(translation, enforce).await {
                Ok(registered) => {
                    tracing::info!(job = translation.job.id, "registered");
                    if let Some(warnings) = &registered.warnings {
                        let summary = format!("Nomad warns about the job {}", translation.job.id);
                        let warning = Diagnostic::warning(summary, warnings.clone());
                        done.diagnostics
                            .push(warning.at(plan::path(self.planned, &key)));
                    }
                    done.written.insert(key, registered);
                }
                Err(refused) => {
                    done.is_uncertain = refused.is_uncertain;
                    let diagnostic = refused.diagnostic;
                    done.diagnostics
                        .push(diagnostic.at(plan::path(self.planned, &key)));
                    return;
                }
            }
        }
    }

    /// What says that a deployment waits to be promoted.
    fn strategy(&self, key: &str) -> AttributePath {
        let path = plan::path(self.planned, key);
        match self.planned.get("manifest") {
            Value::Null => path.attribute("update_strategy").attribute("strategy"),
            _ => path,
        }
    }

    /// Whether the apply before was interrupted or has failed.
    fn is_again(&self) -> bool {
        let status = self.prior.get("status").as_str();
        status.is_some_and(|status| status != "settled")
    }

    /// Promotes the deployments that waited for it before this apply, and waits until they are through. What
    /// this apply has begun, or an interrupted one, nobody has seen yet: that waits for the next.
    async fn promote(&self, clients: &Clients, cx: &Context, done: &mut Done) {
        if self.is_again() {
            return;
        }
        let wanted = self.translations.iter().filter(|translation| {
            !done.written.contains_key(&translation.key())
                && config::promotes(&self.said.written, &translation.component)
        });
        let results = join_all(wanted.map(|translation| async move {
            let promoted = self.promote_one(clients, cx, translation).await;
            (translation.key(), promoted)
        }));
        for (key, result) in results.await {
            if let Err(diagnostic) = result {
                done.diagnostics.push(diagnostic.at(self.strategy(&key)));
            }
        }
    }

    async fn promote_one(
        &self,
        clients: &Clients,
        cx: &Context,
        translation: &Translation,
    ) -> Result<(), Diagnostic> {
        let job = &translation.job;
        let nomad = clients.nomad_of(translation.cluster.as_deref())?;
        let latest = nomad.latest_deployment(&job.namespace, &job.id, Wait::NONE);
        let (_, latest) = latest.await.map_err(|error| failure::nomad(&error))?;
        let applied = self.version(&translation.key(), &Done::default());
        let Some(deployment) = latest
            .filter(|latest| latest.awaits_promotion() && applied == Some(latest.job_version))
        else {
            return Ok(());
        };
        tracing::info!(job = job.id, "promoting");
        let promoted = nomad.promote_deployment(&job.namespace, &deployment.id);
        promoted.await.map_err(|error| failure::nomad(&error))?;
        let (_, result) = self.wait_for(clients, &cx.cancel, translation, None).await;
        result.map(drop)
    }

    /// Waits for every job that was written; after an interrupted or failed apply, for all.
    async fn wait(&self, clients: &Clients, cx: &Context, done: &mut Done) {
        let again = self.is_again();
        let waits = self.translations.iter().filter_map(|translation| {
            let registered = done.written.get(&translation.key());
            (registered.is_some() || again)
                .then(|| self.wait_for(clients, &cx.cancel, translation, registered))
        });
        let results = join_all(waits).await;
        for (translation, result) in results {
            let key = translation.key();
            match result {
                Ok(healthy) => {
                    if let Some(deployment) = &healthy.to_promote {
                        let warning = failure::to_promote(&translation.job, deployment);
                        done.diagnostics.push(warning.at(self.strategy(&key)));
                    }
                    done.healthy.insert(key, healthy);
                }
                Err(diagnostic) => done
                    .diagnostics
                    .push(diagnostic.at(plan::path(self.planned, &key))),
            }
        }
    }

    async fn wait_for<'t>(
        &self,
        clients: &Clients,
        cancel: &CancellationToken,
        translation: &'t Translation,
        registered: Option<&Registered>,
    ) -> (&'t Translation, Result<Healthy, Diagnostic>) {
        let job = &translation.job;
        let namespace = &job.namespace;
        let nomad = match clients.nomad_of(translation.cluster.as_deref()) {
            Ok(nomad) => nomad,
            Err(diagnostic) => return (translation, Err(diagnostic)),
        };
        let progress = |progress: watch::Progress| {
            tracing::info!(job = job.id, "{progress}");
        };
        let healthy = watch::until_healthy(nomad, namespace, &job.id, registered, cancel, progress);
        let result = match timeout_at(self.deadline, healthy).await {
            Ok(result) => result,
            Err(_) => Err(too_late(nomad, namespace, &job.id).await),
        };
        let result = match result {
            Ok(healthy) => Ok(healthy),
            Err(error) => Err(failure::unhealthy(clients, nomad, &error).await),
        };
        (translation, result)
    }

    async fn settle(self, clients: &Clients, held: Held, mut done: Done) -> ApplyResponse {
        let record = self.settled(&done);
        match clients.store.settle_revision(held, record).await {
            Ok(version) => {
                self.tidy(clients).await;
                let mut response = self.response(Some(version), "settled", done);
                let mut private = Private::read(&response.private);
                unchanged::seal(clients, &response.state, &mut private);
                response.private = private.write();
                response
            }
            Err(error) => {
                done.diagnostics.push(failure::store(&error));
                // Nobody knows the version now: the next plan's refresh finds it out.
                self.response(None, "applying", done)
            }
        }
    }

    /// What a scope that is about another namespace or node pool now has left behind can go with the last
    /// job in it.
    async fn tidy(&self, clients: &Clients) {
        let after = applied_scopes(self.planned);
        for (id, before) in applied_scopes(self.prior) {
            if let Some(after) = after.get(&id) {
                scope::object::tidy(clients, &id, &before, after).await;
            }
        }
    }

    /// Leaves the record as it is, for the next apply to go on from. Where nothing was done at all
    /// for an application that is new, nothing is left.
    async fn fail(self, clients: &Clients, held: Held, mut done: Done) -> ApplyResponse {
        let nothing = done.written.is_empty() && !done.is_uncertain;
        if self.is_new && nothing && held.adopted().is_none() {
            if let Err(error) = clients.store.remove(held).await {
                done.diagnostics.push(failure::store(&error));
            }
            return ApplyResponse {
                state: self.prior.clone(),
                private: match adopt::is_open(self.prior) {
                    false => Vec::new(),
                    true => self.private.write(),
                },
                diagnostics: done.diagnostics,
            };
        }
        match clients.store.abandon(held, self.intent()).await {
            Ok(version) => self.response(Some(version), "applying", done),
            Err(error) => {
                done.diagnostics.push(failure::store(&error));
                self.response(None, "applying", done)
            }
        }
    }

    /// The state that was reached.
    fn response(self, version: Option<Version>, status: &str, done: Done) -> ApplyResponse {
        let mut state = self.planned.clone();
        let mut private = Private {
            record: version.map(|version| version.to_string()),
            among: self.private.among,
            ..Private::default()
        };
        let mut jobs = BTreeMap::new();
        let mut components = BTreeMap::new();
        for translation in &self.translations {
            let key = translation.key();
            let component = &translation.component;
            let written = done.written.contains_key(&key);
            let as_planned = written || !self.writes.contains(&key);
            let source = if as_planned { self.planned } else { self.prior };
            let value = source.get("component").get(component);
            let purged = done.purged.contains(&key) && !written;
            let known = as_planned || !self.prior.get("jobs").get(&key).is_null();
            if purged || !known {
                continue;
            }
            if !value.is_null() {
                // Of several jobs of a component, one that is not as planned tells.
                match as_planned {
                    true => drop(
                        components
                            .entry(component.clone())
                            .or_insert_with(|| value.clone()),
                    ),
                    false => drop(components.insert(component.clone(), value.clone())),
                }
            }
            jobs.insert(key.clone(), self.job(translation, as_planned, &done));
            let before = self.private.jobs.get(&key);
            let seen = Seen {
                index: self.index(&key, &done).unwrap_or_default(),
                drifted: !as_planned && before.is_some_and(|seen| seen.drifted),
                kind: before
                    .filter(|_| !as_planned)
                    .and_then(|seen| seen.kind.clone()),
                scaled: match written {
                    true => scaled(translation),
                    false => before.and_then(|seen| seen.scaled),
                },
                sound: as_planned && self.is_sound(&key, &done),
                unowned: match before {
                    Some(seen) if !as_planned => seen.unowned.clone(),
                    _ => Vec::new(),
                },
            };
            private.jobs.insert(key, seen);
        }
        for key in self.purges.keys() {
            let (component, _) = translate::split_key(key);
            let kept = self.prior.get("component").get(component);
            let gone = done.purged.contains(key) || jobs.contains_key(key);
            if gone {
                continue;
            }
            if !kept.is_null() {
                components
                    .entry(component.to_owned())
                    .or_insert_with(|| kept.clone());
            }
            jobs.insert(key.clone(), self.prior.get("jobs").get(key).clone());
        }
        if let Some(entries) = state.as_map_mut() {
            entries.insert("component".to_owned(), Value::Map(components));
            entries.insert("jobs".to_owned(), Value::Map(jobs));
            entries.insert("status".to_owned(), status.into());
        }
        ApplyResponse {
            state,
            private: private.write(),
            diagnostics: done.diagnostics,
        }
    }

    fn job(&self, translation: &Translation, as_planned: bool, done: &Done) -> Value {
        let key = translation.key();
        if !as_planned {
            return self.prior.get("jobs").get(&key).clone();
        }
        let job = &translation.job;
        let version = self.version(&key, done);
        let version = version.and_then(|version| i64::try_from(version).ok());
        let changes = match self.planned.get("jobs").get(&key).get("changes") {
            Value::Unknown(_) => {
                plan::job_changes(self.before.get(&key), job, self.private.jobs.get(&key))
            }
            planned => planned.clone(),
        };
        Value::from([
            ("id", job.id.as_str().into()),
            ("namespace", job.namespace.as_str().into()),
            ("type", job.job_type.as_str().into()),
            ("version", version.map_or(Value::Null, Value::from)),
            ("stopped", false.into()),
            ("changes", changes),
        ])
    }
}

/// Why a job is not healthy when the time is up. Finding out has a time of its own.
pub async fn too_late(nomad: &nomad::Client, namespace: &str, id: &str) -> watch::Failure {
    let limit = Instant::now() + Duration::from_secs(10);
    let diagnosis = watch::diagnose(nomad, namespace, id);
    let diagnosis = timeout_at(limit, diagnosis).await;
    let diagnosis = diagnosis.ok().and_then(Result::ok).unwrap_or_default();
    watch::Failure::timed_out(namespace, id, diagnosis)
}

/// What stands after the key of a job that is left for another place, in an intent.
pub const LEFT: &str = "!left";

/// The job of a record.
pub fn job_ref(key: &str, job: &JobRecord) -> JobRef {
    let (_, cluster) = translate::split_key(key.trim_end_matches(LEFT));
    JobRef {
        cluster: cluster.map(str::to_owned),
        namespace: job.namespace.clone(),
        id: job.id.clone(),
    }
}

/// The jobs that a state knows of, by key: those that its components stand for, and what `jobs` names beside
/// them, which an interrupted apply was to purge.
pub fn jobs_of(
    state: &Value,
    translated: &BTreeMap<String, Job>,
    target: &Target,
    key: &ApplicationKey,
) -> BTreeMap<String, JobRef> {
    if adopt::is_open(state) {
        // Its jobs are nobody's yet.
        return BTreeMap::new();
    }
    let mut all: BTreeMap<_, _> = translated
        .iter()
        .map(|(job_key, job)| {
            let (_, cluster) = translate::split_key(job_key);
            let job = JobRef {
                cluster: cluster.map(str::to_owned),
                namespace: job.namespace.clone(),
                id: job.id.clone(),
            };
            (job_key.clone(), job)
        })
        .collect();
    for (job_key, job) in state.get("jobs").as_map().into_iter().flatten() {
        let (component, cluster) = translate::split_key(job_key.trim_end_matches(LEFT));
        let id = job.get("id").as_str();
        let namespace = job.get("namespace").as_str().unwrap_or(&target.namespace);
        let job = JobRef {
            cluster: cluster.map(str::to_owned),
            namespace: namespace.to_owned(),
            id: id.map_or_else(|| oam::job_id(key.name(), component), str::to_owned),
        };
        all.insert(job_key.clone(), job);
    }
    all
}

/// How many instances a job was registered with, where that is an autoscaler's to say.
fn scaled(translation: &Translation) -> Option<u64> {
    let job = serde_json::to_value(&translation.job).unwrap_or_default();
    translate::drift::scaled_count(translation, &job)
}

/// An update that is about something else leaves an autoscaler's count alone.
fn keep_count(before: &nomad::job::Job, job: &mut nomad::job::Job, seen: &Seen) {
    let groups = job.task_groups.iter_mut().zip(&before.task_groups);
    for (group, before) in groups {
        let range = group
            .scaling
            .as_ref()
            .map(|scaling| scaling.min..=scaling.max);
        let kept = seen
            .scaled
            .filter(|count| range.is_some_and(|range| range.contains(count)));
        if let Some(count) = kept
            && group.count == before.count
        {
            group.count = count;
        }
    }
}

/// A job of another namespace is another job, and Nomad refuses to turn one kind of job into another. An apply
/// that was interrupted leaves jobs of the kind (`live`) that they had before, and a state that says what they
/// were to be.
fn nomad_can_turn(before: &nomad::job::Job, live: Option<&str>, after: &nomad::job::Job) -> bool {
    let wanted = plan::kind(after);
    let is_of_kind = match live {
        Some(live) => live == wanted,
        None => plan::kind(before) == wanted,
    };
    before.namespace == after.namespace && is_of_kind
}
