//! A provider that is killed, or told to stop, at each write of an operation on a scope.

use super::{in_scopes, namespace, record, scope, servers, text, workspace};
use crate::support::terraform::{Running, provider_block};
use crate::support::{Action, Gate, Proxy, Workspace};

const APPLY: &[&str] = &["apply", "-json", "-auto-approve"];
const DESTROY: &[&str] = &["destroy", "-json", "-auto-approve"];

/// The write at which the provider ends, counted from the start of the run, which never arrives.
struct At {
    name: &'static str,
    server: &'static str,
    write: usize,
}

/// The session is Consul's first write, then come the intent and the outcome.
const WRITES: &[At] = &[
    At {
        name: "intent",
        server: "consul",
        write: 2,
    },
    At {
        name: "object",
        server: "nomad",
        write: 1,
    },
    At {
        name: "outcome",
        server: "consul",
        write: 3,
    },
];

fn configuration(name: &str, description: &str) -> String {
    let fields =
        format!("namespace = \"{name}\"\n  create = true\n  description = \"{description}\"");
    scope("namespace", name, &fields)
}

/// Runs Terraform until the write, and ends it there with `end`.
fn cut(work: &mut Workspace, prefix: &str, at: &At, arguments: &[&str], end: fn(&Running)) {
    let servers = servers();
    let nomad = Proxy::start(&servers.nomad.address);
    let consul = Proxy::start(&servers.consul.address);
    let gate = Gate::new();
    let held = gate.clone();
    let mut left = at.write;
    let proxy = if at.server == "nomad" {
        &nomad
    } else {
        &consul
    };
    proxy.rule(move |seen| {
        let counts = ["/v1/namespace", "/v1/txn", "/v1/session/create"];
        if seen.method == "GET" || !counts.iter().any(|it| seen.path.starts_with(it)) {
            return Action::Forward;
        }
        left = left.saturating_sub(1);
        match left {
            0 => Action::Hold(held.clone()),
            _ => Action::Forward,
        }
    });
    work.write(
        "provider.tf",
        &format!(
            "provider \"oam\" {{\n  nomad {{\n    address = \"{}\"\n  }}\n  consul {{\n    address = \"{}\"\n    key_prefix = \"{prefix}\"\n  }}\n}}\n",
            nomad.address, consul.address
        ),
    );
    let running = work.start(arguments);
    gate.wait_for_arrival();
    end(&running);
    let run = running.wait();
    assert_ne!(run.code, Some(0), "{run:?}");
    work.write("provider.tf", &provider_block(servers, prefix));
}

fn kill(running: &Running) {
    let provider = running.provider().expect("the provider runs");
    nix::sys::signal::kill(provider, nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// Runs `test` for each write at once, as each waits for the dead provider's session to run out.
fn for_each_write(test: fn(&At)) {
    std::thread::scope(|threads| {
        let all: Vec<_> = WRITES
            .iter()
            .map(|at| (at.name, threads.spawn(|| test(at))))
            .collect();
        for (name, thread) in all {
            assert!(thread.join().is_ok(), "at the write of the {name}");
        }
    });
}

fn converges(work: &Workspace, prefix: &str, name: &str, description: &str) {
    work.apply();
    work.plan().assert_empty();
    let id = format!("namespace/{name}");
    let now = record(prefix, &id).unwrap();
    assert_eq!(now["phase"], "settled", "{now:#}");
    assert_eq!(namespace(name).unwrap()["Description"], description);
    work.destroy();
    assert_eq!(namespace(name), None);
    assert_eq!(record(prefix, &id), None);
}

#[test]
fn a_crash_in_a_create_converges() {
    for_each_write(|at| {
        let (prefix, name) = (format!("sx-c-{}", at.name), format!("sx-c-{}", at.name));
        let mut work = workspace(&prefix, &configuration(&name, "one"));
        cut(&mut work, &prefix, at, APPLY, kill);
        converges(&work, &prefix, &name, "one");
    });
}

#[test]
fn a_crash_in_an_update_converges() {
    for_each_write(|at| {
        let (prefix, name) = (format!("sx-u-{}", at.name), format!("sx-u-{}", at.name));
        let mut work = workspace(&prefix, &configuration(&name, "one"));
        work.apply();
        work.change(&configuration(&name, "two"));
        cut(&mut work, &prefix, at, APPLY, kill);
        converges(&work, &prefix, &name, "two");
    });
}

#[test]
fn a_crash_in_a_destroy_converges() {
    for_each_write(|at| {
        let (prefix, name) = (format!("sx-d-{}", at.name), format!("sx-d-{}", at.name));
        let mut work = workspace(&prefix, &configuration(&name, "one"));
        work.apply();
        cut(&mut work, &prefix, at, DESTROY, kill);
        work.destroy();
        assert_eq!(namespace(&name), None);
        assert_eq!(record(&prefix, &format!("namespace/{name}")), None);
        // And where the scope shall stay after all.
        work.apply();
        cut(&mut work, &prefix, at, DESTROY, kill);
        converges(&work, &prefix, &name, "one");
    });
}

#[test]
fn an_application_does_not_begin_in_a_scope_that_is_half_way() {
    let (prefix, name) = ("sx-half", "sx-half");
    let mut work = workspace(prefix, &configuration(name, "one"));
    work.apply();
    work.change(&configuration(name, "two"));
    cut(&mut work, prefix, &WRITES[1], APPLY, kill);
    let user = workspace(prefix, &in_scopes("sx-half", "\"namespace/sx-half\""));
    let told = text(&user.try_apply().failed());
    assert!(told.contains("applying"), "{told}");
    assert_eq!(servers().nomad.job_ids("sx-half-"), Vec::<String>::new());
    work.apply();
    user.apply();
    user.destroy();
    work.destroy();
}

#[test]
fn an_apply_that_waits_for_another_can_be_stopped() {
    let (prefix, name) = ("sx-stop", "sx-stop");
    let mut first = workspace(prefix, &configuration(name, "one"));
    first.apply();
    let second = first.fork();
    // The first dies with the lock in its hands, and the second waits for it.
    first.change(&configuration(name, "two"));
    cut(&mut first, prefix, &WRITES[1], APPLY, kill);
    second.change(&configuration(name, "three"));
    let running = second.start(APPLY);
    std::thread::sleep(std::time::Duration::from_secs(6));
    running.interrupt();
    let before = std::time::Instant::now();
    let told = text(&running.wait().failed());
    assert!(
        told.contains("Interrupted") || told.contains("interrupt"),
        "{told}"
    );
    assert!(before.elapsed().as_secs() < 10);
    first.apply();
    first.plan().assert_empty();
    first.destroy();
}
