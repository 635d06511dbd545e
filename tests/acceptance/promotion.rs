//! A deployment that waits at its canary, and a later apply that promotes it.

use serde_json::Value;

use super::support::{Servers, Workspace, servers};
use super::{ADDRESS, application, at, worker};

fn canaried(name: &str, greeting: &str, more: &str) -> String {
    let more = format!(
        r#"env = {{ GREETING = "{greeting}" }}
    update_strategy {{
      strategy         = "canary"
      min_healthy_time = "1s"
      {more}
    }}"#
    );
    application(name, &worker("web", &more))
}

/// The job's version, and that of its latest deployment with its status.
fn rolled_out(servers: &Servers, id: &str) -> (Value, Value, Value) {
    let job = servers.nomad.job("default", id).unwrap();
    let deployment = servers.nomad.get(&format!("/v1/job/{id}/deployment"));
    let of = |name: &str| deployment[name].clone();
    (job["Version"].clone(), of("JobVersion"), of("Status"))
}

#[test]
fn a_later_apply_promotes() {
    let servers = servers();
    let id = "afterwards-web";
    let is = |version: u64, status: &str| {
        let want = (version.into(), version.into(), status.into());
        assert_eq!(rolled_out(servers, id), want);
    };
    let work = Workspace::new(servers, &canaried("afterwards", "old", ""));
    work.apply();
    work.change(&canaried("afterwards", "new", ""));
    work.apply();
    is(1, "running");
    work.plan().assert_empty();

    // Asked for, it shows in the plan, and makes no version of the job.
    let promote = "promote = true";
    work.change(&canaried("afterwards", "new", promote));
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    let strategy = "/component/web/update_strategy/promote";
    assert_eq!(at(change, &format!("/after{strategy}")), true);
    assert_eq!(at(change, "/after/jobs"), at(change, "/before/jobs"));
    work.apply_plan(&plan).succeeded();
    is(1, "successful");
    work.plan().assert_empty();

    // What an apply begins still ends at the canary: the next one promotes, and says so before.
    work.change(&canaried("afterwards", "newest", promote));
    let third = work.apply();
    is(2, "running");
    let waits = |summary: &str| summary.contains("waits to be promoted");
    assert!(third.diagnostics.iter().any(|it| waits(&it.summary)));
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    let drift = at(change, "/before/drift/0");
    assert_eq!(drift["path"], "afterwards-web/Deployment");
    assert_eq!(drift["live"], "\"waits to be promoted\"");
    assert_eq!(at(change, "/after/drift"), &serde_json::json!([]));
    assert_eq!(at(change, "/after/jobs"), at(change, "/before/jobs"));
    work.apply_plan(&plan).succeeded();
    is(2, "successful");
    work.plan().assert_empty();

    // Without it, nothing is done to the job, either.
    work.change(&canaried("afterwards", "newest", ""));
    work.apply();
    is(2, "successful");
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn what_somebody_else_has_begun_is_not_promoted() {
    let servers = servers();
    let promote = "promote = true";
    let work = Workspace::new(servers, &canaried("theirs", "old", promote));
    work.apply();
    servers.nomad.edit("default", "theirs-web", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["GREETING"] = "outsider".into();
    });
    super::support::eventually("its canary is healthy", || {
        let deployment = servers.nomad.get("/v1/job/theirs-web/deployment");
        (deployment["TaskGroups"]["web"]["HealthyAllocs"] == 1 && deployment["JobVersion"] == 1)
            .then_some(())
    });
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    assert_eq!(at(change, "/before/component/web/env/GREETING"), "outsider");
    assert_eq!(at(change, "/before/drift"), &serde_json::json!([]));
    work.apply_plan(&plan).succeeded();
    let job = servers.nomad.job("default", "theirs-web").unwrap();
    assert_eq!(at(&job, "/TaskGroups/0/Tasks/0/Env/GREETING"), "old");
    work.destroy();
}

/// Nobody has been told of the canary yet when an apply goes on from a failed one.
#[test]
fn what_a_failed_apply_has_begun_waits_for_the_next_but_one() {
    let servers = servers();
    let both = |greeting: &str, script: &str| {
        let other = format!(
            r#"
  component "other" {{
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c", "{script}"]
    restart_policy {{
      attempts = 0
      mode     = "fail"
    }}
    update_strategy {{
      min_healthy_time  = "3s"
      progress_deadline = "0s"
    }}
  }}"#
        );
        let web = canaried("unsettled", greeting, "promote = true");
        web.trim_end().trim_end_matches('}').to_owned() + &other + "\n}\n"
    };
    let work = Workspace::new(servers, &both("old", "exec sleep 100000"));
    work.apply();
    work.change(&both("new", "exit 7"));
    work.try_apply().failed();
    work.change(&both("new", "exec sleep 200000"));
    let again = work.apply();
    let (_, version, status) = rolled_out(servers, "unsettled-web");
    assert_eq!((version, status), (1.into(), "running".into()));
    let mut told = again.diagnostics.iter();
    assert!(told.any(|it| it.summary.contains("waits to be promoted")));
    work.apply();
    let (_, version, status) = rolled_out(servers, "unsettled-web");
    assert_eq!((version, status), (1.into(), "successful".into()));
    work.plan().assert_empty();
    work.destroy();
}
