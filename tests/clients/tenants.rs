//! The records of tenants: no application is without its tenant, and no two have one domain.
//!
//! Each test has a key prefix of its own, since a removal looks at all applications under it.

use oam_provider::store::{
    ApplicationKey, Expect, FORMAT, Held, Phase, Record, SeenTenant, Store, StoreError, TenantKey,
    TenantRecord, Uses, Version,
};
use oam_provider::tenants::{Limits, Quotas, Spaces};

use super::consul_at;
use super::store::record;
use super::support::proxy::{Action, Gate, Proxy};
use super::support::servers;

fn store(prefix: &str) -> Store {
    store_at(&servers().consul.address, prefix)
}

fn store_at(address: &str, prefix: &str) -> Store {
    Store::new(consul_at(address), &format!("tenants/{prefix}")).unwrap()
}

fn acme() -> TenantKey {
    TenantKey::new("acme")
}

fn tenant(revision: u64, domain: Option<&str>) -> TenantRecord {
    TenantRecord {
        format: FORMAT,
        revision,
        phase: Phase::Applying,
        id: "7f1c9d9e-0b5a-4a57-9a5e-1d0c5b3a2f10".to_owned(),
        display_name: "ACME".to_owned(),
        domain: domain.map(str::to_owned),
        quotas: Quotas::default(),
        limits: Limits::default(),
        active: true,
        namespaces: Spaces::default(),
        created_at: String::new(),
        updated_at: String::new(),
        made: std::collections::BTreeMap::new(),
        operation: None,
    }
}

async fn made(store: &Store, key: &TenantKey, domain: Option<&str>) -> Version {
    let held = store
        .begin_tenant(key, Expect::Absent, tenant(1, domain))
        .await
        .unwrap();
    store.settle_tenant(held, tenant(1, domain)).await.unwrap()
}

async fn changed(store: &Store, version: Version, to: TenantRecord) -> Version {
    let held = store
        .begin_tenant(&acme(), Expect::Version(version), to.clone())
        .await
        .unwrap();
    store.settle_tenant(held, to).await.unwrap()
}

async fn removed(store: &Store, key: &TenantKey, version: Version) -> Result<(), StoreError> {
    let removal = store.begin_tenant_removal(key, version).await?;
    store.remove_tenant(removal).await
}

async fn seen(store: &Store) -> SeenTenant {
    match store.read_tenant(&acme()).await.unwrap() {
        None => SeenTenant::Absent,
        Some(found) => SeenTenant::Found(Box::new(found)),
    }
}

async fn phase(store: &Store) -> Option<(Phase, bool)> {
    let found = store.read_tenant(&acme()).await.unwrap()?;
    Some((found.record.phase, found.locked))
}

fn shop() -> ApplicationKey {
    ApplicationKey::new(Some("acme"), "shop")
}

fn intent() -> Record {
    record(1, Phase::Applying, "one")
}

async fn begin(store: &Store, tenant: SeenTenant) -> Result<Held, StoreError> {
    let uses = Uses {
        tenant,
        ..Uses::default()
    };
    store
        .begin_using(&shop(), Expect::Absent, intent(), &uses)
        .await
}

async fn domains(store: &Store) -> Vec<(String, String)> {
    let domains = store.domains().await.unwrap();
    let all = domains.iter();
    all.map(|(domain, tenant)| (domain.to_owned(), tenant.to_owned()))
        .collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = all.iter();
    all.map(|(one, other)| ((*one).to_owned(), (*other).to_owned()))
        .collect()
}

#[tokio::test]
async fn an_application_begins_only_with_the_tenant_that_was_seen() {
    let store = store("seen");
    let absent = seen(&store).await;
    assert!(matches!(absent, SeenTenant::Absent));
    // Nobody manages it.
    for tenant in [absent.clone(), SeenTenant::Unread] {
        let held = begin(&store, tenant).await.unwrap();
        store.remove(held).await.unwrap();
    }
    let version = made(&store, &acme(), None).await;
    let error = begin(&store, absent).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::TenantChanged {
                phase: Phase::Settled,
                ..
            }
        ),
        "{error:?}"
    );
    let before = seen(&store).await;
    for tenant in [before.clone(), SeenTenant::Unread] {
        let held = begin(&store, tenant).await.unwrap();
        store.remove(held).await.unwrap();
    }
    let quotas = Quotas {
        max_jobs: Some(1),
        ..Quotas::default()
    };
    let other = TenantRecord {
        quotas,
        ..tenant(2, None)
    };
    let version = changed(&store, version, other).await;
    let error = begin(&store, before).await.unwrap_err();
    assert!(
        matches!(error, StoreError::TenantChanged { .. }),
        "{error:?}"
    );

    // Not while it is worked on, nor where that has not ended well.
    let settled = seen(&store).await;
    let held = store
        .begin_tenant(&acme(), Expect::Version(version), tenant(3, None))
        .await
        .unwrap();
    for tenant in [settled.clone(), seen(&store).await, SeenTenant::Unread] {
        let error = begin(&store, tenant).await.unwrap_err();
        let applying = Phase::Applying;
        assert!(
            matches!(error, StoreError::TenantChanged { phase, .. } if phase == applying),
            "{error:?}"
        );
    }
    let version = store.abandon(held, tenant(3, None)).await.unwrap();
    let error = begin(&store, seen(&store).await).await.unwrap_err();
    assert!(error.summary().contains("acme"), "{error}");
    assert!(error.detail().contains("Apply the tenant"), "{error}");

    // Not where it is not active.
    let idle = TenantRecord {
        active: false,
        ..tenant(4, None)
    };
    let version = changed(&store, version, idle).await;
    for tenant in [seen(&store).await, SeenTenant::Unread] {
        let error = begin(&store, tenant).await.unwrap_err();
        assert!(
            matches!(error, StoreError::TenantInactive { .. }),
            "{error:?}"
        );
    }
    let last = seen(&store).await;
    removed(&store, &acme(), version).await.unwrap();
    let SeenTenant::Found(mut last) = last else {
        panic!("no tenant")
    };
    last.record.active = true;
    let error = begin(&store, SeenTenant::Found(last)).await.unwrap_err();
    assert!(matches!(error, StoreError::TenantGone { .. }), "{error:?}");
    // What was refused has left nothing.
    assert_eq!(store.read(&shop()).await.unwrap(), None);
    store.close().await;
}

#[tokio::test]
async fn what_is_destroyed_needs_no_tenant() {
    let store = store("destroyed");
    let version = made(&store, &acme(), None).await;
    let held = begin(&store, SeenTenant::Unread).await.unwrap();
    let app = store
        .settle(held, record(1, Phase::Settled, "one"))
        .await
        .unwrap();
    let idle = TenantRecord {
        active: false,
        ..tenant(2, None)
    };
    changed(&store, version, idle).await;
    let destroying = record(1, Phase::Destroying, "one");
    let held = store
        .begin(&shop(), Expect::Version(app), destroying, &[])
        .await
        .unwrap();
    store.remove(held).await.unwrap();
    // And one without a tenant looks after none.
    let default = ApplicationKey::new(None, "shop");
    let requests = store.consul().requests();
    let held = store
        .begin_using(&default, Expect::Absent, intent(), &Uses::default())
        .await
        .unwrap();
    assert_eq!(store.consul().requests() - requests, 1);
    store.remove(held).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_tenant_that_is_touched_and_the_same_again_is_no_change() {
    let proxy = Proxy::start(&servers().consul.address);
    let (slow, other) = (store_at(&proxy.address, "same"), store("same"));
    let version = made(&other, &acme(), None).await;
    let mine = ApplicationKey::new(Some("acme"), "user");
    let held = other
        .begin(&mine, Expect::Absent, intent(), &[])
        .await
        .unwrap();
    let before = seen(&slow).await;
    let gate = Gate::new();
    let wait = gate.clone();
    let mut held_once = false;
    proxy.rule(move |seen| {
        if seen.path.starts_with("/v1/txn") && !held_once {
            held_once = true;
            return Action::Hold(wait.clone());
        }
        Action::Forward
    });
    let removal = async {
        let arrived = gate.clone();
        tokio::task::spawn_blocking(move || arrived.wait_for_arrival())
            .await
            .unwrap();
        let error = removed(&other, &acme(), version).await.unwrap_err();
        assert!(matches!(error, StoreError::TenantInUse { .. }), "{error:?}");
        gate.open();
    };
    let (begun, ()) = tokio::join!(begin(&slow, before), removal);
    assert!(begun.is_ok(), "{begun:?}");
    let now = other.read_tenant(&acme()).await.unwrap().unwrap().version;
    assert_ne!(now, version);
    other.remove(held).await.unwrap();
    slow.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_removal_and_an_application_do_not_pass_each_other() {
    let proxy = Proxy::start(&servers().consul.address);
    let (slow, other) = (store_at(&proxy.address, "race"), store("race"));
    let version = made(&other, &acme(), None).await;
    let before = seen(&slow).await;
    let gate = Gate::new();
    let wait = gate.clone();
    let mut held_once = false;
    proxy.rule(move |seen| {
        if seen.path.starts_with("/v1/txn") && !held_once {
            held_once = true;
            return Action::Hold(wait.clone());
        }
        Action::Forward
    });
    let removal = async {
        let arrived = gate.clone();
        tokio::task::spawn_blocking(move || arrived.wait_for_arrival())
            .await
            .unwrap();
        removed(&other, &acme(), version).await.unwrap();
        gate.open();
    };
    let (begun, ()) = tokio::join!(begin(&slow, before), removal);
    let error = begun.unwrap_err();
    assert!(matches!(error, StoreError::TenantGone { .. }), "{error:?}");
    assert_eq!(other.read(&shop()).await.unwrap(), None);
    slow.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_tenant_with_applications_is_not_removed() {
    let store = store("in-use");
    let version = made(&store, &acme(), None).await;
    let held = begin(&store, SeenTenant::Unread).await.unwrap();
    let broken = store.path(&ApplicationKey::new(Some("acme"), "broken"));
    servers().consul.write_key(&broken, "no record");
    // One of another tenant, whose name begins so.
    let other = ApplicationKey::new(Some("acme2"), "shop");
    let others = store
        .begin(&other, Expect::Absent, intent(), &[])
        .await
        .unwrap();
    let error = removed(&store, &acme(), version).await.unwrap_err();
    let StoreError::TenantInUse { applications, .. } = &error else {
        panic!("{error:?}")
    };
    let ids: Vec<_> = applications.iter().map(ToString::to_string).collect();
    assert_eq!(ids, ["acme/broken", "acme/shop"]);
    assert!(error.detail().contains("acme/broken, acme/shop"), "{error}");
    assert_eq!(phase(&store).await, Some((Phase::Settled, false)));
    store.remove(held).await.unwrap();
    servers().consul.delete(&format!("/v1/kv/{broken}"));
    let usage = store.usage_path(&acme());
    servers().consul.write_key(&usage, "{}");
    removed(&store, &acme(), version).await.unwrap();
    assert_eq!(phase(&store).await, None);
    assert_eq!(servers().consul.key(&usage), None);
    store.remove(others).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_tenant_has_both_domains_until_it_has_settled() {
    let store = store("domains");
    assert_eq!(domains(&store).await, []);
    let version = made(&store, &acme(), Some("one.example.com")).await;
    let beta = TenantKey::new("beta");
    let of_beta = made(&store, &beta, Some("beta.example.com")).await;
    let held = store
        .begin_tenant(
            &acme(),
            Expect::Version(version),
            tenant(2, Some("Two.example.com")),
        )
        .await
        .unwrap();
    let (one, two) = (("one.example.com", "acme"), ("two.example.com", "acme"));
    let betas = ("beta.example.com", "beta");
    assert_eq!(domains(&store).await, pairs(&[betas, one, two]));
    for taken in ["x.one.example.com", "two.example.com", "example.com"] {
        let error = store
            .begin_tenant(&beta, Expect::Version(of_beta), tenant(2, Some(taken)))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, StoreError::DomainTaken { by, .. } if by.tenant == "acme"),
            "{error:?}"
        );
    }
    let found = store.read_tenant(&beta).await.unwrap().unwrap();
    assert_eq!(found.version, of_beta);
    // One that fails keeps both, and one that gives up the one it had.
    let version = store
        .abandon(held, tenant(2, Some("two.example.com")))
        .await
        .unwrap();
    assert_eq!(domains(&store).await, pairs(&[betas, one, two]));
    let held = store
        .begin_tenant(
            &acme(),
            Expect::Version(version),
            tenant(2, Some("two.example.com")),
        )
        .await
        .unwrap();
    let version = store
        .settle_tenant(held, tenant(2, Some("two.example.com")))
        .await
        .unwrap();
    assert_eq!(domains(&store).await, pairs(&[betas, two]));
    let version = changed(&store, version, tenant(3, None)).await;
    assert_eq!(domains(&store).await, pairs(&[betas]));
    removed(&store, &acme(), version).await.unwrap();
    removed(&store, &beta, of_beta).await.unwrap();
    assert_eq!(domains(&store).await, []);
    // A creation that gives up has none.
    let held = store
        .begin_tenant(&acme(), Expect::Absent, tenant(1, Some("one.example.com")))
        .await
        .unwrap();
    store.discard_tenant(held).await.unwrap();
    assert_eq!((domains(&store).await, phase(&store).await), (vec![], None));
    // What cannot be read is not overwritten.
    servers()
        .consul
        .write_key(&store.domains_path(), "no domains");
    let error = store
        .begin_tenant(&acme(), Expect::Absent, tenant(1, Some("one.example.com")))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::BadDomains { .. }), "{error:?}");
    store.close().await;
}

#[tokio::test]
async fn many_tenants_at_once_do_not_lose_each_others_domains() {
    let names: Vec<_> = (0..12).map(|index| format!("many{index}")).collect();
    let all = names.iter().map(async |name| {
        let (store, key) = (store("many"), TenantKey::new(name));
        let domain = format!("{name}.example.com");
        let version = made(&store, &key, Some(&domain)).await;
        let other = format!("{name}.example.org");
        let held = store
            .begin_tenant(&key, Expect::Version(version), tenant(2, Some(&other)))
            .await
            .unwrap();
        store
            .settle_tenant(held, tenant(2, Some(&other)))
            .await
            .unwrap();
        store.close().await;
    });
    futures_util::future::join_all(all).await;
    let mut expected: Vec<_> = names
        .iter()
        .map(|name| (format!("{name}.example.org"), name.clone()))
        .collect();
    expected.sort();
    assert_eq!(domains(&store("many")).await, expected);
}

#[tokio::test]
async fn of_two_names_that_differ_in_case_alone_there_is_one() {
    let store = store("case");
    let version = made(&store, &acme(), None).await;
    let other = TenantKey::new("ACME");
    let error = store
        .begin_tenant(&other, Expect::Absent, tenant(1, Some("case.example.com")))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::NameTaken { other, .. } if *other == acme()),
        "{error:?}"
    );
    let names: Vec<_> = store.list_tenants().await.unwrap();
    assert_eq!(names.len(), 1);
    assert_eq!(domains(&store).await, []);
    removed(&store, &acme(), version).await.unwrap();
    made(&store, &other, None).await;
    store.close().await;
}

#[tokio::test]
async fn a_creation_takes_over_what_was_interrupted() {
    let (dead, alive) = (store("adopt"), store("adopt"));
    dead.begin_tenant(&acme(), Expect::Absent, tenant(1, Some("a.example.com")))
        .await
        .unwrap();
    dead.close().await;
    let held = alive
        .begin_tenant(&acme(), Expect::Absent, tenant(1, Some("b.example.com")))
        .await
        .unwrap();
    assert!(held.adopted().is_some());
    let version = alive
        .settle_tenant(held, tenant(1, Some("b.example.com")))
        .await
        .unwrap();
    assert_eq!(domains(&alive).await, pairs(&[("b.example.com", "acme")]));
    // A removal, too, before and after it was looked for applications.
    let dead = store("adopt");
    dead.begin_tenant_removal(&acme(), version).await.unwrap();
    dead.close().await;
    assert_eq!(phase(&alive).await, Some((Phase::Destroying, false)));
    let error = begin(&alive, seen(&alive).await).await.unwrap_err();
    let destroying = Phase::Destroying;
    assert!(
        matches!(error, StoreError::TenantChanged { phase, .. } if phase == destroying),
        "{error:?}"
    );
    let left = alive.read_tenant(&acme()).await.unwrap().unwrap().version;
    removed(&alive, &acme(), left).await.unwrap();
    assert_eq!((domains(&alive).await, phase(&alive).await), (vec![], None));
    alive.close().await;
}
