//! What can go wrong between the provider and a server, and what to do about it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use super::{Endpoint, Server, SettingsError};

/// A request that failed. It names the server and the request, and says what to do; it carries no
/// token and no body that was sent.
#[derive(Debug, Clone)]
pub struct Error {
    /// Which server was asked.
    pub server: Server,
    /// The server's address, without credentials.
    pub address: String,
    /// HTTP method.
    pub method: &'static str,
    /// Path of the request, without its query.
    pub path: String,
    /// How often the request was sent.
    pub attempts: u32,
    /// What went wrong.
    pub kind: Kind,
}

/// What went wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A certificate, key or token file cannot be used; nothing was sent.
    Setup(Box<SettingsError>),
    /// No connection: refused, no such host, no route. Nothing was sent.
    Unreachable {
        /// The system's reason.
        reason: String,
    },
    /// The TLS handshake failed. Nothing was sent, but where the server refused the client's
    /// certificate after the handshake.
    Tls {
        /// What the handshake failed on.
        reason: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// No whole answer within the time. The request may have been done.
    Timeout {
        /// The time that was waited.
        after: Duration,
    },
    /// The connection ended before the whole answer was there. The request may have been done.
    Interrupted {
        /// The reason, where one is known.
        reason: String,
    },
    /// 401 or 403: the token is missing, unknown, expired, or lacks a permission.
    Unauthorized {
        /// HTTP status.
        status: u16,
        /// The server's text.
        message: String,
    },
    /// 429 after every try. The request was not done.
    RateLimited {
        /// What the server asked to wait, where it said so.
        retry_after: Option<Duration>,
    },
    /// The servers have no leader now. The request was not done.
    NoLeader {
        /// The server's text.
        message: String,
    },
    /// 5xx.
    Server {
        /// HTTP status.
        status: u16,
        /// The server's text.
        message: String,
    },
    /// Any other 4xx (and the odd 3xx): the server understood the request and refuses it.
    Rejected {
        /// HTTP status.
        status: u16,
        /// The server's text.
        message: String,
    },
    /// A check-and-set failed: what was to be written changed in between. Nothing was written.
    Conflict {
        /// The server's text.
        message: String,
    },
    /// The answer is not what the API promises. The request may have been done.
    Unreadable {
        /// What is wrong with the answer.
        message: String,
    },
}

impl Error {
    pub(crate) fn new(endpoint: &Endpoint, method: &'static str, path: &str, kind: Kind) -> Self {
        Self {
            server: endpoint.server,
            address: endpoint.origin(),
            method,
            path: path.to_owned(),
            attempts: 1,
            kind,
        }
    }

    /// Whether the server answered that there is no such thing (404).
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, Kind::Rejected { status: 404, .. })
    }

    /// Whether a check-and-set failed: what was to be written changed in between.
    pub fn is_conflict(&self) -> bool {
        matches!(self.kind, Kind::Conflict { .. })
    }

    /// Whether a write may have been done although no good answer came.
    pub fn may_have_been_done(&self) -> bool {
        match &self.kind {
            Kind::Timeout { .. }
            | Kind::Interrupted { .. }
            | Kind::Server { .. }
            | Kind::Unreadable { .. } => true,
            Kind::Setup(_)
            | Kind::Unreachable { .. }
            | Kind::Tls { .. }
            | Kind::Unauthorized { .. }
            | Kind::RateLimited { .. }
            | Kind::NoLeader { .. }
            | Kind::Rejected { .. }
            | Kind::Conflict { .. } => false,
        }
    }

    /// Whether a write may have been done, or may still be: there is no answer, or none that can be read. One
    /// with an error is a refusal.
    pub fn is_uncertain(&self) -> bool {
        self.may_have_been_done() && !matches!(self.kind, Kind::Server { .. })
    }

    /// What went wrong, in one line.
    pub fn summary(&self) -> String {
        let server = self.server;
        match &self.kind {
            Kind::Setup(error) => format!("{server}: {}", error.summary),
            Kind::Unreachable { .. } => format!("{server} cannot be reached at {}", self.address),
            Kind::Tls { .. } => format!("No TLS connection to {server} at {}", self.address),
            Kind::Timeout { after } => {
                format!(
                    "{server} did not answer within {}",
                    humantime::format_duration(*after)
                )
            }
            Kind::Interrupted { .. } => format!("{server} cut the connection"),
            Kind::Unauthorized { .. } => format!("{server} denied access"),
            Kind::RateLimited { .. } => {
                format!("{server} refuses requests because there are too many")
            }
            Kind::NoLeader { .. } => format!("{server} has no leader"),
            Kind::Server { status, .. } => format!("{server} failed with status {status}"),
            Kind::Rejected { status, .. } => {
                format!("{server} rejected the request with status {status}")
            }
            Kind::Conflict { .. } => {
                format!("{server} refused a write because something changed in between")
            }
            Kind::Unreadable { .. } => format!("The answer of {server} cannot be understood"),
        }
    }

    /// The request, the server's own words, and what to do.
    pub fn detail(&self) -> String {
        let Self {
            server,
            address,
            method,
            path,
            ..
        } = self;
        let block = server.block();
        let variable = server.address_variable();
        let tries = if self.attempts > 1 {
            format!(" (tried {} times)", self.attempts)
        } else {
            String::new()
        };
        let request = format!("{method} {path}{tries}");
        match &self.kind {
            Kind::Setup(error) => error.detail.clone(),
            Kind::Unreachable { reason } => format!(
                "{request}: {reason}. Check that {server} runs there, and that the address is right: it is `address` in the provider's `{block}` block, or the environment variable {variable}."
            ),
            Kind::Tls { reason, advice } => format!("{request}: {reason}. {advice}"),
            Kind::Timeout { .. } => format!(
                "{request} at {address}. It may or may not have been done; the next plan shows which. If {server} is only slow, raise `timeout` in the provider's `{block}` block."
            ),
            Kind::Interrupted { reason } => format!(
                "{request} at {address}: {reason}. It may or may not have been done; the next plan shows which. Look into the log of {server}, or of the proxy in front of it, and try again."
            ),
            Kind::Unauthorized { status, message } => format!(
                "{request}: status {status}{}. Check the token: it is `token` in the provider's `{block}` block, or the environment variable {}. It must be valid and allow this request.",
                said(message),
                server.token_variable(),
            ),
            Kind::RateLimited { retry_after } => {
                let wait = match retry_after {
                    Some(wait) => {
                        format!("; it asks to wait {}", humantime::format_duration(*wait))
                    }
                    None => String::new(),
                };
                format!(
                    "{request}: status 429{wait}. Nothing was changed by this request. Try again later, lower Terraform's -parallelism, or raise the limit in {server}'s `limits` configuration."
                )
            }
            Kind::NoLeader { message } => format!(
                "{request}{}. Nothing was changed by this request. Wait until the {server} servers have elected a leader, and try again.",
                said(message),
            ),
            Kind::Server { status, message } => format!(
                "{request}: status {status}{}. Look into the log of {server}, and try again.",
                said(message)
            ),
            Kind::Rejected { message, .. }
                if message.contains("HTTP request to an HTTPS server") =>
            {
                format!(
                    "{request}: {address} speaks TLS. Write https:// in `address` of the provider's `{block}` block, or in the environment variable {variable}."
                )
            }
            Kind::Rejected {
                status: 404,
                message,
            } => format!(
                "{request}{}. Check that {address} is the HTTP address of {server}, and that the names in the path exist.",
                said(message)
            ),
            Kind::Rejected { message, .. } => {
                format!(
                    "{request}{}. Correct what the server names, and try again.",
                    said(message)
                )
            }
            Kind::Conflict { message } => format!(
                "{request}{}. Nothing was overwritten. Run the plan again to see what changed, and apply that.",
                said(message)
            ),
            Kind::Unreadable { message } => format!(
                "{request}: {message}. Check that {address} is the HTTP address of {server} and not of something else."
            ),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.summary(), self.detail())
    }
}

impl StdError for Error {}

/// The server's words as a part of a sentence.
fn said(message: &str) -> String {
    let message = message.trim().trim_end_matches('.');
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

/// The kind behind an error of the HTTP library. `timeout` is what the request was given.
pub(super) fn kind_of(error: &reqwest::Error, timeout: Duration) -> Kind {
    if let Some(tls) = find_tls(error) {
        return tls_kind(tls);
    }
    let reason = innermost(error);
    if error.is_connect() {
        Kind::Unreachable { reason }
    } else if error.is_timeout() {
        Kind::Timeout { after: timeout }
    } else {
        Kind::Interrupted { reason }
    }
}

/// The TLS error in the chain of causes. An `io::Error` hides its inner error from `source`.
fn find_tls<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        if let Some(inner) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            && let Some(tls) = find_tls(inner)
        {
            return Some(tls);
        }
        next = error.source();
    }
    None
}

fn tls_kind(error: &rustls::Error) -> Kind {
    use rustls::{AlertDescription as Alert, CertificateError as Certificate, Error as Tls};
    const CA: &str = "Set `ca_file` or `ca_pem` to the CA that signed the server's certificate (environment variable NOMAD_CACERT, CONSUL_CACERT or VAULT_CACERT).";
    const NAME: &str = "Use the name in the certificate as the address' host, or set `tls_server_name` (environment variable NOMAD_TLS_SERVER_NAME, CONSUL_TLS_SERVER_NAME or VAULT_TLS_SERVER_NAME).";
    const CLIENT: &str = "The server asks for a client certificate it trusts: set `cert_file` and `key_file` (environment variables NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY, CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY, or VAULT_CLIENT_CERT and VAULT_CLIENT_KEY).";
    const PLAIN: &str = "The server does not speak TLS on this port. Write http:// in the address, or use the TLS port.";
    const TIME: &str = "Renew the server's certificate, and check this machine's clock.";
    const OTHER: &str = "Check the TLS configuration of both sides.";
    let advice = match error {
        Tls::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => CA,
        Tls::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => NAME,
        Tls::InvalidCertificate(
            Certificate::Expired
            | Certificate::ExpiredContext { .. }
            | Certificate::NotValidYet
            | Certificate::NotValidYetContext { .. },
        ) => TIME,
        Tls::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::HandshakeFailure,
        ) => CLIENT,
        Tls::InvalidMessage(_) => PLAIN,
        _ => OTHER,
    };
    Kind::Tls {
        reason: error.to_string(),
        advice,
    }
}

/// The last cause in the chain, which is the system's own words.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
