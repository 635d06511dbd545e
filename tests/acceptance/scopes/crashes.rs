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
    /// What the paths begin with of the requests that count.
    path: &'static str,
    write: usize,
}

const WRITES: &[At] = &[
    At {
        name: "intent",
        server: "consul",
        path: "/v1/txn",
        write: 1,
    },
    At {
        name: "object",
        server: "nomad",
        path: "/v1/namespace",
        write: 1,
    },
    At {
        name: "outcome",
        server: "consul",
        path: "/v1/txn",
        write: 2,
    },
];

/// Of an apply that moves the one job of an application to another namespace: it is stopped, purged and
/// registered again, after the scope's two transactions and the application's first.
const MOVES: &[At] = &[
    At {
        name: "stop",
        server: "nomad",
        path: "/v1/job/",
        write: 1,
    },
    At {
        name: "purge",
        server: "nomad",
        path: "/v1/job/",
        write: 2,
    },
    At {
        name: "begin",
        server: "consul",
        path: "/v1/txn",
        write: 3,
    },
    At {
        name: "register",
        server: "nomad",
        path: "/v1/jobs",
        write: 1,
    },
    At {
        name: "settle",
        server: "consul",
        path: "/v1/txn",
        write: 4,
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
    let (path, mut left) = (at.path, at.write);
    let proxy = if at.server == "nomad" {
        &nomad
    } else {
        &consul
    };
    proxy.rule(move |seen| {
        let counts = seen.path.starts_with(path) && !seen.path.contains("/plan");
        if seen.method == "GET" || !counts {
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
fn for_each_write(writes: &'static [At], test: fn(&At)) {
    std::thread::scope(|threads| {
        let all: Vec<_> = writes
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
    for_each_write(WRITES, |at| {
        let (prefix, name) = (format!("sx-c-{}", at.name), format!("sx-c-{}", at.name));
        let mut work = workspace(&prefix, &configuration(&name, "one"));
        cut(&mut work, &prefix, at, APPLY, kill);
        converges(&work, &prefix, &name, "one");
    });
}

#[test]
fn a_crash_in_an_update_converges() {
    for_each_write(WRITES, |at| {
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
    for_each_write(WRITES, |at| {
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

#[test]
fn a_crash_while_jobs_move_converges() {
    for_each_write(MOVES, |at| {
        let name = format!("sx-m-{}", at.name);
        let (old, new) = (format!("{name}-old"), format!("{name}-new"));
        let with = |namespace: &str| {
            let fields = format!("namespace = \"{namespace}\"\n  create = true");
            scope("namespace", "team", &fields) + &in_scopes(&name, "oam_namespace_scope.team.id")
        };
        let mut work = workspace(&name, &with(&old));
        work.apply();
        work.change(&with(&new));
        cut(&mut work, &name, at, APPLY, kill);
        work.apply();
        let job = format!("{name}-job");
        assert_eq!(servers().nomad.job_ids(&job), [job.as_str()]);
        assert!(servers().nomad.job(&new, &job).is_some());
        // At the latest the next apply takes the old namespace away.
        work.apply();
        assert_eq!(namespace(&old), None);
        work.plan().assert_empty();
        work.destroy();
        assert_eq!(namespace(&new), None);
        assert_eq!(
            servers().consul.keys(&format!("{name}/")),
            Vec::<String>::new()
        );
    });
}

#[test]
fn a_creation_whose_outcome_is_not_recorded_converges() {
    let (prefix, name) = ("sx-unsettled", "sx-unsettled");
    let servers = servers();
    let consul = Proxy::start(&servers.consul.address);
    let mut left = 2;
    consul.rule(move |seen| {
        if seen.path.starts_with("/v1/txn") {
            left -= 1;
        }
        match left {
            2 | 1 => Action::Forward,
            _ if seen.method == "GET" => Action::Forward,
            _ => Action::Answer(500, vec![], "no quorum"),
        }
    });
    let work = workspace(prefix, &configuration(name, "one"));
    let block = provider_block(servers, prefix);
    work.write(
        "provider.tf",
        &block.replace(&servers.consul.address, &consul.address),
    );
    let told = text(&work.try_apply().failed());
    assert!(told.contains("no quorum"), "{told}");
    // What was made is not forgotten: it is in the state, and can be destroyed or made again.
    assert!(namespace(name).is_some());
    assert!(work.tainted("oam_namespace_scope.sx-unsettled"));
    work.write("provider.tf", &block);
    converges(&work, prefix, name, "one");
}

#[test]
fn what_somebody_else_made_under_the_new_name_is_not_taken_over() {
    let (prefix, name) = ("sx-taken", "sx-taken");
    let (old, new) = ("sx-taken-old", "sx-taken-new");
    let with = |namespace: &str| {
        let fields = format!("namespace = \"{namespace}\"\n  create = true");
        scope("namespace", name, &fields)
    };
    let mut work = workspace(prefix, &with(old));
    work.apply();
    work.change(&with(new));
    // The intent names the new one, which the scope has not made yet.
    cut(&mut work, prefix, &WRITES[1], APPLY, kill);
    servers().nomad.namespace(new);
    let told = text(&work.try_apply().failed());
    assert!(told.contains("already exists"), "{told}");
    assert_eq!(
        namespace(new).unwrap()["Meta"],
        serde_json::Value::Null,
        "somebody else's"
    );
    servers().nomad.delete(&format!("/v1/namespace/{new}"));
    work.apply();
    work.plan().assert_empty();
    assert_eq!(namespace(old), None);
    work.destroy();
    assert_eq!(namespace(new), None);
    assert_eq!(
        servers().consul.keys(&format!("{prefix}/")),
        Vec::<String>::new()
    );
}
