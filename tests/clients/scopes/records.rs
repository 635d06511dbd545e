//! How a scope is made, changed and removed, and what is told where it is not.

use std::time::Duration;

use oam_provider::http::Kind;
use oam_provider::store::{
    Expect, Key, Phase, ScopeKey, ScopeKind, ScopeRecord, Store, StoreError,
};
use serde_json::json;

use super::super::support::proxy::{Action, Proxy};
use super::super::support::servers;
use super::{
    app, begin, crash, in_use, made, phase, properties, removed, scope, settled, store, store_at,
    using,
};

#[tokio::test]
async fn a_scope_lives_from_creation_to_removal() {
    let (store, key) = (store("life"), scope("team"));
    assert_eq!(store.scope_path(&key), "scopes/life/scopes/namespace/team");
    assert_eq!(store.read_scope(&key).await.unwrap(), None);

    let held = store
        .begin_scope(&key, Expect::Absent, properties(1, "one"))
        .await
        .unwrap();
    assert!(held.adopted().is_none());
    assert_eq!(phase(&store, &key).await, Some((Phase::Applying, true)));
    let version = store.settle(held, properties(1, "one")).await.unwrap();
    let found = store.read_scope(&key).await.unwrap().unwrap();
    let expected = ScopeRecord {
        phase: Phase::Settled,
        ..properties(1, "one")
    };
    assert_eq!(
        (found.record, found.version, found.locked),
        (expected, version, false)
    );

    let held = store
        .begin_scope(&key, Expect::Version(version), properties(2, "two"))
        .await
        .unwrap();
    let version = store.abandon(held, properties(2, "two")).await.unwrap();
    assert_eq!(phase(&store, &key).await, Some((Phase::Applying, false)));
    let held = store
        .begin_scope(&key, Expect::Version(version), properties(2, "two"))
        .await
        .unwrap();
    let version = store.settle(held, properties(2, "two")).await.unwrap();

    let removal = store.begin_scope_removal(&key, version).await.unwrap();
    assert_eq!(removal.record().properties, json!({ "text": "two" }));
    assert_eq!(phase(&store, &key).await, Some((Phase::Destroying, true)));
    let version = store.abandon_scope_removal(removal).await.unwrap();
    assert_eq!(phase(&store, &key).await, Some((Phase::Destroying, false)));
    removed(&store, &key, version).await.unwrap();
    assert_eq!(store.read_scope(&key).await.unwrap(), None);
}

#[tokio::test]
async fn scopes_are_listed_by_kind() {
    let store = store("list");
    for id in ["network/b", "node-pool/a", "network/a"] {
        made(&store, &ScopeKey::parse(id).unwrap()).await;
    }
    let write = |path: &str| {
        servers()
            .consul
            .write_key(&format!("scopes/list/scopes/{path}"), "spoilt");
    };
    write("network/spoilt");
    write("network/a/below");
    write("health/a");
    let list = async |kind| {
        let all = store.list_scopes(kind).await.unwrap();
        let ids = all
            .iter()
            .map(|(key, found)| format!("{key} {}", found.is_ok()));
        ids.collect::<Vec<_>>().join(", ")
    };
    let networks = "network/a true, network/b true, network/spoilt false";
    assert_eq!(list(Some(ScopeKind::Network)).await, networks);
    assert_eq!(list(None).await, format!("{networks}, node-pool/a true"));
    assert_eq!(list(Some(ScopeKind::Namespace)).await, "");
}

#[tokio::test]
async fn nothing_that_changed_is_overwritten_or_removed() {
    let (store, key) = (store("changed"), scope("team"));
    let old = made(&store, &key).await;
    let exists = store
        .begin_scope(&key, Expect::Absent, properties(1, "again"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            exists,
            StoreError::Exists {
                phase: Phase::Settled,
                ..
            }
        ),
        "{exists:?}"
    );
    assert_eq!(exists.summary(), "The scope namespace/team exists already");
    assert!(
        exists
            .detail()
            .contains("terraform import ADDRESS namespace/team")
            && !exists.detail().contains("tenant"),
        "{exists}"
    );

    let held = store
        .begin_scope(&key, Expect::Version(old), properties(2, "two"))
        .await
        .unwrap();
    let now = store.settle(held, properties(2, "two")).await.unwrap();
    let changed = |error: StoreError, revision| {
        let key = Key::Scope(key.clone());
        assert!(
            matches!(&error, StoreError::Changed { key: k, revision: r } if *k == key && *r == revision),
            "{error:?}"
        );
    };
    let late = properties(2, "late");
    let begin = async |version| {
        let begun = store.begin_scope(&key, Expect::Version(version), late.clone());
        begun.await.unwrap_err()
    };
    let remove = async |version| removed(&store, &key, version).await.unwrap_err();
    changed(begin(old).await, Some(2));
    changed(remove(old).await, Some(2));
    removed(&store, &key, now).await.unwrap();
    changed(begin(now).await, None);
    changed(remove(now).await, None);
    assert_eq!(store.read_scope(&key).await.unwrap(), None);
}

#[tokio::test]
async fn of_two_creations_and_of_two_removals_at_once_one_wins() {
    let (one, other, key) = (store("twins"), store("twins"), scope("team"));
    let create = async |store: &Store, text| {
        let intent = properties(1, text);
        let held = store
            .begin_scope(&key, Expect::Absent, intent.clone())
            .await?;
        store.settle(held, intent).await
    };
    let results: [_; 2] = tokio::join!(create(&one, "a"), create(&other, "b")).into();
    let versions: Vec<_> = results.iter().flatten().copied().collect();
    let errors: Vec<_> = results.iter().filter_map(|it| it.as_ref().err()).collect();
    assert!(
        matches!(errors[..], [StoreError::Exists { .. }]),
        "{results:?}"
    );
    let results: [_; 2] = tokio::join!(
        removed(&one, &key, versions[0]),
        removed(&other, &key, versions[0])
    )
    .into();
    let errors: Vec<_> = results.iter().filter_map(|it| it.as_ref().err()).collect();
    assert!(
        matches!(errors[..], [StoreError::Changed { .. }]),
        "{results:?}"
    );
}

#[tokio::test]
async fn a_creation_takes_over_what_was_interrupted() {
    let (alive, key) = (store("adopt"), scope("team"));
    let dead = store("adopt");
    let intent = ScopeRecord {
        owns: false,
        ..properties(1, "one")
    };
    let held = dead
        .begin_scope(&key, Expect::Absent, intent)
        .await
        .unwrap();
    let left = held.record().clone();
    crash(dead).await;
    let held = alive
        .begin_scope(&key, Expect::Absent, properties(1, "two"))
        .await
        .unwrap();
    assert_eq!(held.adopted(), Some(&left));
    let version = alive.settle(held, properties(1, "two")).await.unwrap();

    let dead = store("adopt");
    let _removal = dead.begin_scope_removal(&key, version).await.unwrap();
    crash(dead).await;
    let held = alive
        .begin_scope(&key, Expect::Absent, properties(1, "three"))
        .await
        .unwrap();
    assert_eq!(held.adopted().unwrap().phase, Phase::Destroying);
    let version = alive.settle(held, properties(1, "three")).await.unwrap();

    // An update that was interrupted is somebody's.
    let dead = store("adopt");
    let _held = dead
        .begin_scope(&key, Expect::Version(version), properties(2, "four"))
        .await
        .unwrap();
    crash(dead).await;
    let exists = alive
        .begin_scope(&key, Expect::Absent, properties(1, "five"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            exists,
            StoreError::Exists {
                phase: Phase::Applying,
                ..
            }
        ),
        "{exists:?}"
    );
}

#[tokio::test]
async fn unreadable_scopes_are_told_and_left_alone() {
    let (store, key) = (store("unreadable"), scope("team"));
    let version = made(&store, &key).await;
    for (value, reason) in [
        ("spoilt", "it is no JSON"),
        ("{}", "no `format`"),
        (r#"{"format": 3}"#, "format 3"),
        (
            r#"{"format": 1, "revision": 1, "phase": "settled", "properties": {}}"#,
            "missing field `owns`",
        ),
    ] {
        servers().consul.write_key(&store.scope_path(&key), value);
        let errors = [
            store.read_scope(&key).await.unwrap_err(),
            removed(&store, &key, version).await.unwrap_err(),
            store
                .begin_scope(&key, Expect::Version(version), properties(2, "two"))
                .await
                .unwrap_err(),
            begin(&store, "shop", &[(key.clone(), version)])
                .await
                .unwrap_err(),
        ];
        for error in errors {
            let (StoreError::Corrupt { key: of, .. } | StoreError::Newer { key: of, .. }) = &error
            else {
                panic!("{error:?}")
            };
            assert_eq!(*of, Key::Scope(key.clone()));
            assert!(error.detail().contains(reason), "{error}");
        }
        let (raw, _) = servers().consul.key(&store.scope_path(&key)).unwrap();
        assert_eq!(raw, value);
    }
    let large = properties(1, &"x".repeat(400_000));
    let error = store
        .begin_scope(&scope("large"), Expect::Absent, large)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn an_interrupted_removal_is_gone_on_with_or_turned_back() {
    let (alive, key) = (store("interrupted"), scope("team"));
    let version = made(&alive, &key).await;
    let interrupted = async |version| {
        let dead = store("interrupted");
        let _removal = dead.begin_scope_removal(&key, version).await.unwrap();
        crash(dead).await;
        assert_eq!(phase(&alive, &key).await, Some((Phase::Destroying, false)));
        alive.read_scope(&key).await.unwrap().unwrap().version
    };
    let left = interrupted(version).await;
    let error = begin(&alive, "shop", &[(key.clone(), left)])
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::ScopeChanged { .. }),
        "{error:?}"
    );
    let held = alive
        .begin_scope(&key, Expect::Version(left), properties(2, "two"))
        .await
        .unwrap();
    let version = alive.settle(held, properties(2, "two")).await.unwrap();
    let left = interrupted(version).await;
    removed(&alive, &key, left).await.unwrap();
    assert_eq!(alive.read_scope(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_removal_that_lost_its_lock_deletes_nothing_that_came_after() {
    let (slow, alive, key) = (store("lost"), store("lost"), scope("team"));
    let version = made(&alive, &key).await;
    let removal = slow.begin_scope_removal(&key, version).await.unwrap();
    let during = alive.read_scope(&key).await.unwrap().unwrap().version;
    let entry = alive.consul().get(&alive.scope_path(&key)).await.unwrap();
    let session = entry.unwrap().session.unwrap();
    alive.consul().destroy_session(&session).await.unwrap();
    let held = alive
        .begin_scope(&key, Expect::Version(during), properties(2, "two"))
        .await
        .unwrap();
    let version = alive.settle(held, properties(2, "two")).await.unwrap();
    begin(&alive, "shop", &[(key.clone(), version)])
        .await
        .unwrap();
    let error = slow.remove_scope(removal).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Lost { key: of } if *of == Key::Scope(key.clone())),
        "{error:?}"
    );
    assert_eq!(phase(&alive, &key).await, Some((Phase::Settled, false)));
    alive.close().await;
}

#[tokio::test]
async fn whoever_works_on_the_scope_is_waited_for_and_named() {
    let (one, key) = (store("busy"), scope("team"));
    let other = store("busy").with_lock_wait(Duration::from_millis(300));
    let version = made(&one, &key).await;
    let removal = one.begin_scope_removal(&key, version).await.unwrap();
    let during = one.read_scope(&key).await.unwrap().unwrap().version;
    let intent = properties(2, "two");
    for error in [
        removed(&other, &key, during).await.unwrap_err(),
        other
            .begin_scope(&key, Expect::Version(during), intent.clone())
            .await
            .unwrap_err(),
        other
            .begin_scope(&key, Expect::Absent, intent)
            .await
            .unwrap_err(),
    ] {
        let StoreError::Busy {
            operation: Some(operation),
            ..
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!(operation.pid, std::process::id());
    }
    one.remove_scope(removal).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_found_out_about() {
    let proxy = Proxy::start(&servers().consul.address);
    let (store, key) = (store_at(&proxy.address, "answers"), scope("team"));
    proxy.rule(|seen| {
        if seen.path.starts_with("/v1/txn") {
            Action::LoseAnswer
        } else {
            Action::Forward
        }
    });
    let version = made(&store, &key).await;
    let app_version = settled(&store, "shop", &key).await;
    let error = removed(&store, &key, version).await.unwrap_err();
    assert_eq!(in_use(&error), ["default/shop"]);
    assert_eq!(phase(&store, &key).await, Some((Phase::Settled, false)));
    let destroying = using(1, Phase::Destroying, &[&key]);
    let held = store
        .begin(&app("shop"), Expect::Version(app_version), destroying, &[])
        .await
        .unwrap();
    store.remove(held).await.unwrap();
    removed(&store, &key, version).await.unwrap();
    assert_eq!(store.read_scope(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_request_that_did_not_arrive_changes_nothing() {
    let proxy = Proxy::start(&servers().consul.address);
    let (store, key) = (store_at(&proxy.address, "arrivals"), scope("team"));
    let version = made(&store, &key).await;
    let removal = store.begin_scope_removal(&key, version).await.unwrap();
    proxy.rule(|seen| {
        if seen.path.starts_with("/v1/txn") {
            Action::Close
        } else {
            Action::Forward
        }
    });
    let StoreError::Consul(error) = store.remove_scope(removal).await.unwrap_err() else {
        panic!("something else")
    };
    assert!(matches!(error.kind, Kind::Interrupted { .. }), "{error:?}");
    assert_eq!(phase(&store, &key).await, Some((Phase::Destroying, true)));
    store.close().await;
}

#[tokio::test]
async fn a_creation_that_came_to_nothing_leaves_nothing() {
    let (store, key) = (store("discard"), scope("team"));
    let held = store
        .begin_scope(&key, Expect::Absent, properties(1, "one"))
        .await
        .unwrap();
    store.discard_scope(held).await.unwrap();
    assert_eq!(store.read_scope(&key).await.unwrap(), None);
    made(&store, &key).await;
}
