//! New versions beside old ones.

use super::support::terraform::Diagnostic;
use super::support::{Run, Servers, Workspace, eventually};
use super::{ADDRESS, AT_ONCE, BRIDGE, application, at, destroy, get, instances, platform, web};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Three checked instances that say which generation they are of.
fn configuration(name: &str, generation: &str, strategy: &str) -> String {
    let web = web(
        "web",
        r#"scaler { replicas = 3 }
    health_check {
      path     = "/"
      interval = "1s"
      timeout  = "1s"
    }"#,
    );
    let web = web
        .replace(
            "COMPONENT = \"web\"",
            &format!("COMPONENT = \"{generation}\""),
        )
        .replace(
            AT_ONCE,
            &format!("update_strategy {{\n min_healthy_time = \"0s\"\n {strategy}\n }}"),
        );
    application(name, &format!("{BRIDGE}{web}"))
}

/// How many healthy instances of each generation answer.
fn generations(servers: &Servers, service: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for address in instances(servers, service) {
        let Some(answer) = get(address, "/") else {
            continue;
        };
        let first = answer.body.lines().next().unwrap_or_default();
        let generation = first.trim_start_matches("component=").to_owned();
        *found.entry(generation).or_default() += 1;
    }
    found
}

fn are(servers: &Servers, service: &str, expected: &[(&str, usize)]) {
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect();
    eventually(&format!("{service} is served by {expected:?}"), || {
        (generations(servers, service) == expected).then_some(())
    });
}

fn deployment(servers: &Servers, job: &str) -> Value {
    servers.nomad.get(&format!("/v1/job/{job}/deployment"))
}

/// What a run says of deployments that wait for somebody.
fn waiting(run: &Run) -> Vec<&Diagnostic> {
    let told = run.diagnostics.iter();
    told.filter(|it| it.summary.ends_with("waits to be promoted"))
        .collect()
}

#[test]
fn a_canary_waits_to_be_promoted() {
    let Some(servers) = platform() else { return };
    let canary = "strategy = \"canary\"";
    let work = Workspace::new(servers, &configuration("canaried", "old", canary));
    let first = work.apply();
    assert!(waiting(&first).is_empty(), "{:#?}", first.diagnostics);
    are(servers, "canaried-web", &[("old", 3)]);

    work.change(&configuration("canaried", "new", canary));
    let second = work.apply();
    let id = deployment(servers, "canaried-web")["ID"]
        .as_str()
        .unwrap()
        .to_owned();
    let waiting = waiting(&second);
    let [warning] = waiting.as_slice() else {
        panic!("{:#?}", second.diagnostics)
    };
    assert_eq!(warning.severity, "warning");
    assert!(
        warning.summary.contains("canaried-web"),
        "{}",
        warning.summary
    );
    assert_eq!(warning.code, "strategy = \"canary\"");
    let how = format!("nomad deployment promote -namespace default {id}");
    assert!(warning.detail.contains(&how), "{}", warning.detail);
    are(servers, "canaried-web", &[("new", 1), ("old", 3)]);
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(
        (&state["status"], &state["revision"]),
        (&"settled".into(), &2.into())
    );
    assert_eq!(at(&state, "/jobs/web/version"), 1);
    work.plan().assert_empty();

    servers.nomad.put(
        &format!("/v1/deployment/promote/{id}"),
        &json!({ "DeploymentID": id, "All": true }),
    );
    are(servers, "canaried-web", &[("new", 3)]);
    eventually("the deployment is successful", || {
        (deployment(servers, "canaried-web")["Status"] == "successful").then_some(())
    });
    work.plan().assert_empty();

    // Taken back before it is promoted.
    work.change(&configuration("canaried", "newest", canary));
    work.apply();
    are(servers, "canaried-web", &[("new", 3), ("newest", 1)]);
    work.change(&configuration("canaried", "new", canary));
    work.apply();
    are(servers, "canaried-web", &[("new", 3)]);
    work.plan().assert_empty();
    destroy(servers, &work, "canaried");
}

#[test]
fn a_canary_that_is_given_up_after_the_apply_shows() {
    let Some(servers) = platform() else { return };
    let canary = "strategy = \"canary\"";
    let work = Workspace::new(servers, &configuration("givenup", "old", canary));
    work.apply();
    work.change(&configuration("givenup", "new", canary));
    work.apply();
    work.plan().assert_empty();
    let id = deployment(servers, "givenup-web")["ID"].clone();
    let id = id.as_str().unwrap();
    servers.nomad.put(
        &format!("/v1/deployment/fail/{id}"),
        &json!({ "DeploymentID": id }),
    );
    are(servers, "givenup-web", &[("old", 3)]);

    // The job says "new", and nothing else does.
    let plan = work.plan();
    let drift = at(plan.change(ADDRESS), "/before/drift/0");
    assert_eq!(drift["path"], "givenup-web/Deployment");
    assert!(
        drift["live"].as_str().unwrap().contains("marked as failed"),
        "{drift}"
    );
    let errors = work.apply_plan(&plan).failed();
    assert!(
        errors[0].detail.contains("tries nothing more"),
        "{errors:#?}"
    );
    work.change(&configuration("givenup", "newer", canary));
    let third = work.apply();
    assert_eq!(waiting(&third).len(), 1, "{:#?}", third.diagnostics);
    work.plan().assert_empty();
    destroy(servers, &work, "givenup");
}

#[test]
fn blue_turns_green_by_itself() {
    let Some(servers) = platform() else { return };
    let strategy = "strategy = \"blue-green\"\n auto_promote = true";
    let work = Workspace::new(servers, &configuration("coloured", "blue", strategy));
    work.apply();
    work.change(&configuration("coloured", "green", strategy));
    let second = work.apply();
    assert!(waiting(&second).is_empty(), "{:#?}", second.diagnostics);
    let deployment = deployment(servers, "coloured-web");
    assert_eq!(deployment["Status"], "successful");
    let group = at(&deployment, "/TaskGroups/web");
    assert_eq!(
        (&group["DesiredCanaries"], &group["Promoted"]),
        (&3.into(), &true.into())
    );
    are(servers, "coloured-web", &[("green", 3)]);
    work.plan().assert_empty();
    destroy(servers, &work, "coloured");
}

#[test]
fn a_canary_that_fails_gives_way_to_the_version_before() {
    let Some(servers) = platform() else { return };
    let strategy = r#"strategy = "canary"
    auto_revert = true
    progress_deadline = "0s""#;
    let good = configuration("reverted", "good", strategy);
    let work = Workspace::new(servers, &good);
    work.apply();
    let bad = configuration("reverted", "bad", strategy).replace(
        "port \"http\"",
        "restart_policy {\n attempts = 0\n mode = \"fail\"\n }\n command = [\"/bin/sh\", \"-c\", \"exit 7\"]\n port \"http\"",
    );
    work.change(&bad);
    let errors = work.try_apply().failed();
    assert!(
        errors[0]
            .summary
            .contains("reverted-web did not become healthy"),
        "{errors:#?}"
    );
    for part in ["rolling back to job version 0", "Exit Code: 7"] {
        assert!(
            errors[0].detail.contains(part),
            "no {part} in {}",
            errors[0].detail
        );
    }
    are(servers, "reverted-web", &[("good", 3)]);
    // Nomad has gone back, and the plan says so.
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    assert_eq!(at(change, "/before/component/web/env/COMPONENT"), "good");
    assert_eq!(at(change, "/after/component/web/env/COMPONENT"), "bad");
    work.change(&good);
    work.apply();
    work.plan().assert_empty();
    destroy(servers, &work, "reverted");
}
