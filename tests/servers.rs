//! The harness itself: servers come up in every set-up that the tests use, and leave nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::json;
use support::{Options, Servers, eventually};

/// A job that runs until it is stopped.
fn sleeper(id: &str, driver: &str) -> serde_json::Value {
    json!({
        "ID": id, "Name": id, "Type": "service", "Datacenters": ["*"],
        "TaskGroups": [{ "Name": "main", "Count": 1, "Tasks": [{
            "Name": "main", "Driver": driver,
            "Config": { "command": "/bin/sleep", "args": ["100000"] },
            "Resources": { "CPU": 50, "MemoryMB": 32 },
        }]}],
    })
}

fn run(servers: &Servers, id: &str, driver: &str) {
    servers.nomad.register(&sleeper(id, driver));
    eventually("the task runs", || {
        let allocations = servers.nomad.allocations("default", id);
        (allocations.first()?["ClientStatus"] == "running").then_some(())
    });
}

#[test]
fn shared_servers_run_jobs() {
    let servers = support::servers();
    run(servers, "harness-raw-exec", "raw_exec");
    assert!(servers.nomad.job("default", "harness-raw-exec").is_some());
    servers.nomad.stop("default", "harness-raw-exec", true);
    assert_eq!(servers.nomad.job("default", "harness-raw-exec"), None);
}

fn leaves_nothing_behind(options: Options, kill: bool) {
    let servers = Servers::start(options);
    run(&servers, "left-behind", "raw_exec");
    if servers.nomad.has_driver("exec") {
        run(&servers, "left-behind-exec", "exec");
    }
    let folder = servers.folder().to_owned();
    let pid = servers.nomad.server().pid();
    if kill {
        // Nomad has no chance to stop its tasks, their loggers and executors.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    drop(servers);
    assert!(!folder.exists(), "{} is left", folder.display());
    if cfg!(target_os = "linux") {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
        for process in std::fs::read_dir("/proc").unwrap() {
            let environment = process.unwrap().path().join("environ");
            let environment = std::fs::read(environment).unwrap_or_default();
            let environment = String::from_utf8_lossy(&environment);
            assert!(!environment.contains(folder.to_str().unwrap()));
        }
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        assert!(!mounts.contains(folder.to_str().unwrap()), "{mounts}");
    }
}

#[test]
fn servers_with_acls_leave_nothing_behind() {
    let options = Options {
        acl: true,
        ..Options::default()
    };
    leaves_nothing_behind(options, false);
}

#[test]
fn servers_with_mutual_tls_that_are_killed_leave_nothing_behind() {
    let options = Options {
        tls: true,
        mutual_tls: true,
        ..Options::default()
    };
    leaves_nothing_behind(options, true);
}

#[test]
fn a_proxy_counts_and_injects() {
    use support::{Action, Gate, Proxy, api::Api};
    let servers = support::servers();
    let proxy = Proxy::start(&servers.nomad.address);
    let through = Api::new(proxy.address.clone(), "X-Nomad-Token", None, None, None);
    through.get("/v1/status/leader");
    assert_eq!(proxy.take_seen().len(), 1);

    let mut answered = 0;
    proxy.rule(move |_| {
        answered += 1;
        match answered {
            1 => Action::Answer(429, vec![("retry-after", "1")], "slow down"),
            2 => Action::Close,
            3 => Action::LoseAnswer,
            _ => Action::Forward,
        }
    });
    let ask = |path: &str| through.ask(reqwest::Method::GET, path, None);
    assert_eq!(ask("/v1/jobs").map(|answer| answer.status), Some(429));
    let paths: Vec<_> = (0..3)
        .map(|_| ask("/v1/jobs").map(|it| it.status))
        .collect();
    assert_eq!(paths, [None, None, Some(200)]);

    let gate = Gate::new();
    let held = gate.clone();
    proxy.rule(move |_| Action::Hold(held.clone()));
    let waiting = std::thread::spawn({
        let through = through.clone();
        move || through.get("/v1/jobs")
    });
    gate.wait_for_arrival();
    assert!(!waiting.is_finished());
    gate.open();
    waiting.join().unwrap();
}
