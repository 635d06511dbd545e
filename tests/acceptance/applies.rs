//! Applies that are overtaken, cut short or killed: nothing is lost and nothing is overwritten.

use super::support::{Action, Gate, Proxy, Workspace, eventually, servers};
use super::{ADDRESS, application, at, worker, yearly};

fn part(greeting: &str) -> String {
    yearly(
        "job",
        &format!(
            "driver = \"raw_exec\"\n command = [\"/bin/true\"]\n env = {{ A = \"{greeting}\" }}"
        ),
    )
}

fn greeting(id: &str) -> String {
    let job = servers().nomad.job("default", id).unwrap();
    at(&job, "/TaskGroups/0/Tasks/0/Env/A")
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_saved_plan_that_was_overtaken_changes_nothing() {
    let servers = servers();
    let first = Workspace::new(servers, &application("overtaken", &part("one")));
    first.apply();
    let second = first.fork();

    first.change(&application("overtaken", &part("two")));
    let plan = first.plan();
    second.change(&application("overtaken", &part("three")));
    second.apply();

    let record = servers
        .consul
        .key("oam/applications/default/overtaken")
        .unwrap();
    let errors = first.apply_plan(&plan).failed();
    let text = format!("{}\n{}", errors[0].summary, errors[0].detail);
    assert!(text.contains("changed") && text.contains("plan"), "{text}");
    assert_eq!(greeting("overtaken-job"), "three");
    assert_eq!(
        servers
            .consul
            .key("oam/applications/default/overtaken")
            .unwrap(),
        record
    );

    // A new plan starts from what is there.
    first.apply();
    assert_eq!(greeting("overtaken-job"), "two");
    first.plan().assert_empty();
    first.destroy();
}

#[test]
fn a_job_edited_between_plan_and_apply_is_not_overwritten() {
    let servers = servers();
    let work = Workspace::new(servers, &application("edited-late", &part("one")));
    work.apply();
    work.change(&application("edited-late", &part("two")));
    let plan = work.plan();
    servers.nomad.edit("default", "edited-late-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = "outsider".into();
    });
    let errors = work.apply_plan(&plan).failed();
    let text = format!("{}\n{}", errors[0].summary, errors[0].detail);
    assert!(text.contains("edited-late-job"), "{text}");
    assert_eq!(greeting("edited-late-job"), "outsider");
    work.apply();
    assert_eq!(greeting("edited-late-job"), "two");
    work.plan().assert_empty();
    work.destroy();
}

/// Two workspaces apply at once: the first is held in the middle, with its intent in Consul and its
/// job not yet in Nomad, until the second has tried to write its own. Returns what the second is told.
fn race(first: &mut Workspace, second: &mut Workspace, of_second: &[&str]) -> String {
    let servers = servers();
    let nomad = Proxy::start(&servers.nomad.address);
    let gate = Gate::new();
    let held = gate.clone();
    nomad.rule(move |seen| {
        if seen.method != "GET" && seen.path.starts_with("/v1/jobs") {
            Action::Hold(held.clone())
        } else {
            Action::Forward
        }
    });
    let consul = Proxy::start(&servers.consul.address);
    first.set("NOMAD_ADDR", &nomad.address);
    first.set("CONSUL_HTTP_ADDR", &servers.consul.address);
    second.set("NOMAD_ADDR", &servers.nomad.address);
    second.set("CONSUL_HTTP_ADDR", &consul.address);

    let running = first.start(APPLY);
    gate.wait_for_arrival();
    let other = second.start(of_second);
    eventually("the second wants to write", || {
        let seen = consul.take_seen();
        seen.iter()
            .any(|seen| seen.method == "PUT" && seen.path.starts_with("/v1/txn"))
            .then_some(())
    });
    gate.open();
    running.wait().succeeded();
    let errors = other.wait().failed();
    first.set("NOMAD_ADDR", &servers.nomad.address);
    format!("{}\n{}", errors[0].summary, errors[0].detail)
}

#[test]
fn of_two_updates_at_once_one_wins() {
    let servers = servers();
    let mut first = Workspace::bare(&application("contested", &part("zero")));
    first.set("NOMAD_ADDR", &servers.nomad.address);
    first.set("CONSUL_HTTP_ADDR", &servers.consul.address);
    first.apply();
    let mut second = first.fork();
    first.change(&application("contested", &part("first")));
    second.change(&application("contested", &part("second")));
    let plan = second.plan();

    let told = race(&mut first, &mut second, &["apply", "-json", &plan.file]);
    assert!(told.contains("changed"), "{told}");
    assert_eq!(greeting("contested-job"), "first");
    first.plan().assert_empty();
    first.destroy();
}

#[test]
fn of_two_creates_at_once_one_wins() {
    let mut first = Workspace::bare(&application("claimed", &part("first")));
    let mut second = Workspace::bare(&application("claimed", &part("second")));

    let told = race(&mut first, &mut second, APPLY);
    assert!(
        told.contains("import") || told.contains("another"),
        "{told}"
    );
    assert_eq!(greeting("claimed-job"), "first");
    first.plan().assert_empty();
    first.destroy();
    gone("claimed");
}

/// An apply that is stopped by `stop` while its job waits to be healthy; the next converges.
fn cut_short(name: &str, stop: impl FnOnce(&super::support::terraform::Running)) -> Workspace {
    let servers = servers();
    let work = Workspace::new(servers, &application(name, &worker("web", "")));
    let running = work.start(&["apply", "-json", "-auto-approve"]);
    eventually("the job is registered", || {
        servers.nomad.job("default", &format!("{name}-web"))
    });
    stop(&running);
    running.wait().failed();
    work
}

fn converges(work: &Workspace, name: &str) {
    let servers = servers();
    work.apply();
    work.plan().assert_empty();
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(state["status"], "settled");
    let prefix = format!("{name}-web");
    assert_eq!(servers.nomad.job_ids(&prefix), [prefix.as_str()]);
    work.destroy();
    assert_eq!(servers.nomad.job_ids(&prefix), Vec::<String>::new());
    assert_eq!(servers.consul.record("oam", "default", name), None);
}

#[test]
fn an_interrupted_apply_keeps_the_state_and_the_next_converges() {
    let work = cut_short("interrupted", super::support::terraform::Running::interrupt);
    let state = work
        .state(ADDRESS)
        .expect("the application is in the state");
    assert_eq!(state["id"], "default/interrupted");
    converges(&work, "interrupted");
}

#[test]
fn a_killed_provider_loses_nothing() {
    let work = cut_short("killed", |running| {
        let provider = eventually("the provider runs", || running.provider());
        nix::sys::signal::kill(provider, nix::sys::signal::Signal::SIGKILL).unwrap();
    });
    // The record says what was going on, though the state may not.
    let record = servers().consul.record("oam", "default", "killed");
    assert!(record.is_some(), "the intent is in Consul");
    converges(&work, "killed");
}

#[test]
fn a_killed_update_loses_nothing() {
    let servers = servers();
    let work = Workspace::new(servers, &application("killed-late", &worker("web", "")));
    work.apply();
    let before = servers.nomad.job("default", "killed-late-web").unwrap();
    work.change(&application(
        "killed-late",
        &worker("web", "env = { A = \"1\" }"),
    ));
    let running = work.start(&["apply", "-json", "-auto-approve"]);
    eventually("the update is registered", || {
        let job = servers.nomad.job("default", "killed-late-web")?;
        (job["JobModifyIndex"] != before["JobModifyIndex"]).then_some(())
    });
    let provider = eventually("the provider runs", || running.provider());
    nix::sys::signal::kill(provider, nix::sys::signal::Signal::SIGKILL).unwrap();
    running.wait().failed();
    converges(&work, "killed-late");
}

/// Where the provider is killed: at the request, counted from the start of the apply, that is a write
/// to this server. The request itself never arrives.
pub struct Crash {
    pub name: &'static str,
    what: &'static str,
    server: &'static str,
    write: usize,
}

const CRASHES: &[Crash] = &[
    Crash {
        name: "at-intent",
        what: "before the intent",
        server: "consul",
        write: 2,
    },
    Crash {
        name: "at-first",
        what: "after the intent",
        server: "nomad",
        write: 1,
    },
    Crash {
        name: "at-second",
        what: "after the first job",
        server: "nomad",
        write: 2,
    },
    Crash {
        name: "at-settle",
        what: "before the settlement",
        server: "consul",
        write: 3,
    },
];

/// Two components without anything to wait for.
pub fn two(greeting: &str) -> String {
    let more = format!(
        "driver = \"raw_exec\"\n command = [\"/bin/true\"]\n env = {{ A = \"{greeting}\" }}"
    );
    yearly("one", &more) + &yearly("two", &more)
}

/// Runs Terraform with these arguments until the write that the crash names, and kills the provider.
pub fn crash(work: &mut Workspace, crash: &Crash, arguments: &[&str]) {
    let servers = servers();
    let nomad = Proxy::start(&servers.nomad.address);
    let consul = Proxy::start(&servers.consul.address);
    let gate = Gate::new();
    let held = gate.clone();
    let mut left = crash.write;
    let proxy = if crash.server == "nomad" {
        &nomad
    } else {
        &consul
    };
    proxy.rule(move |seen| {
        let job = seen.path.starts_with("/v1/job") && !seen.path.contains("/plan");
        // The session comes first in Consul, then the intent, then the settlement.
        let record =
            seen.path.starts_with("/v1/txn") || seen.path.starts_with("/v1/session/create");
        if seen.method == "GET" || !(job || record) {
            return Action::Forward;
        }
        left = left.saturating_sub(1);
        if left == 0 {
            Action::Hold(held.clone())
        } else {
            Action::Forward
        }
    });
    work.set("NOMAD_ADDR", &nomad.address);
    work.set("CONSUL_HTTP_ADDR", &consul.address);
    let running = work.start(arguments);
    gate.wait_for_arrival();
    let provider = running.provider().expect("the provider runs");
    nix::sys::signal::kill(provider, nix::sys::signal::Signal::SIGKILL).unwrap();
    running.wait().failed();
    work.set("NOMAD_ADDR", &servers.nomad.address);
    work.set("CONSUL_HTTP_ADDR", &servers.consul.address);
}

pub fn gone(name: &str) {
    assert_eq!(
        servers().nomad.job_ids(&format!("{name}-")),
        Vec::<String>::new()
    );
    assert_eq!(servers().consul.record("oam", "default", name), None);
}

/// Whatever came before, the record says that nothing is under way any more.
pub fn settled(name: &str) {
    let record = servers().consul.record("oam", "default", name).unwrap();
    assert_eq!(record["phase"], "settled", "{record:#}");
}

/// Runs `test` for each crash at once, as each waits for the dead provider's session to run out.
pub fn for_each_crash(test: fn(&Crash)) {
    std::thread::scope(|scope| {
        let all: Vec<_> = CRASHES
            .iter()
            .map(|crash| (crash.what, scope.spawn(|| test(crash))))
            .collect();
        for (what, thread) in all {
            assert!(thread.join().is_ok(), "crash {what}");
        }
    });
}

pub const APPLY: &[&str] = &["apply", "-json", "-auto-approve"];

#[test]
fn a_crash_anywhere_in_a_create_leaves_nothing_lost() {
    for_each_crash(|at| {
        let name = format!("create-{}", at.name);
        let mut work = Workspace::bare(&application(&name, &two("1")));
        crash(&mut work, at, APPLY);
        work.apply();
        work.plan().assert_empty();
        settled(&name);
        assert_eq!(
            servers().nomad.job_ids(&format!("{name}-")),
            [format!("{name}-one"), format!("{name}-two")]
        );
        work.destroy();
        gone(&name);
    });
}

#[test]
fn a_crash_anywhere_in_an_update_leaves_nothing_lost() {
    for_each_crash(|at| {
        let name = format!("update-{}", at.name);
        let mut work = Workspace::bare(&application(&name, &two("1")));
        work.set("NOMAD_ADDR", &servers().nomad.address);
        work.set("CONSUL_HTTP_ADDR", &servers().consul.address);
        work.apply();
        work.change(&application(&name, &two("2")));
        crash(&mut work, at, APPLY);
        work.apply();
        work.plan().assert_empty();
        settled(&name);
        assert_eq!(greeting(&format!("{name}-one")), "2");
        assert_eq!(greeting(&format!("{name}-two")), "2");
        work.destroy();
        gone(&name);
    });
}

#[test]
fn a_crash_anywhere_in_a_destroy_leaves_nothing_lost() {
    for_each_crash(|at| {
        let name = format!("destroy-{}", at.name);
        let mut work = Workspace::bare(&application(&name, &two("1")));
        work.set("NOMAD_ADDR", &servers().nomad.address);
        work.set("CONSUL_HTTP_ADDR", &servers().consul.address);
        work.apply();
        crash(&mut work, at, &["destroy", "-json", "-auto-approve"]);
        work.destroy();
        gone(&name);
    });
}

/// Terraform 1.11 plans to delete what is no longer in the configuration before it refreshes it, and is told so.
#[test]
fn what_has_changed_can_be_taken_out_of_the_configuration_in_the_next_plan() {
    let servers = servers();
    let first = Workspace::new(servers, &application("dropped", &part("one")));
    first.apply();
    let second = first.fork();
    second.change(&application("dropped", &part("two")));
    second.apply();
    first.change("");
    let run = first.try_apply();
    if run.code != Some(0) {
        let told = &run.failed()[0];
        assert!(told.summary.contains("changed since the plan"), "{told:?}");
        assert_eq!(greeting("dropped-job"), "two");
        first.apply();
    }
    assert_eq!(servers.nomad.job_ids("dropped-"), Vec::<String>::new());
    assert_eq!(
        servers.consul.keys("oam/applications/default/dropped"),
        Vec::<String>::new()
    );
}
