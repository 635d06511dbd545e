//! The figures that the project promises, measured in one run: `make bench`.
//!
//! Each stands beside its aim, or beside a floor that was measured in the same run: a process that does
//! nothing for the start of the provider, Terraform's own resource for what a plan takes longer, the
//! libraries that only read the bytes for the value codec and the manifests. The last lines are the ratios.

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
use oam_provider::protocol::resource::Provider as _;
use oam_provider::protocol::value::msgpack;
use oam_provider::protocol::wire::tfplugin6::get_provider_schema::Request;
use oam_provider::protocol::wire::tfplugin6::provider_client::ProviderClient;
use oam_provider::provider::{OamProvider, convert};
use oam_provider::translate::{self, Target};
use support::proxy::{Proxy, Seen};
use support::terraform::Workspace;

const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-oam");

fn main() {
    let mut ratios = vec![start()];
    memory();
    ratios.extend(translation());
    ratios.extend(codec());
    ratios.extend(manifests());
    ratios.extend(terraform());
    requests();
    println!("\nratios");
    for Ratio { of, to, value } in ratios {
        println!("{value:>8.2}  {of} / {to}");
    }
}

/// A figure in relation to its aim or its floor.
struct Ratio {
    of: &'static str,
    to: &'static str,
    value: f64,
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

fn start() -> Ratio {
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
    let (ours, floor) = (median(ours), median(floor));
    println!(
        "start to handshake line, mutual TLS, median of 101: {ours:.2} ms (aim 2; /bin/true: {floor:.2})"
    );
    Ratio {
        of: "start to handshake line",
        to: "a process that does nothing",
        value: ours / floor,
    }
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

fn translation() -> [Ratio; 2] {
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
    let translated = rate(components, || {
        for application in &applications {
            black_box(translate::translate(application, &target));
        }
    });
    let checked = rate(components, || {
        for case in &cases {
            black_box(oam::parse(&case.node).unwrap());
        }
    });
    println!(
        "translation: {translated:.0} components a second on one core (aim 50000); \
         checking and parsing them: {checked:.0}"
    );
    [
        Ratio {
            of: "components translated a second",
            to: "the aim, 50000",
            value: translated / 50_000.0,
        },
        Ratio {
            of: "components checked a second",
            to: "components translated a second",
            value: checked / translated,
        },
    ]
}

/// How many a second of its processor time, of `amount` that each round does, on one core.
#[allow(clippy::cast_precision_loss)]
fn rate(amount: usize, mut work: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let before = processor_time();
    let mut rounds = 0;
    while begin.elapsed() < Duration::from_secs(2) {
        work();
        rounds += 1;
    }
    (rounds * amount) as f64 / (processor_time() - before).as_secs_f64()
}

/// The processor time of this thread: what else the machine does is not in it.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
}

/// Values as Terraform sends them, read and written; beside libraries that know no types.
fn codec() -> [Ratio; 4] {
    let provider = OamProvider::new(|_| None);
    let (_, resource) = provider.resources().remove(0);
    let ty = resource.schema().implied_type();
    let cases = golden::cases();
    let value = |case: &golden::Case| {
        let mut value = convert::to_value(&case.node, &ty);
        convert::complete(&mut value, oam::def::application());
        value
    };
    let values: Vec<_> = cases.iter().map(value).collect();
    let packed: Vec<_> = values
        .iter()
        .map(|value| msgpack::encode(value, &ty).unwrap())
        .collect();
    let bytes = packed.iter().map(Vec::len).sum();
    let mib = |rate: f64| rate / 1024.0 / 1024.0;
    let read = mib(rate(bytes, || {
        for packed in &packed {
            black_box(msgpack::decode(packed, &ty).unwrap());
        }
    }));
    let written = mib(rate(bytes, || {
        for value in &values {
            black_box(msgpack::encode(value, &ty).unwrap());
        }
    }));
    let trees: Vec<_> = packed
        .iter()
        .map(|packed| rmpv::decode::read_value(&mut packed.as_slice()).unwrap())
        .collect();
    let rmpv_read = mib(rate(bytes, || {
        for packed in &packed {
            black_box(rmpv::decode::read_value(&mut packed.as_slice()).unwrap());
        }
    }));
    let rmpv_written = mib(rate(bytes, || {
        for tree in &trees {
            let mut out = Vec::new();
            rmpv::encode::write_value(&mut out, tree).unwrap();
            black_box(out);
        }
    }));
    let jsons: Vec<serde_json::Value> = packed
        .iter()
        .map(|packed| rmp_serde::from_slice(packed).unwrap())
        .collect();
    let serde_read = mib(rate(bytes, || {
        for packed in &packed {
            black_box(rmp_serde::from_slice::<serde_json::Value>(packed).unwrap());
        }
    }));
    let serde_written = mib(rate(bytes, || {
        for json in &jsons {
            black_box(rmp_serde::to_vec(json).unwrap());
        }
    }));
    println!(
        "values of applications, MiB a second on one core: read {read:.0} (rmpv {rmpv_read:.0}, \
         rmp-serde {serde_read:.0}), written {written:.0} (rmpv {rmpv_written:.0}, rmp-serde \
         {serde_written:.0})"
    );
    let ratio = |of, to, one: f64, other: f64| Ratio {
        of,
        to,
        value: one / other,
    };
    [
        ratio("values read by type", "read by rmpv", read, rmpv_read),
        ratio("values read by type", "read by rmp-serde", read, serde_read),
        ratio(
            "values written by type",
            "written by rmpv",
            written,
            rmpv_written,
        ),
        ratio(
            "values written by type",
            "written by rmp-serde",
            written,
            serde_written,
        ),
    ]
}

/// Portable documents, read with all their checks; beside a JSON parser that has none.
fn manifests() -> [Ratio; 1] {
    let documents: Vec<_> = golden::cases()
        .iter()
        .map(|case| oam::to_document(&case.node))
        .collect();
    let json: Vec<_> = documents.iter().map(ToString::to_string).collect();
    let yaml: Vec<_> = examples();
    let bytes = |all: &[String]| all.iter().map(String::len).sum::<usize>();
    let read = |all: &[String]| {
        rate(bytes(all), || {
            for text in all {
                black_box(oam::manifest::read(text).ok().unwrap());
            }
        }) / 1024.0
            / 1024.0
    };
    let (from_json, from_yaml) = (read(&json), read(&yaml));
    let plain = rate(bytes(&json), || {
        for text in &json {
            black_box(serde_json::from_str::<serde_json::Value>(text).unwrap());
        }
    }) / 1024.0
        / 1024.0;
    #[allow(clippy::cast_precision_loss)]
    let each = bytes(&yaml) as f64 / yaml.len() as f64 / (from_yaml * 1024.0 * 1024.0) * 1e6;
    println!(
        "manifests, MiB a second on one core: JSON {from_json:.1} (serde_json alone {plain:.0}), YAML \
         {from_yaml:.1}; {each:.0} µs for one of the examples"
    );
    [Ratio {
        of: "manifests read and checked",
        to: "the same JSON parsed by serde_json",
        value: from_json / plain,
    }]
}

/// The manifests among the examples.
fn examples() -> Vec<String> {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.extend(Some(text).filter(|text| oam::manifest::read(text).is_ok()));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// What Terraform takes with one application, and with one resource of its own.
fn terraform() -> [Ratio; 2] {
    let servers = support::servers();
    let ours = Workspace::new(servers, &HCL.replace("TYPE", "task"));
    ours.apply();
    let floor = Workspace::bare("resource \"terraform_data\" \"it\" {\n  input = \"figures\"\n}\n");
    floor.write("versions.tf", "");
    floor.apply();
    let mut ratios = Vec::new();
    for (step, of, to) in [
        (
            "validate",
            "`terraform validate` of an application",
            "of a `terraform_data`",
        ),
        (
            "plan",
            "`terraform plan` of an application",
            "of a `terraform_data`",
        ),
    ] {
        let time = |work: &Workspace| {
            let begin = Instant::now();
            work.run(&[step]).succeeded();
            begin.elapsed()
        };
        let times = (0..11).map(|_| (time(&ours), time(&floor)));
        let (with, without): (Vec<_>, Vec<_>) = times.unzip();
        let (with, without) = (median(with), median(without));
        println!(
            "terraform {step}, median of 11: {with:.0} ms, and {without:.0} ms without the provider"
        );
        ratios.push(Ratio {
            of,
            to,
            value: with / without,
        });
    }
    ours.destroy();
    let [validate, plan] = ratios.try_into().unwrap_or_else(|_| unreachable!());
    [validate, plan]
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
