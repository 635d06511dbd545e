//! The quotas of a tenant: what a plan says of them, and that no number of applies at once exceeds them.
//!
//! What is in Nomad and in the ledger is looked at all the time while they run.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::support::terraform::{Diagnostic, Run, Running};
use super::support::{Action, Gate, Proxy, Workspace, eventually, servers};
use super::{worker, yearly};

/// A tenant with these quotas.
fn tenant(name: &str, quotas: &str) -> String {
    format!(
        "resource \"oam_tenant\" \"it\" {{\n  name = \"{name}\"\n  display_name = \"{name}\"\n  \
         quotas {{\n{quotas}\n  }}\n}}\n"
    )
}

/// An application of a tenant.
fn of(tenant: &str, name: &str, components: &str) -> String {
    super::application(name, &format!("  tenant = \"{tenant}\"\n{components}"))
}

/// A job of 100 MHz and 10 MiB that never runs by itself.
fn job(name: &str) -> String {
    yearly(
        name,
        &format!("{BUSY}\nresources {{\ncpu = \"100m\"\nmemory = \"10Mi\"\n}}"),
    )
}

const BUSY: &str = "driver = \"raw_exec\"\ncommand = [\"/bin/true\"]";

fn managed(name: &str, quotas: &str) -> Workspace {
    let work = Workspace::new(servers(), &tenant(name, quotas));
    work.apply();
    work
}

/// What the ledger of a tenant says: how many applications, jobs, MHz, and deployments.
fn ledger(tenant: &str) -> (usize, u64, u64, usize) {
    let Some((text, _)) = servers().consul.key(&format!("oam/usage/{tenant}")) else {
        return (0, 0, 0, 0);
    };
    let ledger: Value = serde_json::from_str(&text).unwrap();
    let all = ledger["applications"].as_object().unwrap();
    let sum = |field: &str| all.values().map(|it| it[field].as_u64().unwrap()).sum();
    let deploying = all.values().filter(|it| !it["deploying"].is_null()).count();
    (all.len(), sum("jobs"), sum("cpu_mhz"), deploying)
}

/// The jobs in a tenant's namespace.
fn jobs(tenant: &str) -> Vec<Value> {
    let jobs = servers().nomad.get(&format!("/v1/jobs?namespace={tenant}"));
    jobs.as_array().unwrap().clone()
}

/// The most that was seen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Most {
    jobs: usize,
    reserved_jobs: u64,
    reserved_mhz: u64,
    deploying: usize,
    deployments: usize,
    looks: usize,
}

/// Looks at a tenant until `stop`.
fn watch(tenant: &str, stop: &AtomicBool) -> Most {
    let mut most = Most::default();
    while !stop.load(Ordering::SeqCst) {
        let (_, jobs_reserved, mhz, deploying) = ledger(tenant);
        let jobs = jobs(tenant);
        // A job that has yet to become healthy has a deployment that runs.
        let deployments = servers()
            .nomad
            .get(&format!("/v1/deployments?namespace={tenant}"));
        let running = |it: &&Value| it["Status"] == "running" || it["Status"] == "pending";
        let deployments = deployments
            .as_array()
            .unwrap()
            .iter()
            .filter(running)
            .count();
        most = Most {
            jobs: most.jobs.max(jobs.len()),
            reserved_jobs: most.reserved_jobs.max(jobs_reserved),
            reserved_mhz: most.reserved_mhz.max(mhz),
            deploying: most.deploying.max(deploying),
            deployments: most.deployments.max(deployments),
            looks: most.looks + 1,
        };
        std::thread::sleep(Duration::from_millis(50));
    }
    most
}

/// Applies all at once, and gives how each came out and the most that was seen meanwhile.
fn all_at_once(tenant: &str, all: &[Workspace], arguments: &[&str]) -> (Vec<Run>, Most) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(tenant, &stop));
        let running: Vec<_> = all.iter().map(|work| work.start(arguments)).collect();
        let waits = running.into_iter().map(|it| scope.spawn(move || it.wait()));
        let waits: Vec<_> = waits.collect();
        let runs = waits.into_iter().map(|it| it.join().unwrap()).collect();
        stop.store(true, Ordering::SeqCst);
        (runs, watcher.join().unwrap())
    })
}

fn error(run: &Run) -> Diagnostic {
    let errors = run.failed();
    let [error] = errors.as_slice() else {
        panic!("{errors:#?}")
    };
    error.clone()
}

const APPLY: &[&str] = &["apply", "-json", "-auto-approve"];

/// How many pipelines there are.
const DOZENS: usize = 24;

#[test]
fn of_dozens_of_applies_at_once_exactly_as_many_succeed_as_have_room() {
    let admin = managed("dozens", "max_jobs = 10");
    let all: Vec<_> = (0..DOZENS)
        .map(|n| Workspace::new(servers(), &of("dozens", &format!("a{n:02}"), &job("job"))))
        .collect();
    // Every plan is made while there is nothing yet, and finds nothing against it.
    let plans = ["plan", "-json", "-out=saved.tfplan"];
    for some in all.chunks(6) {
        let running: Vec<_> = some.iter().map(|work| work.start(&plans)).collect();
        running.into_iter().for_each(|it| it.wait().succeeded());
    }
    let saved = ["apply", "-json", "saved.tfplan"];
    let (runs, most) = all_at_once("dozens", &all, &saved);
    let won = |runs: &[Run]| runs.iter().filter(|run| run.code == Some(0)).count();
    assert_eq!(won(&runs), 10);
    assert_eq!((most.jobs, most.reserved_jobs), (10, 10), "{most:?}");
    assert!(most.looks > 10, "{most:?}");
    assert_eq!(ledger("dozens"), (10, 10, 1000, 0));
    for run in runs.iter().filter(|run| run.code != Some(0)) {
        let error = error(run);
        assert_eq!(
            error.summary,
            "The tenant dozens would have more than its max_jobs"
        );
        assert!(
            error.detail.contains("The limit is 10 jobs."),
            "{}",
            error.detail
        );
        // Before it applies, Terraform plans what is new once more, and may find no room already.
        let told = ["Nothing was changed", "is looked at alone"];
        assert!(
            told.iter().any(|it| error.detail.contains(it)),
            "{}",
            error.detail
        );
    }
    // Who has lost has left nothing: neither a job nor a record.
    let records = servers().consul.keys("oam/applications/dozens/");
    assert_eq!(records.len(), 10);
    let owners: BTreeSet<_> = jobs("dozens")
        .iter()
        .map(|job| job["ID"].to_string())
        .collect();
    assert_eq!(owners.len(), 10);

    // By another quota: those that have lost, once more.
    admin.change(&tenant("dozens", "max_cpu_mhz = 1450"));
    admin.apply();
    let lost: Vec<_> = all
        .into_iter()
        .zip(&runs)
        .filter(|(_, run)| run.code != Some(0))
        .map(|(work, _)| work)
        .collect();
    let (runs, most) = all_at_once("dozens", &lost, APPLY);
    assert_eq!((lost.len(), won(&runs)), (14, 4));
    assert_eq!((most.jobs, most.reserved_mhz), (14, 1400), "{most:?}");
    assert_eq!(ledger("dozens"), (14, 14, 1400, 0));
    for run in runs.iter().filter(|run| run.code != Some(0)) {
        let error = error(run);
        assert_eq!(
            error.summary,
            "The tenant dozens would have more than its max_cpu_mhz"
        );
        assert_eq!(error.code, "cpu = \"100m\"");
    }
}

#[test]
fn never_more_applies_deploy_at_once_than_may() {
    let _admin = managed("slots", "max_deployments = 2");
    let slow = "resources {\ncpu = \"10m\"\nmemory = \"10Mi\"\n}\n\
                update_strategy {\nmin_healthy_time = \"1s\"\nhealth_check = \"task_states\"\n}";
    let all: Vec<_> = (0..6)
        .map(|n| {
            Workspace::new(
                servers(),
                &of("slots", &format!("s{n}"), &worker("web", slow)),
            )
        })
        .collect();
    let (runs, most) = all_at_once("slots", &all, APPLY);
    for run in &runs {
        run.succeeded();
    }
    assert_eq!(most.deploying, 2, "{most:?}");
    assert!((1..=2).contains(&most.deployments), "{most:?}");
    assert_eq!(ledger("slots"), (6, 6, 60, 0));
    for work in &all {
        work.destroy();
    }
    assert_eq!(ledger("slots"), (0, 0, 0, 0));
}

/// An apply whose first job is held before Nomad, so that it deploys until the gate is open.
fn held(work: &mut Workspace) -> (Running, Gate, Proxy) {
    let nomad = Proxy::start(&servers().nomad.address);
    let gate = Gate::new();
    let hold = gate.clone();
    nomad.rule(
        move |seen| match seen.method != "GET" && seen.path.starts_with("/v1/jobs") {
            true => Action::Hold(hold.clone()),
            false => Action::Forward,
        },
    );
    work.write(
        "provider.tf",
        "provider \"oam\" {\n  nomad {}\n  consul {}\n}\n",
    );
    work.set("NOMAD_ADDR", &nomad.address);
    work.set("CONSUL_HTTP_ADDR", &servers().consul.address);
    let running = work.start(APPLY);
    gate.wait_for_arrival();
    (running, gate, nomad)
}

#[test]
fn an_apply_waits_for_its_turn_and_can_be_stopped() {
    let _admin = managed("turns", "max_deployments = 1");
    let mut first = Workspace::new(servers(), &of("turns", "first", &job("job")));
    let (running, gate, _nomad) = held(&mut first);
    // It waits as long as it may.
    let brief = format!("{}\n  timeouts {{\n    create = \"2s\"\n  }}", job("job"));
    let second = Workspace::new(servers(), &of("turns", "second", &brief));
    let told = error(&second.try_apply());
    assert_eq!(told.summary, "The tenant turns may not deploy more at once");
    assert!(
        told.detail.contains("all the time: first"),
        "{}",
        told.detail
    );
    // Or until it is stopped.
    second.change(&of("turns", "second", &job("job")));
    let before = second.log().len();
    let waiting = second.start(APPLY);
    eventually("the second waits", || {
        let log = second.log();
        let log = log.get(before..).unwrap_or_default();
        log.contains("waiting for another deployment").then_some(())
    });
    waiting.interrupt();
    let told = waiting.wait().failed();
    assert!(
        told.iter().any(|it| it.summary == "Interrupted"),
        "{told:#?}"
    );
    assert!(
        servers()
            .consul
            .key("oam/applications/turns/second")
            .is_none()
    );
    // Or until the first one is through.
    let third = second.start(APPLY);
    gate.open();
    running.wait().succeeded();
    third.wait().succeeded();
    assert_eq!(jobs("turns").len(), 2);
}

#[test]
fn a_process_that_dies_frees_its_place_and_keeps_what_it_reserved() {
    let _admin = managed("dead", "max_deployments = 1\nmax_jobs = 3");
    let mut first = Workspace::new(servers(), &of("dead", "first", &(job("one") + &job("two"))));
    let (running, gate, nomad) = held(&mut first);
    assert_eq!(ledger("dead"), (1, 2, 200, 1));
    let provider = eventually("the provider runs", || running.provider());
    nix::sys::signal::kill(provider, nix::sys::signal::Signal::SIGKILL).unwrap();
    running.wait().failed();
    // Its lock lives on for a while; then the next one deploys.
    let second = Workspace::new(servers(), &of("dead", "second", &job("job")));
    second.apply();
    assert_eq!(ledger("dead"), (2, 3, 300, 0));
    let third = Workspace::new(servers(), &of("dead", "third", &job("job")));
    let told = error(&third.try_apply());
    assert!(
        told.detail.contains("(first: 2, second: 1)"),
        "{}",
        told.detail
    );
    // The next apply of what died goes on in its own room.
    gate.open();
    drop(nomad);
    first.set("NOMAD_ADDR", &servers().nomad.address);
    first.change(&of("dead", "first", &job("one")));
    first.apply();
    assert_eq!(ledger("dead"), (2, 2, 200, 0));
    third.apply();
    for work in [&first, &second, &third] {
        work.destroy();
    }
    assert_eq!(ledger("dead"), (0, 0, 0, 0));
}

#[test]
fn a_plan_says_what_has_no_room_and_where() {
    let admin = managed(
        "plans",
        "max_jobs = 3\nmax_cpu_mhz = 1000\nmax_memory_mb = 1000",
    );
    let other = Workspace::new(servers(), &of("plans", "other", &job("job")));
    other.apply();
    let with = |more: &str| worker("web", more);
    let sized = "resources {\ncpu = \"300m\"\nmemory = \"100Mi\"\n}";
    let cases = [
        // Jobs are the tenant's matter.
        (
            format!("{}{}{}", job("a"), job("b"), job("c")),
            "max_jobs",
            "tenant = \"plans\"",
            "asks for 3 jobs, and the tenant's other applications have 1 job (other: 1)",
        ),
        (
            with(&format!("{sized}\nscaler {{\nreplicas = 4\n}}")),
            "max_cpu_mhz",
            "cpu = \"300m\"",
            "The limit is 1000 MHz. This application asks for 1200 MHz",
        ),
        // As many as an autoscaler may make, and the canaries.
        (
            with(&format!("{sized}\nscaler {{\nmin = 1\nmax = 4\n}}")),
            "max_cpu_mhz",
            "cpu = \"300m\"",
            "asks for 1200 MHz",
        ),
        (
            with(&format!(
                "{sized}\nscaler {{\nreplicas = 3\n}}\nupdate_strategy {{\nstrategy = \"canary\"\n}}"
            )),
            "max_cpu_mhz",
            "cpu = \"300m\"",
            "asks for 1200 MHz",
        ),
        (
            with("resources {\ncpu = \"10m\"\nmemory = \"991Mi\"\n}"),
            "max_memory_mb",
            "memory = \"991Mi\"",
            "The limit is 1000 MB. This application asks for 991 MB",
        ),
        // Nomad's own 300 MiB, by their number and without.
        (
            with("scaler {\nreplicas = 4\n}"),
            "max_memory_mb",
            "replicas = 4",
            "asks for 1200 MB",
        ),
        (
            format!(
                "{}{}",
                with("resources {\nmemory = \"800Mi\"\n}"),
                worker("db", "")
            ),
            "max_memory_mb",
            "memory = \"800Mi\"",
            "Most of it is for the component web: 800 MB.",
        ),
    ];
    let work = Workspace::new(servers(), "");
    for (components, quota, code, detail) in &cases {
        work.change(&of("plans", "mine", components));
        let told = error(&work.try_plan());
        assert_eq!(
            told.summary,
            format!("The tenant plans would have more than its {quota}")
        );
        assert_eq!(told.code, *code, "{told:#?}");
        assert!(told.detail.contains(detail), "{}", told.detail);
        assert!(
            told.detail
                .contains("Each application of a plan is looked at alone")
        );
    }
    // In a manifest, at its line.
    let manifest = "apiVersion: core.oam.dev/v1alpha2\nkind: Application\nmetadata:\n  name: mine\nspec:\n  components:\n    - name: web\n      type: worker\n      properties:\n        driver: raw_exec\n        command: [\"/bin/sleep\", \"100000\"]\n        resources:\n          cpu: 901m\n          memory: 10Mi\n";
    work.write("app.yaml", manifest);
    work.change(
        "resource \"oam_application\" \"it\" {\n  tenant = \"plans\"\n  manifest = file(\"app.yaml\")\n}\n",
    );
    let told = error(&work.try_plan());
    assert!(
        told.detail.contains("In the manifest, line 13"),
        "{}",
        told.detail
    );
    assert!(told.detail.contains("asks for 901 MHz"), "{}", told.detail);
    work.write("app.yaml", &manifest.replace("901m", "900m"));
    work.apply();
    assert_eq!(ledger("plans"), (2, 2, 1000, 0));

    // Of what is there already only growth counts, and what is given up is there for others.
    work.write("app.yaml", manifest);
    error(&work.try_plan());
    work.write("app.yaml", &manifest.replace("901m", "500m"));
    work.apply();
    other.change(&of("plans", "other", &(job("job") + &job("more"))));
    other.apply();
    assert_eq!(ledger("plans"), (2, 3, 700, 0));

    // Another name takes the place of the one before.
    other.change(&of("plans", "renamed", &(job("job") + &job("more"))));
    other.apply();
    assert_eq!(ledger("plans"), (2, 3, 700, 0));

    // A tenant may get less than it has: it is told, and keeps it.
    admin.change(&tenant("plans", "max_jobs = 3\nmax_cpu_mhz = 600"));
    let warnings = admin.apply().diagnostics;
    let warnings: Vec<_> = warnings
        .iter()
        .map(|it| (it.summary.as_str(), it.code.as_str()))
        .collect();
    assert!(
        warnings.contains(&(
            "The tenant plans has more than this max_cpu_mhz",
            "max_cpu_mhz = 600"
        )),
        "{warnings:?}"
    );
    work.write("app.yaml", &manifest.replace("901m", "499m"));
    work.apply();
    other.destroy();
    work.destroy();
    assert_eq!(ledger("plans"), (0, 0, 0, 0));
    admin.destroy();
    assert!(servers().consul.key("oam/usage/plans").is_none());
}

#[test]
fn the_quotas_of_a_new_tenant_count_in_the_same_plan_and_apply() {
    let both = |limit: u64| {
        let tenant = tenant("fresh", &format!("max_cpu_mhz = {limit}"));
        let application = of("fresh", "shop", &job("job"));
        format!(
            "{tenant}{}",
            application.replace("\"fresh\"", "oam_tenant.it.name")
        )
    };
    // A tenant that nobody manages has no quotas, and what it has counts as soon as somebody does.
    let before = Workspace::new(servers(), "");
    servers().nomad.namespace("fresh");
    before.change(&of("fresh", "before", &job("job")));
    before.apply();
    assert!(servers().consul.key("oam/usage/fresh").is_none());
    let work = Workspace::new(servers(), &both(199));
    let told = error(&work.try_plan());
    assert!(told.detail.contains("(before: 100)"), "{told:#?}");
    before.destroy();
    servers().nomad.delete("/v1/namespace/fresh");

    work.change(&both(99));
    assert!(
        error(&work.try_plan())
            .detail
            .contains("this application alone asks for 100 MHz")
    );
    work.change(&both(100));
    work.apply();
    assert_eq!(ledger("fresh"), (1, 1, 100, 0));
    work.plan().assert_empty();
    work.destroy();
    assert!(servers().consul.key("oam/usage/fresh").is_none());
}
