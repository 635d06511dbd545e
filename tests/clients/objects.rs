//! Namespaces and node pools of the real Nomad.

use std::collections::BTreeMap;

use oam_provider::http::Kind;
use oam_provider::nomad::{Client, Deleted, Namespace, NodePool, Owner, owner};
use serde_json::json;

use super::nomad_at;
use super::support::proxy::{Action, Proxy};
use super::support::servers;

fn client() -> Client {
    nomad_at(&servers().nomad.address)
}

fn marked(scope: &str) -> BTreeMap<String, String> {
    let owner = Owner {
        scope: scope.to_owned(),
        prefix: "oam".to_owned(),
    };
    let mut meta = BTreeMap::from([("mine".to_owned(), "yes".to_owned())]);
    owner.mark(&mut meta);
    meta
}

fn namespace(name: &str, description: &str) -> Namespace {
    Namespace {
        name: name.to_owned(),
        description: description.to_owned(),
        meta: marked(&format!("namespace/{name}")),
        ..Namespace::default()
    }
}

fn pool(name: &str, description: &str) -> NodePool {
    NodePool {
        name: name.to_owned(),
        description: description.to_owned(),
        meta: marked(&format!("node-pool/{name}")),
        ..NodePool::default()
    }
}

#[tokio::test]
async fn a_namespace_lives_from_creation_to_deletion() {
    let (client, name) = (client(), "objects-life");
    assert_eq!(client.namespace(name).await.unwrap(), None);
    assert_eq!(
        client.delete_namespace(name).await.unwrap(),
        Deleted::Absent
    );
    client
        .write_namespace(&namespace(name, "one"))
        .await
        .unwrap();
    let found = client.namespace(name).await.unwrap().unwrap();
    assert_eq!(found.description, "one");
    assert_eq!(found.meta, marked("namespace/objects-life"));
    assert!(found.quota.is_empty());
    assert!(found.rest.contains_key("ModifyIndex"));
    let all = client.namespaces().await.unwrap();
    assert!(all.contains(&found), "{all:?}");

    // What somebody else has set stays.
    let mut edited = servers().nomad.get("/v1/namespace/objects-life");
    edited["Capabilities"] = json!({ "DisabledTaskDrivers": ["java"] });
    servers().nomad.put("/v1/namespace/objects-life", &edited);
    let found = client.namespace(name).await.unwrap().unwrap();
    let two = Namespace {
        description: "two".to_owned(),
        ..found
    };
    client.write_namespace(&two).await.unwrap();
    let raw = servers().nomad.get("/v1/namespace/objects-life");
    assert_eq!(raw["Description"], "two");
    assert_eq!(raw["Capabilities"]["DisabledTaskDrivers"], json!(["java"]));
    assert_eq!(client.delete_namespace(name).await.unwrap(), Deleted::Done);
    assert_eq!(client.namespace(name).await.unwrap(), None);
}

#[tokio::test]
async fn a_node_pool_lives_from_creation_to_deletion() {
    let (client, name) = (client(), "objects_life");
    assert_eq!(client.node_pool(name).await.unwrap(), None);
    assert_eq!(
        client.delete_node_pool(name).await.unwrap(),
        Deleted::Absent
    );
    client.write_node_pool(&pool(name, "one")).await.unwrap();
    let found = client.node_pool(name).await.unwrap().unwrap();
    assert_eq!(found.description, "one");
    assert_eq!(found.meta, marked("node-pool/objects_life"));
    let all = client.node_pools().await.unwrap();
    assert!(all.contains(&found), "{all:?}");

    let mut edited = servers().nomad.get("/v1/node/pool/objects_life");
    edited["NodeIdentityTTL"] = json!("36h");
    servers().nomad.put("/v1/node/pool/objects_life", &edited);
    let found = client.node_pool(name).await.unwrap().unwrap();
    let ttl = found.rest["NodeIdentityTTL"].clone();
    let two = NodePool {
        description: "two".to_owned(),
        ..found
    };
    client.write_node_pool(&two).await.unwrap();
    let raw = servers().nomad.get("/v1/node/pool/objects_life");
    assert_eq!(
        (&raw["Description"], &raw["NodeIdentityTTL"]),
        (&json!("two"), &ttl)
    );
    assert_eq!(client.delete_node_pool(name).await.unwrap(), Deleted::Done);
    assert_eq!(client.node_pool(name).await.unwrap(), None);
}

#[tokio::test]
async fn ours_is_told_from_what_others_made() {
    let client = client();
    let ours = Owner {
        scope: "namespace/objects-ours".to_owned(),
        prefix: "oam".to_owned(),
    };
    client
        .write_namespace(&namespace("objects-ours", ""))
        .await
        .unwrap();
    let meta = client
        .namespace("objects-ours")
        .await
        .unwrap()
        .unwrap()
        .meta;
    assert!(ours.made(&meta));
    assert_eq!(owner(&meta), Some(ours.clone()));
    for other in [
        Owner {
            prefix: "teams".to_owned(),
            ..ours.clone()
        },
        Owner {
            scope: "node-pool/objects-ours".to_owned(),
            ..ours.clone()
        },
    ] {
        assert!(!other.made(&meta), "{other}");
    }
    let default = client.namespace("default").await.unwrap().unwrap();
    assert_eq!(owner(&default.meta), None);
    assert!(!ours.made(&default.meta));
    client.delete_namespace("objects-ours").await.unwrap();
}

#[tokio::test]
async fn what_is_not_empty_is_not_deleted() {
    let (client, nomad) = (client(), &servers().nomad);
    client
        .write_namespace(&namespace("objects-full", ""))
        .await
        .unwrap();
    client
        .write_node_pool(&pool("objects-full", ""))
        .await
        .unwrap();
    // Pending for ever, as the pool has no nodes.
    let job = json!({
        "ID": "objects-full", "Namespace": "objects-full", "NodePool": "objects-full",
        "Type": "service", "Datacenters": ["*"],
        "TaskGroups": [{ "Name": "g", "Tasks": [{
            "Name": "t", "Driver": "raw_exec", "Config": { "command": "/bin/true" },
        }] }],
    });
    nomad.put("/v1/jobs?namespace=objects-full", &json!({ "Job": job }));
    let refused = |deleted| match deleted {
        Deleted::NotEmpty(reason) => reason,
        other => panic!("{other:?}"),
    };
    let reason = refused(client.delete_namespace("objects-full").await.unwrap());
    assert!(reason.contains("has non-terminal jobs"), "{reason}");
    let reason = refused(client.delete_node_pool("objects-full").await.unwrap());
    assert!(reason.contains("has non-terminal jobs"), "{reason}");
    nomad.delete("/v1/job/objects-full?namespace=objects-full&purge=true");

    let variable = json!({ "Path": "a", "Namespace": "objects-full", "Items": { "a": "b" } });
    nomad.put("/v1/var/a?namespace=objects-full", &variable);
    let reason = refused(client.delete_namespace("objects-full").await.unwrap());
    assert!(reason.contains("has variables associated"), "{reason}");
    nomad.delete("/v1/var/a?namespace=objects-full");

    let done = client.delete_namespace("objects-full").await.unwrap();
    assert_eq!(done, Deleted::Done);
    let done = client.delete_node_pool("objects-full").await.unwrap();
    assert_eq!(done, Deleted::Done);
    // The one node is in the pool `default`.
    let reason = refused(client.delete_node_pool("default").await.unwrap());
    assert!(reason.contains("has nodes in regions"), "{reason}");
}

#[tokio::test]
async fn what_nomad_does_not_accept_is_told() {
    let client = client();
    let quota = Namespace {
        quota: "none".to_owned(),
        ..namespace("objects-quota", "")
    };
    let long = namespace("objects-long", &"x".repeat(257));
    for (namespace, words) in [
        (quota, "non-existent quota"),
        (long, "description longer than 256"),
        (namespace("objects_name", ""), "invalid name"),
    ] {
        let error = client.write_namespace(&namespace).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(client.namespace(&namespace.name).await.unwrap(), None);
    }
    for (pool, words) in [
        (pool("default", "mine"), "is not allowed"),
        (
            pool("objects-long", &"x".repeat(257)),
            "description longer than 256",
        ),
        (pool("objects.name", ""), "invalid name"),
    ] {
        let error = client.write_node_pool(&pool).await.unwrap_err();
        assert!(
            matches!(error.kind, Kind::Rejected { status: 400, .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = client.delete_namespace("default").await.unwrap_err();
    assert!(
        error.to_string().contains("can not delete default"),
        "{error}"
    );
    let error = client.delete_node_pool("all").await.unwrap_err();
    assert!(error.to_string().contains("is not allowed"), "{error}");
}

#[tokio::test]
async fn a_lost_answer_is_found_out_about_and_nothing_is_sent_twice() {
    let proxy = Proxy::start(&servers().nomad.address);
    let client = nomad_at(&proxy.address);
    let rule = |lost: fn() -> Action| {
        proxy.rule(move |seen| {
            if seen.method == "GET" {
                Action::Forward
            } else {
                lost()
            }
        });
    };
    let writes = || {
        let seen = proxy.take_seen();
        seen.iter().filter(|seen| seen.method != "GET").count()
    };
    rule(|| Action::LoseAnswer);
    let (namespace, pool) = (namespace("objects-lost", "a"), pool("objects-lost", "a"));
    client.write_namespace(&namespace).await.unwrap();
    client.write_node_pool(&pool).await.unwrap();
    assert_eq!(writes(), 2);
    rule(|| Action::Close);
    let other = Namespace {
        description: "b".to_owned(),
        ..namespace.clone()
    };
    for error in [
        client.write_namespace(&other).await.unwrap_err(),
        client.delete_namespace("objects-lost").await.unwrap_err(),
        client.delete_node_pool("objects-lost").await.unwrap_err(),
    ] {
        assert!(matches!(error.kind, Kind::Interrupted { .. }), "{error:?}");
    }
    assert_eq!(writes(), 3);
    rule(|| Action::LoseAnswer);
    let deleted = client.delete_namespace("objects-lost").await.unwrap();
    assert_eq!(deleted, Deleted::Done);
    let deleted = client.delete_node_pool("objects-lost").await.unwrap();
    assert_eq!(deleted, Deleted::Done);
    assert_eq!(writes(), 2);
    assert_eq!(client.namespace("objects-lost").await.unwrap(), None);
    assert_eq!(client.node_pool("objects-lost").await.unwrap(), None);
}
