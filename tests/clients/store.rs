//! The protocol of the records: who wins, who is told what, and that nothing is overwritten.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use oam_provider::consul::{Behavior, Client, Op};
use oam_provider::http::Kind;
use oam_provider::store::{
    ApplicationKey, Expect, FORMAT, JobRecord, Phase, Record, Store, StoreError, Version,
};
use serde_json::json;

use super::support::proxy::{Action, Gate, Proxy, Seen};
use super::support::{Servers, servers};
use super::{LIMIT, consul_at};

fn store(servers: &Servers) -> Store {
    store_at(&servers.consul.address)
}

fn store_at(address: &str) -> Store {
    Store::new(consul_at(address), "oam").unwrap()
}

fn key(name: &str) -> ApplicationKey {
    ApplicationKey::new(None, name)
}

pub(super) fn record(revision: u64, phase: Phase, image: &str) -> Record {
    let job = JobRecord {
        id: "shop-web".to_owned(),
        namespace: "default".to_owned(),
        version: None,
        job_modify_index: None,
    };
    Record {
        format: FORMAT,
        revision,
        phase,
        document: json!({ "kind": "Application", "image": image }),
        jobs: [("web".to_owned(), job)].into(),
        applied_scopes: BTreeMap::new(),
        namespaces: oam_provider::tenants::Spaces::default(),
        leaving: BTreeSet::new(),
        reserved: None,
        operation: None,
    }
}

fn intent(revision: u64, image: &str) -> Record {
    record(revision, Phase::Applying, image)
}

/// A settled record of revision 1.
async fn settled(store: &Store, key: &ApplicationKey) -> Version {
    let held = store
        .begin(key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap();
    store.settle(held, intent(1, "one")).await.unwrap()
}

/// Ends the session that holds the record, as Consul does when its process has died.
async fn expire(client: &Client, store: &Store, key: &ApplicationKey) {
    let entry = client.get(&store.path(key)).await.unwrap().unwrap();
    client
        .destroy_session(&entry.session.unwrap())
        .await
        .unwrap();
}

/// The raw value in Consul.
async fn raw(store: &Store, key: &ApplicationKey) -> Vec<u8> {
    store
        .consul()
        .get(&store.path(key))
        .await
        .unwrap()
        .unwrap()
        .value
}

#[tokio::test]
async fn a_record_lives_from_creation_to_removal() {
    let (store, key) = (store(servers()), key("life"));
    assert_eq!(store.read(&key).await.unwrap(), None);

    let held = store
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap();
    assert!(held.adopted().is_none());
    let during = store.read(&key).await.unwrap().unwrap();
    assert!(during.locked);
    assert_eq!(during.record.phase, Phase::Applying);
    let operation = during.record.operation.unwrap();
    assert_eq!(operation.pid, std::process::id());

    let version = store.settle(held, intent(1, "one")).await.unwrap();
    let after = store.read(&key).await.unwrap().unwrap();
    assert_eq!((after.version, after.locked), (version, false));
    assert_eq!(
        after.record,
        Record {
            phase: Phase::Settled,
            ..intent(1, "one")
        }
    );
    assert_eq!(version.to_string().parse(), Ok(version));

    let held = store
        .begin(&key, Expect::Version(version), intent(2, "two"), &[])
        .await
        .unwrap();
    let version = store.abandon(held, intent(2, "two")).await.unwrap();
    let after = store.read(&key).await.unwrap().unwrap();
    assert_eq!((after.version, after.locked), (version, false));
    assert_eq!(
        (after.record.phase, after.record.revision),
        (Phase::Applying, 2)
    );
    assert!(after.record.operation.is_some());

    let destroying = record(2, Phase::Destroying, "two");
    let held = store
        .begin(&key, Expect::Version(version), destroying, &[])
        .await
        .unwrap();
    store.remove(held).await.unwrap();
    assert_eq!(store.read(&key).await.unwrap(), None);
    store.close().await;
}

#[tokio::test]
async fn of_two_operations_at_once_one_wins() {
    let servers = servers();
    // Two processes: two stores with a session each.
    let (one, other, key) = (store(servers), store(servers), key("race"));
    let version = settled(&one, &key).await;

    for round in 2..12 {
        let version = one
            .read(&key)
            .await
            .unwrap()
            .map_or(version, |stored| stored.version);
        let a = async {
            let held = one
                .begin(&key, Expect::Version(version), intent(round, "a"), &[])
                .await?;
            one.settle(held, intent(round, "a")).await
        };
        let b = async {
            let held = other
                .begin(&key, Expect::Version(version), intent(round, "b"), &[])
                .await?;
            other.settle(held, intent(round, "b")).await
        };
        let (winner, loser) = match tokio::join!(a, b) {
            (Ok(_), Err(loser)) => ("a", loser),
            (Err(loser), Ok(_)) => ("b", loser),
            both => panic!("round {round}: {both:?}"),
        };
        assert!(matches!(loser, StoreError::Changed { .. }), "{loser:?}");
        let stored = one.read(&key).await.unwrap().unwrap();
        assert_eq!(
            stored.record,
            Record {
                phase: Phase::Settled,
                ..intent(round, winner)
            }
        );
    }
}

#[tokio::test]
async fn of_two_creations_at_once_one_wins() {
    let servers = servers();
    let (one, other, key) = (store(servers), store(servers), key("twins"));
    let create = async |store: &Store, image| {
        let held = store
            .begin(&key, Expect::Absent, intent(1, image), &[])
            .await?;
        store.settle(held, intent(1, image)).await
    };
    let results: [_; 2] = tokio::join!(create(&one, "a"), create(&other, "b")).into();
    let errors: Vec<_> = results
        .iter()
        .filter_map(|result| result.as_ref().err())
        .collect();
    // The loser waits for the winner to end, and then finds a settled record.
    assert!(
        matches!(
            errors[..],
            [StoreError::Exists {
                phase: Phase::Settled,
                ..
            }]
        ),
        "{results:?}"
    );
}

#[tokio::test]
async fn what_changed_since_the_plan_is_not_overwritten() {
    let (store, key) = (store(servers()), key("changed"));
    let version = settled(&store, &key).await;
    let held = store
        .begin(&key, Expect::Version(version), intent(2, "two"), &[])
        .await
        .unwrap();
    store.settle(held, intent(2, "two")).await.unwrap();

    let refused = store
        .begin(&key, Expect::Version(version), intent(2, "late"), &[])
        .await
        .unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::Changed {
                revision: Some(2),
                ..
            }
        ),
        "{refused:?}"
    );
    let stored = store.read(&key).await.unwrap().unwrap();
    assert_eq!(
        stored.record,
        Record {
            phase: Phase::Settled,
            ..intent(2, "two")
        }
    );

    let held = store
        .begin(&key, Expect::Version(stored.version), intent(3, ""), &[])
        .await
        .unwrap();
    store.remove(held).await.unwrap();
    let refused = store
        .begin(&key, Expect::Version(version), intent(2, "late"), &[])
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::Changed { revision: None, .. }),
        "{refused:?}"
    );
    assert_eq!(store.read(&key).await.unwrap(), None);
}

#[tokio::test]
async fn an_existing_application_is_not_created_again() {
    let (store, key) = (store(servers()), key("exists"));
    settled(&store, &key).await;
    let refused = store
        .begin(&key, Expect::Absent, intent(1, "again"), &[])
        .await
        .unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::Exists {
                phase: Phase::Settled,
                ..
            }
        ),
        "{refused:?}"
    );
    assert!(
        refused
            .detail()
            .contains("terraform import ADDRESS default/exists"),
        "{refused}"
    );
}

#[tokio::test]
async fn whoever_holds_the_record_is_named() {
    let servers = servers();
    let (one, key) = (store(servers), key("busy"));
    let other = store(servers).with_lock_wait(Duration::from_millis(300));
    let version = settled(&one, &key).await;
    let held = one
        .begin(&key, Expect::Version(version), intent(2, "two"), &[])
        .await
        .unwrap();

    // Planned while the other was at it.
    let during = other.read(&key).await.unwrap().unwrap();
    let refused = other
        .begin(&key, Expect::Version(during.version), intent(3, "x"), &[])
        .await
        .unwrap_err();
    let StoreError::Busy {
        operation: Some(operation),
        ..
    } = &refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(*operation.as_ref(), during.record.operation.unwrap());
    assert!(
        refused
            .detail()
            .contains(&format!("process {}", std::process::id())),
        "{refused}"
    );

    one.settle(held, intent(2, "two")).await.unwrap();
    let stored = one.read(&key).await.unwrap().unwrap();
    assert_eq!(stored.record.revision, 2);
}

#[tokio::test]
async fn a_holder_that_dies_is_waited_for() {
    let servers = servers();
    let (dead, alive, key) = (store(servers), store(servers), key("dead"));
    let version = settled(&alive, &key).await;
    let held = dead
        .begin(&key, Expect::Version(version), intent(2, "two"), &[])
        .await
        .unwrap();
    let during = alive.read(&key).await.unwrap().unwrap();
    assert!(during.locked);

    // The next apply was planned with the intent in place, and begins while the lock still lives.
    let next = alive.begin(
        &key,
        Expect::Version(during.version),
        intent(3, "three"),
        &[],
    );
    let death = async {
        let gone = expire(alive.consul(), &dead, &key);
        tokio::time::sleep(Duration::from_millis(200)).await;
        gone.await;
    };
    let (next, ()) = tokio::join!(next, death);
    alive
        .settle(next.unwrap(), intent(3, "three"))
        .await
        .unwrap();

    // The dead one was only asleep: it must not overwrite what came after.
    let lost = dead.settle(held, intent(2, "two")).await.unwrap_err();
    assert!(matches!(lost, StoreError::Lost { .. }), "{lost:?}");
    let stored = alive.read(&key).await.unwrap().unwrap();
    assert_eq!(
        stored.record,
        Record {
            phase: Phase::Settled,
            ..intent(3, "three")
        }
    );
}

#[tokio::test]
async fn a_lock_that_expired_before_the_apply_is_no_change() {
    let servers = servers();
    let (dead, alive, key) = (store(servers), store(servers), key("expired"));
    let _held = dead
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap();
    let planned = alive.read(&key).await.unwrap().unwrap();
    expire(alive.consul(), &dead, &key).await;
    let now = alive.read(&key).await.unwrap().unwrap();
    assert_ne!(
        now.version, planned.version,
        "Consul counts the release as a change"
    );
    let held = alive
        .begin(
            &key,
            Expect::Version(planned.version),
            intent(2, "two"),
            &[],
        )
        .await
        .unwrap();
    alive.settle(held, intent(2, "two")).await.unwrap();
}

#[tokio::test]
async fn an_interrupted_creation_is_adopted() {
    let servers = servers();
    let (dead, alive, key) = (store(servers), store(servers), key("adopted"));
    let held = dead
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap();
    let left = held.record().clone();
    dead.close().await;

    let held = alive
        .begin(&key, Expect::Absent, intent(1, "two"), &[])
        .await
        .unwrap();
    assert_eq!(held.adopted(), Some(&left));
    alive.settle(held, intent(1, "two")).await.unwrap();
    let stored = alive.read(&key).await.unwrap().unwrap();
    assert_eq!(
        stored.record,
        Record {
            phase: Phase::Settled,
            ..intent(1, "two")
        }
    );
}

#[tokio::test]
async fn an_interrupted_update_or_destroy_is_not_adopted_by_a_creation() {
    let servers = servers();
    for (name, phase) in [
        ("half-update", Phase::Applying),
        ("half-destroy", Phase::Destroying),
    ] {
        let (store, key) = (store(servers), key(name));
        let version = settled(&store, &key).await;
        let held = store
            .begin(&key, Expect::Version(version), record(2, phase, "two"), &[])
            .await
            .unwrap();
        store.abandon(held, record(2, phase, "two")).await.unwrap();
        let refused = store
            .begin(&key, Expect::Absent, intent(1, "new"), &[])
            .await
            .unwrap_err();
        let StoreError::Exists { phase: found, .. } = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(found, phase);
    }
}

#[tokio::test]
async fn a_lost_lock_with_an_untouched_intent_is_settled_all_the_same() {
    let servers = servers();
    let (store, key) = (store(servers), key("untouched"));
    let held = store
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap();
    expire(store.consul(), &store, &key).await;
    let version = store.settle(held, intent(1, "one")).await.unwrap();
    let stored = store.read(&key).await.unwrap().unwrap();
    assert_eq!(
        (stored.version, stored.record.phase),
        (version, Phase::Settled)
    );

    // And the next operation of the same process makes itself a new session.
    let held = store
        .begin(&key, Expect::Version(version), intent(2, "two"), &[])
        .await
        .unwrap();
    expire(store.consul(), &store, &key).await;
    store.remove(held).await.unwrap();
    assert_eq!(store.read(&key).await.unwrap(), None);
}

#[tokio::test]
async fn what_an_outsider_wrote_during_the_apply_stays() {
    let servers = servers();
    let (store, key) = (store(servers), key("outsider"));
    // `consul kv put` looks at no lock.
    let held = store
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap();
    servers.consul.write_key(&store.path(&key), "mine");
    let lost = store.settle(held, intent(1, "one")).await.unwrap_err();
    assert!(matches!(lost, StoreError::Lost { .. }), "{lost:?}");
    assert_eq!(raw(&store, &key).await, b"mine");
    store.close().await;
}

#[tokio::test]
async fn unreadable_records_are_told_and_left_alone() {
    let servers = servers();
    let good =
        json!({ "format": 1, "revision": 1, "phase": "settled", "document": {}, "jobs": {} });
    let with = |field: &str, value: serde_json::Value| {
        let mut record = good.clone();
        record[field] = value;
        record.to_string()
    };
    let cases = [
        ("no-json", "{\"format\": 1,".to_owned(), "no JSON"),
        ("empty", String::new(), "no JSON"),
        ("no-format", "{}".to_owned(), "no `format`"),
        ("list", "[1]".to_owned(), "no `format`"),
        (
            "phase",
            with("phase", json!("sleeping")),
            "unknown variant `sleeping`",
        ),
        (
            "unknown-field",
            with("owner", json!("me")),
            "unknown field `owner`",
        ),
        ("no-jobs", with("jobs", json!(3)), "invalid type"),
        ("newer", with("format", json!(2)), "has format 2"),
        (
            "newer-unlike",
            json!({ "format": 7, "blob": "x" }).to_string(),
            "has format 7",
        ),
    ];
    for (name, value, reason) in cases {
        let (store, key) = (store(servers), key(name));
        let path = store.path(&key);
        servers.consul.write_key(&path, &value);
        for error in [
            store.read(&key).await.unwrap_err(),
            store
                .begin(&key, Expect::Absent, intent(1, "one"), &[])
                .await
                .unwrap_err(),
        ] {
            let newer = matches!(error, StoreError::Newer { .. });
            assert_eq!(newer, name.starts_with("newer"), "{name}: {error}");
            assert!(
                newer || matches!(error, StoreError::Corrupt { .. }),
                "{name}: {error}"
            );
            assert!(error.detail().contains(reason), "{name}: {error}");
            assert!(error.detail().contains(&path), "{name}: {error}");
        }
        assert_eq!(raw(&store, &key).await, value.as_bytes(), "{name}");
    }
}

#[tokio::test]
async fn a_record_that_was_spoilt_after_the_plan_is_left_alone() {
    let servers = servers();
    let (store, key) = (store(servers), key("spoilt"));
    let version = settled(&store, &key).await;
    servers.consul.write_key(&store.path(&key), "spoilt");
    let refused = store
        .begin(&key, Expect::Version(version), intent(2, "two"), &[])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused:?}");
    assert_eq!(raw(&store, &key).await, b"spoilt");
}

#[tokio::test]
async fn a_record_that_is_too_large_is_not_sent() {
    let (store, key) = (store(servers()), key("large"));
    // The largest that fits, found by its size: Base64 makes 4 bytes of 3.
    let fits = "x".repeat(380_000);
    let held = store
        .begin(&key, Expect::Absent, intent(1, &fits), &[])
        .await
        .unwrap();
    let large = "x".repeat(400_000);
    let before = store.consul().requests();
    let refused = store.settle(held, intent(1, &large)).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::TooLarge { size, .. } if size > 512 * 1024),
        "{refused:?}"
    );
    let other = ApplicationKey::new(None, "larger");
    let refused = store
        .begin(&other, Expect::Absent, intent(1, &large), &[])
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::TooLarge { .. }),
        "{refused:?}"
    );
    assert_eq!(store.consul().requests(), before);
    store.close().await;
}

#[tokio::test]
async fn records_are_listed_by_tenant() {
    let servers = servers();
    let store = Store::new(consul_at(&servers.consul.address), "listing/deep").unwrap();
    let keys = [
        ApplicationKey::new(Some("acme"), "one"),
        ApplicationKey::new(Some("acme"), "two"),
        ApplicationKey::new(Some("acme2"), "one"),
    ];
    for key in &keys {
        settled(&store, key).await;
    }
    servers
        .consul
        .write_key("listing/deep/applications/acme/two/below", "no application");
    servers
        .consul
        .write_key("listing/deep/applications/acme/bad", "bad");
    let names = async |tenant| {
        let all = store.list(tenant).await.unwrap();
        all.into_iter()
            .map(|(key, stored)| (key.to_string(), stored.is_ok()))
            .collect::<Vec<_>>()
    };
    let acme = [("acme/bad", false), ("acme/one", true), ("acme/two", true)];
    let all = [acme[0], acme[1], acme[2], ("acme2/one", true)];
    let owned = |list: &[(&str, bool)]| {
        list.iter()
            .map(|(k, ok)| ((*k).to_owned(), *ok))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(Some("acme")).await, owned(&acme));
    assert_eq!(names(None).await, owned(&all));
    assert_eq!(names(Some("none")).await, []);
}

#[tokio::test]
async fn a_lost_answer_is_found_out_about() {
    let proxy = Proxy::start(&servers().consul.address);
    let (store, key) = (store_at(&proxy.address), key("lost-answer"));
    // Every transaction is done, but its answer does not arrive.
    proxy.rule(|seen| {
        if seen.path.starts_with("/v1/txn") {
            Action::LoseAnswer
        } else {
            Action::Forward
        }
    });
    let held = store
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap();
    let version = store.settle(held, intent(1, "one")).await.unwrap();
    let mut seen = proxy.take_seen();
    assert_eq!(store.read(&key).await.unwrap().unwrap().version, version);
    proxy.take_seen();
    let held = store
        .begin(&key, Expect::Version(version), intent(2, "two"), &[])
        .await
        .unwrap();
    store.remove(held).await.unwrap();
    seen.extend(proxy.take_seen());
    assert_eq!(store.read(&key).await.unwrap(), None);
    // Whether something was done is asked with the leader's assent: an answer from before would say no.
    let reads = seen.iter().filter(|seen| seen.method == "GET");
    let reads: Vec<_> = reads.map(|seen| &seen.path).collect();
    assert!(reads.len() >= 4, "{reads:?}");
    for read in reads {
        assert!(read.contains("consistent="), "{read}");
    }
}

#[tokio::test]
async fn a_request_that_did_not_arrive_changes_nothing() {
    let proxy = Proxy::start(&servers().consul.address);
    let (store, key) = (store_at(&proxy.address), key("not-arrived"));
    let held = store
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap();
    proxy.rule(|seen| {
        if seen.path.starts_with("/v1/txn") {
            Action::Close
        } else {
            Action::Forward
        }
    });
    let error = store.settle(held, intent(1, "one")).await.unwrap_err();
    let StoreError::Consul(error) = error else {
        panic!("{error:?}")
    };
    assert!(matches!(error.kind, Kind::Interrupted { .. }), "{error:?}");
    assert_eq!(
        store.read(&key).await.unwrap().unwrap().record.phase,
        Phase::Applying
    );
}

#[tokio::test]
async fn an_outcome_of_which_nothing_was_heard_is_tried_again() {
    let proxy = Proxy::start(&servers().consul.address);
    let (store, key) = (store_at(&proxy.address), key("outcome-unheard"));
    // The first transaction after this does not arrive, or Consul fails at it.
    let fails = |action: Action| {
        let mut failed = false;
        proxy.rule(move |seen| {
            match seen.path.starts_with("/v1/txn") && !std::mem::replace(&mut failed, true) {
                true => action.clone(),
                false => Action::Forward,
            }
        });
    };
    let begun = store.begin(&key, Expect::Absent, intent(1, "one"), &[]);
    let held = begun.await.unwrap();
    fails(Action::Close);
    let version = store.settle(held, intent(1, "one")).await.unwrap();
    let now = store.read(&key).await.unwrap().unwrap();
    assert_eq!((now.version, now.record.phase), (version, Phase::Settled));
    let begun = store.begin(&key, Expect::Version(version), intent(2, "two"), &[]);
    let held = begun.await.unwrap();
    fails(Action::Answer(500, vec![], "broken"));
    store.remove(held).await.unwrap();
    assert_eq!(store.read(&key).await.unwrap(), None);
}

#[tokio::test]
async fn an_apply_costs_few_requests_and_a_refresh_one() {
    let (store, key) = (store(servers()), key("cheap"));
    let version = settled(&store, &key).await;
    // The session, the intent, the outcome.
    assert_eq!(store.consul().requests(), 3);
    store.read(&key).await.unwrap();
    assert_eq!(store.consul().requests(), 4);
    // The record before, for the scopes in it, the intent, the outcome.
    let held = store
        .begin(&key, Expect::Version(version), intent(2, "two"), &[])
        .await
        .unwrap();
    store.settle(held, intent(2, "two")).await.unwrap();
    assert_eq!(store.consul().requests(), 7);
}

#[tokio::test]
async fn a_session_is_made_once_for_all_and_ended_at_the_end() {
    let proxy = Proxy::start(&servers().consul.address);
    let store = store_at(&proxy.address);
    let keys: Vec<_> = (0..10).map(|n| key(&format!("many-{n}"))).collect();
    futures_util::future::join_all(keys.iter().map(|key| settled(&store, key))).await;
    store.close().await;
    let seen = proxy.take_seen();
    let count = |path: &str| {
        seen.iter()
            .filter(|seen| seen.path.starts_with(path))
            .count()
    };
    assert_eq!(count("/v1/session/create"), 1);
    assert_eq!(count("/v1/session/destroy"), 1);
}

#[tokio::test]
async fn waiting_for_another_operation_can_be_cancelled() {
    let servers = servers();
    let proxy = Proxy::start(&servers.consul.address);
    let (one, other, key) = (store(servers), store_at(&proxy.address), key("cancel"));
    let held = one
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap();
    let during = one.read(&key).await.unwrap().unwrap();
    let gate = Gate::new();
    let blocking = gate.clone();
    proxy.rule(move |seen| {
        if seen.path.contains("index=") {
            Action::Hold(blocking.clone())
        } else {
            Action::Forward
        }
    });
    let waiting = tokio::spawn({
        let (other, key) = (other.clone(), key.clone());
        async move {
            other
                .begin(&key, Expect::Version(during.version), intent(2, "two"), &[])
                .await
        }
    });
    tokio::task::spawn_blocking({
        let gate = gate.clone();
        move || gate.wait_for_arrival()
    })
    .await
    .unwrap();
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    gate.open();
    one.settle(held, intent(1, "one")).await.unwrap();
    assert_eq!(one.read(&key).await.unwrap().unwrap().record.revision, 1);
}

#[tokio::test]
async fn a_session_expires_by_itself() {
    let client = consul_at(&servers().consul.address);
    let id = client
        .create_session("test", Duration::from_secs(10), Behavior::Release)
        .await
        .unwrap();
    let path = "oam/expiry";
    client
        .txn(&[Op::Lock {
            key: path,
            value: b"x",
            session: &id,
        }])
        .await
        .unwrap();
    assert!(client.renew_session(&id).await.unwrap());
    let mut entry = client.get(path).await.unwrap().unwrap();
    let waited = tokio::time::timeout(LIMIT, async {
        while entry.session.is_some() {
            let (_, next) = client
                .get_changed(path, entry.modify_index, Duration::from_secs(30))
                .await
                .unwrap();
            entry = next.unwrap();
        }
    });
    waited.await.expect("the session expires");
    assert_eq!(entry.value, b"x");
    assert!(!client.renew_session(&id).await.unwrap());
}

#[tokio::test]
async fn a_long_operation_keeps_its_lock() {
    let proxy = Proxy::start(&servers().consul.address);
    let (store, key) = (store_at(&proxy.address), key("long"));
    let held = store
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap();
    // Renewed every 5 s; a session that is not renewed has ended after 30 s.
    let mut renewals = 0;
    let renewed = async {
        while renewals < 7 {
            let seen = proxy.take_seen();
            let renewal = |seen: &&Seen| seen.path.starts_with("/v1/session/renew/");
            renewals += seen.iter().filter(renewal).count();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(LIMIT, renewed)
        .await
        .expect("the session is renewed");
    assert!(!held.is_lost());
    assert!(store.read(&key).await.unwrap().unwrap().locked);
    store.settle(held, intent(1, "one")).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_creation_that_nobody_heard_of_is_taken_over() {
    let servers = servers();
    let (dead, alive, key) = (store(servers), store(servers), key("unheard"));
    settled(&dead, &key).await;
    let mark = format!("{}/unseen", dead.path(&key));
    let session = alive.consul().get(&mark).await.unwrap().unwrap().session;
    alive
        .consul()
        .destroy_session(&session.unwrap())
        .await
        .unwrap();

    // Something else by that name is somebody else's.
    let refused = alive
        .begin(&key, Expect::Absent, intent(1, "other"), &[])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Exists { .. }), "{refused:?}");

    let held = alive
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap();
    assert!(held.adopted().is_some());
    alive.settle(held, intent(1, "one")).await.unwrap();
    alive.close().await;
    assert_eq!(alive.consul().get(&mark).await.unwrap(), None);

    let refused = store(servers)
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Exists { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_creation_whose_process_lives_is_waited_for_and_then_exists() {
    let servers = servers();
    let (first, second, key) = (store(servers), store(servers), key("heard"));
    settled(&first, &key).await;
    // By the same process it is there twice in one configuration: no use to wait.
    let own = first
        .begin(&key, Expect::Absent, intent(1, "one"), &[])
        .await
        .unwrap_err();
    assert!(matches!(own, StoreError::Exists { .. }), "{own:?}");

    let proxy = Proxy::start(&servers.consul.address);
    let watched = store_at(&proxy.address);
    let other = key.clone();
    let waits = tokio::spawn(async move {
        watched
            .begin(&other, Expect::Absent, intent(1, "one"), &[])
            .await
    });
    let proxy = tokio::task::spawn_blocking(move || {
        super::support::eventually("the second waits for the first", || {
            let seen = proxy.take_seen();
            let waits =
                |seen: &Seen| seen.path.contains("/unseen?") && seen.path.contains("index=");
            seen.iter().any(waits).then_some(())
        });
        proxy
    });
    let _proxy = proxy.await.unwrap();
    first.close().await;
    let refused = waits.await.unwrap().unwrap_err();
    assert!(matches!(refused, StoreError::Exists { .. }), "{refused:?}");

    // What is changed later is known, whatever became of the mark.
    let version = second.read(&key).await.unwrap().unwrap().version;
    let mark = format!("{}/unseen", second.path(&key));
    let op = Op::Set {
        key: &mark,
        value: b"left",
    };
    second.consul().txn(&[op]).await.unwrap();
    let held = second
        .begin(&key, Expect::Version(version), intent(2, "two"), &[])
        .await
        .unwrap();
    second.settle(held, intent(2, "two")).await.unwrap();
    assert_eq!(second.consul().get(&mark).await.unwrap(), None);
}
