//! A real Traefik in front of the jobs: it finds them in Consul's catalog by their tags.

use super::api::wait;
use super::certificates::Authority;
use super::consul::Consul;
use super::process::Server;
use super::{eventually, ports, tools};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A Traefik with the entry points `web` (HTTP) and `websecure` (HTTPS, its own certificate) on
/// 127.0.0.1. It serves what has the tag `traefik.enable=true`, a second after it is in the catalog,
/// and knows the middlewares `auth@file` (basic authentication, `joe` with `secret`) and `mark@file`
/// (answers carry `x-marked: yes`).
pub struct Traefik {
    /// Port of `web`.
    pub web: u16,
    /// Port of `websecure`.
    pub websecure: u16,
    files: PathBuf,
    server: Server,
}

/// What came back through Traefik.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Traefik {
    /// Starts it with its files in `folder`, and waits until it answers.
    pub fn start(folder: &Path, consul: &Consul, authority: Option<&Authority>) -> Self {
        for _ in 0..5 {
            if let Some(traefik) = Self::try_start(folder, consul, authority) {
                return traefik;
            }
        }
        panic!("Traefik found no free ports in five tries");
    }

    fn try_start(folder: &Path, consul: &Consul, authority: Option<&Authority>) -> Option<Self> {
        let (web, websecure, ping) = (ports::free(), ports::free(), ports::free());
        let files = folder.join("traefik");
        std::fs::create_dir_all(&files).unwrap();
        let mut endpoint = json!({ "address": format!("127.0.0.1:{}", consul.port) });
        if let Some(token) = &consul.token {
            endpoint["token"] = json!(token);
        }
        if authority.is_some() {
            endpoint["scheme"] = json!("https");
            endpoint["tls"] = json!({ "ca": folder.join("tests-ca.pem") });
        }
        let entry = |port: u16| {
            // What is still open when it is asked to end is not waited for.
            json!({
                "address": format!("127.0.0.1:{port}"),
                "transport": { "lifeCycle": { "graceTimeOut": "100ms" } },
            })
        };
        let mut secure = entry(websecure);
        secure["http"] = json!({ "tls": {} });
        let config = json!({
            "global": { "checkNewVersion": false, "sendAnonymousUsage": false },
            "log": { "level": "INFO", "noColor": true },
            "entryPoints": { "web": entry(web), "websecure": secure, "ping": entry(ping) },
            "ping": { "entryPoint": "ping" },
            "providers": {
                "consulCatalog": {
                    "exposedByDefault": false, "refreshInterval": "500ms", "endpoint": endpoint,
                },
                "file": { "directory": files, "watch": true },
            },
        });
        let file = folder.join("traefik.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let traefik = Self {
            web,
            websecure,
            files,
            server: Server::start(
                folder,
                "traefik",
                None,
                &tools::program("traefik"),
                &[&format!("--configFile={}", file.display())],
            ),
        };
        traefik.file(
            "tests",
            &json!({ "http": { "middlewares": {
                "auth": { "basicAuth": { "users": ["joe:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="] } },
                "mark": { "headers": { "customResponseHeaders": { "X-Marked": "yes" } } },
            }}}),
        );
        let ready = eventually("Traefik is up, or has ended", || {
            if traefik.server.ended() {
                return Some(false);
            }
            let address = format!("http://127.0.0.1:{ping}/ping");
            let answer = wait(async move { reqwest::get(address).await.ok() })?;
            (answer.status() == 200).then_some(true)
        });
        if ready {
            return Some(traefik);
        }
        assert!(
            traefik.server.log().contains("address already in use"),
            "Traefik ended at its start:\n{}",
            traefik.server.log_end()
        );
        None
    }

    /// The process.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Writes a file of the file provider, which Traefik reads within a second.
    pub fn file(&self, name: &str, content: &Value) {
        // Traefik reads no JSON from a folder; all JSON is YAML.
        std::fs::write(self.files.join(format!("{name}.yml")), content.to_string()).unwrap();
    }

    /// What `GET http://HOST/PATH` gives.
    pub fn get(&self, host: &str, path: &str) -> Reply {
        self.ask(false, host, path, &[])
    }

    /// What `GET` gives on `web`, or `secure` on `websecure`, with further headers.
    pub fn ask(&self, secure: bool, host: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        let (scheme, port) = if secure {
            ("https", self.websecure)
        } else {
            ("http", self.web)
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            // The name goes out in TLS too, and Traefik's own certificate is for nobody.
            .resolve(host, SocketAddr::from(([127, 0, 0, 1], port)))
            .tls_danger_accept_invalid_certs(true)
            .build()
            .expect("an HTTP client");
        let mut request = client
            .get(format!("{scheme}://{host}:{port}{path}"))
            .header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        wait(async move {
            let answer = request.send().await.expect("Traefik answers");
            let status = answer.status().as_u16();
            let headers = answer
                .headers()
                .iter()
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.as_str().to_owned(), value)
                })
                .collect();
            let body = answer.text().await.expect("Traefik's whole answer");
            Reply {
                status,
                headers,
                body,
            }
        })
    }
}
