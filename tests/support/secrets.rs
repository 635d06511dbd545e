//! Looks for secrets that a test has planted, in whatever form they may have got somewhere.

use super::Servers;
use super::api::Api;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use reqwest::Method;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The shortest part of a secret that is looked for.
const SHORTEST: usize = 8;

/// Secrets by names that may be told.
#[derive(Default, Clone)]
pub struct Planted(Vec<Needle>);

#[derive(Clone)]
struct Needle {
    what: String,
    text: String,
}

impl Planted {
    /// Plants a secret: it, its halves, and what becomes of it in JSON, in URLs, in base64 at any place,
    /// and in hexadecimal digits are looked for from now on. Of one with several lines, each long one is.
    pub fn plant(&mut self, name: &str, secret: &str) {
        let lines: Vec<_> = secret
            .lines()
            .filter(|line| line.len() >= SHORTEST)
            .collect();
        assert!(!lines.is_empty(), "{name} is too short to be looked for");
        for line in lines.iter().filter(|line| !line.starts_with("-----")) {
            self.plant_line(name, line);
        }
    }

    fn plant_line(&mut self, name: &str, secret: &str) {
        let mut forms = vec![
            ("as it is", secret.to_owned()),
            ("in JSON", json(secret)),
            (
                "in HTML",
                secret.replace('"', "&quot;").replace('\'', "&#39;"),
            ),
            ("in a URL", url(secret, false)),
            ("in a URL, lower case", url(secret, true)),
            ("in hexadecimal digits", hex(secret)),
            ("in capitals", secret.to_ascii_uppercase()),
        ];
        for filler in 0..3 {
            for (form, engine) in [("in base64", &STANDARD), ("in base64 for URLs", &URL_SAFE)] {
                for secret in [secret, &json(secret)] {
                    let whole = engine.encode([&b"___"[..filler], secret.as_bytes()].concat());
                    // The first and the last characters are of what stands around it, too.
                    let from = (filler * 8).div_ceil(6);
                    let to = (filler + secret.len()) * 8 / 6;
                    forms.push((form, whole[from..to].to_owned()));
                }
            }
        }
        if secret.is_ascii() && secret.len() >= 2 * SHORTEST {
            let (first, second) = secret.split_at(secret.len() / 2);
            forms.push(("its first half", first.to_owned()));
            forms.push(("its second half", second.to_owned()));
        }
        for (form, text) in forms {
            if !self.0.iter().any(|needle| needle.text == text) {
                let what = format!("{name}, {form}");
                self.0.push(Needle { what, text });
            }
        }
    }

    /// What of it is in a text, also where the text is broken into lines or pieces.
    pub fn within(&self, text: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(text);
        let squeezed = squeeze(&text);
        let found = self.0.iter().filter(|needle| {
            text.contains(&needle.text) || squeezed.contains(&squeeze(&needle.text))
        });
        found.map(|needle| needle.what.clone()).collect()
    }

    /// Says that nothing of it is in a text.
    pub fn none_in(&self, place: &str, text: impl AsRef<[u8]>) {
        let found = self.within(text.as_ref());
        assert!(found.is_empty(), "in {place}: {found:#?}");
    }

    /// Says that nothing of it is in any file of a folder and of those in it; archives are unpacked. Answers
    /// all that was read, each file with its name.
    pub fn none_in_files(&self, folder: &Path) -> String {
        let mut all = String::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                all += &self.none_in_files(&path);
            } else if kind.is_file() {
                let mut text = std::fs::read(&path).unwrap();
                if text.starts_with(b"PK") {
                    text.extend(unpacked(&path));
                }
                self.none_in(&path.display().to_string(), &text);
                let text = String::from_utf8_lossy(&text);
                all += &format!("=== {}\n{text}\n", path.display());
            }
        }
        all
    }

    /// Says that nothing of it is in what Consul and Nomad keep and have logged. Answers all that was read.
    ///
    /// Their own ACL tokens are left out: those are where they belong.
    pub fn none_in_servers(&self, servers: &Servers) -> String {
        let mut all = String::new();
        let mut look = |place: &str, text: &str| {
            self.none_in(place, text);
            all += &format!("=== {place}\n{text}\n");
        };
        let consul = &servers.consul;
        for entry in list(consul, "/v1/kv/?recurse") {
            let value = entry["Value"].as_str().unwrap_or_default();
            let value = STANDARD.decode(value).unwrap();
            let key = format!("Consul's key {}", entry["Key"]);
            look(&key, &String::from_utf8_lossy(&value));
        }
        for path in [
            "/v1/agent/services",
            "/v1/agent/checks",
            "/v1/catalog/services",
            "/v1/session/list",
            "/v1/event/list",
            "/v1/config/service-intentions",
        ] {
            look(path, &text(consul, path));
        }
        look("Consul's log", &servers.consul.server().log());
        let nomad = &servers.nomad;
        for path in [
            "/v1/jobs?namespace=*&meta=true",
            "/v1/allocations?namespace=*&task_states=true&resources=true",
            "/v1/evaluations?namespace=*",
            "/v1/deployments?namespace=*",
            "/v1/namespaces",
            "/v1/node/pools",
            "/v1/volumes?namespace=*",
            "/v1/services?namespace=*",
        ] {
            look(path, &text(nomad, path));
        }
        for job in list(nomad, "/v1/jobs?namespace=*") {
            let [id, namespace] = ["ID", "Namespace"].map(|it| job[it].as_str().unwrap());
            for part in [
                "",
                "/versions",
                "/evaluations",
                "/deployments",
                "/submission",
            ] {
                let path = format!("/v1/job/{id}{part}?namespace={namespace}");
                look(&path, &text(nomad, &path));
            }
        }
        for allocation in list(nomad, "/v1/allocations?namespace=*") {
            let path = format!("/v1/allocation/{}", allocation["ID"].as_str().unwrap());
            look(&path, &text(nomad, &path));
        }
        for variable in list(nomad, "/v1/vars?namespace=*") {
            let [path, namespace] = ["Path", "Namespace"].map(|it| variable[it].as_str().unwrap());
            let path = format!("/v1/var/{path}?namespace={namespace}");
            look(&path, &text(nomad, &path));
        }
        look("Nomad's events", &events(nomad));
        look("Nomad's log", &servers.nomad.server().log());
        all
    }
}

/// What Nomad's stream of events has so far: from the first one that it remembers to the first pause.
/// Over a bare connection, since the answer says that it is HTTP/0.0; with TLS on, nothing.
fn events(nomad: &Api) -> String {
    let Some(address) = nomad.address.strip_prefix("http://") else {
        return String::new();
    };
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let token = nomad.token.as_deref().unwrap_or_default();
    write!(
        stream,
        "GET /v1/event/stream?namespace=*&index=1 HTTP/1.1\r\nHost: {address}\r\nX-Nomad-Token: {token}\r\n\r\n"
    )
    .unwrap();
    let mut text = Vec::new();
    let mut chunk = [0; 65536];
    // The stream has no end: what it has so far comes at once, and then nothing for a while.
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        text.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What a server answers, if only that there is no such thing.
fn text(api: &Api, path: &str) -> String {
    let answer = api.ask(Method::GET, path, None);
    answer.unwrap_or_else(|| panic!("{path}: no answer")).body
}

fn list(api: &Api, path: &str) -> Vec<Value> {
    let found = api.find(path).unwrap_or_default();
    found.as_array().cloned().unwrap_or_default()
}

/// The files in an archive, each with its name.
fn unpacked(archive: &Path) -> Vec<u8> {
    let unpack = "import sys, zipfile\nout = sys.stdout.buffer\nwith zipfile.ZipFile(sys.argv[1]) as z:\n  \
                  for n in z.namelist(): out.write(b'\\n--- ' + n.encode() + b'\\n' + z.read(n))";
    let output = Command::new("python3")
        .args(["-c", unpack])
        .arg(archive)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// The text without what a log or an encoder may have put between its parts.
fn squeeze(text: &str) -> String {
    text.replace("\\n", "")
        .replace("\\r", "")
        .replace("\\t", "")
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\\' | '\0'))
        .collect()
}

fn json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn url(text: &str, lower: bool) -> String {
    let encoded = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte if lower => format!("%{byte:02x}"),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
