//! The platform that the tests with containers stand on, with jobs written by hand: bridge networks,
//! Traefik, the mesh, Vault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use std::sync::OnceLock;
use support::{Options, Servers, docker, eventually, eventually_or};

/// Servers with all of it, for all tests here; `None` where containers cannot run.
fn platform() -> Option<&'static Servers> {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    docker::ready().then(|| {
        SERVERS.get_or_init(|| {
            Servers::start(Options {
                containers: true,
                vault: true,
                traefik: true,
                ..Options::default()
            })
        })
    })
}

/// A job with one group in a bridge network; `/TaskGroups/0` is for changes.
fn job(id: &str, port: bool, service: Value) -> Value {
    let ports = if port {
        json!([{ "Label": "http", "To": 8080 }])
    } else {
        json!([])
    };
    json!({
        "ID": id, "Name": id, "Type": "service", "Datacenters": ["*"],
        "TaskGroups": [{
            "Name": id,
            "Count": 1,
            "Networks": [{ "Mode": "bridge", "DynamicPorts": ports }],
            "Update": { "MinHealthyTime": 0, "HealthCheck": "checks" },
            "Services": [service],
            "Tasks": [{
                "Name": id,
                "Driver": "docker",
                "Config": { "image": docker::WEB },
                "Env": { "COMPONENT": id },
                "Resources": { "CPU": 50, "MemoryMB": 64 },
            }],
        }],
    })
}

/// Registers a job and waits until its deployment has succeeded.
fn run(servers: &Servers, job: &Value) {
    let id = job["ID"].as_str().unwrap();
    servers.nomad.register(job);
    eventually("the deployment has succeeded", || {
        let deployment = servers.nomad.get(&format!("/v1/job/{id}/deployment"));
        assert_ne!(deployment["Status"], "failed", "{deployment}");
        (deployment["Status"] == "successful").then_some(())
    });
}

/// What the job's running allocation answers at its port `http`; 0 where no answer comes.
fn ask(servers: &Servers, job: &str, path: &str) -> (u16, String) {
    let answer = servers.nomad.ask_job("default", job, "http", path);
    answer.map_or((0, String::new()), |answer| (answer.status, answer.body))
}

#[test]
fn traefik_serves_replicas_in_bridge_networks() {
    let Some(servers) = platform() else { return };
    let router = "traefik.http.routers.platform-web";
    let mut job = job(
        "platform-web",
        true,
        json!({
            "Name": "platform-web",
            "PortLabel": "http",
            "Provider": "consul",
            "Checks": [{
                "Name": "up", "Type": "http", "Path": "/",
                "Interval": 1_000_000_000, "Timeout": 1_000_000_000,
            }],
            "Tags": [
                "traefik.enable=true",
                format!("{router}.rule=Host(`web.example.com`) && PathPrefix(`/shop`)"),
                format!("{router}.entrypoints=web"),
                format!("{router}.middlewares=platform-web-strip,auth@file,mark@file"),
                "traefik.http.middlewares.platform-web-strip.stripprefix.prefixes=/shop",
            ],
        }),
    );
    job["TaskGroups"][0]["Count"] = json!(2);
    run(servers, &job);
    let health = servers
        .consul
        .get("/v1/health/service/platform-web?passing=true");
    assert_eq!(health.as_array().unwrap().len(), 2);

    let traefik = servers.traefik();
    eventually("Traefik knows the router", || {
        (traefik.get("web.example.com", "/shop").status == 401).then_some(())
    });
    let joe = [("authorization", "Basic am9lOnNlY3JldA==")];
    let reply = traefik.ask(false, "web.example.com", "/shop/cart?id=1", &joe);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["x-marked"], "yes");
    assert!(
        reply
            .body
            .starts_with("component=platform-web\npath=/cart?id=1\n"),
        "{}",
        reply.body
    );
    for (secure, host, path) in [
        (false, "web.example.com", "/other"),
        (false, "other.example.com", "/shop"),
        (true, "web.example.com", "/shop"),
    ] {
        assert_eq!(traefik.ask(secure, host, path, &joe).status, 404);
    }
    servers.nomad.stop("default", "platform-web", true);
}

#[test]
fn the_mesh_refuses_calls_without_an_intention() {
    let Some(servers) = platform() else { return };
    let router = "traefik.http.routers.platform-api";
    run(
        servers,
        &job(
            "platform-api",
            true,
            // Served by Traefik as well: the sidecar must not inherit the tags that say so.
            json!({
                "Name": "platform-api",
                "PortLabel": "http",
                "Provider": "consul",
                "Tags": ["traefik.enable=true", format!("{router}.rule=Host(`api.example.com`)")],
                "Connect": {
                    "SidecarService": {
                        "Tags": ["traefik.enable=false"],
                        "Proxy": { "LocalServicePort": 8080 },
                    },
                    "SidecarTask": { "Resources": { "CPU": 50, "MemoryMB": 64 } },
                },
            }),
        ),
    );
    run(
        servers,
        &job(
            "platform-front",
            true,
            json!({
                "Name": "platform-front",
                "PortLabel": "8080",
                "Provider": "consul",
                "Connect": {
                    "SidecarService": { "Proxy": { "Upstreams": [
                        { "DestinationName": "platform-api", "LocalBindPort": 9001 },
                    ]}},
                    "SidecarTask": { "Resources": { "CPU": 50, "MemoryMB": 64 } },
                },
            }),
        ),
    );
    let call = || ask(servers, "platform-front", "/upstream/9001/hello");
    // Calls have gone through before any refusal is looked at, so it is no sidecar that is still
    // starting that refuses. Once a sidecar let nothing through for a minute, so the
    // intention is written again now and then, which has Consul tell the sidecars anew.
    let goes_through = || {
        let mut calls = 0;
        let last = std::cell::RefCell::new((0, String::new()));
        let body = eventually_or(
            "the call goes through",
            || {
                if calls % 50 == 0 {
                    servers.consul.allow("platform-front", "platform-api");
                }
                calls += 1;
                let (status, body) = call();
                last.replace((status, body.clone()));
                (status == 200).then_some(body)
            },
            || {
                let stories =
                    ["platform-front", "platform-api"].map(|id| servers.nomad.story("default", id));
                let health = servers.consul.get("/v1/health/connect/platform-api");
                format!("{:?}\n{}\n{health}", last.borrow(), stories.concat())
            },
        );
        let called = "component=platform-api\npath=/hello\n";
        assert!(body.starts_with(called), "{body}");
    };
    goes_through();
    servers.consul.disallow("platform-front", "platform-api");
    eventually("the call is refused", || (call().0 == 502).then_some(()));
    for _ in 0..5 {
        assert_eq!(call().0, 502);
    }
    goes_through();

    let reply = eventually("Traefik serves it", || {
        let reply = servers.traefik().get("api.example.com", "/");
        (reply.status == 200).then_some(reply)
    });
    assert!(
        reply.body.starts_with("component=platform-api\n"),
        "{}",
        reply.body
    );
    for id in ["platform-front", "platform-api"] {
        servers.nomad.stop("default", id, true);
    }
}

#[test]
fn a_task_gets_a_secret_and_restarts_when_it_changes() {
    let Some(servers) = platform() else { return };
    let vault = servers.vault();
    vault.write("platform/db", &json!({ "password": "first" }));
    vault.write_short_lived("platform/key", &json!({ "key": "one" }));
    let service = json!({ "Name": "platform-vault", "PortLabel": "http", "Provider": "consul" });
    let mut job = job("platform-vault", true, service);
    let task = &mut job["TaskGroups"][0]["Tasks"][0];
    task["Vault"] = json!({ "Role": support::vault::ROLE, "ChangeMode": "noop" });
    task["Templates"] = json!([
        {
            "EmbeddedTmpl": "DB_PASSWORD={{ with secret \"secret/data/platform/db\" }}{{ .Data.data.password | toJSON }}{{ end }}\n",
            "DestPath": "secrets/db.env",
            "Envvars": true,
            "ChangeMode": "restart",
        },
        {
            "EmbeddedTmpl": "KEY={{ with secret \"plain/platform/key\" }}{{ .Data.key | toJSON }}{{ end }}\n",
            "DestPath": "secrets/key.env",
            "Envvars": true,
            "ChangeMode": "restart",
            "Splay": 0,
        },
    ]);
    run(servers, &job);
    let env = |name: &str| {
        let (status, body) = ask(servers, "platform-vault", &format!("/env/{name}"));
        (status == 200).then(|| body.trim().to_owned())
    };
    assert_eq!(env("DB_PASSWORD").as_deref(), Some("first"));
    assert_eq!(env("KEY").as_deref(), Some("one"));

    vault.write_short_lived("platform/key", &json!({ "key": "two" }));
    eventually("the task has the new secret", || {
        (env("KEY")? == "two").then_some(())
    });
    // Nomad's servers hear of it a moment later than whoever asks the task.
    eventually("the restart shows, with its reason", || {
        let allocation = &servers.nomad.allocations("default", "platform-vault")[0];
        let state = &allocation["TaskStates"]["platform-vault"];
        let reason = "Template with change_mode restart re-rendered";
        (state["Restarts"] == 1 && state["Events"].to_string().contains(reason)).then_some(())
    });
    servers.nomad.stop("default", "platform-vault", true);
}

#[test]
fn agents_with_acls_and_tls_stand_beside_each_other_and_leave_nothing_behind() {
    let Some(beside) = platform() else { return };
    let servers = Servers::start(Options {
        acl: true,
        tls: true,
        containers: true,
        vault: true,
        traefik: true,
        region: Some("north"),
        datacenter: Some("oslo"),
        ..Options::default()
    });
    servers
        .vault()
        .write("platform/acl", &json!({ "word": "hush" }));
    let router = "traefik.http.routers.platform-acl";
    let mut job = job(
        "platform-acl",
        true,
        json!({
            "Name": "platform-acl",
            "PortLabel": "http",
            "Provider": "consul",
            "Tags": [
                "traefik.enable=true",
                format!("{router}.rule=Host(`acl.example.com`)"),
                format!("{router}.entrypoints=websecure"),
            ],
        }),
    );
    job["Region"] = json!("north");
    job["Datacenters"] = json!(["oslo"]);
    let task = &mut job["TaskGroups"][0]["Tasks"][0];
    task["Vault"] = json!({});
    task["Templates"] = json!([{
        "EmbeddedTmpl": "{{ with secret \"secret/data/platform/acl\" }}{{ .Data.data.word }}{{ end }}",
        "DestPath": "secrets/word",
    }]);
    run(&servers, &job);
    let reply = eventually("Traefik serves it", || {
        let traefik = servers.traefik();
        let reply = traefik.ask(true, "acl.example.com", "/file/secrets/word", &[]);
        (reply.status == 200).then_some(reply)
    });
    assert_eq!(reply.body, "hush");

    // Nomad has no chance to take its networks away.
    let network = servers.nomad.network.clone().unwrap();
    let pid = i32::try_from(servers.nomad.server().pid()).unwrap();
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    let folder = servers.folder().to_owned();
    drop(servers);
    assert!(!folder.exists(), "{} is left", folder.display());
    let interface = |name: &str| std::path::Path::new("/sys/class/net").join(name).exists();
    assert!(!interface(&network.interface()) && !interface(&network.bridge()));
    let rules = std::process::Command::new("iptables-save")
        .output()
        .unwrap();
    let rules = String::from_utf8(rules.stdout).unwrap();
    let address = network.subnet().replace("0/24", "");
    assert!(!rules.contains(&format!(" {address}")), "{rules}");
    // The other agent still has its own.
    assert!(interface(
        &beside.nomad.network.as_ref().unwrap().interface()
    ));
}
