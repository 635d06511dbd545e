//! The actions, invoked as Terraform 1.14 does.

use std::time::Duration;

use super::support::{Servers, servers};
use super::wire::invoke_action::event::Type as Event;
use super::*;
use oam_provider::provider::actions;

/// What an action has said: how far it was, and its diagnostics.
struct Invoked {
    progress: Vec<String>,
    said: Said,
}

impl Invoked {
    fn succeeded(self) -> Vec<String> {
        assert_eq!(self.said, [], "{:?}", self.progress);
        self.progress
    }

    fn failed(self) -> wire::Diagnostic {
        let first = self.said.into_iter().next();
        first.unwrap_or_else(|| panic!("it succeeded: {:?}", self.progress))
    }
}

fn config_of(name: &str, config: &Json) -> Option<wire::DynamicValue> {
    let all = actions::all(&std::sync::Arc::default());
    let (_, action) = all.into_iter().find(|(it, _)| *it == name).unwrap();
    let ty = action.schema().implied_type();
    Some(wired(&value(config, &ty), &ty))
}

impl Host {
    async fn invoke(&mut self, name: &str, config: &Json) -> Invoked {
        let request = wire::invoke_action::Request {
            action_type: name.to_owned(),
            config: config_of(name, config),
            ..Default::default()
        };
        let stream = self.client.invoke_action(request).await.unwrap();
        let mut stream = stream.into_inner();
        let mut progress = Vec::new();
        while let Some(event) = stream.message().await.unwrap() {
            match event.r#type.unwrap() {
                Event::Progress(step) => progress.push(step.message),
                Event::Completed(completed) => {
                    let said = completed.diagnostics;
                    return Invoked { progress, said };
                }
            }
        }
        panic!("it did not end: {progress:?}")
    }

    async fn validate_action(&mut self, name: &str, config: &Json) -> Vec<String> {
        let request = wire::validate_action_config::Request {
            type_name: name.to_owned(),
            config: config_of(name, config),
        };
        let response = self.client.validate_action_config(request).await.unwrap();
        errors(&response.into_inner().diagnostics)
    }

    /// Whether a plan of what was applied changes anything.
    async fn is_settled(&mut self, object: &Object, config: &Value) -> bool {
        let read = self.read(object).await;
        let plan = self.plan(&read, config).await;
        assert_eq!(errors(&plan.diagnostics), Vec::<String>::new());
        self.unwired(plan.planned_state.as_ref()) == read.state
    }
}

/// An application whose updates begin with a canary.
fn canaried(name: &str, greeting: &str, more: &Json) -> Json {
    let mut strategy = json!({ "strategy": "canary", "min_healthy_time": "1s" });
    for (name, value) in more.as_object().unwrap() {
        strategy[name] = value.clone();
    }
    json!({
        "name": name,
        "component": { "web": {
            "type": "worker", "driver": "raw_exec", "command": ["/bin/sleep", "100000"],
            "env": { "GREETING": greeting }, "update_strategy": strategy,
        } },
    })
}

fn greeting(servers: &Servers, id: &str) -> String {
    let job = servers.nomad.job("default", id).unwrap();
    let env = &job["TaskGroups"][0]["Tasks"][0]["Env"];
    env["GREETING"].as_str().unwrap().to_owned()
}

fn deployment(servers: &Servers, id: &str) -> Json {
    servers.nomad.get(&format!("/v1/job/{id}/deployment"))
}

fn has(progress: &[String], part: &str) -> bool {
    progress.iter().any(|step| step.contains(part))
}

#[tokio::test]
async fn canaries_are_promoted_by_an_action() {
    let servers = servers();
    let mut host = Host::new(servers, "wire-promote").await;
    let old = host.config(&canaried("promoted", "old", &json!({})));
    let first = host.apply(&NOTHING, &old).await;
    let config = json!({ "name": "promoted" });
    let progress = host.invoke("oam_promote", &config).await.succeeded();
    assert_eq!(progress, ["web: nothing waits to be promoted"]);

    let new = host.config(&canaried("promoted", "new", &json!({})));
    let read = host.read(&first).await;
    let second = host.apply(&read, &new).await;
    assert_eq!(deployment(servers, "promoted-web")["Status"], "running");
    let progress = host.invoke("oam_promote", &config).await.succeeded();
    assert!(has(&progress, "web: promoted"), "{progress:?}");
    assert!(has(&progress, "has taken over"), "{progress:?}");
    let after = deployment(servers, "promoted-web");
    assert_eq!(
        (&after["Status"], &after["JobVersion"]),
        (&json!("successful"), &json!(1))
    );
    assert!(host.is_settled(&second, &new).await);

    // A version that is somebody else's is not promoted.
    servers.nomad.edit("default", "promoted-web", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["GREETING"] = "outsider".into();
    });
    support::eventually("the other's canary is there", || {
        (deployment(servers, "promoted-web")["JobVersion"] == 2).then_some(())
    });
    let error = host.invoke("oam_promote", &config).await.failed();
    assert_eq!(
        error.summary,
        "The job promoted-web is not as it was applied"
    );
    let other = &deployment(servers, "promoted-web")["TaskGroups"]["web"]["Promoted"];
    assert_eq!(other, &json!(false));
    let read = host.read(&second).await;
    host.apply(&read, &Value::Null).await;
}

#[tokio::test]
async fn a_canary_is_rolled_back_by_an_action_and_the_plan_says_so() {
    let servers = servers();
    let mut host = Host::new(servers, "wire-rollback").await;
    for (name, more, version) in [
        ("rolled", json!({}), 2),
        ("rolled-auto", json!({ "auto_revert": true }), 2),
    ] {
        let id = format!("{name}-web");
        let config = json!({ "name": name, "components": ["web"] });
        let old = host.config(&canaried(name, "old", &more));
        let first = host.apply(&NOTHING, &old).await;
        let progress = host.invoke("oam_rollback", &config).await.succeeded();
        assert!(has(&progress, "nothing is rolled back"), "{progress:?}");

        let new = host.config(&canaried(name, "new", &more));
        let read = host.read(&first).await;
        let second = host.apply(&read, &new).await;
        assert_eq!(greeting(servers, &id), "new");
        let progress = host.invoke("oam_rollback", &config).await.succeeded();
        assert!(has(&progress, "given up"), "{progress:?}");
        assert!(has(&progress, "what was version 0 runs"), "{progress:?}");
        assert_eq!(greeting(servers, &id), "old");
        let job = servers.nomad.job("default", &id).unwrap();
        assert_eq!(job["Version"], version);

        // What was applied is not what runs: the plan has it.
        assert!(!host.is_settled(&second, &new).await);
        let read = host.read(&second).await;
        let env = read.state.get("component").get("web").get("env");
        assert_eq!(env.get("GREETING").as_str(), Some("old"));
        // Either way on: back in the configuration, too, or the new one once more.
        let third = host.apply(&read, &new).await;
        assert_eq!(greeting(servers, &id), "new");
        host.invoke("oam_rollback", &config).await.succeeded();
        let read = host.read(&third).await;
        let fourth = host.apply(&read, &old).await;
        assert!(host.is_settled(&fourth, &old).await);
        let read = host.read(&fourth).await;
        host.apply(&read, &Value::Null).await;
    }
}

#[tokio::test]
async fn what_has_failed_at_once_has_nothing_to_go_back_to() {
    let servers = servers();
    let mut host = Host::new(servers, "wire-nothing-before").await;
    // It must not be taken for healthy before it exits.
    let more = json!({ "progress_deadline": "0s", "min_healthy_time": "5s" });
    let mut application = canaried("hopeless", "x", &more);
    let web = &mut application["component"]["web"];
    web["command"] = json!(["/bin/sh", "-c", "exit 7"]);
    web["restart_policy"] = json!({ "attempts": 0, "mode": "fail" });
    let config = host.config(&application);
    let plan = host.plan(&NOTHING, &config).await;
    let (object, said) = host.apply_plan(&NOTHING, &config, plan).await;
    assert_eq!(errors(&said).len(), 1);
    let on = json!({ "name": "hopeless" });
    let error = host.invoke("oam_rollback", &on).await.failed();
    assert!(
        error.summary.contains("no version to go back to"),
        "{error:?}"
    );
    let error = host.invoke("oam_promote", &on).await.failed();
    assert!(error.summary.contains("is not through"), "{error:?}");
    let read = host.read(&object).await;
    host.apply(&read, &Value::Null).await;
}

#[tokio::test]
async fn instances_are_restarted_one_after_another() {
    let servers = servers();
    let mut host = Host::new(servers, "wire-restart").await;
    let mut application = worker("restarted");
    application["component"]["web"]["update_strategy"] =
        json!({ "strategy": "rolling", "min_healthy_time": "2s" });
    application["component"]["web"]["scaler"] = json!({ "min": 2, "max": 2 });
    application["component"]["job"] = yearly("restarted", None)["component"]["job"].clone();
    let config = host.config(&application);
    let object = host.apply(&NOTHING, &config).await;
    let starts = || {
        let all = servers.nomad.allocations("default", "restarted-web");
        let mut all: Vec<_> = all
            .iter()
            .map(|it| {
                let state = &it["TaskStates"]["web"];
                let id = it["ID"].as_str().unwrap().to_owned();
                (id, state["StartedAt"].as_str().unwrap().to_owned())
            })
            .collect();
        all.sort();
        all
    };
    let before = starts();
    let on = json!({ "name": "restarted" });
    let progress = host.invoke("oam_restart", &on).await.succeeded();
    assert!(has(&progress, "job: nothing runs"), "{progress:?}");
    assert!(has(&progress, "web: instance 2 of 2"), "{progress:?}");
    let after = starts();
    assert_eq!((before.len(), after.len()), (2, 2));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.0, after.0);
        assert!(before.1 < after.1, "{before:?} {after:?}");
    }
    // The second waited until the first had run for its `min_healthy_time`.
    let mut times = [0, 1].map(|at: usize| humantime::parse_rfc3339(&after[at].1).unwrap());
    times.sort();
    let between = times[1].duration_since(times[0]).unwrap();
    assert!(between >= Duration::from_secs(2), "{between:?}");
    // Nothing is changed by it.
    assert!(host.is_settled(&object, &config).await);
    let only = json!({ "name": "restarted", "components": ["job"] });
    let progress = host.invoke("oam_restart", &only).await.succeeded();
    assert_eq!(progress, ["job: nothing runs"]);
    host.apply(&object, &Value::Null).await;
}

#[tokio::test]
async fn what_does_not_come_back_is_told_with_its_last_lines() {
    let mut host = Host::new(servers(), "wire-restart-fails").await;
    let mut application = worker("gone-for-good");
    let web = &mut application["component"]["web"];
    let script = "test -e $NOMAD_TASK_DIR/once && echo no $((40 + 2)) >&2 && sleep 1 && exit 9; touch $NOMAD_TASK_DIR/once; exec sleep 100000";
    web["command"] = json!(["/bin/sh", "-c", script]);
    web["restart_policy"] = json!({ "attempts": 0, "mode": "fail" });
    // It runs for a moment, which is not yet to run again.
    web["update_strategy"] = json!({ "strategy": "rolling", "min_healthy_time": "5s" });
    let config = host.config(&application);
    let object = host.apply(&NOTHING, &config).await;
    let on = json!({ "name": "gone-for-good" });
    let error = host.invoke("oam_restart", &on).await.failed();
    assert_eq!(
        error.summary,
        "The job gone-for-good-web does not run after its restart"
    );
    for part in ["Exit Code: 9", "\n    no 42"] {
        assert!(error.detail.contains(part), "no {part} in {}", error.detail);
    }
    host.apply(&object, &Value::Null).await;
}

#[tokio::test]
async fn actions_say_what_is_wrong_with_them() {
    let mut host = Host::new(servers(), "wire-actions").await;
    let application = host.config(&yearly("acted", None));
    let object = host.apply(&NOTHING, &application).await;
    for action in ["oam_promote", "oam_restart", "oam_rollback"] {
        for (config, summary) in [
            (json!({ "name": "nobody" }), "No such application"),
            (
                json!({ "name": "acted", "tenant": "other" }),
                "No such application",
            ),
            (
                json!({ "name": "acted", "components": ["job", "web"] }),
                "No component \"web\"",
            ),
        ] {
            assert_eq!(host.validate_action(action, &config).await, [""; 0]);
            let error = host.invoke(action, &config).await.failed();
            assert_eq!(error.summary, summary, "{action}");
        }
        for (config, summary) in [
            (
                json!({ "name": "a", "components": [] }),
                "No component is named",
            ),
            (
                json!({ "name": "a", "timeout": "long" }),
                "Unreadable duration",
            ),
            (
                json!({ "name": "a", "timeout": "0s" }),
                "Unreadable duration",
            ),
        ] {
            assert_eq!(host.validate_action(action, &config).await, [summary]);
        }
        let bad = json!({ "name": "A/b", "tenant": "x y" });
        assert_eq!(host.validate_action(action, &bad).await.len(), 2);
    }
    servers().nomad.stop("default", "acted-job", true);
    let on = json!({ "name": "acted" });
    let error = host.invoke("oam_restart", &on).await.failed();
    assert_eq!(error.summary, "The job acted-job is not there");
    host.apply(&object, &Value::Null).await;
}
