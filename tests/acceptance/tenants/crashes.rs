//! A provider that dies at any write of a tenant's create, update and destroy: the next apply converges.

use super::{domains, everything, guarded, provider, record, tenant, there, workspace};
use crate::support::Workspace;
use crate::support::proxy::{Action, Gate, Proxy};
use crate::support::terraform::Running;

const APPLY: &[&str] = &["apply", "-json", "-auto-approve"];
const DESTROY: &[&str] = &["destroy", "-json", "-auto-approve"];

/// A write at which the provider is ended.
struct At {
    name: &'static str,
    server: &'static str,
    /// What the paths begin with of the requests that count.
    path: &'static str,
    write: usize,
}

const fn at(name: &'static str, server: &'static str, path: &'static str, write: usize) -> At {
    At {
        name,
        server,
        path,
        write,
    }
}

const WRITES: &[At] = &[
    at("intent", "consul", "/v1/txn", 1),
    at("namespace", "nomad", "/v1/namespace", 1),
    at("nomadpolicy", "nomad", "/v1/acl/policy", 1),
    at("taskspolicy", "consul", "/v1/acl/policy", 1),
    at("consulrole", "consul", "/v1/acl/role", 1),
    at("consulpolicy", "consul", "/v1/acl/policy", 2),
    at("binding", "consul", "/v1/acl/binding-rule", 1),
    at("vaultpolicy", "vault", "/v1/sys/policies", 1),
    at("vaultrole", "vault", "/v1/auth", 1),
    at("outcome", "consul", "/v1/txn", 2),
];

/// Of an update to a tenant that is not active, with another display name and domain.
const CHANGES: &[At] = &[
    at("intent", "consul", "/v1/txn", 1),
    at("namespace", "nomad", "/v1/namespace", 1),
    at("nomadpolicy", "nomad", "/v1/acl/policy", 1),
    at("consulpolicy", "consul", "/v1/acl/policy", 1),
    at("vaultrole", "vault", "/v1/auth", 1),
    at("outcome", "consul", "/v1/txn", 2),
];

/// Runs Terraform until the write, and kills the provider there.
fn cut(work: &Workspace, prefix: &str, at: &At, arguments: &[&str]) {
    let servers = guarded();
    let proxies = [
        ("nomad", &servers.nomad.address),
        ("consul", &servers.consul.address),
        ("vault", &servers.vault().address),
    ]
    .map(|(name, address)| (name, address, Proxy::start(address)));
    let gate = Gate::new();
    let mut block = provider(servers, prefix);
    for (name, address, proxy) in &proxies {
        block = block.replace(*address, &proxy.address);
        if *name != at.server {
            continue;
        }
        let held = gate.clone();
        let (path, mut left) = (at.path, at.write);
        proxy.rule(move |seen| {
            if seen.method == "GET" || !seen.path.starts_with(path) {
                return Action::Forward;
            }
            left = left.saturating_sub(1);
            match left {
                0 => Action::Hold(held.clone()),
                _ => Action::Forward,
            }
        });
    }
    work.write("provider.tf", &block);
    let running = work.start(arguments);
    gate.wait_for_arrival();
    kill(&running);
    let run = running.wait();
    assert_ne!(run.code, Some(0), "{run:?}");
    work.write("provider.tf", &provider(servers, prefix));
}

fn kill(running: &Running) {
    let provider = running.provider().expect("the provider runs");
    nix::sys::signal::kill(provider, nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// Runs `test` for each write, three at once, as each waits for the dead provider's session to run out.
fn for_each_write(writes: &'static [At], test: fn(&At)) {
    for some in writes.chunks(3) {
        std::thread::scope(|threads| {
            let all: Vec<_> = some
                .iter()
                .map(|at| (at.name, threads.spawn(|| test(at))))
                .collect();
            for (name, thread) in all {
                assert!(thread.join().is_ok(), "at the write of the {name}");
            }
        });
    }
}

fn gone(prefix: &str, name: &str) {
    let servers = guarded();
    assert_eq!(there(servers, prefix, name), Vec::<&str>::new());
    assert_eq!(record(servers, prefix, name), None);
    assert_eq!(domains(servers, prefix), serde_json::json!({}));
}

/// The next apply makes all that should be there and nothing else, and a destroy takes all of it away.
fn converges(work: &Workspace, prefix: &str, name: &str, domain: &str, active: bool) {
    let servers = guarded();
    work.apply();
    work.plan().assert_empty();
    let mut expected = everything();
    expected.retain(|kind| active || *kind != "vault_role");
    assert_eq!(there(servers, prefix, name), expected);
    assert_eq!(record(servers, prefix, name).unwrap()["phase"], "settled");
    assert_eq!(
        domains(servers, prefix),
        serde_json::json!({ domain: name })
    );
    work.destroy();
    gone(prefix, name);
}

fn configuration(name: &str, display: &str, domain: &str, active: bool) -> String {
    let fields = format!("domain = \"{domain}\"\n  active = {active}");
    tenant(name, &fields).replace(&format!("The {name}"), display)
}

#[test]
fn a_crash_in_a_create_converges() {
    for_each_write(WRITES, |at| {
        let (prefix, name) = (format!("txc-{}", at.name), format!("txc{}", at.name));
        let (domain, servers) = (format!("{name}.example.com"), guarded());
        let work = workspace(
            servers,
            &prefix,
            &configuration(&name, "One", &domain, true),
        );
        cut(&work, &prefix, at, APPLY);
        converges(&work, &prefix, &name, &domain, true);
    });
}

#[test]
fn a_crash_in_an_update_converges() {
    for_each_write(CHANGES, |at| {
        let (prefix, name) = (format!("txu-{}", at.name), format!("txu{}", at.name));
        let (one, two) = (format!("{name}.example.com"), format!("{name}.example.org"));
        let work = workspace(guarded(), &prefix, &configuration(&name, "One", &one, true));
        work.apply();
        work.change(&configuration(&name, "Two", &two, false));
        cut(&work, &prefix, at, APPLY);
        assert_ne!(
            work.plan().actions(&format!("oam_tenant.{name}")),
            ["no-op"]
        );
        converges(&work, &prefix, &name, &two, false);
    });
}

#[test]
fn a_crash_in_a_destroy_converges() {
    for_each_write(WRITES, |at| {
        let (prefix, name) = (format!("txd-{}", at.name), format!("txd{}", at.name));
        let domain = format!("{name}.example.com");
        let work = workspace(
            guarded(),
            &prefix,
            &configuration(&name, "One", &domain, true),
        );
        work.apply();
        cut(&work, &prefix, at, DESTROY);
        work.destroy();
        gone(&prefix, &name);
        // And where the tenant shall stay after all.
        work.apply();
        cut(&work, &prefix, at, DESTROY);
        converges(&work, &prefix, &name, &domain, true);
    });
}

#[test]
fn an_application_does_not_begin_in_a_tenant_that_is_half_way() {
    let (servers, prefix, name) = (guarded(), "txh", "txhacme");
    let work = workspace(
        servers,
        prefix,
        &configuration(name, "One", "txh.example.com", true),
    );
    work.apply();
    work.change(&configuration(name, "Two", "txh.example.com", true));
    cut(&work, prefix, &WRITES[1], APPLY);
    let user = workspace(
        servers,
        prefix,
        &super::application_of("txh-shop", "\"txhacme\""),
    );
    let told = super::text(&user.try_apply().failed());
    assert!(told.contains("is applying"), "{told}");
    assert_eq!(servers.nomad.job_ids("txh-shop"), Vec::<String>::new());
    work.apply();
    user.apply();
    user.destroy();
    work.destroy();
}
