//! A plain client for the servers' own HTTP APIs, to look at what the provider did and to meddle.

use reqwest::Method;
use serde_json::Value;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();

/// The runtime that the harness works on, apart from any that a test runs in.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    })
}

/// Waits for a future, from a plain test as well as from within a `tokio::test`.
pub fn wait<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (send, receive) = std::sync::mpsc::channel();
    runtime().spawn(async move {
        let _ = send.send(future.await);
    });
    receive.recv().expect("the harness's task ends well")
}

/// One server's API.
#[derive(Clone)]
pub struct Api {
    /// `http://127.0.0.1:PORT`, or `https://…` with TLS on.
    pub address: String,
    /// The token that may do everything, with ACLs on.
    pub token: Option<String>,
    pub(super) client: reqwest::Client,
    token_header: &'static str,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, which may be no JSON.
    pub body: String,
    /// `X-Consul-Index` or `X-Nomad-Index`, if sent.
    pub index: Option<u64>,
}

impl Answer {
    /// The body as JSON; panics if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.body))
    }
}

impl Api {
    /// A client that trusts `authority` (PEM) and shows `identity` (certificate and key, PEM).
    pub fn new(
        address: String,
        token_header: &'static str,
        token: Option<String>,
        authority: Option<&str>,
        identity: Option<&str>,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificates = authority.map(|pem| {
            vec![reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate in PEM")]
        });
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .tls_certs_only(certificates.unwrap_or_default());
        if let Some(pem) = identity {
            builder = builder
                .identity(reqwest::Identity::from_pem(pem.as_bytes()).expect("an identity in PEM"));
        }
        Self {
            address,
            token,
            client: builder.build().expect("an HTTP client"),
            token_header,
        }
    }

    /// The same server, asked with another token, or none.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self {
            token: token.map(str::to_owned),
            ..self.clone()
        }
    }

    /// Sends a request and returns whatever comes back; `None` where no answer came.
    pub fn ask(&self, method: Method, path: &str, body: Option<String>) -> Option<Answer> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header(self.token_header, token);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        wait(async move {
            let response = request.send().await.ok()?;
            let status = response.status().as_u16();
            let index = ["x-nomad-index", "x-consul-index"]
                .iter()
                .find_map(|name| response.headers().get(*name)?.to_str().ok()?.parse().ok());
            let body = response.text().await.ok()?;
            Some(Answer {
                status,
                body,
                index,
            })
        })
    }

    /// Sends a request that must be answered with success.
    pub fn must(&self, method: Method, path: &str, body: Option<String>) -> Answer {
        let answer = self
            .ask(method.clone(), path, body)
            .unwrap_or_else(|| panic!("{method} {path}: no answer from {}", self.address));
        assert!(
            (200..300).contains(&answer.status),
            "{method} {path}: {} {}",
            answer.status,
            answer.body
        );
        answer
    }

    /// The JSON at a path that must be there.
    pub fn get(&self, path: &str) -> Value {
        self.must(Method::GET, path, None).json()
    }

    /// The JSON at a path, or `None` where the server says 404.
    pub fn find(&self, path: &str) -> Option<Value> {
        let answer = self
            .ask(Method::GET, path, None)
            .unwrap_or_else(|| panic!("GET {path}: no answer from {}", self.address));
        match answer.status {
            404 => None,
            200 => Some(answer.json()),
            status => panic!("GET {path}: {status} {}", answer.body),
        }
    }

    /// Puts JSON; the answer must be a success.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.must(Method::PUT, path, Some(body.to_string()))
    }

    /// Posts JSON; the answer must be a success.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.must(Method::POST, path, Some(body.to_string()))
    }

    /// Deletes; the answer must be a success.
    pub fn delete(&self, path: &str) -> Answer {
        self.must(Method::DELETE, path, None)
    }
}
