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

#[test]
fn servers_leave_nothing_behind() {
    for options in [
        Options {
            acl: true,
            ..Options::default()
        },
        Options {
            tls: true,
            mutual_tls: true,
            ..Options::default()
        },
    ] {
        let servers = Servers::start(options);
        run(&servers, "left-behind", "raw_exec");
        if servers.nomad.has_driver("exec") {
            run(&servers, "left-behind-exec", "exec");
        }
        let folder = servers.folder().to_owned();
        let pid = servers.nomad.server().pid();
        drop(servers);
        assert!(!folder.exists(), "{} is left", folder.display());
        if cfg!(target_os = "linux") {
            assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
            let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
            assert!(!mounts.contains(folder.to_str().unwrap()), "{mounts}");
        }
    }
}
