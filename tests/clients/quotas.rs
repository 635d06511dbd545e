//! The quotas of a tenant: however many begin at once, no quota is exceeded, and nothing that crashes
//! keeps a place for ever.
//!
//! Each test has a key prefix of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use oam_provider::store::{
    ApplicationKey, Expect, FORMAT, Held, Measure, Phase, Record, Store, StoreError, TenantKey,
    TenantRecord, Uses, Version,
};
use oam_provider::tenants::{Ledger, Limits, Overrun, Quota, Quotas, Spaces, Usage};

use super::consul_at;
use super::store::record;
use super::support::proxy::{Action, Gate, Proxy};
use super::support::servers;

fn store(prefix: &str) -> Store {
    store_at(&servers().consul.address, prefix)
}

fn store_at(address: &str, prefix: &str) -> Store {
    Store::new(consul_at(address), &format!("quotas/{prefix}")).unwrap()
}

fn tenant() -> TenantKey {
    TenantKey::new("acme")
}

fn app(name: &str) -> ApplicationKey {
    ApplicationKey::new(Some("acme"), name)
}

fn cpu(limit: u64) -> Quotas {
    Quotas {
        max_cpu_mhz: Some(limit),
        ..Quotas::default()
    }
}

fn deployments(limit: u64) -> Quotas {
    Quotas {
        max_deployments: Some(limit),
        ..Quotas::default()
    }
}

/// One job of so many MHz.
fn usage(cpu_mhz: u64) -> Usage {
    Usage {
        jobs: 1,
        cpu_mhz,
        memory_mb: 10,
    }
}

fn using(phase: Phase, cpu_mhz: u64) -> Record {
    Record {
        reserved: Some(usage(cpu_mhz)),
        ..record(1, phase, "")
    }
}

/// The tenant gets these quotas.
async fn managed(store: &Store, quotas: Quotas) {
    let before = store.read_tenant(&tenant()).await.unwrap();
    let record = TenantRecord {
        format: FORMAT,
        revision: 1,
        phase: Phase::Applying,
        id: "7f1c9d9e-0b5a-4a57-9a5e-1d0c5b3a2f10".to_owned(),
        display_name: "ACME".to_owned(),
        domain: None,
        quotas,
        limits: Limits::default(),
        active: true,
        namespaces: Spaces::default(),
        created_at: "2026-01-01T00:00:00Z".to_owned(),
        updated_at: "2026-01-01T00:00:00Z".to_owned(),
        made: BTreeMap::new(),
        operation: None,
    };
    let expect = before.map_or(Expect::Absent, |found| Expect::Version(found.version));
    let held = store.begin_tenant(&tenant(), expect, record.clone()).await;
    store.settle_tenant(held.unwrap(), record).await.unwrap();
}

/// An apply begins that waits for no other.
async fn begin(
    store: &Store,
    name: &str,
    expect: Expect,
    cpu_mhz: u64,
) -> Result<Held, StoreError> {
    begin_until(store, name, expect, cpu_mhz, Instant::now()).await
}

async fn begin_until(
    store: &Store,
    name: &str,
    expect: Expect,
    cpu_mhz: u64,
    until: Instant,
) -> Result<Held, StoreError> {
    let uses = Uses {
        until: Some(until),
        ..Uses::default()
    };
    let intent = using(Phase::Applying, cpu_mhz);
    store.begin_using(&app(name), expect, intent, &uses).await
}

async fn made(store: &Store, name: &str, cpu_mhz: u64) -> Version {
    let held = begin(store, name, Expect::Absent, cpu_mhz).await.unwrap();
    let record = using(Phase::Settled, cpu_mhz);
    store.settle(held, record).await.unwrap()
}

async fn version(store: &Store, name: &str) -> Expect {
    Expect::Version(store.read(&app(name)).await.unwrap().unwrap().version)
}

/// The ledger as it is in Consul.
async fn raw(store: &Store) -> Option<Ledger> {
    let path = store.usage_path(&tenant());
    let entry = store.consul().get(&path).await.unwrap()?;
    Some(serde_json::from_slice(&entry.value).unwrap())
}

/// What each application has, in MHz, and whether it is being deployed.
async fn entries(store: &Store) -> Vec<(String, u64, bool)> {
    let ledger = raw(store).await.unwrap();
    let all = ledger.applications.into_iter();
    all.map(|(name, it)| (name, it.usage.cpu_mhz, it.deploying.is_some()))
        .collect()
}

fn entry(name: &str, cpu_mhz: u64, deploys: bool) -> (String, u64, bool) {
    (name.to_owned(), cpu_mhz, deploys)
}

fn overruns(error: &StoreError) -> &[Overrun] {
    match error {
        StoreError::Quota { overruns, .. } => overruns,
        other => panic!("{other:?}"),
    }
}

/// Lets an operation end as its process' death does.
async fn crash(store: Store) {
    store.close().await;
}

/// Watches what is reserved and what deploys until it is told to stop; gives the most of both, and how
/// often it looked.
async fn watch(store: Store, stop: Arc<AtomicBool>) -> (Usage, usize, usize) {
    let (mut most, mut deploying, mut looks) = (Usage::default(), 0, 0);
    while !stop.load(Ordering::SeqCst) {
        if let Some(ledger) = raw(&store).await {
            most = most.most(ledger.used());
            deploying = deploying.max(ledger.deploying().count());
            looks += 1;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (most, deploying, looks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_dozens_that_begin_at_once_as_many_win_as_have_room() {
    let first = store("dozens");
    managed(&first, cpu(1050)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let watcher = tokio::spawn(watch(store("dozens"), Arc::clone(&stop)));
    // Processes of their own, as far as Consul can tell: each has a session.
    let stores: Vec<_> = (0..12).map(|_| store("dozens")).collect();
    let begun = (0..48).map(|n| {
        let store = stores[n % stores.len()].clone();
        tokio::spawn(async move {
            let held = begin(&store, &format!("a{n:02}"), Expect::Absent, 100).await?;
            store.settle(held, using(Phase::Settled, 100)).await
        })
    });
    let results: Vec<_> = join_all(begun)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    stop.store(true, Ordering::SeqCst);
    let (most, _, looks) = watcher.await.unwrap();

    let won = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(won, 10, "{results:?}");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        let [overrun] = overruns(error) else {
            panic!("{error:?}")
        };
        assert_eq!(
            (overrun.quota, overrun.limit, overrun.asked),
            (Quota::Cpu, 1050, 100)
        );
        assert_eq!((overrun.used(), overrun.others.len()), (1000, 10));
        assert!(error.detail().contains("Nothing was changed"), "{error}");
    }
    assert!(
        most.cpu_mhz == 1000 && looks > 10,
        "{most:?} in {looks} looks"
    );
    // Who was refused has left nothing.
    let records = first.list(Some("acme")).await.unwrap();
    assert_eq!(records.len(), 10);
    let ledger = raw(&first).await.unwrap();
    assert_eq!(
        (ledger.applications.len(), ledger.used().cpu_mhz),
        (10, 1000)
    );
    assert_eq!(ledger.deploying().count(), 0);
    assert_eq!(first.recount(&tenant()).await.unwrap(), ledger);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_more_deploy_at_once_than_may() {
    let first = store("slots");
    managed(&first, deployments(3)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let watcher = tokio::spawn(watch(store("slots"), Arc::clone(&stop)));
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let stores: Vec<_> = (0..6).map(|_| store("slots")).collect();
    let until = Instant::now() + super::LIMIT;
    let deployed = (0..24).map(|n| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        let store = stores[n % stores.len()].clone();
        tokio::spawn(async move {
            let name = format!("a{n:02}");
            let held = begin_until(&store, &name, Expect::Absent, 1, until).await?;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(30)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            store.settle(held, using(Phase::Settled, 1)).await
        })
    });
    for result in join_all(deployed).await {
        result.unwrap().unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    let (_, deploying, _) = watcher.await.unwrap();
    assert_eq!((most.load(Ordering::SeqCst), deploying), (3, 3));
    assert_eq!(raw(&first).await.unwrap().applications.len(), 24);
}

#[tokio::test]
async fn who_gets_no_place_in_time_is_told_who_has_them() {
    let store = store("no-place");
    managed(&store, deployments(1)).await;
    let held = begin(&store, "one", Expect::Absent, 1).await.unwrap();
    let soon = Instant::now() + Duration::from_millis(300);
    let error = begin_until(&store, "two", Expect::Absent, 1, soon)
        .await
        .unwrap_err();
    let [overrun] = overruns(&error) else {
        panic!("{error:?}")
    };
    assert_eq!(overrun.quota, Quota::Deployments);
    assert_eq!(overrun.others, [("one".to_owned(), 1)]);
    assert!(Instant::now() >= soon);
    assert!(error.detail().contains("all the time: one"), "{error}");
    assert_eq!(store.read(&app("two")).await.unwrap(), None);
    // Nothing else is waited for.
    managed(
        &store,
        Quotas {
            max_jobs: Some(1),
            ..deployments(1)
        },
    )
    .await;
    let late = Instant::now() + super::LIMIT;
    let error = begin_until(&store, "two", Expect::Absent, 1, late)
        .await
        .unwrap_err();
    assert_eq!(overruns(&error)[0].quota, Quota::Jobs);
    store
        .abandon(held, using(Phase::Applying, 1))
        .await
        .unwrap();
    managed(&store, deployments(0)).await;
    let error = begin_until(&store, "two", Expect::Absent, 1, late)
        .await
        .unwrap_err();
    assert_eq!(
        (overruns(&error)[0].quota, overruns(&error)[0].limit),
        (Quota::Deployments, 0)
    );
    store.close().await;
}

#[tokio::test]
async fn an_apply_that_waits_goes_on_with_new_quotas() {
    let store = store("raised");
    managed(&store, deployments(1)).await;
    let held = begin(&store, "one", Expect::Absent, 1).await.unwrap();
    let until = Instant::now() + super::LIMIT;
    let waiting = begin_until(&store, "two", Expect::Absent, 1, until);
    let raised = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        managed(&store, deployments(2)).await;
    };
    let (second, ()) = tokio::join!(waiting, raised);
    assert_eq!(
        entries(&store).await,
        [entry("one", 1, true), entry("two", 1, true)]
    );
    store.remove(held).await.unwrap();
    store.remove(second.unwrap()).await.unwrap();
    assert_eq!(entries(&store).await, []);
    store.close().await;
}

#[tokio::test]
async fn what_is_reserved_is_the_most_of_before_and_after() {
    let store = store("most");
    managed(&store, cpu(500)).await;
    made(&store, "shop", 300).await;
    assert_eq!(entries(&store).await, [entry("shop", 300, false)]);
    // Smaller: it may still have what it had, until it has settled.
    let held = begin(&store, "shop", version(&store, "shop").await, 100)
        .await
        .unwrap();
    assert_eq!(held.record().reserved, Some(usage(300)));
    assert_eq!(entries(&store).await, [entry("shop", 300, true)]);
    store
        .abandon(held, using(Phase::Applying, 100))
        .await
        .unwrap();
    assert_eq!(entries(&store).await, [entry("shop", 300, false)]);
    let error = begin(&store, "blog", Expect::Absent, 201)
        .await
        .unwrap_err();
    assert_eq!(overruns(&error)[0].others, [("shop".to_owned(), 300)]);
    let held = begin(&store, "shop", version(&store, "shop").await, 100)
        .await
        .unwrap();
    store
        .settle(held, using(Phase::Settled, 100))
        .await
        .unwrap();
    made(&store, "blog", 400).await;
    // Larger: there is no room, and the record is as it was.
    let before = store.read(&app("shop")).await.unwrap();
    let error = begin(&store, "shop", version(&store, "shop").await, 101)
        .await
        .unwrap_err();
    assert_eq!(overruns(&error)[0].asked, 101);
    assert_eq!(store.read(&app("shop")).await.unwrap(), before);
    // With less than what is used there is no growth, and everything else.
    managed(&store, cpu(50)).await;
    begin(&store, "shop", version(&store, "shop").await, 101)
        .await
        .unwrap_err();
    let held = begin(&store, "shop", version(&store, "shop").await, 100)
        .await
        .unwrap();
    store.settle(held, using(Phase::Settled, 90)).await.unwrap();
    assert_eq!(
        entries(&store).await,
        [entry("blog", 400, false), entry("shop", 90, false)]
    );
    // What is destroyed keeps what it has until it is gone, and takes no deployment's place.
    managed(&store, deployments(0)).await;
    let destroying = Record {
        reserved: None,
        ..using(Phase::Destroying, 0)
    };
    let begin = async |name: &str| {
        let expect = version(&store, name).await;
        store
            .begin(&app(name), expect, destroying.clone(), &[])
            .await
            .unwrap()
    };
    let held = begin("blog").await;
    assert_eq!(
        entries(&store).await,
        [entry("blog", 400, false), entry("shop", 90, false)]
    );
    store.abandon(held, destroying.clone()).await.unwrap();
    assert_eq!(entries(&store).await[0], entry("blog", 400, false));
    let held = begin("blog").await;
    store.remove(held).await.unwrap();
    assert_eq!(entries(&store).await, [entry("shop", 90, false)]);
    store.close().await;
}

#[tokio::test]
async fn a_crash_keeps_what_was_reserved_and_frees_the_place() {
    let store = store("crash");
    let limits = Quotas {
        max_cpu_mhz: Some(500),
        ..deployments(1)
    };
    managed(&store, limits).await;
    made(&store, "shop", 100).await;
    let dying = self::store("crash");
    let held = begin(&dying, "shop", version(&store, "shop").await, 300)
        .await
        .unwrap();
    assert!(!held.is_lost());
    assert_eq!(entries(&store).await, [entry("shop", 300, true)]);
    begin(&store, "blog", Expect::Absent, 100)
        .await
        .unwrap_err();
    crash(dying).await;
    // The entry stands; but nobody holds the record with that operation.
    assert_eq!(entries(&store).await, [entry("shop", 300, true)]);
    let error = begin(&store, "blog", Expect::Absent, 201)
        .await
        .unwrap_err();
    assert_eq!(overruns(&error)[0].others, [("shop".to_owned(), 300)]);
    made(&store, "blog", 200).await;
    assert_eq!(
        entries(&store).await,
        [entry("blog", 200, false), entry("shop", 300, false)]
    );
    // The next apply of what had crashed goes on from there.
    let held = begin(&store, "shop", version(&store, "shop").await, 50)
        .await
        .unwrap();
    assert_eq!(held.record().reserved, Some(usage(300)));
    store.settle(held, using(Phase::Settled, 50)).await.unwrap();
    assert_eq!(
        entries(&store).await,
        [entry("blog", 200, false), entry("shop", 50, false)]
    );

    // A creation: what takes it over reserves the most of both.
    let dying = self::store("crash");
    begin(&dying, "new", Expect::Absent, 250).await.unwrap();
    crash(dying).await;
    let error = begin(&store, "other", Expect::Absent, 1).await.unwrap_err();
    assert_eq!(overruns(&error)[0].used(), 500);
    let held = begin(&store, "new", Expect::Absent, 10).await.unwrap();
    assert_eq!(held.adopted().unwrap().reserved, Some(usage(250)));
    assert_eq!(held.record().reserved, Some(usage(250)));
    store.settle(held, using(Phase::Settled, 10)).await.unwrap();
    assert_eq!(entries(&store).await[1], entry("new", 10, false));
    // A destroy that crashes leaves what there is; one that follows takes it away.
    let dying = self::store("crash");
    let destroying = Record {
        reserved: None,
        ..using(Phase::Destroying, 0)
    };
    let expect = version(&store, "blog").await;
    dying
        .begin(&app("blog"), expect, destroying.clone(), &[])
        .await
        .unwrap();
    crash(dying).await;
    assert_eq!(entries(&store).await[0], entry("blog", 200, false));
    let expect = version(&store, "blog").await;
    let held = store
        .begin(&app("blog"), expect, destroying, &[])
        .await
        .unwrap();
    store.remove(held).await.unwrap();
    assert_eq!(
        entries(&store).await,
        [entry("new", 10, false), entry("shop", 50, false)]
    );
    store.close().await;
}

#[tokio::test]
async fn a_place_is_free_soon_after_its_process_has_died() {
    let store = store("died");
    managed(&store, deployments(1)).await;
    let dying = self::store("died");
    begin(&dying, "one", Expect::Absent, 1).await.unwrap();
    let until = Instant::now() + super::LIMIT;
    let waiting = begin_until(&store, "two", Expect::Absent, 1, until);
    let death = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        crash(dying).await;
    };
    let (held, ()) = tokio::join!(waiting, death);
    assert_eq!(
        entries(&store).await,
        [entry("one", 1, false), entry("two", 1, true)]
    );
    store.remove(held.unwrap()).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_tenant_that_nobody_manages_has_no_ledger_until_somebody_does() {
    // Of a record from before there were quotas, the document has to tell.
    let measure = Measure::new(|key, record| {
        (key.name() == "old" && record.reserved.is_none()).then(|| usage(70))
    });
    let store = store("managed").with_measure(measure);
    made(&store, "shop", 100).await;
    let none = |phase| Record {
        reserved: None,
        ..using(phase, 0)
    };
    for name in ["old", "unreadable"] {
        let held = store
            .begin(&app(name), Expect::Absent, none(Phase::Applying), &[])
            .await
            .unwrap();
        store.settle(held, none(Phase::Settled)).await.unwrap();
    }
    let running = begin(&store, "running", Expect::Absent, 1000)
        .await
        .unwrap();
    assert_eq!(raw(&store).await, None);

    // Who runs as the tenant gets its record counts, too, and settles in the ledger.
    managed(&store, cpu(1200)).await;
    assert_eq!(store.ledger(&tenant()).await.unwrap().used().cpu_mhz, 1170);
    assert_eq!(raw(&store).await, None);
    let error = begin(&store, "blog", Expect::Absent, 31).await.unwrap_err();
    assert_eq!(overruns(&error)[0].used(), 1170);
    assert_eq!(raw(&store).await, None);
    made(&store, "blog", 30).await;
    let all = [
        entry("blog", 30, false),
        entry("old", 70, false),
        entry("running", 1000, true),
        entry("shop", 100, false),
        entry("unreadable", 0, false),
    ];
    assert_eq!(entries(&store).await, all);
    store
        .settle(running, using(Phase::Settled, 10))
        .await
        .unwrap();
    assert_eq!(entries(&store).await[2], entry("running", 10, false));
    // An old record gets its number with the next operation.
    let held = begin(&store, "old", version(&store, "old").await, 60)
        .await
        .unwrap();
    assert_eq!(held.record().reserved, Some(usage(70)));
    store.settle(held, using(Phase::Settled, 60)).await.unwrap();
    assert_eq!(entries(&store).await[1], entry("old", 60, false));

    // The ledger goes with the tenant.
    for name in ["blog", "old", "running", "shop", "unreadable"] {
        let expect = version(&store, name).await;
        let held = store
            .begin(&app(name), expect, none(Phase::Destroying), &[])
            .await
            .unwrap();
        store.remove(held).await.unwrap();
    }
    assert_eq!(entries(&store).await, []);
    let found = store.read_tenant(&tenant()).await.unwrap().unwrap();
    let removal = store
        .begin_tenant_removal(&tenant(), found.version)
        .await
        .unwrap();
    store.remove_tenant(removal).await.unwrap();
    assert_eq!(raw(&store).await, None);
    store.close().await;
}

#[tokio::test]
async fn a_ledger_that_says_too_much_or_nothing_refuses_nobody() {
    let store = store("repair");
    managed(&store, cpu(300)).await;
    made(&store, "shop", 100).await;
    made(&store, "blog", 200).await;
    let path = store.usage_path(&tenant());
    // A record that was deleted by hand, with its application.
    store
        .consul()
        .txn(&[oam_provider::consul::Op::Delete {
            key: &store.path(&app("blog")),
        }])
        .await
        .unwrap();
    assert_eq!(entries(&store).await.len(), 2);
    made(&store, "new", 200).await;
    assert_eq!(
        entries(&store).await,
        [entry("new", 200, false), entry("shop", 100, false)]
    );
    // No ledger, and none that can be read.
    for value in [None, Some("{"), Some(r#"{"format":1}"#)] {
        let op = match value {
            None => oam_provider::consul::Op::Delete { key: &path },
            Some(value) => oam_provider::consul::Op::Set {
                key: &path,
                value: value.as_bytes(),
            },
        };
        store.consul().txn(&[op]).await.unwrap();
        let error = begin(&store, "more", Expect::Absent, 1).await.unwrap_err();
        assert_eq!(overruns(&error)[0].used(), 300, "{value:?}");
        let held = begin(&store, "shop", version(&store, "shop").await, 100)
            .await
            .unwrap();
        store
            .settle(held, using(Phase::Settled, 100))
            .await
            .unwrap();
        assert_eq!(
            entries(&store).await,
            [entry("new", 200, false), entry("shop", 100, false)],
            "{value:?}"
        );
    }
    // One that a newer provider wrote is not touched, and keeps nobody from ending.
    let held = begin(&store, "shop", version(&store, "shop").await, 100)
        .await
        .unwrap();
    let newer = br#"{"format":2,"applications":[]}"#;
    store
        .consul()
        .txn(&[oam_provider::consul::Op::Set {
            key: &path,
            value: newer,
        }])
        .await
        .unwrap();
    store
        .settle(held, using(Phase::Settled, 100))
        .await
        .unwrap();
    let error = begin(&store, "more", Expect::Absent, 1).await.unwrap_err();
    assert!(
        matches!(error, StoreError::NewerLedger { format: 2, .. }),
        "{error:?}"
    );
    assert!(error.detail().contains(&path), "{error}");
    assert_eq!(
        store.consul().get(&path).await.unwrap().unwrap().value,
        newer
    );
    store.close().await;
}

/// Holds the transactions of a store before a proxy until the gate is opened.
fn held_transactions(proxy: &Proxy) -> Gate {
    let gate = Gate::new();
    let hold = gate.clone();
    proxy.rule(move |seen| {
        if seen.path.starts_with("/v1/txn") {
            Action::Hold(hold.clone())
        } else {
            Action::Forward
        }
    });
    gate
}

async fn arrival(gate: &Gate) {
    let gate = gate.clone();
    tokio::task::spawn_blocking(move || gate.wait_for_arrival())
        .await
        .unwrap();
}

#[tokio::test]
async fn who_comes_in_between_is_counted() {
    let proxy = Proxy::start(&servers().consul.address);
    let (slow, other) = (store_at(&proxy.address, "gate"), store("gate"));
    managed(&other, cpu(300)).await;
    made(&other, "first", 100).await;
    // The slow one has found room, and then somebody else takes it.
    let gate = held_transactions(&proxy);
    let begun = begin(&slow, "slow", Expect::Absent, 200);
    let quick = async {
        arrival(&gate).await;
        made(&other, "quick", 1).await;
        gate.open();
    };
    let (begun, ()) = tokio::join!(begun, quick);
    assert_eq!(overruns(&begun.unwrap_err())[0].used(), 101);
    assert_eq!(slow.read(&app("slow")).await.unwrap(), None);
    // Or the quotas change.
    let gate = held_transactions(&proxy);
    let begun = begin(&slow, "slow", Expect::Absent, 199);
    let less = async {
        arrival(&gate).await;
        managed(&other, cpu(299)).await;
        gate.open();
    };
    let (begun, ()) = tokio::join!(begun, less);
    assert_eq!(overruns(&begun.unwrap_err())[0].limit, 299);
    // Or the tenant gets its record only now: the apply that has seen none gives up, and finds it the next time.
    let (slow, other) = (store_at(&proxy.address, "gate2"), store("gate2"));
    made(&other, "first", 100).await;
    let gate = held_transactions(&proxy);
    let begun = begin(&slow, "slow", Expect::Absent, 200);
    let now = async {
        arrival(&gate).await;
        managed(&other, cpu(299)).await;
        gate.open();
    };
    let (begun, ()) = tokio::join!(begun, now);
    let error = begun.unwrap_err();
    assert!(
        matches!(error, StoreError::TenantChanged { .. }),
        "{error:?}"
    );
    assert_eq!(slow.read(&app("slow")).await.unwrap(), None);
    let error = begin(&slow, "slow", Expect::Absent, 200).await.unwrap_err();
    assert_eq!(overruns(&error)[0].used(), 100);
    slow.close().await;
    other.close().await;
}

#[tokio::test]
async fn an_end_goes_before_its_entry_in_the_ledger() {
    let proxy = Proxy::start(&servers().consul.address);
    // It has no patience.
    let slow = store_at(&proxy.address, "end").with_lock_wait(Duration::ZERO);
    let other = store("end");
    managed(&other, cpu(300)).await;
    let held = begin(&slow, "slow", Expect::Absent, 200).await.unwrap();
    let gate = held_transactions(&proxy);
    let settled = slow.settle(held, using(Phase::Settled, 100));
    let quick = async {
        arrival(&gate).await;
        made(&other, "quick", 1).await;
        gate.open();
    };
    let (settled, ()) = tokio::join!(settled, quick);
    let stored = other.read(&app("slow")).await.unwrap().unwrap();
    assert_eq!(stored.version, settled.unwrap());
    assert_eq!(stored.record.reserved, Some(usage(100)));
    // The ledger says too much, until that would keep somebody out.
    assert_eq!(
        entries(&other).await,
        [entry("quick", 1, false), entry("slow", 200, true)]
    );
    made(&other, "third", 199).await;
    let all = [
        entry("quick", 1, false),
        entry("slow", 100, false),
        entry("third", 199, false),
    ];
    assert_eq!(entries(&other).await, all);
    slow.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_lost_answer_counts_once() {
    let proxy = Proxy::start(&servers().consul.address);
    let (store, other) = (store_at(&proxy.address, "lost"), store("lost"));
    managed(&other, cpu(300)).await;
    let lose = || {
        let mut lost = false;
        proxy.rule(
            move |seen| match seen.path.starts_with("/v1/txn") && !lost {
                true => {
                    lost = true;
                    Action::LoseAnswer
                }
                false => Action::Forward,
            },
        );
    };
    lose();
    let held = begin(&store, "shop", Expect::Absent, 300).await.unwrap();
    assert_eq!(entries(&other).await, [entry("shop", 300, true)]);
    lose();
    store
        .settle(held, using(Phase::Settled, 299))
        .await
        .unwrap();
    assert_eq!(entries(&other).await, [entry("shop", 299, false)]);
    let held = begin(&store, "blog", Expect::Absent, 1).await.unwrap();
    lose();
    store.remove(held).await.unwrap();
    assert_eq!(entries(&other).await, [entry("shop", 299, false)]);
    store.close().await;
}

#[tokio::test]
async fn nodes_are_listed_with_what_a_job_asks_of_them() {
    let nodes = super::nomad_at(&servers().nomad.address)
        .nodes()
        .await
        .unwrap();
    let [node] = nodes.as_slice() else {
        panic!("{nodes:?}")
    };
    let found = (
        node.status.as_str(),
        node.datacenter.as_str(),
        node.node_pool.as_str(),
    );
    assert_eq!(found, ("ready", "dc1", "default"));
}
