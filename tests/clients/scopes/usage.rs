//! No application begins with a scope that is not there, and none in use is removed.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use oam_provider::http::Kind;
use oam_provider::store::{Expect, MOST_SCOPES, Phase, Record, Store, StoreError, Version};
use serde_json::{Value, json};

use super::super::store::record;
use super::super::support::proxy::{Action, Gate, Proxy};
use super::super::support::servers;
use super::{
    app, begin, crash, in_use, made, phase, properties, removed, scope, settled, store, store_at,
    using,
};

#[tokio::test]
async fn an_application_begins_only_with_scopes_that_are_there() {
    let (store, key) = (store("there"), scope("team"));
    let refused = async |version| {
        let error = begin(&store, "shop", &[(key.clone(), version)])
            .await
            .unwrap_err();
        assert_eq!(store.read(&app("shop")).await.unwrap(), None, "{error}");
        assert!(error.summary().contains("namespace/team"), "{error}");
        error
    };
    let changed = |error: &StoreError, is: Phase| matches!(error, StoreError::ScopeChanged { phase, .. } if *phase == is);
    let nowhere: Version = "7-00000000000000ff".parse().unwrap();
    let gone = refused(nowhere).await;
    assert!(matches!(gone, StoreError::ScopeGone { .. }), "{gone:?}");
    assert!(gone.detail().contains("Create it first"), "{gone}");

    let old = made(&store, &key).await;
    let held = store
        .begin_scope(&key, Expect::Version(old), properties(2, "two"))
        .await
        .unwrap();
    let error = refused(old).await;
    assert!(changed(&error, Phase::Applying), "{error:?}");
    let version = store.settle(held, properties(2, "two")).await.unwrap();
    let error = refused(old).await;
    assert!(changed(&error, Phase::Settled), "{error:?}");

    let removal = store.begin_scope_removal(&key, version).await.unwrap();
    let during = store.read_scope(&key).await.unwrap().unwrap().version;
    for version in [version, during] {
        let error = refused(version).await;
        assert!(changed(&error, Phase::Destroying), "{error:?}");
    }
    // What the document names is looked at, too, where no version of it is given.
    let intent = using(1, Phase::Applying, &[&key]);
    let error = store
        .begin(&app("shop"), Expect::Absent, intent.clone(), &[])
        .await
        .unwrap_err();
    assert!(changed(&error, Phase::Destroying), "{error:?}");
    store.remove_scope(removal).await.unwrap();
    let gone = refused(version).await;
    assert!(matches!(gone, StoreError::ScopeGone { .. }), "{gone:?}");

    let version = made(&store, &key).await;
    begin(&store, "shop", &[(key.clone(), version)])
        .await
        .unwrap();
    store.close().await;
}

#[tokio::test]
async fn scopes_that_cannot_be_watched_over_are_refused() {
    let store = store("many");
    let mut scopes = Vec::new();
    for n in 0..MOST_SCOPES {
        let key = scope(&format!("s-{n}"));
        scopes.push((key.clone(), made(&store, &key).await));
    }
    let held = begin(&store, "most", &scopes).await.unwrap();
    store.remove(held).await.unwrap();
    scopes.push((scope("one-more"), scopes[0].1));
    let error = begin(&store, "more", &scopes).await.unwrap_err();
    assert!(
        matches!(error, StoreError::TooManyScopes { count, .. } if count == MOST_SCOPES + 1),
        "{error:?}"
    );
    assert!(error.detail().contains("They are 51, and 50"), "{error}");

    let intent = Record {
        document: json!({ "spec": { "scopes": ["network/mesh"] } }),
        ..record(1, Phase::Applying, "")
    };
    let error = store
        .begin(&app("bad"), Expect::Absent, intent, &[])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::BadScopes { .. }), "{error:?}");
    assert_eq!(store.list(None).await.unwrap().len(), 0);
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
async fn a_scope_that_is_removed_right_before_the_transaction_is_missed() {
    let proxy = Proxy::start(&servers().consul.address);
    let (slow, other) = (store_at(&proxy.address, "gate"), store("gate"));
    let key = scope("team");
    let version = made(&other, &key).await;
    let gate = held_transactions(&proxy);
    let scopes = [(key.clone(), version)];
    let begun = begin(&slow, "shop", &scopes);
    let removal = async {
        arrival(&gate).await;
        // The slow one has read the scope, and found it settled.
        removed(&other, &key, version).await.unwrap();
        gate.open();
    };
    let (begun, ()) = tokio::join!(begun, removal);
    let error = begun.unwrap_err();
    assert!(matches!(error, StoreError::ScopeGone { .. }), "{error:?}");
    assert_eq!(other.read(&app("shop")).await.unwrap(), None);
}

#[tokio::test]
async fn a_scope_that_is_touched_and_the_same_again_is_no_change() {
    let proxy = Proxy::start(&servers().consul.address);
    let (slow, other) = (store_at(&proxy.address, "same"), store("same"));
    let key = scope("team");
    let version = made(&other, &key).await;
    settled(&other, "user", &key).await;
    let gate = held_transactions(&proxy);
    let scopes = [(key.clone(), version)];
    let begun = begin(&slow, "shop", &scopes);
    let removal = async {
        arrival(&gate).await;
        let error = removed(&other, &key, version).await.unwrap_err();
        assert_eq!(in_use(&error), ["default/user"]);
        gate.open();
    };
    let (begun, ()) = tokio::join!(begun, removal);
    assert!(begun.is_ok(), "{begun:?}");
    let now = other.read_scope(&key).await.unwrap().unwrap().version;
    assert_ne!(now, version);
    slow.close().await;
}

#[tokio::test]
async fn a_scope_in_use_is_not_removed() {
    let (store, key, free) = (store("in-use"), scope("team"), scope("free"));
    let version = made(&store, &key).await;
    let unused = made(&store, &free).await;
    let read = async || store.read_scope(&key).await.unwrap().unwrap().version;
    let users = async || {
        let error = removed(&store, &key, version).await.unwrap_err();
        assert_eq!(phase(&store, &key).await, Some((Phase::Settled, false)));
        in_use(&error).join(" ")
    };
    // In every phase.
    let held = begin(&store, "a", &[(key.clone(), version)]).await.unwrap();
    assert_eq!(users().await, "default/a");
    let a = store
        .settle(held, using(1, Phase::Settled, &[&key]))
        .await
        .unwrap();
    let b = settled(&store, "b", &key).await;
    assert_eq!(users().await, "default/a default/b");
    let destroying = using(1, Phase::Destroying, &[&key]);
    let held = store
        .begin(&app("b"), Expect::Version(b), destroying.clone(), &[])
        .await
        .unwrap();
    assert_eq!(users().await, "default/a default/b");
    let b = store.abandon(held, destroying.clone()).await.unwrap();
    assert_eq!(users().await, "default/a default/b");
    let held = store
        .begin(&app("b"), Expect::Version(b), destroying, &[])
        .await
        .unwrap();
    store.remove(held).await.unwrap();
    assert_eq!(users().await, "default/a");

    // While it is being left, even by an apply that failed, and by one that was interrupted.
    let leave = using(2, Phase::Applying, &[]);
    let held = store
        .begin(&app("a"), Expect::Version(a), leave.clone(), &[])
        .await
        .unwrap();
    assert_eq!(users().await, "default/a");
    let a = store.abandon(held, leave.clone()).await.unwrap();
    assert_eq!(users().await, "default/a");
    let dead = super::store("in-use");
    let held = dead
        .begin(&app("a"), Expect::Version(a), leave.clone(), &[])
        .await
        .unwrap();
    assert_eq!(held.record().leaving, BTreeSet::from([key.clone()]));
    let a = dead.read(&app("a")).await.unwrap().unwrap().version;
    crash(dead).await;
    assert_eq!(users().await, "default/a");
    let held = store
        .begin(&app("a"), Expect::Version(a), leave.clone(), &[])
        .await
        .unwrap();
    store.settle(held, leave).await.unwrap();

    // And where an interrupted creation with the scope is taken over by one without.
    let dead = super::store("in-use");
    begin(&dead, "c", &[(key.clone(), version)]).await.unwrap();
    crash(dead).await;
    let held = store
        .begin(
            &app("c"),
            Expect::Absent,
            using(1, Phase::Applying, &[]),
            &[],
        )
        .await
        .unwrap();
    assert_eq!(users().await, "default/c");
    let settled = using(1, Phase::Settled, &[]);
    store.settle(held, settled).await.unwrap();
    assert_eq!(
        read().await.to_string().split('-').nth(1),
        version.to_string().split('-').nth(1)
    );
    removed(&store, &key, version).await.unwrap();
    removed(&store, &free, unused).await.unwrap();
}

#[tokio::test]
async fn where_the_use_cannot_be_told_nothing_is_removed() {
    let (store, key) = (store("unknown"), scope("team"));
    let version = made(&store, &key).await;
    let good =
        json!({ "format": 1, "revision": 1, "phase": "settled", "document": {}, "jobs": {} });
    let with = |field: &str, value: Value| {
        let mut record = good.clone();
        record[field] = value;
        record.to_string()
    };
    let strange =
        json!({ "spec": { "scopes": [{ "scopeRef": { "kind": "healthscope", "name": "x" } }] } });
    let path = store.path(&app("spoilt"));
    for (value, reason) in [
        ("spoilt".to_owned(), "it is no JSON"),
        (with("format", json!(9)), "format 9"),
        (with("document", strange), "refers to no known scope"),
        (with("leaving", json!(["health/x"])), "no scope ID"),
    ] {
        servers().consul.write_key(&path, &value);
        let error = removed(&store, &key, version).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::UseUnknown { application, .. } if *application == app("spoilt")),
            "{error:?}"
        );
        assert!(error.detail().contains(reason), "{error}");
        assert_eq!(phase(&store, &key).await, Some((Phase::Settled, false)));
    }
    servers().consul.write_key(&path, &good.to_string());
    removed(&store, &key, version).await.unwrap();
}

#[tokio::test]
async fn a_removal_that_was_interrupted_before_it_looked_finds_the_users() {
    let proxy = Proxy::start(&servers().consul.address);
    let (dead, alive) = (store_at(&proxy.address, "half"), store("half"));
    let key = scope("team");
    let version = made(&alive, &key).await;
    settled(&alive, "shop", &key).await;
    // The list does not come, and nothing is written any more.
    let mut txns = 0;
    proxy.rule(move |seen| {
        txns += usize::from(seen.path.starts_with("/v1/txn"));
        if seen.path.contains("recurse") || seen.path.starts_with("/v1/txn") && txns > 1 {
            Action::Close
        } else {
            Action::Forward
        }
    });
    let error = removed(&dead, &key, version).await.unwrap_err();
    let StoreError::Consul(error) = error else {
        panic!("{error:?}")
    };
    assert!(matches!(error.kind, Kind::Interrupted { .. }), "{error:?}");
    assert_eq!(phase(&alive, &key).await, Some((Phase::Destroying, true)));
    crash(dead).await;
    let left = alive.read_scope(&key).await.unwrap().unwrap().version;
    let error = removed(&alive, &key, left).await.unwrap_err();
    assert_eq!(in_use(&error), ["default/shop"]);
    // Whether Nomad is as it should be is for the scope's next apply to see to.
    assert_eq!(phase(&alive, &key).await, Some((Phase::Applying, false)));
}

#[tokio::test]
async fn what_the_guarantee_rests_on_is_read_with_the_leaders_assent() {
    let proxy = Proxy::start(&servers().consul.address);
    let (store, key) = (store_at(&proxy.address, "consistent"), scope("team"));
    let version = made(&store, &key).await;
    let held = begin(&store, "shop", &[(key.clone(), version)])
        .await
        .unwrap();
    store.remove(held).await.unwrap();
    removed(&store, &key, version).await.unwrap();
    let seen = proxy.take_seen();
    let reads: Vec<_> = seen
        .iter()
        .filter(|seen| seen.method == "GET" && seen.path.starts_with("/v1/kv/"))
        .collect();
    // The scope twice, who uses it, and whether all of them may be seen.
    assert_eq!(reads.len(), 4, "{reads:?}");
    for read in reads {
        assert!(read.path.contains("consistent="), "{read:?}");
    }
}

/// A proxy before Consul that lets each transaction wait for up to 10 ms, so that much comes to pass
/// between what was read and what is written.
fn delayed_transactions() -> Proxy {
    let proxy = Proxy::start(&servers().consul.address);
    proxy.rule(|seen| {
        if !seen.path.starts_with("/v1/txn") {
            return Action::Forward;
        }
        let gate = Gate::new();
        let opened = gate.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_micros(fastrand::u64(0..10_000))).await;
            opened.open();
        });
        Action::Hold(gate)
    });
    proxy
}

#[tokio::test]
async fn no_application_is_left_in_a_scope_that_is_gone() {
    const ROUNDS: usize = 25;
    const APPLICATIONS: usize = 24;
    let check = store("crowd");
    let proxies: Vec<_> = (0..6).map(|_| delayed_transactions()).collect();
    let stores: Vec<_> = proxies
        .iter()
        .map(|proxy| store_at(&proxy.address, "crowd"))
        .collect();
    let (mut removals, mut refusals, mut begun) = (0, 0, 0);
    for round in 0..ROUNDS {
        let key = scope(&format!("race-{round}"));
        let version = made(&check, &key).await;
        let applications = (0..APPLICATIONS).map(|n| {
            let (store, key) = (&stores[n % stores.len()], &key);
            let name = format!("r{round}-a{n}");
            async move {
                tokio::time::sleep(Duration::from_micros(fastrand::u64(0..40_000))).await;
                match begin(store, &name, &[(key.clone(), version)]).await {
                    Ok(held) if n % 2 == 0 => {
                        let record = using(1, Phase::Settled, &[key]);
                        store.settle(held, record).await.unwrap();
                        1
                    }
                    // Its place is empty again, so that a removal may find nobody.
                    Ok(held) => {
                        store.remove(held).await.unwrap();
                        1
                    }
                    Err(StoreError::ScopeGone { .. } | StoreError::ScopeChanged { .. }) => 0,
                    Err(error) => panic!("round {round}: {error:?}"),
                }
            }
        });
        let removals_of_round = stores.iter().map(|store| {
            let key = &key;
            async move {
                tokio::time::sleep(Duration::from_micros(fastrand::u64(0..20_000))).await;
                match removed(store, key, version).await {
                    Ok(()) => (1, 0),
                    Err(StoreError::InUse { .. }) => (0, 1),
                    Err(StoreError::Changed { .. }) => (0, 0),
                    Err(error) => panic!("round {round}: {error:?}"),
                }
            }
        });
        let (here, there) = tokio::join!(join_all(applications), join_all(removals_of_round));
        begun += here.into_iter().sum::<usize>();
        for (removed, refused) in there {
            removals += removed;
            refusals += refused;
        }
        let users = check.users(&key).await.unwrap();
        let now = phase(&check, &key).await;
        assert!(
            users.is_empty() || now == Some((Phase::Settled, false)),
            "round {round}: {users:?} use {key}, which is {now:?}"
        );
    }
    println!("{removals} removals, {refusals} refusals, {begun} beginnings");
    // Each side has won, or this has shown nothing.
    assert!(
        removals > 0 && refusals > 0 && begun > 0,
        "{removals} removals, {refusals} refusals, {begun} beginnings"
    );
    join_all(stores.iter().map(Store::close)).await;
}
