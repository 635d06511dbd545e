//! The leader of a cluster ends while applies are under way: what was begun goes on or is told, and the next apply
//! comes out even.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::api::Api;
use crate::support::clusters::{Cluster, Clusters};
use crate::support::{Action, Proxy, Run, Workspace, eventually};

/// How many applies are under way.
const APPLIES: usize = 6;

fn configuration(name: &str, greeting: &str) -> String {
    format!(
        r#"
provider "oam" {{}}

resource "oam_application" "it" {{
  name = "{name}"
  component "web" {{
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "100000"]
    env     = {{ A = "{greeting}" }}
    update_strategy {{
      min_healthy_time  = "0s"
      progress_deadline = "0s"
    }}
  }}
  component "one" {{
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
    env      = {{ A = "{greeting}" }}
  }}
  component "two" {{
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
    env      = {{ A = "{greeting}" }}
  }}
}}
"#
    )
}

/// Runs all of them at once, and ends the leader when the `nth` write of this kind comes by.
fn with_an_election(
    all: &[Workspace],
    arguments: &[&str],
    (proxy, path, nth): (&Proxy, &'static str, usize),
    cluster: &Cluster,
) -> Vec<Run> {
    let is_time = Arc::new(AtomicBool::new(false));
    let (time, mut left) = (is_time.clone(), nth);
    proxy.rule(move |seen| {
        if seen.method != "GET" && seen.path.starts_with(path) {
            left = left.saturating_sub(1);
            time.fetch_or(left == 0, Ordering::SeqCst);
        }
        Action::Forward
    });
    let running: Vec<_> = all.iter().map(|work| work.start(arguments)).collect();
    eventually("the applies are under way", || {
        is_time.load(Ordering::SeqCst).then_some(())
    });
    cluster.end_leader();
    let runs: Vec<_> = running.into_iter().map(|it| it.wait()).collect();
    proxy.rule(|_| Action::Forward);
    for run in runs.iter().filter(|run| run.code != Some(0)) {
        for error in run.failed() {
            let text = format!("{}: {}", error.summary, error.detail);
            println!("told: {text}");
            let crashed = ["did not respond", "panicked", "Request cancelled"];
            assert!(!crashed.iter().any(|it| text.contains(it)), "{text}");
            assert!(text.contains("Nomad") || text.contains("Consul"), "{text}");
        }
    }
    runs
}

fn job(nomad: &Api, id: &str) -> Option<Value> {
    nomad.find(&format!("/v1/job/{id}?namespace=default"))
}

/// One more apply, and all is there, once.
fn comes_out_even(clusters: &Clusters, all: &[Workspace], greeting: &str, version: u64) {
    clusters.consul.leader();
    let nomad = clusters.nomad.any();
    let running: Vec<_> = all
        .iter()
        .map(|work| work.start(&["apply", "-json", "-auto-approve"]))
        .collect();
    for running in running {
        running.wait().succeeded();
    }
    for (at, work) in all.iter().enumerate() {
        work.plan().assert_empty();
        let name = name(at);
        let ids = nomad.get(&format!("/v1/jobs?namespace=*&prefix={name}-"));
        assert_eq!(ids.as_array().unwrap().len(), 3, "{ids}");
        for component in ["web", "one", "two"] {
            let job = job(nomad, &format!("{name}-{component}")).unwrap();
            assert_eq!(job["TaskGroups"][0]["Tasks"][0]["Env"]["A"], greeting);
            assert_eq!(
                job["Version"], version,
                "{name}-{component} was registered twice"
            );
        }
    }
}

fn name(at: usize) -> String {
    format!("ex-{at}")
}

#[test]
fn applies_live_through_elections() {
    let clusters = Clusters::start();
    // Of the load balancers, one prefers the leader and the other does not.
    let nomad = clusters.nomad.balanced(clusters.nomad.leader());
    let consul = clusters.consul.balanced(clusters.consul.leader() + 1);
    let workspace = |at: usize| {
        let mut work = Workspace::bare(&configuration(&name(at), "one"));
        work.set("NOMAD_ADDR", &nomad.address);
        work.set("CONSUL_HTTP_ADDR", &consul.address);
        work
    };
    let all: Vec<_> = (0..APPLIES).map(workspace).collect();
    let count = |runs: &[Run]| runs.iter().filter(|run| run.code == Some(0)).count();

    let apply = ["apply", "-json", "-auto-approve"];
    let created = with_an_election(&all, &apply, (&nomad, "/v1/jobs", 4), &clusters.nomad);
    println!(
        "Nomad elects: {} of {APPLIES} creations go through",
        count(&created)
    );
    comes_out_even(&clusters, &all, "one", 0);

    for (at, work) in all.iter().enumerate() {
        work.change(&configuration(&name(at), "two"));
    }
    let updated = with_an_election(&all, &apply, (&consul, "/v1/txn", 3), &clusters.consul);
    println!(
        "Consul elects: {} of {APPLIES} updates go through",
        count(&updated)
    );
    comes_out_even(&clusters, &all, "two", 1);

    for work in &all {
        work.destroy();
    }
    let left = clusters.nomad.any().get("/v1/jobs?namespace=*");
    assert_eq!(left.as_array().unwrap().len(), 0, "{left}");
    assert_eq!(clusters.consul.any().find("/v1/kv/oam/?keys"), None);
}
