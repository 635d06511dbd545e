//! What many applications cost: `make bench-scale`.
//!
//! Each size has a Nomad and a Consul of its own. The applications are yearly jobs, of which nothing is
//! placed, so that the scheduler is not what is measured. Once the provider is spoken to as Terraform does
//! it, ten calls at once and without Terraform; then through Terraform. All requests go through proxies in
//! this process that count them. The floor is a process that sends the same requests through the same
//! proxies, and does nothing with the answers.
//!
//! Terraform needs minutes for the apply of thousands of resources, so that it applies [`APPLIED`] at most. What
//! it plans is what was applied without it, in a state that is written here ([`Fleet::state`]).
//!
//! `OAM_BENCH_SIZES=10,100` measures these sizes alone, and `OAM_BENCH_TERRAFORM=1000` takes larger ones not
//! through Terraform.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/support/fleet.rs"]
mod fleet;
#[path = "../tests/support/plugin.rs"]
mod plugin;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fleet::{Fleet, Run, each, terraform_state, used, yearly};
use serde_json::json;
use support::proxy::{Proxy, Seen};
use support::{Options, Servers, Workspace};

const SIZES: &str = "10,100,1000,5000";

/// The largest size that is applied by Terraform.
const APPLIED: usize = 100;

/// The key prefix of what is applied without Terraform.
const PREFIX: &str = "alone";

/// Tells this program to be the floor: it reads URLs from its standard input.
const FLOOR: &str = "OAM_BENCH_FLOOR";

fn main() {
    let runtime = support::api::runtime();
    if std::env::var_os(FLOOR).is_some() {
        return runtime.block_on(be_the_floor());
    }
    let sizes = std::env::var("OAM_BENCH_SIZES").unwrap_or_else(|_| SIZES.to_owned());
    let largest = std::env::var("OAM_BENCH_TERRAFORM").map(|size| size.parse().unwrap());
    let largest = largest.unwrap_or(usize::MAX);
    println!(
        "| applications | step | wall s | CPU ms | CPU ms an application | peak MiB | to Nomad | to Consul |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for size in sizes.split(',').map(|size| size.parse().unwrap()) {
        let servers = Servers::start(Options::default());
        let proxies = Proxies {
            nomad: Proxy::start(&servers.nomad.address),
            consul: Proxy::start(&servers.consul.address),
        };
        let fleet = runtime.block_on(alone(size, &servers, &proxies));
        if size <= largest {
            terraform(size, &proxies, &fleet);
        }
    }
}

struct Proxies {
    nomad: Proxy,
    consul: Proxy,
}

impl Proxies {
    fn seen(&self) -> (Vec<Seen>, Vec<Seen>) {
        (self.nomad.take_seen(), self.consul.take_seen())
    }
}

/// One line of the table.
fn row(
    size: usize,
    step: &str,
    wall: Duration,
    (cpu, peak): (Duration, u64),
    requests: Option<(usize, usize)>,
) {
    let ms = cpu.as_secs_f64() * 1000.0;
    let (nomad, consul) = match requests {
        Some((nomad, consul)) => (nomad.to_string(), consul.to_string()),
        None => Default::default(),
    };
    #[allow(clippy::cast_precision_loss)]
    let (each, mib) = (ms / size as f64, peak as f64 / 1024.0 / 1024.0);
    let wall = wall.as_secs_f64();
    println!(
        "| {size} | {step} | {wall:.2} | {ms:.1} | {each:.3} | {mib:.1} | {nomad} | {consul} |"
    );
    std::io::stdout().flush().unwrap();
}

/// The provider without Terraform. Answers what is then applied.
async fn alone(size: usize, servers: &Servers, proxies: &Proxies) -> Fleet {
    let block = json!({
        "nomad": { "address": proxies.nomad.address },
        "consul": { "address": proxies.consul.address, "key_prefix": PREFIX },
    });
    let configs: Vec<_> = (0..size)
        .map(|n| yearly(&format!("alone-{n}"), None))
        .collect();
    let counted = |(nomad, consul): &(Vec<Seen>, Vec<Seen>)| Some((nomad.len(), consul.len()));
    let begin = Instant::now();
    let run = Run::start(&block).await;
    let mut objects = each(&configs, |config| run.create(config)).await;
    row(
        size,
        "plan and apply",
        begin.elapsed(),
        run.used(),
        counted(&proxies.seen()),
    );
    drop(run);
    // Terraform takes them in any order, and in another one each time.
    fastrand::shuffle(&mut objects);
    let fleet = Fleet { block, objects };

    let begin = Instant::now();
    let run = fleet.run().await;
    let refreshed = each(&fleet.objects, |object| run.refresh(object)).await;
    let (wall, used) = (begin.elapsed(), run.used());
    let seen = proxies.seen();
    row(size, "refresh", wall, used, counted(&seen));
    assert!(refreshed.iter().all(|found| matches!(found, Some(Ok(_)))));
    let middle = Instant::now();
    let empty = each(&fleet.objects, |object| run.is_planned_empty(object)).await;
    let (cpu, peak) = run.used();
    assert!(empty.iter().all(|empty| *empty));
    row(
        size,
        "empty plan after it",
        middle.elapsed(),
        (cpu - used.0, peak),
        counted(&proxies.seen()),
    );
    drop(run);
    let (wall, used) = floor(&seen, proxies);
    row(
        size,
        "floor: the refresh's requests alone",
        wall,
        used,
        counted(&proxies.seen()),
    );

    // As many changes as a bad day brings.
    let changed = size.div_ceil(100);
    for n in 0..changed {
        let job = format!("alone-{}-job", n * (size / changed));
        servers.nomad.edit("default", &job, |job| {
            job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = json!("2");
        });
    }
    proxies.seen();
    let begin = Instant::now();
    let run = fleet.run().await;
    let refreshed = each(&fleet.objects, |object| run.refresh(object)).await;
    row(
        size,
        &format!("refresh, {changed} changed"),
        begin.elapsed(),
        run.used(),
        counted(&proxies.seen()),
    );
    let found = refreshed.into_iter().flatten().map(Result::unwrap);
    let differ = found
        .zip(&fleet.objects)
        .filter(|(after, before)| after.state != before.state);
    assert_eq!(differ.count(), changed);
    drop(run);

    // As they were, for whatever comes next.
    let run = fleet.run().await;
    let whole = each(&fleet.objects, |object| run.settle(object)).await;
    proxies.seen();
    Fleet {
        block: fleet.block,
        objects: whole,
    }
}

/// The time, processor time and memory of a process that sends the same requests.
fn floor(
    (nomad, consul): &(Vec<Seen>, Vec<Seen>),
    proxies: &Proxies,
) -> (Duration, (Duration, u64)) {
    let urls = [(nomad, &proxies.nomad), (consul, &proxies.consul)]
        .into_iter()
        .flat_map(|(seen, proxy)| {
            seen.iter()
                .map(|seen| format!("{}{}\n", proxy.address, seen.path))
        });
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(FLOOR, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(urls.collect::<String>().as_bytes())
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let wall = begin.elapsed();
    let used = String::from_utf8(output.stdout).unwrap();
    let (cpu, peak) = used.trim().split_once(' ').unwrap();
    let cpu = Duration::from_nanos(cpu.parse().unwrap());
    (wall, (cpu, peak.parse().unwrap()))
}

async fn be_the_floor() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let urls: Vec<_> = std::io::stdin().lines().map(Result::unwrap).collect();
    each(&urls, |url| {
        let request = client.get(url);
        async move {
            let answer = request.send().await.unwrap();
            answer.bytes().await.unwrap().len()
        }
    })
    .await;
    let (cpu, peak) = used(std::process::id()).unwrap();
    println!("{} {peak}", cpu.as_nanos());
}

fn applications(size: usize, prefix: &str, proxies: &Proxies) -> String {
    let (nomad, consul) = (&proxies.nomad.address, &proxies.consul.address);
    format!(
        r#"provider "oam" {{
  nomad {{
    address = "{nomad}"
  }}
  consul {{
    address    = "{consul}"
    key_prefix = "{prefix}"
  }}
}}
resource "oam_application" "it" {{
  count = {size}
  name  = "{prefix}-${{count.index}}"
  component "job" {{
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
    env      = {{ A = "1" }}
  }}
}}
"#
    )
}

/// The same through Terraform, and as many resources of Terraform's own for comparison.
fn terraform(size: usize, proxies: &Proxies, fleet: &Fleet) {
    let workspace = |configuration: &str| {
        let mut work = Workspace::bare(configuration);
        // Its own log is what costs Terraform most otherwise.
        work.set("TF_LOG_PROVIDER", "");
        work
    };
    let measured = |work: &Workspace, step: &str, arguments: &[&str]| {
        proxies.seen();
        let (wall, used) = watched(work, arguments);
        let (nomad, consul) = proxies.seen();
        row(size, step, wall, used, Some((nomad.len(), consul.len())));
    };
    if size <= APPLIED {
        let work = workspace(&applications(size, "terraform", proxies));
        measured(&work, "`terraform apply`", &["apply", "-auto-approve"]);
    }
    let work = workspace(&applications(size, PREFIX, proxies));
    work.write("terraform.tfstate", &fleet.state(&work).to_string());
    // With another exit code it would fail: the plan is empty.
    let plan = &["plan", "-detailed-exitcode"];
    measured(&work, "`terraform plan`, empty", plan);
    let work = workspace(&format!(
        "resource \"terraform_data\" \"it\" {{\n  count = {size}\n  input = count.index\n}}\n"
    ));
    work.write("versions.tf", "");
    let instances = (0..size).map(|n| {
        let value = json!({ "value": n, "type": "number" });
        json!({
            "index_key": n,
            "schema_version": 0,
            "attributes": {
                "id": format!("id-{n}"), "input": value, "output": value, "triggers_replace": null,
            },
            "sensitive_attributes": [],
        })
    });
    let state = terraform_state(
        "terraform_data",
        "terraform.io/builtin/terraform",
        instances.collect(),
    );
    work.write("terraform.tfstate", &state.to_string());
    let (wall, used) = watched(&work, plan);
    row(
        size,
        "`terraform plan` of as many `terraform_data`",
        wall,
        used,
        None,
    );
}

/// How often the providers are looked at. What one does after the last look is not counted.
const LOOK: Duration = Duration::from_millis(5);

/// Runs Terraform, and sums up the processor time of the providers that it starts.
fn watched(work: &Workspace, arguments: &[&str]) -> (Duration, (Duration, u64)) {
    let begin = Instant::now();
    let running = work.start(arguments);
    let parent = running.id();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut all: BTreeMap<u32, (Duration, u64)> = BTreeMap::new();
            while !done.load(Ordering::Relaxed) {
                for child in children(parent).into_iter().filter(is_provider) {
                    all.extend(used(child).map(|used| (child, used)));
                }
                std::thread::sleep(LOOK);
            }
            let cpu = all.values().map(|(cpu, _)| *cpu).sum();
            let peak = all.values().map(|(_, peak)| *peak).max();
            (cpu, peak.unwrap_or_default())
        });
        let run = running.wait();
        let wall = begin.elapsed();
        done.store(true, Ordering::Relaxed);
        run.succeeded();
        (wall, watch.join().unwrap())
    })
}

fn children(parent: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let listed =
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let listed: String = listed.map(|line| line + " ").collect();
    let pids = listed.split_whitespace();
    pids.filter_map(|pid| pid.parse().ok()).collect()
}

/// Whether a process is a provider, and not still its parent's image, with the parent's memory.
fn is_provider(pid: &u32) -> bool {
    let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
    command.is_ok_and(|command| command.contains("terraform-provider-oam"))
}
