//! Components in several clusters: each has a Nomad of its own, in a region of its own.

use super::support::proxy::{Action, Proxy};
use super::support::{Options, Servers, Workspace, eventually};
use super::{ADDRESS, application, at, worker};
use serde_json::Value;

const JOB: &str = "spread-worker";

/// The clusters `east` and `west`. The records are in the Consul of the first.
fn clusters() -> (Servers, Servers) {
    let start = |region, datacenter| {
        Servers::start(Options {
            region: Some(region),
            datacenter: Some(datacenter),
            ..Options::default()
        })
    };
    std::thread::scope(|scope| {
        let west = scope.spawn(|| start("west", "oslo"));
        (start("east", "riga"), west.join().unwrap())
    })
}

fn provider(east: &Servers, west_address: &str) -> String {
    format!(
        r#"provider "oam" {{
  nomad {{ address = "{east}" }}
  consul {{ address = "{}" }}
  cluster "east" {{
    address = "{east}"
    region  = "east"
  }}
  cluster "west" {{
    address     = "{west_address}"
    datacenters = ["oslo", "moss"]
  }}
}}
"#,
        east.consul.address,
        east = east.nomad.address,
    )
}

fn configuration(clusters: &str, greeting: &str) -> String {
    let more = format!(
        "target_clusters = {clusters}\n    env = {{ GREETING = \"{greeting}\" }}\n    \
         update_strategy {{ min_healthy_time = \"0s\" }}"
    );
    application("spread", &worker("worker", &more))
}

fn running(servers: &Servers) -> Vec<Value> {
    let all = servers.nomad.allocations("default", JOB).into_iter();
    all.filter(|allocation| allocation["ClientStatus"] == "running")
        .collect()
}

#[test]
fn a_component_runs_in_each_of_its_clusters() {
    let (east, west) = clusters();
    let both = "[\"east\", \"west\"]";
    let work = Workspace::bare(&configuration(both, "hello"));
    work.write("provider.tf", &provider(&east, &west.nomad.address));
    work.apply();
    let job = |servers: &Servers| servers.nomad.job("default", JOB).unwrap();
    for (servers, region, datacenters) in [
        (&east, "east", vec!["*"]),
        (&west, "west", vec!["oslo", "moss"]),
    ] {
        let job = job(servers);
        assert_eq!(job["Region"], region);
        assert_eq!(job["Datacenters"], Value::from(datacenters));
        assert_eq!(running(servers).len(), 1, "{region}");
    }
    let state = work.state(ADDRESS).unwrap();
    let known: Vec<_> = at(&state, "/jobs").as_object().unwrap().keys().collect();
    assert_eq!(known, ["worker@east", "worker@west"]);
    work.plan().assert_empty();

    // What somebody changes in one of them shows, and is put right there alone.
    let before = job(&east)["JobModifyIndex"].clone();
    west.nomad.edit("default", JOB, |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["GREETING"] = "goodbye".into();
    });
    let plan = work.plan();
    let greeting = "/component/worker/env/GREETING";
    let change = plan.change(ADDRESS);
    assert_eq!(at(change, &format!("/before{greeting}")), "goodbye");
    assert_eq!(at(change, &format!("/after{greeting}")), "hello");
    work.apply_plan(&plan).succeeded();
    let live = job(&west);
    assert_eq!(at(&live, "/TaskGroups/0/Tasks/0/Env/GREETING"), "hello");
    assert_eq!(job(&east)["JobModifyIndex"], before);
    work.plan().assert_empty();

    // What the configuration takes over from one of them goes to the others, too.
    west.nomad.edit("default", JOB, |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["GREETING"] = "goodbye".into();
    });
    work.change(&configuration(both, "goodbye"));
    assert_eq!(work.plan().actions(ADDRESS), ["update"]);
    work.apply();
    for servers in [&east, &west] {
        let live = job(servers);
        assert_eq!(at(&live, "/TaskGroups/0/Tasks/0/Env/GREETING"), "goodbye");
    }
    work.plan().assert_empty();
    work.change(&configuration(both, "hello"));
    work.apply();

    // So does what somebody takes away.
    east.nomad.stop("default", JOB, true);
    let plan = work.plan();
    let gone = at(plan.change(ADDRESS), "/before/drift/0");
    assert_eq!(
        (&gone["path"], &gone["live"]),
        (&JOB.into(), &"null".into())
    );
    work.apply_plan(&plan).succeeded();
    assert_eq!(running(&east).len(), 1);
    work.plan().assert_empty();

    // A cluster that nobody knows.
    work.change(&configuration("[\"east\", \"south\"]", "hello"));
    let errors = work.try_plan().failed();
    assert_eq!(errors[0].summary, "Unknown cluster \"south\"");
    assert_eq!(errors[0].code, "target_clusters = [\"east\", \"south\"]");
    assert!(errors[0].detail.contains("`east`, `west`"), "{errors:?}");

    // Out of the one, and left alone in the other.
    let before = running(&east)[0]["ID"].clone();
    work.change(&configuration("[\"east\"]", "hello"));
    work.apply();
    assert_eq!(west.nomad.job("default", JOB), None);
    eventually("nothing of it runs there", || {
        running(&west).is_empty().then_some(())
    });
    assert_eq!(running(&east)[0]["ID"], before);
    work.plan().assert_empty();

    work.change(&configuration(both, "hello"));
    work.apply();
    work.destroy();
    for servers in [&east, &west] {
        assert_eq!(servers.nomad.job_ids("spread-"), Vec::<String>::new());
    }
    assert_eq!(east.consul.record("oam", "default", "spread"), None);
}

#[test]
fn a_cluster_that_refuses_leaves_the_others_to_be_gone_on_from() {
    let (east, west) = clusters();
    let proxy = Proxy::start(&west.nomad.address);
    let work = Workspace::bare(&configuration("[\"west\", \"east\"]", "hello"));
    work.write("provider.tf", &provider(&east, &proxy.address));
    work.apply();
    // The plan may ask, and nothing may be written.
    proxy.rule(
        |seen| match seen.path.starts_with("/v1/jobs") && seen.method != "GET" {
            true => Action::Answer(403, vec![], "Permission denied"),
            false => Action::Forward,
        },
    );
    work.change(&configuration("[\"west\", \"east\"]", "hello again"));
    let errors = work.try_apply().failed();
    assert!(
        errors[0].detail.contains("Permission denied"),
        "{errors:#?}"
    );
    let greetings = || {
        [&east, &west].map(|servers| {
            let live = servers.nomad.job("default", JOB).unwrap();
            at(&live, "/TaskGroups/0/Tasks/0/Env/GREETING").clone()
        })
    };
    assert_eq!(greetings(), ["hello again", "hello"]);
    proxy.rule(|_| Action::Forward);
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    work.apply_plan(&plan).succeeded();
    assert_eq!(greetings(), ["hello again", "hello again"]);
    work.plan().assert_empty();
    work.destroy();
}
