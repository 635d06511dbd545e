//! The records are linearizable: processes that work on the same ones at once, on the real Consul, with answers
//! that are lost or late, requests that do not arrive and processes that end in the middle, see nothing that could
//! not have come about one operation after the other.

mod checker;
mod histories;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oam_provider::consul;
use oam_provider::http::{Endpoint, Server, Settings};
use oam_provider::store::{
    self, ApplicationKey, FORMAT, Held, JobRecord, Store, StoreError, Stored, Version,
};
use serde_json::{Value, json};

use self::checker::{Event, explain};
use self::record::{Expect, Op, Phase, Record, Result, State, Tag};
use crate::support::api::Api;
use crate::support::{Action, Proxy, servers};

const CLIENTS: u64 = 6;
const KEYS: usize = 3;
const STEPS: usize = 40;
/// Longest time for one request, and longer than that.
const TIMEOUT: Duration = Duration::from_secs(1);
const TOO_LATE: Duration = Duration::from_millis(1300);

/// What all clients share.
#[derive(Default)]
struct World {
    clock: AtomicU64,
    tags: AtomicU32,
    processes: AtomicU32,
    history: Mutex<BTreeMap<usize, Vec<Event<Op>>>>,
}

impl World {
    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn tag(&self) -> Tag {
        self.tags.fetch_add(1, Ordering::SeqCst)
    }

    fn note(&self, key: usize, began: u64, ended: Option<u64>, op: Op) {
        let event = Event { op, began, ended };
        self.history
            .lock()
            .unwrap()
            .entry(key)
            .or_default()
            .push(event);
    }
}

/// A process after another, in the same place.
struct Client {
    world: Arc<World>,
    random: fastrand::Rng,
    proxy: Proxy,
    consul: Api,
    store: Store,
    process: u32,
    /// What was read of each record last, or written: it may be old by now.
    known: BTreeMap<usize, (Version, Tag, Phase, u64)>,
}

fn application(key: usize) -> ApplicationKey {
    ApplicationKey::new(None, &format!("lin-{key}"))
}

fn value(tag: Tag, phase: Phase, revision: u64) -> store::Record {
    let job = JobRecord {
        id: tag.to_string(),
        namespace: "default".to_owned(),
        version: None,
        job_modify_index: None,
    };
    store::Record {
        format: FORMAT,
        revision,
        phase: match phase {
            Phase::Destroying => store::Phase::Destroying,
            _ => store::Phase::Applying,
        },
        // All creations are of the same application.
        document: json!({ "kind": "Application", "revision": revision }),
        jobs: [("web".to_owned(), job)].into(),
        applied_scopes: BTreeMap::new(),
        namespaces: oam_provider::tenants::Spaces::default(),
        reserved: None,
        leaving: BTreeSet::new(),
        operation: None,
    }
}

fn seen(stored: &Stored) -> (Tag, Phase) {
    let phase = match stored.record.phase {
        store::Phase::Applying => Phase::Applying,
        store::Phase::Settled => Phase::Settled,
        store::Phase::Destroying => Phase::Destroying,
    };
    (stored.record.jobs["web"].id.parse().unwrap(), phase)
}

/// What an error says of the operation; `None` where that is not known.
fn told(error: &StoreError) -> Option<Result> {
    match error {
        StoreError::Changed { .. } => Some(Result::Changed),
        StoreError::Exists { .. } => Some(Result::Exists),
        StoreError::Busy { .. } => Some(Result::Busy),
        StoreError::Lost { .. } => Some(Result::Lost),
        StoreError::Consul(_) => None,
        other => panic!("{other:?}"),
    }
}

impl Client {
    fn new(world: &Arc<World>, seed: u64) -> Self {
        let consul = &servers().consul;
        let proxy = Proxy::start(&consul.address);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut own = random.fork();
        proxy.rule(move |seen| {
            let writes = seen.path.starts_with("/v1/txn");
            match own.u8(0..100) {
                0..10 if writes => Action::LoseAnswer,
                10..14 if writes => Action::Close,
                14..18 if writes => Action::AnswerAfter(502, vec![], "bad gateway"),
                18..22 if writes => Action::Answer(500, vec![], "something broke"),
                22..25 if writes => Action::Delay(TOO_LATE),
                25..28 if writes => Action::DelayAnswer(TOO_LATE),
                0..4 if seen.method == "GET" => Action::LoseAnswer,
                _ => Action::Forward,
            }
        });
        Self {
            store: Self::store(&proxy.address),
            process: world.processes.fetch_add(1, Ordering::SeqCst),
            world: Arc::clone(world),
            consul: Api::clone(consul),
            random,
            proxy,
            known: BTreeMap::new(),
        }
    }

    fn store(address: &str) -> Store {
        let settings = Settings {
            address: Some(address.to_owned()),
            timeout: Some(humantime::format_duration(TIMEOUT).to_string()),
            ..Settings::default()
        };
        let endpoint = Endpoint::from(Server::Consul, settings, &|_| None).unwrap();
        let store = Store::new(consul::Client::new(endpoint), "linear").unwrap();
        store.with_lock_wait(Duration::from_millis(200))
    }

    /// The process is gone, and a moment later its session; another takes its place.
    async fn crash(&mut self) {
        let dead = self.process;
        self.process = self.world.processes.fetch_add(1, Ordering::SeqCst);
        drop(std::mem::replace(
            &mut self.store,
            Self::store(&self.proxy.address),
        ));
        tokio::time::sleep(Duration::from_millis(self.random.u64(0..300))).await;
        let Some(answer) = self.proxy.last_answer("/v1/session/create") else {
            return;
        };
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let path = format!("/v1/session/destroy/{}", answer["ID"].as_str().unwrap());
        let began = self.world.now();
        let consul = self.consul.clone();
        tokio::task::spawn_blocking(move || consul.put(&path, &json!({})))
            .await
            .unwrap();
        let ended = Some(self.world.now());
        for key in 0..KEYS {
            self.world.note(key, began, ended, Op::Expire(dead));
        }
    }

    async fn read(&mut self, key: usize) {
        let began = self.world.now();
        let Ok(found) = self.store.read(&application(key)).await else {
            return;
        };
        let ended = Some(self.world.now());
        self.known.remove(&key);
        if let Some(stored) = &found {
            let (tag, phase) = seen(stored);
            let known = (stored.version, tag, phase, stored.record.revision);
            self.known.insert(key, known);
        }
        let found = found.map(|stored| {
            let (tag, phase) = seen(&stored);
            (tag, phase, stored.locked)
        });
        self.world.note(key, began, ended, Op::Read(found));
    }

    /// An operation from its intent to its end, or to a crash.
    async fn operate(&mut self, key: usize) {
        let known = self.known.get(&key).copied();
        let known = known.filter(|_| self.random.u8(0..10) > 0);
        let (wanted, expect, revision) = match known {
            None => (store::Expect::Absent, Expect::Absent, 1),
            Some((version, tag, phase, revision)) => (
                store::Expect::Version(version),
                Expect::Version(tag, phase),
                revision + 1,
            ),
        };
        let phase = match known.is_some() && self.random.u8(0..4) == 0 {
            true => Phase::Destroying,
            false => Phase::Applying,
        };
        let (tag, by) = (self.world.tag(), self.process);
        let op = |result| Op::Begin {
            by,
            expect,
            tag,
            phase,
            is_first: revision == 1,
            result,
        };
        let began = self.world.now();
        let name = application(key);
        let intent = value(tag, phase, revision);
        let begun = self.store.begin(&name, wanted, intent, &[]).await;
        let ended = Some(self.world.now());
        match begun {
            Ok(held) => {
                self.world.note(key, began, ended, op(Result::Done));
                self.conclude(key, held, tag, phase, revision, expect == Expect::Absent)
                    .await;
            }
            Err(error) => match told(&error) {
                Some(result) => self.world.note(key, began, ended, op(result)),
                None => {
                    self.world.note(key, began, None, op(Result::Done));
                    self.crash().await;
                }
            },
        }
    }

    async fn conclude(
        &mut self,
        key: usize,
        held: Held,
        of: Tag,
        phase: Phase,
        revision: u64,
        creates: bool,
    ) {
        let (tag, by) = (self.world.tag(), self.process);
        let outcome = value(tag, phase, revision);
        let choice = self.random.u8(0..10);
        if choice == 0 {
            return self.crash().await;
        }
        if choice < 3 {
            // Nomad takes its time.
            tokio::time::sleep(Duration::from_millis(self.random.u64(0..100))).await;
        }
        let began = self.world.now();
        let (ended, op): (_, Box<dyn Fn(Result) -> Op + Send>) = if phase == Phase::Destroying {
            let ended = self.store.remove(held).await.map(|()| None);
            (ended, Box::new(move |result| Op::Remove { by, of, result }))
        } else if choice == 1 {
            let ended = self.store.abandon(held, outcome).await;
            let op = move |result| Op::Abandon {
                by,
                of,
                tag,
                result,
            };
            (ended.map(|it| Some((it, Phase::Applying))), Box::new(op))
        } else {
            let ended = self.store.settle(held, outcome).await;
            let op = move |result| Op::Settle {
                by,
                of,
                tag,
                creates,
                result,
            };
            (ended.map(|it| Some((it, Phase::Settled))), Box::new(op))
        };
        let now = Some(self.world.now());
        match ended {
            Ok(left) => {
                self.world.note(key, began, now, op(Result::Done));
                self.known.remove(&key);
                if let Some((version, phase)) = left {
                    self.known.insert(key, (version, tag, phase, revision));
                }
            }
            Err(error) => match told(&error) {
                Some(result) => self.world.note(key, began, now, op(result)),
                None => {
                    self.world.note(key, began, None, op(Result::Done));
                    self.crash().await;
                }
            },
        }
    }

    /// The process ends as it should.
    async fn close(&mut self) {
        let began = self.world.now();
        self.store.close().await;
        for key in 0..KEYS {
            let by = self.process;
            // That may have failed; the session then runs out later.
            self.world.note(key, began, None, Op::Acknowledge(by));
            self.world.note(key, began, None, Op::Expire(by));
        }
        self.crash().await;
    }

    async fn live(mut self) {
        for _ in 0..STEPS {
            let key = self.random.usize(0..KEYS);
            match self.random.u8(0..20) {
                0..8 => self.read(key).await,
                8..18 => self.operate(key).await,
                18 => self.close().await,
                _ => self.crash().await,
            }
        }
        self.close().await;
    }
}

#[test]
fn the_records_are_linearizable() {
    let seed = std::env::var("OAM_TEST_SEED")
        .ok()
        .and_then(|it| it.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("OAM_TEST_SEED={seed}");
    let world = Arc::new(World::default());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let clients = (0..CLIENTS).map(|client| {
        let client = Client::new(&world, seed.wrapping_add(client));
        runtime.spawn(client.live())
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        runtime.block_on(client).unwrap();
    }
    let histories = std::mem::take(&mut *world.history.lock().unwrap());
    assert_eq!(histories.len(), KEYS);
    let (mut operations, mut open, mut done) = (0, 0, 0);
    for (key, mut history) in histories {
        history.sort_by_key(|event| event.began);
        operations += history.len();
        open += history.iter().filter(|event| event.ended.is_none()).count();
        let is_done = |op: &Op| {
            matches!(
                op,
                Op::Settle {
                    result: Result::Done,
                    ..
                }
            )
        };
        done += history.iter().filter(|event| is_done(&event.op)).count();
        if let Err((order, state)) = explain::<Record>(State::default(), &history) {
            let of = |at: usize| format!("{:?}", history[at]);
            let told: Vec<_> = order
                .iter()
                .rev()
                .take(15)
                .rev()
                .map(|at| of(*at))
                .collect();
            let left = (0..history.len()).filter(|at| !order.contains(at));
            let left: Vec<_> = left.take(10).map(of).collect();
            panic!(
                "OAM_TEST_SEED={seed}: the history of record {key} cannot have come about.\nUp to\n{}\nit \
                 is {state:?}; then come\n{}",
                told.join("\n"),
                left.join("\n")
            );
        }
    }
    println!("{operations} operations, {open} of them without a result, {done} settlements");
    assert!(done > 5, "nothing much has happened");
}
