//! Many applications in one run: how few requests a refresh and a plan of them take, and that nothing
//! which has changed among them is overlooked. Through the real binary, on the real Nomad and Consul.
//! Every test has a key prefix of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/plugin.rs"]
mod plugin;
#[path = "support/mod.rs"]
mod support;

use fleet::{Fleet, Object, Run, each, yearly};
use oam_provider::protocol::value::Value;
use serde_json::{Value as Json, json};
use std::time::Instant;
use support::proxy::{Action, Proxy, Seen};
use support::{Options, Servers, servers};

/// More than are asked for singly, and few enough for a test.
const MANY: usize = 40;

/// What a refresh of [`MANY`] costs at Nomad: those that are asked for singly before a list is thought of, and
/// the list.
const JOBS: usize = 3 + 1;

/// And at Consul: the same, and the size of the list.
const RECORDS: usize = 3 + 2;

/// Applications behind proxies that count.
struct Counted {
    fleet: Fleet,
    nomad: Proxy,
    consul: Proxy,
}

impl Counted {
    async fn apply(servers: &Servers, prefix: &str, configs: &[Json]) -> Self {
        let tokens = (&servers.nomad.token, &servers.consul.token);
        let nomad = Proxy::start(&servers.nomad.address);
        let consul = Proxy::start(&servers.consul.address);
        let block = json!({
            "nomad": { "address": nomad.address, "token": tokens.0 },
            "consul": { "address": consul.address, "token": tokens.1, "key_prefix": prefix },
        });
        let fleet = Fleet::apply(block, configs).await;
        let counted = Self {
            fleet,
            nomad,
            consul,
        };
        counted.seen();
        counted
    }

    /// The requests to Nomad and to Consul since the last time.
    fn seen(&self) -> (Vec<Seen>, Vec<Seen>) {
        (self.nomad.take_seen(), self.consul.take_seen())
    }

    /// How many that were.
    fn count(&self) -> (usize, usize) {
        let (nomad, consul) = self.seen();
        (nomad.len(), consul.len())
    }

    async fn refresh(&self, run: &Run) -> Vec<Option<Object>> {
        let found = each(&self.fleet.objects, |object| run.refresh(object)).await;
        found.into_iter().map(|it| it.map(Result::unwrap)).collect()
    }
}

fn names(prefix: &str) -> Vec<String> {
    (0..MANY).map(|n| format!("{prefix}-{n}")).collect()
}

fn yearlies(prefix: &str) -> Vec<Json> {
    let names = names(prefix);
    names.iter().map(|name| yearly(name, None)).collect()
}

/// Writes another record in the place of an application's.
fn restore(servers: &Servers, prefix: &str, name: &str) {
    let key = format!("{prefix}/applications/default/{name}");
    let (before, _) = servers.consul.key(&key).unwrap();
    let other = before.replace("\"value\":\"1\"", "\"value\":\"3\"");
    assert_ne!(other, before);
    servers.consul.write_key(&key, &other);
}

fn is_list(seen: &Seen) -> bool {
    seen.path.starts_with("/v1/jobs?") || seen.path.contains("recurse=")
}

#[tokio::test]
async fn a_refresh_and_a_plan_of_many_take_a_few_requests() {
    let counted = Counted::apply(servers(), "few", &yearlies("few")).await;
    let run = counted.fleet.run().await;
    let refreshed = counted.refresh(&run).await;
    assert_eq!(counted.count(), (JOBS, RECORDS));
    for (before, after) in counted.fleet.objects.iter().zip(&refreshed) {
        assert_eq!(
            Some(&before.state),
            after.as_ref().map(|after| &after.state)
        );
    }
    let refreshed: Vec<_> = refreshed.into_iter().flatten().collect();
    let empty = each(&refreshed, |object| run.is_planned_empty(object)).await;
    assert!(empty.iter().all(|empty| *empty));
    assert_eq!(counted.seen(), (Vec::new(), Vec::new()));

    // What a refresh has found is as good a reason for the next one to look at lists alone.
    let counted = Counted {
        fleet: Fleet {
            objects: refreshed,
            block: counted.fleet.block.clone(),
        },
        ..counted
    };
    let run = counted.fleet.run().await;
    counted.refresh(&run).await;
    assert_eq!(counted.count(), (JOBS, RECORDS));
}

/// More than the first questions of a run are worth a list for, where nothing is remembered.
const MANY_MORE: usize = 150;

fn forget(object: &Object) -> Object {
    let mut private: Json = serde_json::from_slice(&object.private).unwrap();
    assert!(private.as_object_mut().unwrap().remove("among").is_some());
    Object {
        private: private.to_string().into_bytes(),
        ..object.clone()
    }
}

#[tokio::test]
async fn the_requests_do_not_grow_with_the_number() {
    let configs: Vec<_> = (0..MANY_MORE)
        .map(|n| yearly(&format!("more-{n}"), None))
        .collect();
    let mut counted = Counted::apply(servers(), "more", &configs).await;
    // Terraform takes them in any order. Those that came last know best how many there are.
    counted.fleet.objects.reverse();
    counted.refresh(&counted.fleet.run().await).await;
    assert_eq!(counted.count(), (JOBS, RECORDS));

    // Those of which nothing is remembered are asked for singly until 4 n² is enough for all.
    counted.fleet.objects = counted.fleet.objects.iter().map(forget).collect();
    let refreshed = counted.refresh(&counted.fleet.run().await).await;
    assert_eq!(counted.count(), (6 + 1, 6 + 1 + 2));
    // That refresh has noted how many there are.
    counted.fleet.objects = refreshed.into_iter().rev().flatten().collect();
    counted.refresh(&counted.fleet.run().await).await;
    assert_eq!(counted.count(), (JOBS, RECORDS));

    // A small configuration does not read what is others'.
    let configs: Vec<_> = (0..5).map(|n| yearly(&format!("own-{n}"), None)).collect();
    let own = Counted::apply(servers(), "more", &configs).await;
    own.refresh(&own.fleet.run().await).await;
    let (nomad, consul) = own.seen();
    // With the size of the list, once.
    assert_eq!((nomad.len(), consul.len()), (5, 6), "{nomad:?}{consul:?}");
    assert!(!nomad.iter().chain(&consul).any(is_list));
}

#[tokio::test]
async fn one_application_alone_is_not_looked_up_in_a_list() {
    let counted = Counted::apply(servers(), "alone", &yearlies("alone")).await;
    let run = counted.fleet.run().await;
    run.refresh(&counted.fleet.objects[5])
        .await
        .unwrap()
        .unwrap();
    let (nomad, consul) = counted.seen();
    assert_eq!((nomad.len(), consul.len()), (1, 1), "{nomad:?}{consul:?}");
    assert!(!nomad.iter().chain(&consul).any(is_list));
}

#[tokio::test]
async fn what_has_changed_among_many_is_found() {
    let servers = servers();
    let counted = Counted::apply(servers, "drift", &yearlies("drift")).await;
    let job = |n: usize| format!("drift-{n}-job");
    let live = |n: usize| servers.nomad.job("default", &job(n)).unwrap();
    servers.nomad.edit("default", &job(7), |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = json!("2");
    });
    servers.nomad.stop("default", &job(11), true);
    servers.nomad.stop("default", &job(13), false);
    // Another record in the place of this one, as somebody may have restored it.
    restore(servers, "drift", "drift-17");
    // Purged, and registered again as it was.
    let before = live(19);
    servers.nomad.stop("default", &job(19), true);
    servers.nomad.register(&before);
    // Updated and destroyed by another pipeline.
    let elsewhere = counted.fleet.run().await;
    let mut updated = counted.fleet.objects[23].clone();
    let mut config = yearly("drift-23", None);
    config["component"]["job"]["env"]["A"] = json!("4");
    updated.config = elsewhere.config(&config);
    elsewhere.update(&updated).await.unwrap();
    let destroyed = elsewhere.destroy(&counted.fleet.objects[29]).await;
    assert_eq!(destroyed, Vec::<String>::new());
    counted.seen();

    let run = counted.fleet.run().await;
    let refreshed = counted.refresh(&run).await;
    let (nomad, consul) = counted.seen();
    let changed = [7, 11, 13, 17, 19, 23, 29];
    assert!(nomad.len() <= JOBS + changed.len(), "{nomad:#?}");
    assert!(consul.len() <= RECORDS + changed.len(), "{consul:#?}");
    for (n, (before, after)) in counted.fleet.objects.iter().zip(&refreshed).enumerate() {
        let Some(after) = after else {
            assert_eq!(n, 29, "only this one is gone");
            continue;
        };
        let component = after.state.get("component").get("job");
        let variable = component.get("env").get("A").as_str();
        match n {
            7 => assert_eq!(variable, Some("2")),
            11 => assert_eq!(component, &Value::Null),
            13 => assert_eq!(
                after.state.get("jobs").get("job").get("stopped"),
                &Value::Bool(true)
            ),
            // The job is what the state says, and is now known to go with another record.
            17 => {
                assert_eq!(variable, Some("1"));
                assert_ne!(after.private, before.private);
            }
            19 => {
                assert_eq!(variable, Some("1"));
                let index = live(19)["JobModifyIndex"].as_u64().unwrap();
                assert!(String::from_utf8_lossy(&after.private).contains(&index.to_string()));
            }
            23 => {
                assert_eq!(variable, Some("4"));
                assert_eq!(after.state.get("revision").as_i64(), Some(2));
            }
            _ => assert_eq!(after.state, before.state, "{n}"),
        }
        let plan_is_empty = run.is_planned_empty(after).await;
        let expected = ![7, 11, 13, 23].contains(&n);
        assert_eq!(plan_is_empty, expected, "{n}");
    }
    assert!(refreshed[29].is_none());
}

#[tokio::test]
async fn what_changes_after_the_list_is_not_overwritten() {
    let servers = servers();
    let counted = Counted::apply(servers, "late", &yearlies("late")).await;
    let run = counted.fleet.run().await;
    let refreshed = counted.refresh(&run).await;
    let planned = |n: usize| {
        let mut object = refreshed[n].clone().unwrap();
        let mut config = yearly(&format!("late-{n}"), None);
        config["component"]["job"]["env"]["A"] = json!("9");
        object.config = run.config(&config);
        object
    };
    let (job, record) = (planned(30), planned(31));
    let plans = (run.plan(&job).await, run.plan(&record).await);
    // The job of one, and the record of another.
    servers.nomad.edit("default", "late-30-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = json!("2");
    });
    restore(servers, "late", "late-31");

    let refused = run.apply(&job, plans.0).await.unwrap_err();
    assert!(
        refused[0].contains("late-30-job") && refused[0].contains("changed"),
        "{refused:?}"
    );
    let live = servers.nomad.job("default", "late-30-job").unwrap();
    assert_eq!(live["TaskGroups"][0]["Tasks"][0]["Env"]["A"], "2");
    let refused = run.apply(&record, plans.1).await.unwrap_err();
    assert!(refused[0].contains("changed"), "{refused:?}");

    // What this process has written itself is not looked up in what it had read before.
    let (fine, plan) = (planned(32), run.plan(&planned(32)).await);
    let applied = run.apply(&fine, plan).await.unwrap();
    servers.nomad.edit("default", "late-33-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = json!("5");
    });
    let again = run.refresh(&applied).await.unwrap().unwrap();
    assert_eq!(again.state, applied.state);
    let other = run
        .refresh(&counted.fleet.objects[33])
        .await
        .unwrap()
        .unwrap();
    let variable = other.state.get("component").get("job").get("env").get("A");
    assert_eq!(variable.as_str(), Some("5"));
}

/// What becomes of a deployment does not show in the list of jobs.
#[tokio::test]
async fn a_deployment_that_fails_after_its_apply_is_found_among_many() {
    let servers = servers();
    let canaried = |greeting: &str| {
        json!({
            "name": "canary",
            "component": { "web": {
                "type": "worker", "driver": "raw_exec", "command": ["/bin/sleep", "100000"],
                "resources": { "cpu": "20m", "memory": "16Mi" }, "env": { "GREETING": greeting },
                "update_strategy": { "strategy": "canary", "min_healthy_time": "0s" },
            } },
        })
    };
    let mut configs = yearlies("beside");
    configs.push(canaried("old"));
    let mut counted = Counted::apply(servers, "canary", &configs).await;
    // The first version has no canary: that it is unchanged shows in the list.
    let run = counted.fleet.run().await;
    counted.refresh(&run).await;
    let (nomad, _) = counted.seen();
    assert_eq!(nomad.len(), JOBS, "{nomad:#?}");
    let first = counted.fleet.objects.pop().unwrap();
    let second = Object {
        config: run.config(&canaried("new")),
        ..first
    };
    let second = run.update(&second).await.unwrap();
    counted.fleet.objects.push(second.clone());
    let run = counted.fleet.run().await;
    let waits = counted.refresh(&run).await.pop().unwrap().unwrap();
    assert_eq!(waits.state, second.state);

    let deployment = servers.nomad.get("/v1/job/canary-web/deployment");
    let id = deployment["ID"].as_str().unwrap();
    let before = servers.nomad.job("default", "canary-web").unwrap();
    servers
        .nomad
        .post(&format!("/v1/deployment/fail/{id}"), &json!({}));
    let after = servers.nomad.job("default", "canary-web").unwrap();
    assert_eq!(before["JobModifyIndex"], after["JobModifyIndex"]);
    for known in [second, waits] {
        counted.fleet.objects.pop();
        counted.fleet.objects.push(known);
        let run = counted.fleet.run().await;
        let failed = counted.refresh(&run).await.pop().unwrap().unwrap();
        let drift = failed.state.get("drift").as_list().unwrap();
        let live = drift[0].get("live").as_str().unwrap_or_default();
        assert!(live.contains("failed"), "{drift:?}");
        assert!(!run.is_planned_empty(&failed).await);
    }
    servers.nomad.stop("default", "canary-web", true);
}

#[tokio::test]
async fn a_server_that_refuses_lists_is_asked_for_each() {
    let counted = Counted::apply(servers(), "refused", &yearlies("refused")).await;
    for proxy in [&counted.nomad, &counted.consul] {
        proxy.rule(|seen| match is_list(seen) || seen.path.contains("keys=") {
            true => Action::Answer(403, Vec::new(), "Permission denied"),
            false => Action::Forward,
        });
        let run = counted.fleet.run().await;
        let refreshed = counted.refresh(&run).await;
        for (before, after) in counted.fleet.objects.iter().zip(&refreshed) {
            assert_eq!(
                Some(&before.state),
                after.as_ref().map(|after| &after.state)
            );
        }
        let (nomad, consul) = counted.seen();
        // Asked once, and not again for each.
        let refused = nomad
            .iter()
            .chain(&consul)
            .filter(|seen| is_list(seen))
            .count();
        assert!(refused <= 2, "{nomad:#?}{consul:#?}");
        assert!(nomad.len() <= MANY + 1 && consul.len() <= MANY + 2);
    }
}

/// A token that may read the jobs of two namespaces, and list those of one.
#[tokio::test]
async fn what_a_token_may_not_list_is_asked_for_singly() {
    let servers = tokio::task::spawn_blocking(|| {
        Servers::start(Options {
            acl: true,
            ..Options::default()
        })
    });
    let servers = servers.await.unwrap();
    servers.nomad.namespace("team");
    let mut configs = yearlies("acl");
    for (n, config) in configs.iter_mut().enumerate() {
        if n % 2 == 1 {
            config["tenant"] = json!("team");
        }
    }
    let mut counted = Counted::apply(&servers, "acl", &configs).await;
    let rules = r#"
        namespace "default" { capabilities = ["list-jobs", "read-job"] }
        namespace "team" { capabilities = ["read-job"] }
    "#;
    let policy = json!({ "Name": "half", "Rules": rules });
    servers.nomad.post("/v1/acl/policy/half", &policy);
    let token = json!({ "Name": "half", "Type": "client", "Policies": ["half"] });
    let token = servers.nomad.post("/v1/acl/token", &token).json();
    counted.fleet.block["nomad"]["token"] = token["SecretID"].clone();
    let rules = r#"key_prefix "acl/applications/default/" { policy = "read" }
                   key "acl/applications/team/acl-1" { policy = "read" }"#;
    let policy = json!({ "Name": "half", "Rules": rules });
    servers.consul.put("/v1/acl/policy", &policy);
    let token = json!({ "Policies": [{ "Name": "half" }] });
    let token = servers.consul.put("/v1/acl/token", &token).json();
    counted.fleet.block["consul"]["token"] = token["SecretID"].clone();
    servers.nomad.edit("team", "acl-1-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = json!("2");
    });
    servers.nomad.edit("default", "acl-2-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = json!("3");
    });
    counted.seen();

    let run = counted.fleet.run().await;
    let found = each(&counted.fleet.objects, |object| run.refresh(object)).await;
    for (n, (before, found)) in counted.fleet.objects.iter().zip(found).enumerate() {
        let found = found.expect("none is taken for gone");
        if n % 2 == 1 && n != 1 {
            let refused = found.unwrap_err();
            assert!(refused[0].contains("Consul"), "{refused:?}");
            continue;
        }
        let state = found.unwrap().state;
        let variable = state.get("component").get("job").get("env").get("A");
        match n {
            1 => assert_eq!(variable.as_str(), Some("2")),
            2 => assert_eq!(variable.as_str(), Some("3")),
            _ => assert_eq!(state, before.state),
        }
    }
    drop(run);
    tokio::task::spawn_blocking(move || drop((counted, servers)))
        .await
        .unwrap();
}

/// Components in two namespaces and in two clusters, one of which is reached by another address.
#[tokio::test]
async fn each_cluster_has_a_list_of_its_own() {
    let start = |region| {
        tokio::task::spawn_blocking(move || {
            Servers::start(Options {
                region: Some(region),
                ..Options::default()
            })
        })
    };
    let (east, west) = tokio::join!(start("east"), start("west"));
    let (east, west) = (east.unwrap(), west.unwrap());
    let (at_east, at_west) = (
        Proxy::start(&east.nomad.address),
        Proxy::start(&west.nomad.address),
    );
    for servers in [&east, &west] {
        servers.nomad.namespace("team");
    }
    let block = json!({
        "nomad": { "address": at_east.address },
        "consul": { "address": east.consul.address },
        "cluster": {
            "east": { "region": "east" },
            "west": { "address": at_west.address },
        },
    });
    let configs: Vec<_> = (0..MANY)
        .map(|n| {
            let mut config = yearly(&format!("spread-{n}"), (n % 2 == 1).then_some("team"));
            config["component"]["job"]["target_clusters"] = json!(["east", "west"]);
            config
        })
        .collect();
    let fleet = Fleet::apply(block, &configs).await;
    east.nomad.edit("team", "spread-5-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = json!("2");
    });
    west.nomad.edit("default", "spread-6-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = json!("3");
    });
    west.nomad.stop("default", "spread-8-job", true);
    drop((at_east.take_seen(), at_west.take_seen()));

    let run = fleet.run().await;
    let found = each(&fleet.objects, |object| run.refresh(object)).await;
    let (asked_east, asked_west) = (at_east.take_seen(), at_west.take_seen());
    assert!(asked_east.len() <= JOBS + 3, "{asked_east:#?}");
    assert!(asked_west.len() <= JOBS + 3, "{asked_west:#?}");
    for (n, (before, found)) in fleet.objects.iter().zip(found).enumerate() {
        let state = found.unwrap().unwrap().state;
        let variable = state.get("component").get("job").get("env").get("A");
        match n {
            5 => assert_eq!(variable.as_str(), Some("2")),
            6 => assert_eq!(variable.as_str(), Some("3")),
            8 => assert_eq!(state.get("drift").as_list().unwrap().len(), 1),
            _ => assert_eq!(state, before.state, "{n}"),
        }
    }
    drop(run);
    tokio::task::spawn_blocking(move || drop((at_east, at_west, east, west)))
        .await
        .unwrap();
}

/// How many of those that were planned are applied.
const APPLIED: usize = 12;

/// An application that asks for a host, for plans alone.
fn serving(name: &str) -> Json {
    json!({
        "name": name,
        "component": { "web": {
            "type": "webservice", "driver": "raw_exec", "command": ["/bin/sleep", "100000"],
            "port": { "http": { "port": 80 } }, "ingress": { "host": format!("{name}.example.com") },
        } },
    })
}

/// How many requests were about each of these keys of Consul's, or below it.
fn about<const N: usize>(seen: &[Seen], prefix: &str, keys: [&str; N]) -> [usize; N] {
    keys.map(|key| {
        let path = format!("/v1/kv/{prefix}/{key}");
        seen.iter().filter(|it| it.path.starts_with(&path)).count()
    })
}

#[tokio::test]
async fn plans_of_many_look_at_the_tenants_once_and_each_apply_for_itself() {
    let servers = servers();
    let counted = Counted::apply(servers, "tenanted", &[]).await;
    let run = counted.fleet.run().await;
    let new = |config: &Json| Object {
        config: run.config(config),
        state: Value::Null,
        private: Vec::new(),
    };
    let asking: Vec<_> = names("tenanted-web")
        .iter()
        .map(|name| new(&serving(name)))
        .collect();
    let idle: Vec<_> = yearlies("tenanted").iter().map(new).collect();
    let begun = Instant::now();
    // One, and another one for each half minute that a slow machine takes.
    let looks = || 1 + usize::try_from(begun.elapsed().as_secs() / 30).unwrap();
    each(&asking, |object| run.plan(object)).await;
    let plans = each(&idle, |object| run.plan(object)).await;
    let (_, consul) = counted.seen();
    // A list comes with a look at its folder's own key.
    let [tenants, domains] = about(&consul, "tenanted", ["tenants/", "domains"]);
    assert!((2..=2 * looks()).contains(&tenants), "{consul:#?}");
    assert!((1..=looks()).contains(&domains), "{consul:#?}");

    // Writing applications changes no tenant: the plans within an apply look at the same list.
    let mut applied = Vec::new();
    let before = looks();
    for (object, plan) in idle.iter().zip(plans).take(APPLIED) {
        run.plan(object).await;
        applied.push(run.apply(object, plan).await.unwrap());
    }
    let (_, consul) = counted.seen();
    let [tenants, domains] = about(&consul, "tenanted", ["tenants/", "domains"]);
    let most = 2 * (APPLIED + looks() - before);
    assert!((2 * APPLIED..=most).contains(&tenants), "{consul:#?}");
    assert_eq!(domains, 0);

    // A tenant that has come since is not in the list, and the apply finds it.
    let named = new(&serving("tenantedacme-shop"));
    let plan = run.plan(&named).await;
    servers
        .consul
        .write_key("tenanted/tenants/tenantedacme", "{}");
    let refused = run.apply(&named, plan).await.unwrap_err();
    assert!(refused[0].contains("tenantedacme"), "{refused:?}");
    servers
        .consul
        .delete("/v1/kv/tenanted/tenants/tenantedacme");
    for object in &applied {
        assert_eq!(run.destroy(object).await, Vec::<String>::new());
    }
}
