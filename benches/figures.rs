//! The figures that the project promises, measured in one run: `make bench`.
//!
//! Each is printed beside its aim, or beside a floor measured in the same run: the start of a
//! process that does nothing, for the start of the provider.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/golden/mod.rs"]
mod golden;
#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use hyper_util::rt::TokioIo;
use oam_provider::oam;
use oam_provider::protocol::handshake::{COOKIE_NAME, COOKIE_VALUE};
use oam_provider::protocol::wire::tfplugin6::get_provider_schema::Request;
use oam_provider::protocol::wire::tfplugin6::provider_client::ProviderClient;
use oam_provider::translate::{self, Target};
use support::proxy::{Proxy, Seen};
use support::terraform::Workspace;

const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-oam");

fn main() {
    start();
    memory();
    translation();
    requests();
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// A provider process that has printed its handshake line.
fn provider(certificate: Option<&str>) -> (Child, String) {
    let mut command = Command::new(PROVIDER);
    command
        .env(COOKIE_NAME, COOKIE_VALUE)
        .env("PLUGIN_PROTOCOL_VERSIONS", "6")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(pem) = certificate {
        command.env("PLUGIN_CLIENT_CERT", pem);
    }
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    (child, line)
}

fn end((mut child, line): (Child, String)) {
    child.kill().unwrap();
    child.wait().unwrap();
    // One that was killed cannot do so itself.
    std::fs::remove_file(line.split('|').nth(3).unwrap()).unwrap();
}

fn start() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let body = base64::engine::general_purpose::STANDARD.encode(made.cert.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..101 {
        let begin = Instant::now();
        let started = provider(Some(&pem));
        ours.push(begin.elapsed());
        end(started);
        let begin = Instant::now();
        Command::new("/bin/true").status().unwrap();
        floor.push(begin.elapsed());
    }
    println!(
        "start to handshake line, mutual TLS, median of 101: {:.2} ms (aim 2; /bin/true: {:.2})",
        median(ours),
        median(floor)
    );
}

fn memory() {
    let (child, line) = provider(None);
    let socket = line.split('|').nth(3).unwrap().to_owned();
    let runtime = support::api::runtime();
    runtime.block_on(async {
        let connector = tower::service_fn(move |_: tonic::transport::Uri| {
            let socket = socket.clone();
            async move {
                let stream = tokio::net::UnixStream::connect(socket).await?;
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        let channel = tonic::transport::Endpoint::from_static("http://plugin")
            .connect_with_connector(connector)
            .await
            .unwrap();
        ProviderClient::new(channel)
            .get_provider_schema(Request {})
            .await
            .unwrap();
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let size = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    };
    println!(
        "resident memory after GetProviderSchema: {:.1} MiB, of which the program itself {:.1} \
         (aim 12)",
        size("VmRSS"),
        size("RssFile")
    );
    println!(
        "the binary: {:.1} MiB",
        std::fs::metadata(PROVIDER).unwrap().len() as f64 / 1024.0 / 1024.0
    );
    end((child, line));
}

fn translation() {
    let target = Target {
        namespace: "default".to_owned(),
        region: None,
        datacenters: vec!["*".to_owned()],
        ..Target::default()
    };
    let cases = golden::cases();
    let applications: Vec<_> = cases
        .iter()
        .map(|case| oam::parse(&case.node).unwrap())
        .collect();
    let components: usize = applications.iter().map(|a| a.components.len()).sum();
    let rate = |mut work: Box<dyn FnMut() + '_>| {
        let begin = Instant::now();
        let mut rounds = 0;
        while begin.elapsed() < Duration::from_secs(2) {
            work();
            rounds += 1;
        }
        (rounds * components) as f64 / begin.elapsed().as_secs_f64()
    };
    let translated = rate(Box::new(|| {
        for application in &applications {
            black_box(translate::translate(application, &target));
        }
    }));
    let checked = rate(Box::new(|| {
        for case in &cases {
            black_box(oam::parse(&case.node).unwrap());
        }
    }));
    println!(
        "translation: {translated:.0} components a second on one core (aim 50000); \
         checking and parsing them: {checked:.0}"
    );
}

const HCL: &str = r#"
resource "oam_application" "it" {
  name = "figures"
  component "web" {
    type    = "TYPE"
    driver  = "raw_exec"
    command = ["/bin/sleep", "1000"]
    env     = { STEP = "1" }
  }
}
"#;

/// Every request of a creation, a refresh with nothing to do, an update and a deletion, by server.
fn requests() {
    let servers = support::servers();
    let nomad = Proxy::start(&servers.nomad.address);
    let consul = Proxy::start(&servers.consul.address);
    for kind in ["task", "worker"] {
        let hcl = HCL.replace("TYPE", kind);
        let mut work = Workspace::bare(&hcl);
        work.set("NOMAD_ADDR", &nomad.address);
        work.set("CONSUL_HTTP_ADDR", &consul.address);
        let count = |step: &str| {
            let (nomad, consul) = (nomad.take_seen(), consul.take_seen());
            println!(
                "HTTP requests, {step} an application of one {kind}: {} to Nomad{}, {} to Consul{}",
                nomad.len(),
                shown(&nomad),
                consul.len(),
                shown(&consul)
            );
        };
        count("before");
        work.apply();
        count("creating");
        work.plan().assert_empty();
        count("refreshing and planning");
        work.change(&hcl.replace("STEP = \"1\"", "STEP = \"2\""));
        work.apply();
        count("refreshing and updating");
        work.destroy();
        count("refreshing and deleting");
    }
}

fn shown(seen: &[Seen]) -> String {
    if seen.is_empty() || std::env::var_os("OAM_BENCH_REQUESTS").is_none() {
        return String::new();
    }
    let seen: Vec<_> = seen
        .iter()
        .map(|seen| format!("{} {}", seen.method, seen.path))
        .collect();
    format!(" ({})", seen.join(", "))
}
