//! Servers that say that they are Enterprise builds, before real ones that are not.
//!
//! What only Enterprise builds know (namespaces, quotas, what is mounted in a namespace of Vault) is kept
//! here; everything else goes to the real server, without the namespace that it names. Which it names is
//! noted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use serde_json::{Value, json};

use crate::support::listener::serve;

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// `PUT /v1/namespace/acme`, without the query.
    pub what: String,
    /// The namespace that it names.
    pub space: Option<String>,
    /// Whether it asks for a list.
    list: bool,
    /// The body as JSON; null where there is none.
    pub body: Value,
}

/// What is kept here, by its path.
pub type Kept = BTreeMap<String, Value>;

type Answers = fn(&mut Kept, &Asked) -> Option<(u16, Value)>;

/// One such server, on a loopback port of its own until it is dropped.
pub struct Facade {
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    upstream: String,
    answers: Answers,
    client: reqwest::Client,
    kept: Mutex<Kept>,
    seen: Mutex<Vec<Asked>>,
}

impl Facade {
    fn before(upstream: &str, answers: Answers) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            answers,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            kept: Mutex::default(),
            seen: Mutex::default(),
        });
        let state = Arc::clone(&shared);
        let (address, task) = serve(move |request| handle(Arc::clone(&state), request));
        Self {
            address,
            shared,
            task,
        }
    }

    /// A Nomad.
    pub fn nomad(upstream: &str) -> Self {
        Self::before(upstream, nomad)
    }

    /// A Consul.
    pub fn consul(upstream: &str) -> Self {
        Self::before(upstream, consul)
    }

    /// A Vault.
    pub fn vault(upstream: &str) -> Self {
        Self::before(upstream, vault)
    }

    /// Changes what is kept here, as an operator would.
    pub fn edit(&self, change: impl FnOnce(&mut Kept)) {
        change(&mut self.shared.kept.lock().unwrap());
    }

    /// What is kept at a path.
    pub fn kept(&self, path: &str) -> Option<Value> {
        self.shared.kept.lock().unwrap().get(path).cloned()
    }

    /// What was written since the start or the last call.
    pub fn take_writes(&self) -> Vec<Asked> {
        let seen = std::mem::take(&mut *self.shared.seen.lock().unwrap());
        seen.into_iter()
            .filter(|asked| !asked.what.starts_with("GET "))
            .collect()
    }
}

impl Drop for Facade {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let query: Vec<_> = head.uri.query().unwrap_or_default().split('&').collect();
    let mut headers = head.headers;
    let of_vault = headers.remove("x-vault-namespace");
    let of_vault = of_vault.map(|value| value.to_str().unwrap().to_owned());
    let of_consul = query.iter().find_map(|part| part.strip_prefix("ns="));
    let asked = Asked {
        what: format!("{} {}", head.method, head.uri.path()),
        space: of_vault.or_else(|| of_consul.map(str::to_owned)),
        list: query.contains(&"list=true"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    shared.seen.lock().unwrap().push(asked.clone());
    let answer = (shared.answers)(&mut shared.kept.lock().unwrap(), &asked);
    if let Some((status, answer)) = answer {
        let text = match answer {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        let response = Response::builder().status(status);
        return Ok(response.body(Full::new(text.into())).unwrap());
    }
    for hop in ["host", "content-length", "transfer-encoding", "connection"] {
        headers.remove(hop);
    }
    let rest: Vec<_> = query
        .into_iter()
        .filter(|it| !it.starts_with("ns="))
        .collect();
    let url = format!("{}{}?{}", shared.upstream, head.uri.path(), rest.join("&"));
    // A quota is kept here.
    let of_nomad = asked.what.contains(" /v1/namespace/");
    let body = match asked.body.as_object() {
        Some(fields) if of_nomad => {
            let mut fields = fields.clone();
            fields.remove("Quota");
            Value::from(fields).to_string().into()
        }
        _ => body,
    };
    let sent = shared.client.request(head.method, url).headers(headers);
    let answer = sent.body(body).send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !matches!(
            name.as_str(),
            "content-length" | "transfer-encoding" | "connection"
        ) {
            response = response.header(name, value);
        }
    }
    let mut body = answer.bytes().await.unwrap();
    let path = head.uri.path();
    let quota = shared.kept.lock().unwrap().get(path).cloned();
    if let (true, Some(quota), Ok(Value::Object(mut fields))) =
        (of_nomad, quota, serde_json::from_slice(&body))
    {
        fields.insert("Quota".to_owned(), quota);
        body = Value::from(fields).to_string().into();
    }
    Ok(response.body(Full::new(body)).unwrap())
}

/// A thing that is kept as it is written.
fn kept(kept: &mut Kept, asked: &Asked) -> Option<(u16, Value)> {
    let (method, path) = asked.what.split_once(' ').unwrap();
    Some(match method {
        "GET" => match kept.get(path) {
            Some(value) => (200, value.clone()),
            None => (404, Value::Null),
        },
        "DELETE" => {
            kept.remove(path);
            (200, Value::Null)
        }
        _ => {
            kept.insert(path.to_owned(), asked.body.clone());
            (200, json!({}))
        }
    })
}

fn nomad(all: &mut Kept, asked: &Asked) -> Option<(u16, Value)> {
    match asked.what.as_str() {
        "GET /v1/quotas" => Some((200, json!([]))),
        // One is written without its name in the path.
        "PUT /v1/quota" => {
            let name = asked.body["Name"].as_str().unwrap();
            all.insert(format!("/v1/quota/{name}"), asked.body.clone());
            Some((200, Value::Null))
        }
        what if what.contains(" /v1/quota/") => kept(all, asked),
        what if what.starts_with("PUT /v1/namespace/") => {
            let path = what.trim_start_matches("PUT ").to_owned();
            all.insert(path, asked.body["Quota"].clone());
            None
        }
        _ => None,
    }
}

fn consul(all: &mut Kept, asked: &Asked) -> Option<(u16, Value)> {
    match (asked.what.as_str(), &asked.space) {
        ("GET /v1/agent/version", _) => Some((200, json!({ "HumanVersion": "1.22.3+ent" }))),
        (what, _) if what.contains(" /v1/namespace/") => kept(all, asked),
        // What is in a namespace of a tenant's.
        ("GET /v1/kv/" | "GET /v1/catalog/services", Some(_)) => {
            kept(all, asked).map(|answer| match (answer, asked.what.as_str()) {
                ((404, _), "GET /v1/catalog/services") => (200, json!({})),
                (answer, _) => answer,
            })
        }
        _ => None,
    }
}

fn vault(all: &mut Kept, asked: &Asked) -> Option<(u16, Value)> {
    let no_names = (404, json!({ "errors": [] }));
    let done = Some((204, Value::Null));
    let what = asked.what.as_str();
    if what == "GET /v1/sys/health" {
        let health = json!({ "initialized": true, "sealed": false, "version": "1.21.0+ent" });
        return Some((200, health));
    }
    let Some(space) = &asked.space else {
        if !what.contains(" /v1/sys/namespaces/") {
            return None;
        }
        let path = what.split_once(' ').unwrap().1.to_owned();
        return match what.split_once(' ').unwrap().0 {
            "GET" => Some(match all.get(&path) {
                Some(meta) => (200, json!({ "data": { "custom_metadata": meta } })),
                None => no_names,
            }),
            "DELETE" => {
                let name = path.rsplit('/').next().unwrap().to_owned();
                all.retain(|it, _| *it != path && !it.starts_with(&format!("{name} ")));
                done
            }
            "PATCH" => {
                let more = asked.body["custom_metadata"].as_object().unwrap().clone();
                all.get_mut(&path)
                    .unwrap()
                    .as_object_mut()
                    .unwrap()
                    .extend(more);
                done
            }
            _ => {
                // As Vault does: the meta of one that is there stays.
                let meta = asked.body["custom_metadata"].clone();
                all.entry(path).or_insert(meta);
                done
            }
        };
    };
    let has = |all: &Kept, thing: &str| all.contains_key(&format!("{space} {thing}"));
    match what {
        "GET /v1/auth/jwt-nomad/config" => Some(match all.get(&format!("{space} login")) {
            Some(config) => (200, json!({ "data": config })),
            None => (
                404,
                json!({ "errors": ["no handler for route \"auth/jwt-nomad/config\""] }),
            ),
        }),
        "POST /v1/auth/jwt-nomad/config" => {
            all.insert(format!("{space} login"), asked.body.clone());
            done
        }
        "POST /v1/sys/auth/jwt-nomad" => done,
        "GET /v1/sys/internal/ui/mounts/secret" => Some(match has(all, "secret") {
            true => (
                200,
                json!({ "data": { "type": "kv", "options": { "version": "2" } } }),
            ),
            false => (
                403,
                json!({ "errors": ["preflight capability check returned 403"] }),
            ),
        }),
        "POST /v1/sys/mounts/secret" => {
            all.insert(format!("{space} secret"), asked.body.clone());
            done
        }
        "GET /v1/sys/mounts" => {
            let mut mounts = json!({
                "sys/": { "type": "ns_system" },
                "identity/": { "type": "ns_identity" },
                "cubbyhole/": { "type": "ns_cubbyhole" },
            });
            if has(all, "secret") {
                mounts["secret/"] = json!({ "type": "kv" });
            }
            Some((200, json!({ "data": mounts })))
        }
        "GET /v1/sys/namespaces" if asked.list => Some(no_names),
        "GET /v1/secret/metadata" if asked.list => Some(match all.get(&format!("{space} names")) {
            Some(names) => (200, json!({ "data": { "keys": names } })),
            None => no_names,
        }),
        _ => None,
    }
}
