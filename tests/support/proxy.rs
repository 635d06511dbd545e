//! A proxy before a server: counts requests, and answers, drops or holds those that a test picks.

use super::api::{Api, runtime};
use super::eventually;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A request that came by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// `GET`, `PUT`…
    pub method: String,
    /// Path and query.
    pub path: String,
}

/// What becomes of a request.
#[derive(Clone)]
pub enum Action {
    /// It goes to the server.
    Forward,
    /// It is answered with this status, these headers and this body, and never reaches the server.
    Answer(u16, Vec<(&'static str, &'static str)>, &'static str),
    /// The connection is closed without an answer; the server never sees it.
    Close,
    /// The server does it, but the connection is closed before the answer comes back.
    LoseAnswer,
    /// It waits at the gate, then goes to the server.
    Hold(Gate),
}

type Rule = Box<dyn FnMut(&Seen) -> Action + Send>;

/// Where requests wait until a test lets them pass.
#[derive(Clone)]
pub struct Gate {
    arrived: Arc<AtomicUsize>,
    open: Arc<Semaphore>,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self {
            arrived: Arc::new(AtomicUsize::new(0)),
            open: Arc::new(Semaphore::new(0)),
        }
    }

    /// Waits until a request stands before the gate.
    pub fn wait_for_arrival(&self) {
        eventually("a request arrives at the gate", || {
            (self.arrived.load(Ordering::SeqCst) > 0).then_some(())
        });
    }

    /// Lets everything pass, now and later.
    pub fn open(&self) {
        self.open.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    seen: Mutex<Vec<Seen>>,
    rule: Mutex<Rule>,
}

/// The proxy, on a loopback port of its own until it is dropped.
pub struct Proxy {
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// A proxy before `upstream` (`http://127.0.0.1:PORT`) that forwards everything.
    pub fn start(upstream: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self::with(
            upstream,
            reqwest::Client::builder().no_proxy().build().unwrap(),
        )
    }

    /// A proxy before a server's API that takes plain HTTP from everybody, and speaks to the server
    /// with TLS and a client certificate where it asks for that.
    pub fn before(api: &Api) -> Self {
        Self::with(&api.address, api.client.clone())
    }

    fn with(upstream: &str, client: reqwest::Client) -> Self {
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client,
            seen: Mutex::default(),
            rule: Mutex::new(Box::new(|_| Action::Forward)),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::clone(&shared);
        let task = runtime().spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        handle(Arc::clone(&state), request)
                    });
                    // An error here is a connection that the rule, or the client, gave up.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            address,
            shared,
            task,
        }
    }

    /// From now on this rule decides over each request.
    pub fn rule(&self, rule: impl FnMut(&Seen) -> Action + Send + 'static) {
        *self.shared.rule.lock().unwrap() = Box::new(rule);
    }

    /// The requests since the start or the last call.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Given up on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
struct Closed;

async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    let seen = Seen {
        method: request.method().to_string(),
        path: path.to_owned(),
    };
    let action = (shared.rule.lock().unwrap())(&seen);
    shared.seen.lock().unwrap().push(seen.clone());
    match action {
        Action::Forward => forward(&shared, &seen, request).await,
        Action::Close => Err(Closed),
        Action::LoseAnswer => {
            forward(&shared, &seen, request).await?;
            Err(Closed)
        }
        Action::Hold(gate) => {
            gate.arrived.fetch_add(1, Ordering::SeqCst);
            if let Ok(permit) = gate.open.acquire().await {
                permit.forget();
            }
            forward(&shared, &seen, request).await
        }
        Action::Answer(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            Ok(response.body(Full::from(body)).unwrap())
        }
    }
}

async fn forward(
    shared: &Shared,
    seen: &Seen,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let mut headers = head.headers;
    for hop in ["host", "content-length", "transfer-encoding", "connection"] {
        headers.remove(hop);
    }
    let answer = shared
        .client
        .request(head.method, format!("{}{}", shared.upstream, seen.path))
        .headers(headers)
        .body(body)
        .send()
        .await
        .map_err(|_| Closed)?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "content-length" && name != "transfer-encoding" && name != "connection" {
            response = response.header(name, value);
        }
    }
    let body = answer.bytes().await.map_err(|_| Closed)?;
    Ok(response.body(Full::from(body)).unwrap())
}
