//! What becomes of jobs on the real Nomad, and what is told about those that fail.

use std::sync::Mutex;

use oam_provider::http::Kind;
use oam_provider::nomad::watch::{Failure, Healthy, Progress, Reason, diagnose, until_healthy};
use oam_provider::nomad::{Allocation, Client, Enforce, Registered, Wait};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::proxy::{Action, Gate, Proxy};
use super::support::{Servers, servers};
use super::{LIMIT, consul_at, nomad_at};

const SECOND: u64 = 1_000_000_000;

/// A job of one raw_exec task `task` in a group `group` whose deployment is judged within seconds.
fn job(id: &str, kind: &str, script: &str) -> Value {
    let mut job = json!({
        "ID": id, "Name": id, "Namespace": "default", "Type": kind, "Datacenters": ["*"],
        "TaskGroups": [{
            "Name": "group", "Count": 1,
            "RestartPolicy": { "Attempts": 1, "Interval": 60 * SECOND, "Delay": SECOND / 10, "Mode": "fail" },
            "Tasks": [{
                "Name": "task", "Driver": "raw_exec",
                "Config": { "command": "/bin/sh", "args": ["-c", ""] },
                "Resources": { "CPU": 20, "MemoryMB": 16 },
            }],
        }],
    });
    if kind == "service" {
        job["Update"] = json!({ "HealthyDeadline": 4 * SECOND, "ProgressDeadline": 5 * SECOND });
    }
    self::script(&mut job, script);
    job
}

/// What exits must not be taken for healthy before it does, however busy the machine is.
fn script(job: &mut Value, script: &str) {
    job["TaskGroups"][0]["Tasks"][0]["Config"]["args"][1] = json!(script);
    if job["Type"] == "service" {
        let exits = script.contains("exit ");
        job["Update"]["MinHealthyTime"] = json!(if exits { 3 * SECOND } else { SECOND / 10 });
    }
}

const SLEEP: &str = "exec sleep 100000";

struct Watched {
    result: Result<Healthy, Failure>,
    progress: Vec<Progress>,
}

impl Watched {
    fn failure(self) -> Failure {
        self.result.unwrap_err()
    }
}

async fn register(client: &Client, job: &Value) -> Registered {
    client
        .register("default", job, Enforce::Nothing)
        .await
        .unwrap()
}

async fn watch(client: &Client, id: &str, registered: Option<&Registered>) -> Watched {
    let progress = Mutex::new(Vec::new());
    let cancel = CancellationToken::new();
    let note = |step| progress.lock().unwrap().push(step);
    let watched = until_healthy(client, "default", id, registered, &cancel, note);
    let result = tokio::time::timeout(LIMIT, watched)
        .await
        .expect("the watch ends");
    Watched {
        result,
        progress: progress.into_inner().unwrap(),
    }
}

async fn run(client: &Client, job: &Value) -> Watched {
    let registered = register(client, job).await;
    watch(client, job["ID"].as_str().unwrap(), Some(&registered)).await
}

fn client(servers: &Servers) -> Client {
    nomad_at(&servers.nomad.address)
}

fn assert_told(failure: &Failure, parts: &[&str]) {
    let text = failure.to_string();
    for part in parts {
        assert!(text.contains(part), "\"{part}\" is not in: {text}");
    }
}

#[tokio::test]
async fn a_service_becomes_healthy() {
    let client = client(servers());
    let mut job = job("w-service", "service", SLEEP);
    let watched = run(&client, &job).await;
    let healthy = watched.result.unwrap();
    let live = client.job("default", "w-service").await.unwrap().unwrap();
    assert_eq!(
        (healthy.version, healthy.job_modify_index),
        (0, live.job_modify_index)
    );
    let deployed = watched
        .progress
        .iter()
        .any(|step| matches!(step, Progress::Deploying { desired: 1, .. }));
    assert!(deployed, "{:?}", watched.progress);

    // A registration that changes nothing: healthy as before, and the index is the job's.
    let again = run(&client, &job).await.result.unwrap();
    assert_eq!(again, healthy);

    job["Meta"] = json!({ "changed": "yes" });
    let changed = run(&client, &job).await.result.unwrap();
    assert_eq!(changed.version, 1);
    assert!(changed.job_modify_index > healthy.job_modify_index);

    // To nothing: there is no deployment for that.
    job["TaskGroups"][0]["Count"] = json!(0);
    let none = run(&client, &job).await.result.unwrap();
    assert_eq!(none.version, 2);
    let found = watch(&client, "w-service", None).await.result.unwrap();
    assert_eq!(found, none);
}

/// Two instances, of which an update changes none before one canary of the new version is promoted.
fn canaried(id: &str) -> Value {
    let mut job = job(id, "service", SLEEP);
    job["TaskGroups"][0]["Count"] = json!(2);
    job["Update"]["Canary"] = json!(1);
    job
}

/// The versions of the job that run, oldest first.
async fn running_versions(client: &Client, id: &str) -> Vec<u64> {
    let (_, all) = client.allocations("default", id, Wait::NONE).await.unwrap();
    let running = all.iter().filter(|it| it.desired_status == "run");
    let mut versions: Vec<_> = running.map(|it| it.job_version).collect();
    versions.sort_unstable();
    versions
}

#[tokio::test]
async fn healthy_canaries_end_the_watch() {
    let client = client(servers());
    let mut job = canaried("w-canary");
    // There is nothing for the first version to stand beside.
    let first = run(&client, &job).await.result.unwrap();
    assert_eq!(first.to_promote, None);

    script(&mut job, "exec sleep 200000");
    let waiting = run(&client, &job).await.result.unwrap();
    let deployment = waiting.to_promote.clone().expect("it waits for promotion");
    assert_eq!(waiting.version, 1);
    assert_eq!(running_versions(&client, "w-canary").await, [0, 0, 1]);
    for registered in [None, Some(register(&client, &job).await)] {
        let again = watch(&client, "w-canary", registered.as_ref()).await;
        assert_eq!(again.result.unwrap(), waiting);
    }

    servers().nomad.put(
        &format!("/v1/deployment/promote/{deployment}"),
        &json!({ "DeploymentID": deployment, "All": true }),
    );
    let promoted = watch(&client, "w-canary", None).await.result.unwrap();
    assert_eq!(
        promoted,
        Healthy {
            to_promote: None,
            ..waiting
        }
    );
    assert_eq!(running_versions(&client, "w-canary").await, [1, 1]);
}

/// Each takes the place of the instance on its node, and their number is a percentage.
#[tokio::test]
async fn canaries_of_a_system_job_end_the_watch() {
    let client = client(servers());
    let mut job = job("w-canary-system", "system", SLEEP);
    job["Update"] = json!({
        "Canary": 1, "MinHealthyTime": SECOND / 10, "HealthyDeadline": 4 * SECOND, "ProgressDeadline": 5 * SECOND,
    });
    let first = run(&client, &job).await.result.unwrap();
    assert_eq!(first.to_promote, None);
    script(&mut job, "exec sleep 200000");
    let waiting = run(&client, &job).await.result.unwrap();
    let deployment = waiting.to_promote.expect("it waits for promotion");
    servers().nomad.put(
        &format!("/v1/deployment/promote/{deployment}"),
        &json!({ "DeploymentID": deployment, "All": true }),
    );
    let promoted = watch(&client, "w-canary-system", None).await.result;
    assert_eq!(promoted.unwrap().to_promote, None);
    assert_eq!(running_versions(&client, "w-canary-system").await, [1]);
}

#[tokio::test]
async fn canaries_that_nomad_promotes_are_not_waited_for_by_anybody() {
    let client = client(servers());
    let mut job = canaried("w-promoted");
    job["Update"]["AutoPromote"] = json!(true);
    run(&client, &job).await.result.unwrap();
    script(&mut job, "exec sleep 200000");
    let healthy = run(&client, &job).await.result.unwrap();
    assert_eq!((healthy.version, healthy.to_promote), (1, None));
    assert_eq!(running_versions(&client, "w-promoted").await, [1, 1]);
}

#[tokio::test]
async fn a_canary_that_fails_is_told_though_nomad_goes_back() {
    let client = client(servers());
    let mut job = canaried("w-reverted");
    job["Update"]["AutoRevert"] = json!(true);
    run(&client, &job).await.result.unwrap();
    script(&mut job, "exit 3");
    let failure = run(&client, &job).await.failure();
    assert!(
        matches!(failure.reason, Reason::Deployment { version: 1, .. }),
        "{failure:?}"
    );
    assert_told(
        &failure,
        &[
            "rolling back to job version 0",
            "has gone back to version 0 of the job, which is its version 2 now",
            "Exit Code: 3",
        ],
    );
}

/// The watch looks at the job only when Nomad is through with it.
#[tokio::test]
async fn a_version_that_nomad_took_back_at_once_is_told() {
    let proxy = Proxy::start(&servers().nomad.address);
    let client = nomad_at(&proxy.address);
    let mut job = job("w-quickly-reverted", "service", SLEEP);
    job["Update"]["AutoRevert"] = json!(true);
    run(&client, &job).await.result.unwrap();
    let gate = Gate::new();
    let held = gate.clone();
    proxy.rule(move |seen| match seen.path.split('?').next() {
        Some("/v1/job/w-quickly-reverted") => Action::Hold(held.clone()),
        _ => Action::Forward,
    });
    script(&mut job, "exit 3");
    let registered = register(&client, &job).await;
    let direct = nomad_at(&servers().nomad.address);
    let follow = watch(&client, "w-quickly-reverted", Some(&registered));
    let release = async {
        let reverted = async {
            loop {
                let live = direct.job("default", "w-quickly-reverted").await.unwrap();
                if live.unwrap().version == 2 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(LIMIT, reverted)
            .await
            .expect("Nomad goes back");
        proxy.rule(|_| Action::Forward);
        gate.open();
    };
    let (watched, ()) = tokio::join!(follow, release);
    let failure = watched.failure();
    assert!(
        matches!(failure.reason, Reason::Deployment { version: 1, .. }),
        "{failure:?}"
    );
    assert_told(&failure, &["has gone back to version 0", "Exit Code: 3"]);
}

#[tokio::test]
async fn the_last_lines_of_a_task_are_found() {
    let client = client(servers());
    let many = "i=0; while [ $i -lt 9000 ]; do echo out $i; i=$((i+1)); done";
    for (id, script, want) in [
        ("w-says-much", many, Some(("stdout", 20, "out 8999"))),
        (
            "w-says-both",
            "echo out; echo err >&2",
            Some(("stderr", 2, "err")),
        ),
        ("w-says-nothing", "true", None),
    ] {
        let script = format!("{script}; exit 3");
        let job = job(id, "service", &script);
        let failure = run(&client, &job).await.failure();
        let trouble = failure.diagnosis.failing().unwrap();
        // Each of them is started twice.
        let tail = client.last_lines("default", &trouble.allocation, &trouble.task);
        let tail = tail.await.unwrap();
        let told = tail.as_ref().map(|tail| {
            let last = tail.lines.last().unwrap().as_str();
            (tail.stream, tail.lines.len(), last)
        });
        assert_eq!(told, want, "{id}");
    }
    let nobody = client.last_lines("default", "00000000-0000-0000-0000-000000000000", "task");
    assert!(matches!(nobody.await, Ok(None) | Err(_)));
}

#[tokio::test]
async fn few_requests_are_made() {
    let client = client(servers());
    run(&client, &job("w-cheap", "batch", "true"))
        .await
        .result
        .unwrap();
    // Registration, evaluation, job. The evaluation may be answered once before it is complete.
    assert!(client.requests() <= 4, "{}", client.requests());
    let before = client.requests();
    run(&client, &job("w-cheap-service", "service", SLEEP))
        .await
        .result
        .unwrap();
    // As above, and the deployment: as it is made, placed, healthy, successful.
    assert!(
        client.requests() - before <= 8,
        "{}",
        client.requests() - before
    );
}

#[tokio::test]
async fn what_needs_no_deployment_is_accepted() {
    let client = client(servers());
    let periodic = json!({ "Enabled": true, "Specs": ["0 0 1 1 *"], "SpecType": "cron" });
    for (id, kind, periodic) in [
        ("w-batch", "batch", None),
        ("w-sysbatch", "sysbatch", None),
        ("w-periodic", "batch", Some(periodic)),
    ] {
        let mut job = job(id, kind, "true");
        job["Periodic"] = periodic.into();
        let healthy = run(&client, &job).await.result.unwrap();
        assert_eq!((healthy.version, healthy.unplaced.len()), (0, 0), "{id}");
        assert_eq!(
            watch(&client, id, None).await.result.unwrap(),
            healthy,
            "{id}"
        );
    }
}

#[tokio::test]
async fn a_batch_job_without_room_is_accepted_and_it_is_told() {
    let client = client(servers());
    let mut job = job("w-batch-room", "batch", "true");
    job["TaskGroups"][0]["Tasks"][0]["Resources"]["MemoryMB"] = json!(100_000_000);
    let healthy = run(&client, &job).await.result.unwrap();
    let told: Vec<_> = healthy.unplaced.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["No node was found for the group group: 1 node with too little memory left."]
    );
}

#[tokio::test]
async fn a_system_job_becomes_healthy_or_fails() {
    let client = client(servers());
    let healthy = run(&client, &job("w-system", "system", SLEEP))
        .await
        .result
        .unwrap();
    assert_eq!(healthy.version, 0);
    assert_eq!(
        watch(&client, "w-system", None).await.result.unwrap(),
        healthy
    );

    let mut elsewhere = job("w-system-elsewhere", "system", SLEEP);
    elsewhere["Constraints"] = constraint();
    let healthy = run(&client, &elsewhere).await.result.unwrap();
    assert_eq!(healthy.unplaced.len(), 1, "{healthy:?}");

    let failure = run(&client, &job("w-system-bad", "system", "exit 7"))
        .await
        .failure();
    assert_told(&failure, &["The task task", "Exit Code: 7"]);
}

fn constraint() -> Value {
    json!([{ "LTarget": "${attr.kernel.name}", "RTarget": "plan9", "Operand": "=" }])
}

#[tokio::test]
async fn a_task_that_cannot_start_is_told() {
    let client = client(servers());
    let mut job = job("w-no-command", "service", "");
    job["TaskGroups"][0]["ReschedulePolicy"] = json!({
        "Unlimited": true, "Delay": 8 * SECOND, "DelayFunction": "constant", "MaxDelay": 0,
    });
    job["TaskGroups"][0]["Tasks"][0]["Config"] = json!({ "command": "/no/such/command" });
    let watched = run(&client, &job).await;
    let trouble = watched.progress.iter().any(|step| match step {
        Progress::Trouble(diagnosis) => diagnosis.to_string().contains("/no/such/command"),
        _ => false,
    });
    assert!(trouble, "{:?}", watched.progress);
    let failure = watched.failure();
    assert!(
        matches!(failure.reason, Reason::Deployment { .. }),
        "{failure:?}"
    );
    let task = &failure.diagnosis.tasks[0];
    assert_eq!(
        (task.task.as_str(), task.group.as_str(), task.state.as_str()),
        ("task", "group", "dead")
    );
    assert_told(
        &failure,
        &[
            "The job w-no-command did not become healthy",
            "Failed due to progress deadline",
            "Driver Failure",
            "\"/no/such/command\" could not be found",
            &format!(
                "nomad alloc logs -namespace default -stderr {} task",
                task.allocation
            ),
        ],
    );

    // Registered again as it is, Nomad tries nothing more, and that is told instead of waited out.
    let failure = run(&client, &job).await.failure();
    assert!(matches!(failure.reason, Reason::Stuck), "{failure:?}");
    assert_told(&failure, &["could not be found", "tries nothing more"]);
    let failure = watch(&client, "w-no-command", None).await.failure();
    assert!(matches!(failure.reason, Reason::Stuck), "{failure:?}");

    // Purged and registered again, as the advice says, it is tried anew.
    client
        .deregister("default", "w-no-command", true)
        .await
        .unwrap();
    let failure = run(&client, &job).await.failure();
    assert!(
        matches!(failure.reason, Reason::Deployment { .. }),
        "{failure:?}"
    );

    // A new version with the same task: Nomad starts it when the failed one is due again.
    job["Meta"] = json!({ "changed": "yes" });
    let failure = run(&client, &job).await.failure();
    assert!(
        matches!(failure.reason, Reason::Deployment { .. }),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_task_that_exits_in_a_loop_is_told() {
    let client = client(servers());
    let mut job = job("w-loop", "service", "exit 3");
    job["TaskGroups"][0]["RestartPolicy"] =
        json!({ "Attempts": 100, "Interval": 60 * SECOND, "Delay": SECOND / 5, "Mode": "delay" });
    let failure = run(&client, &job).await.failure();
    let task = &failure.diagnosis.tasks[0];
    assert!(task.restarts > 0, "{task:?}");
    assert!(
        task.events.iter().any(|event| event.exit_code == Some(3)),
        "{task:?}"
    );
    assert_told(&failure, &["The task task", "Terminated: Exit Code: 3"]);
}

#[tokio::test]
async fn a_check_that_never_passes_is_told() {
    let client = client(servers());
    let job = checked("w-check");
    let failure = run(&client, &job).await.failure();
    assert!(
        matches!(failure.reason, Reason::Deployment { .. }),
        "{failure:?}"
    );
    assert_told(
        &failure,
        &[
            "The task task",
            "running",
            "Alloc Unhealthy",
            "healthy_deadline",
        ],
    );
}

#[tokio::test]
async fn a_failing_check_is_found_in_consul() {
    let client = client(servers());
    let mut job = checked("w-critical");
    job["Update"]["HealthyDeadline"] = json!(120 * SECOND);
    job["Update"]["ProgressDeadline"] = json!(180 * SECOND);
    register(&client, &job).await;
    let consul = consul_at(&servers().consul.address);
    let find = async {
        loop {
            let checks = consul.checks("w-critical").await.unwrap();
            if let Some(check) = checks.into_iter().find(|check| check.status == "critical") {
                return check;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let check = tokio::time::timeout(LIMIT, find)
        .await
        .expect("the check is in Consul");
    let (_, allocations) = client
        .allocations("default", "w-critical", Wait::NONE)
        .await
        .unwrap();
    let of = |allocation: &Allocation| check.service_id.contains(&allocation.id);
    assert!(allocations.iter().any(of), "{check:?}");
    assert!(consul.checks("w-no-such-service").await.unwrap().is_empty());
}

/// A service whose HTTP check never passes, as nothing listens.
fn checked(id: &str) -> Value {
    let mut job = job(id, "service", SLEEP);
    job["TaskGroups"][0]["Networks"] = json!([{ "DynamicPorts": [{ "Label": "http" }] }]);
    job["TaskGroups"][0]["Services"] = json!([{
        "Name": id, "PortLabel": "http", "Provider": "consul",
        "Checks": [{ "Type": "http", "Path": "/", "Interval": SECOND, "Timeout": SECOND }],
    }]);
    job
}

#[tokio::test]
async fn what_fits_nowhere_is_waited_for_and_told() {
    let client = client(servers());
    let mut constrained = job("w-constraint", "service", SLEEP);
    constrained["Constraints"] = constraint();
    let mut large = job("w-large", "service", SLEEP);
    large["TaskGroups"][0]["Tasks"][0]["Resources"]["MemoryMB"] = json!(100_000_000);
    let mut driver = job("w-driver", "service", SLEEP);
    driver["TaskGroups"][0]["Tasks"][0] =
        json!({ "Name": "task", "Driver": "java", "Config": { "jar_path": "x.jar" } });
    let mut elsewhere = job("w-elsewhere", "service", SLEEP);
    elsewhere["Datacenters"] = json!(["moon"]);
    let cases = [
        (
            constrained,
            "1 node ruled out by the constraint ${attr.kernel.name} = plan9",
        ),
        (large, "1 node with too little memory left"),
        (driver, "1 node without the task's driver"),
        (elsewhere, "no node is ready in the job's datacenters"),
    ];
    for (job, reason) in cases {
        let id = job["ID"].as_str().unwrap();
        let registered = register(&client, &job).await;
        let cancel = CancellationToken::new();
        let steps = Mutex::new(Vec::new());
        let note = |step| {
            // Waiting has begun: enough is known.
            if matches!(step, Progress::Blocked(_)) {
                cancel.cancel();
            }
            steps.lock().unwrap().push(step);
        };
        let watched = until_healthy(&client, "default", id, Some(&registered), &cancel, note);
        let failure = tokio::time::timeout(LIMIT, watched)
            .await
            .unwrap()
            .unwrap_err();
        assert!(matches!(failure.reason, Reason::Cancelled), "{failure:?}");
        let steps = steps.into_inner().unwrap();
        assert!(
            steps.iter().any(|step| step.to_string().contains(reason)),
            "{id}: {steps:?}"
        );

        let known = diagnose(&client, "default", id).await.unwrap();
        let failure = Failure::timed_out("default", id, known);
        assert_told(
            &failure,
            &[
                "in time",
                reason,
                &format!("nomad job status -namespace default {id}"),
            ],
        );
    }
}

#[tokio::test]
async fn cancelling_ends_the_watch_while_a_request_waits() {
    let proxy = Proxy::start(&servers().nomad.address);
    let client = nomad_at(&proxy.address);
    // Never healthy, so that the watch would go on.
    let mut job = job("w-cancel", "service", SLEEP);
    job["Constraints"] = constraint();
    let registered = register(&client, &job).await;
    // A request that is never answered: only the cancellation can end the watch this way.
    let (cancel, gate) = (CancellationToken::new(), Gate::new());
    let (stop, held) = (cancel.clone(), gate.clone());
    proxy.rule(move |seen| {
        if seen.path.contains("/deployment/") && seen.path.contains("index=") {
            stop.cancel();
            return Action::Hold(held.clone());
        }
        Action::Forward
    });
    let watched = until_healthy(
        &client,
        "default",
        "w-cancel",
        Some(&registered),
        &cancel,
        |_| {},
    );
    let failure = watched.await.unwrap_err();
    gate.open();
    assert!(matches!(failure.reason, Reason::Cancelled), "{failure:?}");
    assert!(failure.diagnosis.is_empty());
}

#[tokio::test]
async fn a_job_that_somebody_changes_meanwhile_is_told() {
    let client = client(servers());
    for (id, purge) in [
        ("w-changed", None),
        ("w-stopped", Some(false)),
        ("w-purged", Some(true)),
    ] {
        let mut job = job(id, "service", SLEEP);
        job["Update"] = json!({ "MinHealthyTime": 60 * SECOND, "HealthyDeadline": 120 * SECOND, "ProgressDeadline": 180 * SECOND });
        let registered = register(&client, &job).await;
        let (cancel, meddled) = (CancellationToken::new(), CancellationToken::new());
        let note = |step| {
            if matches!(step, Progress::Deploying { .. }) {
                meddled.cancel();
            }
        };
        let watched = until_healthy(&client, "default", id, Some(&registered), &cancel, note);
        let meddle = async {
            meddled.cancelled().await;
            match purge {
                Some(purge) => drop(client.deregister("default", id, purge).await.unwrap()),
                None => {
                    let mut other = job.clone();
                    other["Meta"] = json!({ "who": "somebody" });
                    register(&client, &other).await;
                }
            }
        };
        let (result, ()) = tokio::time::timeout(LIMIT, async { tokio::join!(watched, meddle) })
            .await
            .unwrap();
        let failure = result.unwrap_err();
        assert!(
            matches!(failure.reason, Reason::Replaced),
            "{id}: {failure:?}"
        );
    }
}

#[tokio::test]
async fn a_failing_request_ends_the_watch() {
    let proxy = Proxy::start(&servers().nomad.address);
    let client = nomad_at(&proxy.address);
    let registered = register(&client, &job("w-request", "service", SLEEP)).await;
    proxy.rule(|seen| match seen.path.contains("/evaluation/") {
        true => Action::Answer(500, vec![], "the disk is full"),
        false => Action::Forward,
    });
    let failure = watch(&client, "w-request", Some(&registered))
        .await
        .failure();
    let Reason::Request(error) = &failure.reason else {
        panic!("{failure:?}")
    };
    assert!(
        matches!(&error.kind, Kind::Server { status: 500, .. }),
        "{error:?}"
    );
    assert_eq!(error.attempts, 3);
    assert_told(&failure, &["the disk is full", "/evaluation/"]);
}
