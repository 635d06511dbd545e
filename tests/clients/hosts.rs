//! A host is one tenant's: no application begins with one in another's domain, and no tenant gets a domain
//! in which another's application has one.
//!
//! Each test has a key prefix of its own, since a tenant that gets a domain looks at all applications.

use std::collections::BTreeMap;

use oam_provider::store::{
    ApplicationKey, Expect, FORMAT, Held, Phase, Record, Store, StoreError, TenantKey,
    TenantRecord, Version,
};
use oam_provider::tenants::{Limits, Quotas, Spaces};
use serde_json::json;

use super::consul_at;
use super::store::record;
use super::support::proxy::{Action, Gate, Proxy};
use super::support::servers;

fn store(prefix: &str) -> Store {
    let consul = consul_at(&servers().consul.address);
    Store::new(consul, &format!("hosts/{prefix}")).unwrap()
}

fn tenant(revision: u64, domain: Option<&str>) -> TenantRecord {
    TenantRecord {
        format: FORMAT,
        revision,
        phase: Phase::Applying,
        id: "7f1c9d9e-0b5a-4a57-9a5e-1d0c5b3a2f10".to_owned(),
        display_name: "A tenant".to_owned(),
        domain: domain.map(str::to_owned),
        quotas: Quotas::default(),
        limits: Limits::default(),
        active: true,
        namespaces: Spaces::default(),
        created_at: "2026-01-01T00:00:00Z".to_owned(),
        updated_at: "2026-01-01T00:00:00Z".to_owned(),
        made: BTreeMap::new(),
        operation: None,
    }
}

async fn make(store: &Store, name: &str, domain: Option<&str>) -> Result<Version, StoreError> {
    let key = TenantKey::new(name);
    let held = store
        .begin_tenant(&key, Expect::Absent, tenant(1, domain))
        .await?;
    store.settle_tenant(held, tenant(1, domain)).await
}

async fn change(
    store: &Store,
    name: &str,
    version: Version,
    domain: Option<&str>,
) -> Result<Version, StoreError> {
    let key = TenantKey::new(name);
    let held = store
        .begin_tenant(&key, Expect::Version(version), tenant(2, domain))
        .await?;
    store.settle_tenant(held, tenant(2, domain)).await
}

/// An application that asks for a host.
fn asking(host: &str) -> Record {
    let ingress = json!({ "type": "ingress", "properties": { "host": host } });
    Record {
        document: json!({ "kind": "Application", "spec": { "components": [
            { "name": "web", "type": "webservice", "traits": [ingress] },
        ]}}),
        ..record(1, Phase::Applying, "")
    }
}

async fn ask(
    store: &Store,
    tenant: Option<&str>,
    name: &str,
    host: &str,
) -> Result<Held, StoreError> {
    let key = ApplicationKey::new(tenant, name);
    store.begin(&key, Expect::Absent, asking(host), &[]).await
}

#[tokio::test]
async fn a_host_in_another_tenants_domain_is_refused() {
    let store = store("taken");
    make(&store, "acme", Some("acme.example.com"))
        .await
        .unwrap();
    make(&store, "beta", None).await.unwrap();
    for (owner, host) in [
        (None, "acme.example.com"),
        (None, "shop.acme.example.com"),
        (Some("beta"), "Shop.ACME.example.com"),
        (Some("nobody"), "a.b.acme.example.com"),
    ] {
        let error = ask(&store, owner, "shop", host).await.unwrap_err();
        let is_acmes =
            matches!(&error, StoreError::HostTaken { tenant, .. } if tenant.name() == "acme");
        assert!(is_acmes, "{owner:?} {host}: {error:?}");
        let key = ApplicationKey::new(owner, "shop");
        assert_eq!(store.read(&key).await.unwrap(), None, "{owner:?} {host}");
    }
    for (owner, host) in [
        (Some("acme"), "shop.acme.example.com"),
        (Some("beta"), "shop.beta.example.com"),
        (None, "example.com"),
        (None, "notacme.example.com"),
        (Some("nobody"), "acme.example.com.evil.org"),
    ] {
        let held = ask(&store, owner, "shop", host).await;
        let held = held.unwrap_or_else(|error| panic!("{owner:?} {host}: {error}"));
        store.remove(held).await.unwrap();
    }
}

#[tokio::test]
async fn a_domain_with_hosts_of_others_is_not_given() {
    let store = store("in-use");
    ask(&store, None, "shop", "shop.acme.example.com")
        .await
        .unwrap();
    let error = make(&store, "acme", Some("acme.example.com"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::DomainInUse { applications, .. }
            if applications == &[ApplicationKey::new(None, "shop")]),
        "{error:?}"
    );
    assert!(error.detail().contains("default/shop"), "{error}");
    // Nothing is left of it.
    let key = TenantKey::new("acme");
    assert!(store.read_tenant(&key).await.unwrap().is_none());
    assert_eq!(store.domains().await.unwrap().iter().count(), 0);

    // Nor is anything changed where the tenant was there before.
    let version = make(&store, "acme", Some("old.example.com")).await.unwrap();
    let error = change(&store, "acme", version, Some("acme.example.com"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::DomainInUse { .. }), "{error:?}");
    let now = store.read_tenant(&key).await.unwrap().unwrap();
    assert_eq!(now.record.domain.as_deref(), Some("old.example.com"));
    assert_eq!((now.record.phase, now.locked), (Phase::Settled, false));
    let domains = store.domains().await.unwrap();
    let domains: Vec<_> = domains.iter().collect();
    assert_eq!(domains, [("old.example.com", "acme")]);

    // Its own are no strangers.
    ask(&store, Some("acme"), "shop", "shop.old.example.com")
        .await
        .unwrap();
    change(&store, "acme", now.version, Some("old.example.com"))
        .await
        .unwrap();
    store.close().await;
}

/// Of an application that asks for a host and a tenant that gets its domain at once, one is refused at
/// least.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_and_its_domain_do_not_go_to_two() {
    let store = store("race");
    let (mut hosts, mut domains) = (0, 0);
    for round in 0..40 {
        let domain = format!("d{round}.example.com");
        let (name, app) = (format!("t{round}"), format!("a{round}"));
        let host = format!("shop.{domain}");
        // Each first in half of the rounds.
        let wait = |first: bool| async move {
            if first != (round % 2 == 0) {
                tokio::task::yield_now().await;
            }
        };
        let asked = async {
            wait(true).await;
            ask(&store, None, &app, &host).await
        };
        let made = async {
            wait(false).await;
            make(&store, &name, Some(&domain)).await
        };
        let (asked, made) = tokio::join!(asked, made);
        match (&asked, &made) {
            (Ok(_), Ok(_)) => panic!("both have {domain}"),
            (Ok(_), Err(error)) => {
                assert!(matches!(error, StoreError::DomainInUse { .. }), "{error:?}");
                hosts += 1;
            }
            (Err(error), Ok(_)) => {
                assert!(matches!(error, StoreError::HostTaken { .. }), "{error:?}");
                domains += 1;
            }
            // The domain was written when the host was asked for, and the list of hosts was older.
            (Err(_), Err(_)) => {}
        }
    }
    assert!(hosts + domains > 0, "{hosts} {domains}");
    store.close().await;
}

/// Runs `work` with this transaction of it, counted from 1, held until `meanwhile` is done.
async fn held_until<T>(
    proxy: &Proxy,
    number: usize,
    work: impl Future<Output = T>,
    meanwhile: impl Future<Output = ()>,
) -> T {
    let (gate, mut seen_so_far) = (Gate::new(), 0);
    let at = gate.clone();
    proxy.rule(move |seen| {
        if !seen.path.starts_with("/v1/txn") {
            return Action::Forward;
        }
        seen_so_far += 1;
        match seen_so_far == number {
            true => Action::Hold(at.clone()),
            false => Action::Forward,
        }
    });
    let meanwhile = async {
        let arrived = gate.clone();
        tokio::task::spawn_blocking(move || arrived.wait_for_arrival())
            .await
            .unwrap();
        meanwhile.await;
        gate.open();
    };
    tokio::join!(work, meanwhile).0
}

/// What an interrupted creation has left is taken over by the next one, and given back as it was where that is
/// refused after its intent is written.
#[tokio::test]
async fn what_is_taken_over_and_refused_is_left_as_it_was() {
    let proxy = Proxy::start(&servers().consul.address);
    let slow = Store::new(consul_at(&proxy.address), "hosts/left").unwrap();
    let other = store("left");
    let key = ApplicationKey::new(None, "shop");
    let none = record(1, Phase::Applying, "one");
    let held = other
        .begin(&key, Expect::Absent, none.clone(), &[])
        .await
        .unwrap();
    other.abandon(held, none).await.unwrap();
    let value = || servers().consul.key("hosts/left/applications/default/shop");
    let before = value().unwrap().0;
    let asked = ask(&slow, None, "shop", "shop.acme.example.com");
    let made = async {
        make(&other, "acme", Some("acme.example.com"))
            .await
            .unwrap();
    };
    // The first transaction finds what is there, the second one takes it over.
    let refused = held_until(&proxy, 2, asked, made).await;
    assert!(
        matches!(&refused, Err(StoreError::HostTaken { .. })),
        "{refused:?}"
    );
    assert_eq!(value().unwrap().0, before);
    assert!(!other.read(&key).await.unwrap().unwrap().locked);
    slow.close().await;
    other.close().await;
}

/// What is there when it is looked at needs no second look, and what is absent needs one.
#[tokio::test]
async fn only_what_was_absent_is_looked_at_again() {
    let store = store("again");
    let count = async |tenant: Option<&str>, host: &str| {
        let requests = store.consul().requests();
        let held = ask(&store, tenant, "shop", host).await.unwrap();
        let asked = store.consul().requests() - requests;
        store.remove(held).await.unwrap();
        asked
    };
    // The first operation of a store has a session made.
    count(None, "shop.example.com").await;
    // The domains, the transaction, the domains again.
    assert_eq!(count(None, "shop.example.com").await, 3);
    make(&store, "acme", Some("acme.example.com"))
        .await
        .unwrap();
    assert_eq!(count(None, "shop.example.com").await, 2);
    // Its tenant, and the ledger, once that is there; the tenant again where there is none.
    count(Some("acme"), "shop.acme.example.com").await;
    assert_eq!(count(Some("acme"), "shop.acme.example.com").await, 4);
    assert_eq!(count(Some("nobody"), "shop.example.com").await, 5);
    store.close().await;
}
