//! What goes wrong outside the provider, and what the user is told.

use std::time::Duration;

use super::support::{Action, Gate, Proxy, Workspace, servers, terraform::Diagnostic};
use super::{ADDRESS, application, at, worker, yearly};

const PART: &str = "driver = \"raw_exec\"\n command = [\"/bin/true\"]";

/// A workspace that reaches both servers through proxies.
fn proxied(configuration: &str) -> (Workspace, Proxy, Proxy) {
    let servers = servers();
    let nomad = Proxy::start(&servers.nomad.address);
    let consul = Proxy::start(&servers.consul.address);
    let mut work = Workspace::bare(configuration);
    work.set("NOMAD_ADDR", &nomad.address);
    work.set("CONSUL_HTTP_ADDR", &consul.address);
    (work, nomad, consul)
}

fn text(errors: &[Diagnostic]) -> String {
    errors
        .iter()
        .map(|error| format!("{}\n{}\n", error.summary, error.detail))
        .collect()
}

#[test]
fn a_server_that_is_down_is_named_with_its_address() {
    let servers = servers();
    let nobody = format!("http://127.0.0.1:{}", super::support::ports::free());
    let configuration = application("nobody-home", &yearly("job", PART));
    for (down, variable, other, up) in [
        (
            "Nomad",
            "NOMAD_ADDR",
            "CONSUL_HTTP_ADDR",
            &servers.consul.address,
        ),
        (
            "Consul",
            "CONSUL_HTTP_ADDR",
            "NOMAD_ADDR",
            &servers.nomad.address,
        ),
    ] {
        let mut work = Workspace::bare(&configuration);
        work.set(variable, &nobody);
        work.set(other, up);
        let errors = text(&work.try_apply().failed());
        assert!(errors.contains(down), "{errors}");
        assert!(errors.contains(&nobody), "{errors}");
        assert!(
            errors.contains(variable),
            "what to set is not said: {errors}"
        );
    }
    assert_eq!(servers.nomad.job("default", "nobody-home-job"), None);
}

#[test]
fn a_record_tells_of_a_job_that_is_registered_too_late() {
    let servers = servers();
    let (work, nomad, _consul) = proxied(&application("too-late", &yearly("job", PART)));
    work.write(
        "provider.tf",
        "provider \"oam\" {\n  nomad {\n    timeout = \"4s\"\n  }\n}\n",
    );
    // It arrives when the provider no longer waits for it.
    nomad.rule(
        move |seen| match seen.method == "POST" && seen.path.starts_with("/v1/jobs?") {
            true => Action::Delay(Duration::from_secs(6)),
            false => Action::Forward,
        },
    );
    let errors = text(&work.try_apply().failed());
    assert!(errors.contains("Nomad did not answer"), "{errors}");
    super::support::eventually("the job is registered", || {
        servers.nomad.job("default", "too-late-job")
    });
    let record = servers.consul.key("oam/applications/default/too-late");
    let (record, _) = record.expect("a record tells of the job");
    assert!(record.contains("too-late-job"), "{record}");
    nomad.rule(|_| Action::Forward);
    work.apply();
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(servers.nomad.job("default", "too-late-job"), None);
}

#[test]
fn a_server_that_wants_less_is_asked_again() {
    for status in [429, 500] {
        let name = format!("slower-{status}");
        let (work, nomad, consul) = proxied(&application(&name, &yearly("job", PART)));
        // The first of all reads is refused, on both servers; Nomad refuses the first write as well
        // where that says that nothing was done.
        for proxy in [&nomad, &consul] {
            let mut refused = std::collections::BTreeSet::new();
            proxy.rule(move |seen| {
                let may = seen.method == "GET" || status == 429;
                if may && refused.insert(seen.clone()) {
                    Action::Answer(status, vec![("retry-after", "1")], "not now")
                } else {
                    Action::Forward
                }
            });
        }
        work.apply();
        work.plan().assert_empty();
        work.destroy();
    }
}

#[test]
fn a_server_that_keeps_failing_is_told() {
    for (status, says) in [(429, "429"), (500, "500")] {
        let name = format!("refused-{status}");
        let (work, nomad, _consul) = proxied(&application(&name, &yearly("job", PART)));
        nomad.rule(move |_| Action::Answer(status, vec![], "the server's own words"));
        let errors = text(&work.try_apply().failed());
        assert!(errors.contains("Nomad"), "{errors}");
        assert!(errors.contains(says), "{errors}");
        assert!(nomad.take_seen().len() < 30, "retries have no bound");
        if status == 500 {
            assert!(errors.contains("the server's own words"), "{errors}");
        }
        // What was begun ends well once the server is itself again.
        nomad.rule(|_| Action::Forward);
        work.apply();
        work.plan().assert_empty();
        work.destroy();
    }
}

#[test]
fn a_lost_answer_to_a_write_is_cleared_up_by_the_next_apply() {
    let (work, nomad, _consul) = proxied(&application("answerless", &yearly("job", PART)));
    let mut lost = false;
    nomad.rule(move |seen| {
        let write = seen.method != "GET" && seen.path.starts_with("/v1/job");
        if write && !std::mem::replace(&mut lost, true) {
            Action::LoseAnswer
        } else {
            Action::Forward
        }
    });
    // Whether the provider finds out by itself or reports it, the next apply comes out even.
    let _ = work.try_apply();
    work.apply();
    work.plan().assert_empty();
    assert_eq!(
        servers().nomad.job_ids("answerless"),
        ["answerless-job"],
        "one job, not two"
    );
    work.destroy();
}

#[test]
fn a_job_that_never_gets_healthy_is_told_with_task_and_event() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &application(
            "sickly",
            r#"
  component "web" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c", "exit 7"]
    restart_policy {
      attempts = 0
      interval = "1m"
      delay    = "1s"
      mode     = "fail"
    }
  }
  timeouts { create = "40s" }"#,
        ),
    );
    let errors = work.try_apply().failed();
    let told = text(&errors);
    assert!(told.contains("web"), "the task is not named: {told}");
    assert!(told.contains("sickly-web"), "the job is not named: {told}");
    assert!(
        told.contains("Exit Code: 7") || told.contains("exit code 7"),
        "the event is not told: {told}"
    );
    // It is in the state, so that it can be repaired or destroyed.
    assert!(work.state(ADDRESS).is_some());
    work.change(&application("sickly", &worker("web", "")));
    work.apply();
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(servers.nomad.job_ids("sickly"), Vec::<String>::new());
}

/// A component that writes on stderr, in colours, and fails.
fn outspoken(restarts: &str) -> String {
    format!(
        r#"
  component "web" {{
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c", "seq 3000 >&2; printf '\\033[31msesame-%d\\033[0m\\a\\n' $((6*7)) >&2; exit 7"]
    restart_policy {{
      attempts = 0
      interval = "1m"
      delay    = "1s"
      mode     = "fail"
    }}
    update_strategy {{
      progress_deadline = "0s"
      {restarts}
    }}
  }}"#
    )
}

#[test]
fn the_last_lines_of_a_task_that_fails_are_told_and_not_logged() {
    let servers = servers();
    let work = Workspace::new(servers, &application("outspoken", &outspoken("")));
    let errors = work.try_apply().failed();
    let told = &errors[0].detail;
    let lines: Vec<_> = told
        .lines()
        .skip_while(|line| !line.starts_with("The last lines of the stderr of the task web"))
        .skip(1)
        .collect();
    assert_eq!(lines.len(), 20, "{told}");
    assert_eq!((lines[0], lines[19]), ("    2982", "    sesame-42"));
    assert!(told.contains("not gone back"), "{told}");
    let log = work.log();
    assert!(log.contains("/v1/client/fs/logs/"), "nothing was asked");
    assert!(!log.contains("sesame-42"), "{log}");
    work.destroy();
}

#[test]
fn what_a_task_writes_is_not_asked_for_where_nobody_wants_it() {
    let servers = servers();
    let block = format!(
        "provider \"oam\" {{\n  nomad {{\n    address = \"{}\"\n    failure_logs = false\n  }}\n}}\n",
        servers.nomad.address
    );
    let mut work = Workspace::bare(&(block + &application("discreet", &outspoken(""))));
    work.set("CONSUL_HTTP_ADDR", &servers.consul.address);
    let told = text(&work.try_apply().failed());
    assert!(told.contains("Exit Code: 7"), "{told}");
    assert!(!told.contains("sesame-42"), "{told}");
    assert!(!work.log().contains("/v1/client/fs/logs/"));
    work.destroy();
}

#[test]
fn logs_that_cannot_be_read_hide_nothing() {
    let servers = servers();
    let proxy = Proxy::start(&servers.nomad.address);
    let mut work = Workspace::bare(&application("unheard", &outspoken("")));
    work.set("CONSUL_HTTP_ADDR", &servers.consul.address);
    work.set("NOMAD_ADDR", &proxy.address);
    proxy.rule(|seen| match seen.path.contains("/fs/logs/") {
        true => Action::Answer(403, vec![], "Permission denied"),
        false => Action::Forward,
    });
    let told = text(&work.try_apply().failed());
    for part in [
        "Exit Code: 7",
        "What the task web wrote could not be read: Nomad denied access.",
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    let gate = Gate::new();
    let held = gate.clone();
    proxy.rule(move |seen| match seen.path.contains("/fs/logs/") {
        true => Action::Hold(held.clone()),
        false => Action::Forward,
    });
    work.change(&application("unheard", &outspoken("max_parallel = 2")));
    let told = text(&work.try_apply().failed());
    gate.open();
    for part in [
        "Exit Code: 7",
        "What the task web wrote could not be read: its node did not send it in time.",
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    work.destroy();
}

#[test]
fn a_version_that_nomad_took_back_is_told_and_planned_again() {
    let servers = servers();
    let strategy = "update_strategy {\n progress_deadline = \"0s\"\n auto_revert = true\n min_healthy_time = \"1s\"\n }";
    let good = application("taken-back", &worker("web", strategy));
    let work = Workspace::new(servers, &good);
    work.apply();
    let bad = application("taken-back", &outspoken("auto_revert = true"));
    work.change(&bad);
    let told = text(&work.try_apply().failed());
    for part in [
        "has gone back to version 0 of the job, which is its version 2 now",
        "Exit Code: 7",
        "sesame-42",
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    // What runs is the version before, and the plan says so.
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    assert_eq!(
        at(change, "/before/component/web/command/0"),
        "/bin/sleep",
        "{change:#}"
    );
    assert_eq!(at(change, "/after/component/web/command/0"), "/bin/sh");
    work.change(&good);
    work.apply();
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_job_that_no_node_takes_is_told_with_the_reason() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &application(
            "homeless",
            &(worker("web", "resources { memory = \"900Gi\" }")
                + "\n  timeouts { create = \"5s\" }"),
        ),
    );
    let told = text(&work.try_apply().failed());
    assert!(told.contains("homeless-web"), "{told}");
    assert!(told.contains("memory"), "the reason is not told: {told}");
    work.destroy();
    assert_eq!(servers.nomad.job_ids("homeless"), Vec::<String>::new());
}

#[test]
fn a_record_that_cannot_be_read_is_told_and_kept() {
    let servers = servers();
    for (name, value, says) in [
        ("garbled", "{ not json", "garbled"),
        ("futuristic", "{\"format\": 99, \"revision\": 4}", "99"),
    ] {
        let key = format!("oam/applications/default/{name}");
        servers.consul.write_key(&key, value);
        let work = Workspace::new(servers, &application(name, &yearly("job", PART)));
        let told = text(&work.try_apply().failed());
        assert!(told.contains(&key) && told.contains(says), "{told}");
        assert_eq!(servers.consul.key(&key).unwrap().0, value);
        assert_eq!(servers.nomad.job("default", &format!("{name}-job")), None);
    }
}

#[test]
fn an_application_that_exists_is_not_taken_over() {
    let servers = servers();
    let configuration = application("occupied", &yearly("job", PART));
    let first = Workspace::new(servers, &configuration);
    first.apply();
    let before = servers
        .consul
        .key("oam/applications/default/occupied")
        .unwrap();
    let second = Workspace::new(
        servers,
        &application(
            "occupied",
            &yearly("job", "driver = \"raw_exec\"\n command = [\"/bin/false\"]"),
        ),
    );
    let told = text(&second.try_apply().failed());
    assert!(told.contains("import"), "what to do is not said: {told}");
    assert_eq!(
        servers
            .consul
            .key("oam/applications/default/occupied")
            .unwrap(),
        before
    );
    let job = servers.nomad.job("default", "occupied-job").unwrap();
    assert_eq!(
        at(&job, "/TaskGroups/0/Tasks/0/Config/command"),
        "/bin/true"
    );
    first.destroy();
}
