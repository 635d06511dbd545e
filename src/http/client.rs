//! Sends requests to one server.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracing::debug;
use url::{Host, Url};

use super::error::kind_of;
use super::turns::Turns;
use super::{Endpoint, Error, Kind, Secret, Server, SettingsError, Token};

/// How often a request is sent at most.
const TRIES: u32 = 3;
/// The same while the servers have no leader: in about ten seconds they have elected one.
const LEADERLESS_TRIES: u32 = 8;
/// First pause between two tries; doubled after each. The real pause is half of it up to all of it.
const BACKOFF: Duration = Duration::from_millis(250);
/// Longest pause that nobody has asked for.
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// Longest `Retry-After` that is waited for. A server that asks for more is reported at once.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Longest time for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest part of a server's text that a message shows, in characters.
const LONGEST_MESSAGE: usize = 2000;

/// What a path segment may hold unencoded (RFC 3986, `unreserved`).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A client for one server. Cheap to make and to clone: the connection pool is built at the first
/// request, shared by all clones, and kept alive between requests.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    built: OnceLock<Result<Built, SettingsError>>,
    requests: AtomicU64,
    changes: Arc<AtomicU64>,
    turns: Turns,
}

#[derive(Debug)]
struct Built {
    http: reqwest::Client,
    token: Option<Secret>,
}

/// Whether a request may be sent again when the server may have done it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Yes: a read, or a write that changes nothing the second time.
    Always,
    /// No: only where the server cannot have done it.
    Unsent,
}

/// One request.
#[derive(Debug)]
pub struct Request {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    wait: Duration,
    repeat: Repeat,
    changes: bool,
}

impl Request {
    /// A read of `segments`, which are percent-encoded one by one.
    pub fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments, Repeat::Always)
    }

    /// A `PUT` of `segments`.
    pub fn put(segments: &[&str], repeat: Repeat) -> Self {
        Self::new(Method::PUT, segments, repeat)
    }

    /// A `POST` to `segments`.
    pub fn post(segments: &[&str], repeat: Repeat) -> Self {
        Self::new(Method::POST, segments, repeat)
    }

    /// A `PATCH` of `segments`, whose body is merged into what is there (RFC 7396).
    pub fn patch(segments: &[&str], repeat: Repeat) -> Self {
        Self::new(Method::PATCH, segments, repeat)
            .header_some("content-type", Some("application/merge-patch+json"))
    }

    /// A `DELETE` of `segments`.
    pub fn delete(segments: &[&str], repeat: Repeat) -> Self {
        Self::new(Method::DELETE, segments, repeat)
    }

    fn new(method: Method, segments: &[&str], repeat: Repeat) -> Self {
        let mut path = "/v1".to_owned();
        for segment in segments {
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        Self {
            changes: method != Method::GET,
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            wait: Duration::ZERO,
            repeat,
        }
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Adds a query parameter where there is a value.
    pub fn query_some(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Adds a header where there is a value.
    pub fn header_some(mut self, name: &'static str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.headers.push((name, value.to_owned()));
        }
        self
    }

    /// Says of a `PUT` or `POST` that it is a question: what was read before stays true.
    pub fn question(mut self) -> Self {
        self.changes = false;
        self
    }

    /// Sets the JSON body.
    pub fn body(mut self, json: Vec<u8>) -> Self {
        self.body = Some(json);
        self
    }

    /// Makes a blocking query of it: the server answers when its index is past `index`, or after
    /// about `wait` (both servers add up to a sixteenth); sooner where many wait at once.
    pub fn blocking(mut self, index: u64, wait: Duration) -> Self {
        // Zero would mean the server's own default, five minutes.
        self.wait = wait.max(Duration::from_millis(1));
        self.query("index", index.to_string())
    }

    /// `GET`, `PUT`, … for messages.
    pub(super) fn method_name(&self) -> &'static str {
        match self.method {
            Method::GET => "GET",
            Method::PUT => "PUT",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            _ => "request",
        }
    }
}

/// A good answer (2xx).
#[derive(Debug)]
pub struct Answer {
    body: Vec<u8>,
    index: Option<u64>,
    next_page: Option<String>,
    endpoint: Arc<Inner>,
    method: &'static str,
    path: String,
}

impl Answer {
    /// The index for the next blocking query, where the server sent one above zero.
    pub fn index(&self) -> Option<u64> {
        self.index
    }

    /// What to ask for the next page of a list with, where there is one (Nomad alone has pages).
    pub fn next_page(&self) -> Option<&str> {
        self.next_page.as_deref()
    }

    /// The body as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`Kind::Unreadable`] where it is not JSON or not of the form asked for.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            self.unreadable(format!("the body is not the expected JSON ({error})"))
        })
    }

    /// The error for an answer that breaks the API's promise.
    pub fn unreadable(&self, message: impl Into<String>) -> Error {
        let kind = Kind::Unreadable {
            message: message.into(),
        };
        Error::new(&self.endpoint.endpoint, self.method, &self.path, kind)
    }

    /// The error for an answer that is good HTTP but says that nothing was done.
    pub fn failed(&self, kind: Kind) -> Error {
        Error::new(&self.endpoint.endpoint, self.method, &self.path, kind)
    }
}

impl Client {
    /// A client for `endpoint`. Does no work yet.
    pub fn new(endpoint: Endpoint) -> Self {
        Self::counting(endpoint, Arc::default())
    }

    /// A client for another endpoint that may lead to the same servers: they count their
    /// [changes](Client::changes) together.
    pub fn beside(&self, endpoint: Endpoint) -> Self {
        Self::counting(endpoint, Arc::clone(&self.inner.changes))
    }

    fn counting(endpoint: Endpoint, changes: Arc<AtomicU64>) -> Self {
        Self {
            inner: Arc::new(Inner {
                endpoint,
                built: OnceLock::new(),
                requests: AtomicU64::new(0),
                changes,
                turns: Turns::default(),
            }),
        }
    }

    /// The endpoint it speaks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    /// How many HTTP requests were sent, each try counted.
    pub fn requests(&self) -> u64 {
        self.inner.requests.load(Ordering::Relaxed)
    }

    /// A number that is another one after anything was written through this client than before. It moves
    /// when a write begins and when it ends, so what was read while it stood still is as it was.
    pub fn changes(&self) -> u64 {
        self.inner.changes.load(Ordering::SeqCst)
    }

    /// Sends the request, and sends it again where that is safe: up to three times, with growing
    /// pauses, `Retry-After` honoured; up to eight times while the servers have no leader. A connection that was not made, a 429 and a leaderless
    /// server are tried again for every request; a cut connection and a 5xx only for
    /// [`Repeat::Always`]; a timeout never.
    ///
    /// # Errors
    /// Every [`Kind`] but [`Kind::Conflict`].
    pub async fn send(&self, request: Request) -> Result<Answer, Error> {
        // Also where the future is dropped half way: the server may be at it.
        let _change = request.changes.then(|| Change::begin(&self.inner.changes));
        let Inner {
            endpoint,
            built,
            requests,
            ..
        } = self.inner.as_ref();
        let fail = |kind| Error::new(endpoint, request.method_name(), &request.path, kind);
        let url = address(endpoint, &request).map_err(fail)?;
        let built = match built.get_or_init(|| build(endpoint)) {
            Ok(built) => built,
            Err(error) => return Err(fail(Kind::Setup(Box::new(error.clone())))),
        };
        let mut attempt = 1;
        loop {
            requests.fetch_add(1, Ordering::Relaxed);
            let started = Instant::now();
            let outcome = self.once(built, &url, &request).await;
            let ms = started.elapsed().as_millis();
            let (method, path, server) =
                (request.method_name(), &request.path, endpoint.server.name());
            let failure = match outcome {
                Ok((status, answer)) => {
                    debug!(server, method, path, status, ms, "request");
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            debug!(server, method, path, status = failure.status, ms, error = ?failure.kind, "request failed");
            let tries = match &failure.kind {
                Kind::NoLeader { .. } => LEADERLESS_TRIES,
                _ => TRIES,
            };
            let again = attempt < tries && may_repeat(&failure.kind, request.repeat);
            match pause(&failure, attempt) {
                Some(pause) if again => tokio::time::sleep(pause).await,
                _ => {
                    return Err(Error {
                        attempts: attempt,
                        ..fail(failure.kind)
                    });
                }
            }
            attempt += 1;
        }
    }

    async fn once(
        &self,
        built: &Built,
        url: &Url,
        request: &Request,
    ) -> Result<(u16, Answer), Failure> {
        let turn = self.inner.turns.take(request.wait).await;
        let mut url = url.clone();
        if !turn.wait.is_zero() {
            let wait = format!("{}ms", turn.wait.as_millis());
            url.query_pairs_mut().append_pair("wait", &wait);
        }
        let timeout = self.inner.endpoint.timeout + turn.wait + turn.wait / 16;
        let mut builder = built
            .http
            .request(request.method.clone(), url)
            .timeout(timeout);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if let Some(body) = &request.body {
            let is_other = request.headers.iter().any(|(it, _)| *it == "content-type");
            if !is_other {
                builder = builder.header("content-type", "application/json");
            }
            builder = builder.body(body.clone());
        }
        let lost = |error: reqwest::Error| Failure {
            status: None,
            kind: kind_of(&error, timeout),
            retry_after: None,
        };
        let response = builder.send().await.map_err(lost)?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let index = response
            .headers()
            .get(self.inner.endpoint.server.index_header())
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .filter(|index| *index > 0);
        let next_page = response.headers().get("x-nomad-nexttoken");
        let next_page = next_page.and_then(|value| value.to_str().ok());
        let next_page = next_page.filter(|token| !token.is_empty());
        let next_page = next_page.map(str::to_owned);
        let body = response.bytes().await.map_err(lost)?;
        if status.is_success() {
            let answer = Answer {
                body: body.into(),
                index,
                next_page,
                endpoint: Arc::clone(&self.inner),
                method: request.method_name(),
                path: request.path.clone(),
            };
            return Ok((status.as_u16(), answer));
        }
        let message = readable(self.inner.endpoint.server, &body, built.token.as_ref());
        Err(Failure {
            status: Some(status.as_u16()),
            kind: refusal(status, message, retry_after),
            retry_after,
        })
    }
}

/// A write under way.
struct Change<'a>(&'a AtomicU64);

impl<'a> Change<'a> {
    fn begin(changes: &'a AtomicU64) -> Self {
        changes.fetch_add(1, Ordering::SeqCst);
        Self(changes)
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A try that did not bring an answer.
struct Failure {
    status: Option<u16>,
    kind: Kind,
    retry_after: Option<Duration>,
}

fn may_repeat(kind: &Kind, repeat: Repeat) -> bool {
    match kind {
        Kind::Unreachable { .. } | Kind::RateLimited { .. } | Kind::NoLeader { .. } => true,
        // What a server has not, it has not the second time either.
        Kind::Server { status: 501, .. } => false,
        Kind::Interrupted { .. } | Kind::Server { .. } => repeat == Repeat::Always,
        _ => false,
    }
}

/// How long to wait before the next try; `None` where the server asks for too long a wait.
fn pause(failure: &Failure, attempt: u32) -> Option<Duration> {
    match failure.retry_after {
        Some(wait) => (wait <= LONGEST_PAUSE).then_some(wait),
        None => {
            let most = BACKOFF * 2_u32.pow(attempt.saturating_sub(1).min(8));
            let most = most.min(LONGEST_BACKOFF);
            Some(most.mul_f64(0.5 + fastrand::f64() / 2.0))
        }
    }
}

/// What servers without a leader say before anything is written: `ErrNoLeader` of both, and what follows "rpc
/// error" where the leader that they know of cannot be reached any more (`getRPCClient` in Consul's
/// `agent/pool/pool.go` and Nomad's `helper/pool/pool.go`).
const LEADERLESS: [&str; 2] = ["No cluster leader", "failed to get conn"];

/// The kind that an HTTP status means.
fn refusal(status: StatusCode, message: String, retry_after: Option<Duration>) -> Kind {
    let code = status.as_u16();
    match code {
        401 | 403 => Kind::Unauthorized {
            status: code,
            message,
        },
        429 => Kind::RateLimited { retry_after },
        500..=599 if LEADERLESS.iter().any(|it| message.contains(it)) => Kind::NoLeader { message },
        500..=599 => Kind::Server {
            status: code,
            message,
        },
        _ => Kind::Rejected {
            status: code,
            message,
        },
    }
}

/// `Retry-After` in seconds. Its other form, a date, is not used by either server.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// A server's text, fit for a message: one line, not too long, without the token.
fn readable(server: Server, body: &[u8], token: Option<&Secret>) -> String {
    let text = match server {
        Server::Vault => vault_errors(body),
        Server::Nomad | Server::Consul => None,
    };
    let text = text.map_or_else(|| String::from_utf8_lossy(body), Cow::Owned);
    // Redacted before it is cut, so that no half of a token is left at the end.
    let text = match token {
        Some(token) => token.redact(text.trim()),
        None => text.trim().to_owned(),
    };
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_MESSAGE)
        .collect()
}

/// Vault's words out of its `{"errors": […]}`.
fn vault_errors(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    let Errors { errors } = serde_json::from_slice(body).ok()?;
    Some(errors.join("; "))
}

/// The whole URL of a request.
fn address(endpoint: &Endpoint, request: &Request) -> Result<Url, Kind> {
    // The URL standard resolves these two even when encoded, which would address something else.
    if request
        .path
        .split('/')
        .any(|segment| segment == "." || segment == "..")
    {
        let message = "a name in the path is \".\" or \"..\"".to_owned();
        return Err(Kind::Rejected {
            status: 400,
            message,
        });
    }
    let mut url = endpoint.address.clone();
    let path = format!("{}{}", url.path().trim_end_matches('/'), request.path);
    url.set_path(&path);
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&request.query);
    }
    Ok(url)
}

/// Builds the connection pool, and reads the token's file where there is one.
fn build(endpoint: &Endpoint) -> Result<Built, SettingsError> {
    let secure = endpoint.address.scheme() == "https";
    let tls = if secure {
        endpoint.tls.client_config()?
    } else {
        super::Tls::unused_config()?
    };
    let token = token(endpoint)?;
    let mut headers = HeaderMap::new();
    if let Some(token) = &token {
        let mut value = HeaderValue::from_str(token.expose()).map_err(|_| SettingsError {
            field: "token",
            summary: format!("The token of {} cannot be used", endpoint.server),
            detail: "It holds characters that cannot stand in an HTTP header, such as a line break. Check how it is read.".to_owned(),
        })?;
        value.set_sensitive(true);
        headers.insert(endpoint.server.token_header(), value);
    }
    if endpoint.server == Server::Vault {
        // Vault's listener may ask for it, so that no browser can be made to send requests.
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
    }
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .default_headers(headers)
        .user_agent(concat!(
            "terraform-provider-oam/",
            env!("CARGO_PKG_VERSION")
        ))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT.min(endpoint.timeout));
    // As Go's ProxyFromEnvironment: the environment's proxy is not asked for this very machine.
    if is_loopback(&endpoint.address) {
        builder = builder.no_proxy();
    }
    let http = builder.build().map_err(|error| SettingsError {
        field: "address",
        summary: format!("No client for {} can be made", endpoint.server),
        detail: format!("{error}. This is a defect of the provider, or of the proxy settings in the environment."),
    })?;
    Ok(Built { http, token })
}

fn token(endpoint: &Endpoint) -> Result<Option<Secret>, SettingsError> {
    match &endpoint.token {
        None => Ok(None),
        Some(Token::Text(token)) => Ok(Some(token.clone())),
        Some(Token::File(path)) => match std::fs::read_to_string(path) {
            Ok(text) => {
                Ok(Some(Secret::new(text.trim())).filter(|token| !token.expose().is_empty()))
            }
            Err(error) => Err(SettingsError {
                field: "token",
                summary: format!("The token of {} cannot be read", endpoint.server),
                detail: format!(
                    "Reading {} failed: {error}. Check CONSUL_HTTP_TOKEN_FILE, and that this user may read the file.",
                    path.display()
                ),
            }),
        },
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
