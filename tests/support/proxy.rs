//! A proxy before a server: counts requests, and answers, drops or holds those that a test picks.

use super::api::Api;
use super::eventually;
use super::listener::serve;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{HeaderMap, Request, Response};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
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
    /// It is answered with this status, and a body that repeats the request's headers, as some proxies'
    /// error pages do; it never reaches the server.
    Echo(u16),
    /// The connection is closed without an answer; the server never sees it.
    Close,
    /// The server does it, but the connection is closed before the answer comes back.
    LoseAnswer,
    /// The server does it, but it is answered with this status, these headers and this body.
    AnswerAfter(u16, Vec<(&'static str, &'static str)>, &'static str),
    /// The server does it, and the connection is closed in the middle of the answer's body.
    CutAnswer,
    /// The server does it, and half of the answer's body comes back as if it were all.
    Truncate,
    /// It goes to the server after this time, whether the client still waits or not.
    Delay(Duration),
    /// The server does it; the answer comes back after this time.
    DelayAnswer(Duration),
    /// A read is answered as the first one of the same path was; other requests go to the server.
    Stale,
    /// It waits at the gate, then goes to the server.
    Hold(Gate),
    /// The server does it, and the answer waits at the gate.
    HoldAnswer(Gate),
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
            self.has_arrival().then_some(())
        });
    }

    /// Whether a request stands, or stood, before the gate.
    pub fn has_arrival(&self) -> bool {
        self.arrived.load(Ordering::SeqCst) > 0
    }

    async fn pass(&self) {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        if let Ok(permit) = self.open.acquire().await {
            permit.forget();
        }
    }

    /// Lets everything pass, now and later.
    pub fn open(&self) {
        self.open.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

struct Shared {
    upstreams: Vec<String>,
    client: reqwest::Client,
    seen: Mutex<Vec<Seen>>,
    answers: Mutex<Vec<(Seen, String)>>,
    rule: Mutex<Rule>,
    /// The first answer to each read, by its path and query without what makes it a blocking query.
    first: Mutex<BTreeMap<String, Copied>>,
    /// The last answer to each other request, by its path.
    last: Mutex<BTreeMap<String, Bytes>>,
}

/// An answer as a server gave it.
#[derive(Clone)]
struct Copied {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

type Body = UnsyncBoxBody<Bytes, Closed>;

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
        Self::before_all(&[upstream])
    }

    /// A proxy before several servers: each request goes to the first of them that can be reached.
    pub fn before_all(upstreams: &[&str]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self::with(
            upstreams,
            reqwest::Client::builder().no_proxy().build().unwrap(),
        )
    }

    /// A proxy before a server's API that takes plain HTTP from everybody, and speaks to the server
    /// with TLS and a client certificate where it asks for that.
    pub fn before(api: &Api) -> Self {
        Self::with(&[&api.address], api.client.clone())
    }

    fn with(upstreams: &[&str], client: reqwest::Client) -> Self {
        let shared = Arc::new(Shared {
            upstreams: upstreams.iter().map(|&it| it.to_owned()).collect(),
            client,
            seen: Mutex::default(),
            answers: Mutex::default(),
            rule: Mutex::new(Box::new(|_| Action::Forward)),
            first: Mutex::default(),
            last: Mutex::default(),
        });
        let state = Arc::clone(&shared);
        let (address, task) = serve(move |request| handle(Arc::clone(&state), request));
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

    /// What the server last answered to a request at this path that was no read.
    pub fn last_answer(&self, path: &str) -> Option<String> {
        let last = self.shared.last.lock().unwrap();
        Some(String::from_utf8_lossy(last.get(path)?).into_owned())
    }

    /// What the server has answered to writes.
    pub fn answers(&self) -> Vec<(Seen, String)> {
        self.shared.answers.lock().unwrap().clone()
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

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    let seen = Seen {
        method: request.method().to_string(),
        path: path.to_owned(),
    };
    let action = (shared.rule.lock().unwrap())(&seen);
    shared.seen.lock().unwrap().push(seen.clone());
    if let Action::Echo(status) = action {
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| {
            format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
        });
        let body = format!("no good request:\n{}", headers.collect::<String>());
        return Ok(answer(status, Vec::new(), &body));
    }
    // In a task of its own, so that it goes on when the client gives up.
    let forward = |wait: Duration| {
        let task = tokio::spawn(forward(shared.clone(), seen.clone(), request, wait));
        async move { task.await.map_err(|_| Closed)? }
    };
    match action {
        Action::Forward => Ok(forward(Duration::ZERO).await?.whole()),
        Action::Close | Action::Echo(_) => Err(Closed),
        Action::LoseAnswer => {
            forward(Duration::ZERO).await?;
            Err(Closed)
        }
        Action::AnswerAfter(status, headers, body) => {
            forward(Duration::ZERO).await?;
            Ok(answer(status, headers, body))
        }
        Action::CutAnswer => Ok(forward(Duration::ZERO).await?.cut()),
        Action::Truncate => {
            let mut copied = forward(Duration::ZERO).await?;
            copied.body.truncate(copied.body.len() / 2);
            Ok(copied.whole())
        }
        Action::Delay(time) => Ok(forward(time).await?.whole()),
        Action::DelayAnswer(time) => {
            let copied = forward(Duration::ZERO).await?;
            tokio::time::sleep(time).await;
            Ok(copied.whole())
        }
        Action::Stale => {
            let first = shared.first.lock().unwrap().get(&plain(&seen)).cloned();
            match first.filter(|_| seen.method == "GET") {
                Some(copied) => Ok(copied.whole()),
                None => Ok(forward(Duration::ZERO).await?.whole()),
            }
        }
        Action::Hold(gate) => {
            gate.pass().await;
            Ok(forward(Duration::ZERO).await?.whole())
        }
        Action::HoldAnswer(gate) => {
            let copied = forward(Duration::ZERO).await?;
            gate.pass().await;
            Ok(copied.whole())
        }
        Action::Answer(status, headers, body) => Ok(answer(status, headers, body)),
    }
}

fn answer(status: u16, headers: Vec<(&'static str, &'static str)>, body: &str) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(whole(body.to_owned().into())).unwrap()
}

fn whole(body: Bytes) -> Body {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

impl Copied {
    fn response(&self) -> hyper::http::response::Builder {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        response
    }

    fn whole(self) -> Response<Body> {
        self.response().body(whole(self.body)).unwrap()
    }

    /// Half of the body, where the header promises all of it.
    fn cut(self) -> Response<Body> {
        let response = self.response().header("content-length", self.body.len());
        let half = self.body.slice(..self.body.len() / 2);
        let frames = tokio_stream::iter([Ok(Frame::data(half)), Err(Closed)]);
        response
            .body(StreamBody::new(frames).boxed_unsync())
            .unwrap()
    }
}

/// The path and query of a request, without what makes a blocking query of it.
pub fn plain(seen: &Seen) -> String {
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    let query = query.split('&');
    let query: Vec<_> = query
        .filter(|part| !part.starts_with("index=") && !part.starts_with("wait="))
        .collect();
    format!("{path}?{}", query.join("&"))
}

async fn forward(
    shared: Arc<Shared>,
    seen: Seen,
    request: Request<Incoming>,
    wait: Duration,
) -> Result<Copied, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    tokio::time::sleep(wait).await;
    let mut headers = head.headers;
    for hop in ["host", "content-length", "transfer-encoding", "connection"] {
        headers.remove(hop);
    }
    let mut sent = Err(Closed);
    for upstream in &shared.upstreams {
        let request = shared
            .client
            .request(head.method.clone(), format!("{upstream}{}", seen.path))
            .headers(headers.clone())
            .body(body.clone());
        match request.send().await {
            Ok(answer) => {
                sent = Ok(answer);
                break;
            }
            Err(error) if error.is_connect() => {}
            Err(_) => return Err(Closed),
        }
    }
    let answer = sent?;
    let status = answer.status().as_u16();
    let mut headers = answer.headers().clone();
    for hop in ["content-length", "transfer-encoding", "connection"] {
        headers.remove(hop);
    }
    let body = answer.bytes().await.map_err(|_| Closed)?;
    let copied = Copied {
        status,
        headers,
        body,
    };
    if seen.method == "GET" {
        let mut first = shared.first.lock().unwrap();
        first.entry(plain(&seen)).or_insert_with(|| copied.clone());
    } else {
        let path = seen.path.split('?').next().unwrap_or_default().to_owned();
        let mut last = shared.last.lock().unwrap();
        last.insert(path, copied.body.clone());
        let text = String::from_utf8_lossy(&copied.body).into_owned();
        shared.answers.lock().unwrap().push((seen.clone(), text));
    }
    Ok(copied)
}
