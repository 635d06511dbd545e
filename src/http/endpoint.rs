//! From settings and environment variables to an endpoint.
//!
//! What the user wrote wins over the environment, and the environment over the default. The
//! variables are those of the official clients: `DefaultConfig` in `api/api.go` of Nomad,
//! `defaultConfig` and `NewClient` in `api/api.go` of Consul, and `ReadEnvironment` in
//! `api/client.go` of Vault. An empty variable counts as not set.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::{Pem, Secret, Tls};

/// Which server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Nomad's HTTP API, <https://developer.hashicorp.com/nomad/api-docs>.
    Nomad,
    /// Consul's HTTP API, <https://developer.hashicorp.com/consul/api-docs>.
    Consul,
    /// Vault's HTTP API, <https://developer.hashicorp.com/vault/api-docs>.
    Vault,
}

impl Server {
    /// The server's name for messages.
    pub fn name(self) -> &'static str {
        match self {
            Server::Nomad => "Nomad",
            Server::Consul => "Consul",
            Server::Vault => "Vault",
        }
    }

    /// The provider's block that configures it.
    pub fn block(self) -> &'static str {
        match self {
            Server::Nomad => "nomad",
            Server::Consul => "consul",
            Server::Vault => "vault",
        }
    }

    /// The header that carries the token.
    pub(super) fn token_header(self) -> &'static str {
        match self {
            Server::Nomad => "x-nomad-token",
            Server::Consul => "x-consul-token",
            Server::Vault => "x-vault-token",
        }
    }

    /// The header with the index for blocking queries.
    pub(super) fn index_header(self) -> &'static str {
        match self {
            Server::Nomad => "x-nomad-index",
            Server::Consul => "x-consul-index",
            // No index that a query could wait for: it is not a number.
            Server::Vault => "x-vault-index",
        }
    }

    fn default_address(self) -> &'static str {
        match self {
            Server::Nomad => "http://127.0.0.1:4646",
            Server::Consul => "http://127.0.0.1:8500",
            Server::Vault => "https://127.0.0.1:8200",
        }
    }

    fn variables(self) -> &'static Variables {
        match self {
            Server::Nomad => &NOMAD,
            Server::Consul => &CONSUL,
            Server::Vault => &VAULT,
        }
    }

    /// The environment variable that holds the address.
    pub fn address_variable(self) -> &'static str {
        self.variables().address
    }

    /// The environment variable that holds the token.
    pub fn token_variable(self) -> &'static str {
        self.variables().token
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

struct Variables {
    address: &'static str,
    token: &'static str,
    token_file: Option<&'static str>,
    region: Option<&'static str>,
    namespace: Option<&'static str>,
    partition: Option<&'static str>,
    ca: &'static str,
    cert: &'static str,
    key: &'static str,
    server_name: &'static str,
    /// The variable, and the value that means "do not verify".
    skip_verify: (&'static str, bool),
    ssl: Option<&'static str>,
}

const NOMAD: Variables = Variables {
    address: "NOMAD_ADDR",
    token: "NOMAD_TOKEN",
    token_file: None,
    region: Some("NOMAD_REGION"),
    namespace: Some("NOMAD_NAMESPACE"),
    partition: None,
    ca: "NOMAD_CACERT",
    cert: "NOMAD_CLIENT_CERT",
    key: "NOMAD_CLIENT_KEY",
    server_name: "NOMAD_TLS_SERVER_NAME",
    skip_verify: ("NOMAD_SKIP_VERIFY", true),
    ssl: None,
};

const CONSUL: Variables = Variables {
    address: "CONSUL_HTTP_ADDR",
    token: "CONSUL_HTTP_TOKEN",
    token_file: Some("CONSUL_HTTP_TOKEN_FILE"),
    region: None,
    namespace: Some("CONSUL_NAMESPACE"),
    partition: Some("CONSUL_PARTITION"),
    ca: "CONSUL_CACERT",
    cert: "CONSUL_CLIENT_CERT",
    key: "CONSUL_CLIENT_KEY",
    server_name: "CONSUL_TLS_SERVER_NAME",
    skip_verify: ("CONSUL_HTTP_SSL_VERIFY", false),
    ssl: Some("CONSUL_HTTP_SSL"),
};

const VAULT: Variables = Variables {
    address: "VAULT_ADDR",
    token: "VAULT_TOKEN",
    token_file: None,
    region: None,
    namespace: Some("VAULT_NAMESPACE"),
    partition: None,
    ca: "VAULT_CACERT",
    cert: "VAULT_CLIENT_CERT",
    key: "VAULT_CLIENT_KEY",
    server_name: "VAULT_TLS_SERVER_NAME",
    skip_verify: ("VAULT_SKIP_VERIFY", true),
    ssl: None,
};

/// What the user wrote in a server's block. `None` and the empty string both mean "not set".
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `http://host:port` or `https://host:port`; for Consul the scheme may be left out.
    pub address: Option<String>,
    /// ACL token.
    pub token: Option<Secret>,
    /// Nomad region.
    pub region: Option<String>,
    /// Nomad namespace, or the one that all requests to Consul or Vault are about (Enterprise).
    pub namespace: Option<String>,
    /// Consul admin partition (Enterprise).
    pub partition: Option<String>,
    /// Consul datacenter.
    pub datacenter: Option<String>,
    /// File with the trusted CA certificates.
    pub ca_file: Option<String>,
    /// Trusted CA certificates as PEM text.
    pub ca_pem: Option<String>,
    /// File with the client certificate chain.
    pub cert_file: Option<String>,
    /// Client certificate chain as PEM text.
    pub cert_pem: Option<String>,
    /// File with the client certificate's key.
    pub key_file: Option<String>,
    /// The client certificate's key as PEM text.
    pub key_pem: Option<Secret>,
    /// The name the server's certificate must carry.
    pub tls_server_name: Option<String>,
    /// Accept any certificate.
    pub skip_verify: Option<bool>,
    /// Longest time one request may take, such as `30s`; 30 seconds when not set.
    pub timeout: Option<String>,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{summary}: {detail}")]
pub struct SettingsError {
    /// The attribute within the server's block, such as `address`.
    pub field: &'static str,
    /// What is wrong, in one line.
    pub summary: String,
    /// Why, and what to do.
    pub detail: String,
}

/// A token, or the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// The token itself.
    Text(Secret),
    /// A file, read when the first request is made (`CONSUL_HTTP_TOKEN_FILE`).
    File(PathBuf),
}

/// Where a server is and how to speak to it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Which server it is.
    pub server: Server,
    /// Base address: scheme, host, port, and a path where a proxy needs one.
    pub address: Url,
    /// ACL token.
    pub token: Option<Token>,
    /// TLS settings; not looked at for `http`.
    pub tls: Tls,
    /// Longest time one request may take. A blocking query may take its wait on top.
    pub timeout: Duration,
    /// Nomad region, sent with every request; the agent's own when absent.
    pub region: Option<String>,
    /// Nomad namespace the user chose, or the one that all requests to Consul or Vault are about.
    pub namespace: Option<String>,
    /// Consul admin partition, sent with every request; the agent's own when absent.
    pub partition: Option<String>,
    /// Consul datacenter, sent with every request; the agent's own when absent.
    pub datacenter: Option<String>,
}

/// Longest time of one request when the user sets none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

impl Endpoint {
    /// The endpoint that `settings` and the environment mean. Reads no file, opens no connection.
    ///
    /// # Errors
    /// The setting at fault: an address that is no `http` or `https` URL or that carries
    /// credentials, both a file and a text for the same thing, a certificate without its key, an
    /// unreadable duration or boolean.
    pub fn from(
        server: Server,
        settings: Settings,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Endpoint, SettingsError> {
        let names = server.variables();
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let optional = |name: Option<&str>| name.and_then(env);

        let ssl = match names.ssl {
            Some(name) => boolean("address", name, env(name))?.unwrap_or(false),
            None => false,
        };
        let address = address(server, filled(settings.address), env(names.address), ssl)?;

        let ca = pem(
            ("ca_file", "ca_pem"),
            settings.ca_file,
            settings.ca_pem.map(Secret::from),
            env(names.ca),
        )?;
        let cert = pem(
            ("cert_file", "cert_pem"),
            settings.cert_file,
            settings.cert_pem.map(Secret::from),
            env(names.cert),
        )?;
        let key = pem(
            ("key_file", "key_pem"),
            settings.key_file,
            settings.key_pem,
            env(names.key),
        )?;
        let identity = match (cert, key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert, key)),
            (Some(_), None) => {
                return Err(half("key_file", "client certificate", "key", names.key));
            }
            (None, Some(_)) => {
                return Err(half("cert_file", "client key", "certificate", names.cert));
            }
        };

        let (verify_name, skips) = names.skip_verify;
        let skip_verify = match settings.skip_verify {
            Some(skip) => skip,
            None => boolean("skip_verify", verify_name, env(verify_name))?
                .is_some_and(|value| value == skips),
        };

        let token = settings
            .token
            .filter(|token| !token.expose().is_empty())
            .map(Token::Text)
            .or_else(|| optional(names.token_file).map(|file| Token::File(file.into())))
            .or_else(|| env(names.token).map(|token| Token::Text(token.into())));

        Ok(Endpoint {
            server,
            address,
            token,
            tls: Tls {
                ca,
                identity,
                server_name: filled(settings.tls_server_name).or_else(|| env(names.server_name)),
                skip_verify,
            },
            timeout: timeout(filled(settings.timeout))?,
            region: filled(settings.region).or_else(|| optional(names.region)),
            namespace: filled(settings.namespace).or_else(|| optional(names.namespace)),
            partition: filled(settings.partition).or_else(|| optional(names.partition)),
            datacenter: filled(settings.datacenter),
        })
    }

    /// Scheme, host and port, for messages.
    pub fn origin(&self) -> String {
        self.address.as_str().trim_end_matches('/').to_owned()
    }
}

fn filled(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}

fn address(
    server: Server,
    setting: Option<String>,
    variable: Option<String>,
    ssl: bool,
) -> Result<Url, SettingsError> {
    let explicit = setting.is_some();
    let source = match (&setting, &variable) {
        (Some(_), _) => "`address`".to_owned(),
        (None, Some(_)) => format!("The environment variable {}", server.address_variable()),
        (None, None) => "The default".to_owned(),
    };
    let text = setting
        .or(variable)
        .unwrap_or_else(|| server.default_address().to_owned());
    let wrong = |reason: &str| SettingsError {
        field: "address",
        summary: format!("The address of {server} cannot be used"),
        detail: format!(
            "{source} {reason}. Write it as {}.",
            server.default_address()
        ),
    };
    let complete = match (text.contains("://"), server) {
        (true, _) => text.clone(),
        (false, Server::Consul) => format!("{}://{text}", if ssl { "https" } else { "http" }),
        (false, Server::Nomad | Server::Vault) => {
            return Err(wrong("has no http:// or https:// in front"));
        }
    };
    // The text is not shown before it is known to carry no password.
    let mut url = Url::parse(&complete).map_err(|error| wrong(&format!("is no URL ({error})")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "carries a user name or a password, which is not supported; use `token`",
        ));
    }
    match url.scheme() {
        "http" | "https" => {}
        "unix" => return Err(wrong("is a Unix socket, which is not supported")),
        other => {
            return Err(wrong(&format!(
                "has the scheme {other}, where only http and https are known"
            )));
        }
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("has no host"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment"));
    }
    // As Consul's own client does: CONSUL_HTTP_SSL wins over an http:// in CONSUL_HTTP_ADDR.
    if ssl && !explicit && url.set_scheme("https").is_err() {
        return Err(wrong("cannot be used with https"));
    }
    Ok(url)
}

fn pem(
    (file_name, text_name): (&'static str, &'static str),
    file: Option<String>,
    text: Option<Secret>,
    variable: Option<String>,
) -> Result<Option<Pem>, SettingsError> {
    let text = text.filter(|text| !text.expose().is_empty());
    match (filled(file), text) {
        (Some(_), Some(_)) => Err(SettingsError {
            field: text_name,
            summary: format!("Both `{file_name}` and `{text_name}` are set"),
            detail: "They are two ways to give the same thing. Remove one of them.".to_owned(),
        }),
        (Some(file), None) => Ok(Some(Pem::File(file.into()))),
        (None, Some(text)) => Ok(Some(Pem::Text(text))),
        (None, None) => Ok(variable.map(|file| Pem::File(file.into()))),
    }
}

fn half(field: &'static str, has: &str, lacks: &str, variable: &str) -> SettingsError {
    SettingsError {
        field,
        summary: format!("A {has} without its {lacks}"),
        detail: format!(
            "Mutual TLS needs both. Set `{field}` (or its `_pem` form, or the environment variable {variable}) as well."
        ),
    }
}

/// A boolean as Go's `strconv.ParseBool` reads it, which is what the official clients use.
fn boolean(
    field: &'static str,
    name: &str,
    value: Option<String>,
) -> Result<Option<bool>, SettingsError> {
    match value.as_deref() {
        None => Ok(None),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(Some(true)),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(Some(false)),
        Some(other) => Err(SettingsError {
            field,
            summary: format!("The environment variable {name} is neither true nor false"),
            detail: format!("It is \"{other}\". Set it to true or false, or unset it."),
        }),
    }
}

fn timeout(value: Option<String>) -> Result<Duration, SettingsError> {
    let Some(text) = value else {
        return Ok(DEFAULT_TIMEOUT);
    };
    match humantime::parse_duration(&text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(SettingsError {
            field: "timeout",
            summary: "The timeout is no duration".to_owned(),
            detail: format!(
                "\"{text}\" cannot be read as a duration above zero. Write it as 30s, 2m or 1m30s."
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    type Variables = &'static [(&'static str, &'static str)];

    fn from(
        server: Server,
        settings: Settings,
        variables: &[(&str, &str)],
    ) -> Result<Endpoint, SettingsError> {
        let find = |name: &str| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Endpoint::from(server, settings, &find)
    }

    fn text(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn addresses() {
        use Server::{Consul, Nomad};
        let cases: &[(Server, Option<&str>, Variables, &str)] = &[
            (Nomad, None, &[], "http://127.0.0.1:4646"),
            (Consul, None, &[], "http://127.0.0.1:8500"),
            (Nomad, None, &[("NOMAD_ADDR", "")], "http://127.0.0.1:4646"),
            (
                Nomad,
                Some(""),
                &[("NOMAD_ADDR", "https://n:1")],
                "https://n:1",
            ),
            (
                Nomad,
                Some("http://a:1"),
                &[("NOMAD_ADDR", "https://n:1")],
                "http://a:1",
            ),
            (Nomad, Some("https://a/nomad/"), &[], "https://a/nomad"),
            (
                Nomad,
                None,
                &[("CONSUL_HTTP_SSL", "true")],
                "http://127.0.0.1:4646",
            ),
            (Consul, Some("10.0.0.1:8500"), &[], "http://10.0.0.1:8500"),
            (
                Consul,
                Some("localhost:8501"),
                &[("CONSUL_HTTP_SSL", "1")],
                "https://localhost:8501",
            ),
            (
                Consul,
                None,
                &[("CONSUL_HTTP_ADDR", "[::1]:8500")],
                "http://[::1]:8500",
            ),
            (
                Consul,
                None,
                &[("CONSUL_HTTP_ADDR", "c:1"), ("CONSUL_HTTP_SSL", "true")],
                "https://c:1",
            ),
            (
                Consul,
                None,
                &[
                    ("CONSUL_HTTP_ADDR", "http://c:1"),
                    ("CONSUL_HTTP_SSL", "true"),
                ],
                "https://c:1",
            ),
            (
                Consul,
                None,
                &[
                    ("CONSUL_HTTP_ADDR", "https://c:1"),
                    ("CONSUL_HTTP_SSL", "false"),
                ],
                "https://c:1",
            ),
            (
                Consul,
                None,
                &[("CONSUL_HTTP_SSL", "true")],
                "https://127.0.0.1:8500",
            ),
            // What is written in the block is not second-guessed.
            (
                Consul,
                Some("http://c:1"),
                &[("CONSUL_HTTP_SSL", "true")],
                "http://c:1",
            ),
        ];
        for (server, address, variables, expected) in cases {
            let settings = Settings {
                address: address.map(str::to_owned),
                ..Settings::default()
            };
            let endpoint = from(*server, settings, variables).unwrap();
            assert_eq!(
                endpoint.origin(),
                *expected,
                "{server} {address:?} {variables:?}"
            );
        }
    }

    #[test]
    fn addresses_that_cannot_be_used() {
        let cases = [
            (Server::Nomad, "127.0.0.1:4646", "no http:// or https://"),
            (Server::Nomad, "localhost:4646", "no http:// or https://"),
            (Server::Nomad, "ftp://a", "scheme ftp"),
            (Server::Nomad, "unix:///run/nomad.sock", "Unix socket"),
            (Server::Nomad, "http://", "no URL"),
            (Server::Nomad, "http://a:99999", "no URL"),
            (Server::Nomad, "http://a?b=c", "query"),
            (
                Server::Nomad,
                "http://user:s3cr3t@a",
                "user name or a password",
            ),
            (
                Server::Consul,
                "user:s3cr3t@a:8500",
                "user name or a password",
            ),
            (Server::Consul, "s3cr3t@a b:8500", "no URL"),
        ];
        for (server, address, reason) in cases {
            let settings = Settings {
                address: text(address),
                ..Settings::default()
            };
            let error = from(server, settings, &[]).unwrap_err();
            assert_eq!(error.field, "address");
            assert!(error.detail.contains(reason), "{address}: {error}");
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
        }
        let error = from(
            Server::Nomad,
            Settings::default(),
            &[("NOMAD_ADDR", "nowhere")],
        )
        .unwrap_err();
        assert!(error.detail.contains("NOMAD_ADDR"), "{error}");
    }

    #[test]
    fn the_block_wins_over_the_environment() {
        let nomad = [
            ("NOMAD_TOKEN", "t"),
            ("NOMAD_REGION", "r"),
            ("NOMAD_NAMESPACE", "n"),
            ("NOMAD_CACERT", "/ca"),
            ("NOMAD_CLIENT_CERT", "/cert"),
            ("NOMAD_CLIENT_KEY", "/key"),
            ("NOMAD_TLS_SERVER_NAME", "s"),
            ("NOMAD_SKIP_VERIFY", "true"),
        ];
        let file = |path: &str| Pem::File(path.into());
        let endpoint = from(Server::Nomad, Settings::default(), &nomad).unwrap();
        assert_eq!(endpoint.token, Some(Token::Text("t".into())));
        assert_eq!(
            (endpoint.region, endpoint.namespace),
            (text("r"), text("n"))
        );
        let expected = Tls {
            ca: Some(file("/ca")),
            identity: Some((file("/cert"), file("/key"))),
            server_name: text("s"),
            skip_verify: true,
        };
        assert_eq!(endpoint.tls, expected);
        assert_eq!(endpoint.timeout, Duration::from_secs(30));

        let settings = Settings {
            token: Some("T".into()),
            region: text("R"),
            namespace: text("N"),
            ca_pem: text("CA"),
            cert_pem: text("CERT"),
            key_file: text("/KEY"),
            tls_server_name: text("S"),
            skip_verify: Some(false),
            timeout: text("1m30s"),
            ..Settings::default()
        };
        let endpoint = from(Server::Nomad, settings, &nomad).unwrap();
        assert_eq!(endpoint.token, Some(Token::Text("T".into())));
        assert_eq!(
            (endpoint.region, endpoint.namespace),
            (text("R"), text("N"))
        );
        let expected = Tls {
            ca: Some(Pem::Text("CA".into())),
            identity: Some((Pem::Text("CERT".into()), file("/KEY"))),
            server_name: text("S"),
            skip_verify: false,
        };
        assert_eq!(endpoint.tls, expected);
        assert_eq!(endpoint.timeout, Duration::from_secs(90));
    }

    #[test]
    fn consuls_variables() {
        let file = ("CONSUL_HTTP_TOKEN_FILE", "/token");
        let token = ("CONSUL_HTTP_TOKEN", "t");
        let verify = ("CONSUL_HTTP_SSL_VERIFY", "false");
        // As in Consul's own client, the file wins over the variable.
        let endpoint = from(Server::Consul, Settings::default(), &[file, token, verify]).unwrap();
        assert_eq!(endpoint.token, Some(Token::File("/token".into())));
        assert!(endpoint.tls.skip_verify);
        let settings = Settings {
            token: Some("T".into()),
            ..Settings::default()
        };
        let endpoint = from(Server::Consul, settings, &[file, token]).unwrap();
        assert_eq!(endpoint.token, Some(Token::Text("T".into())));
        assert!(!endpoint.tls.skip_verify);
        let endpoint = from(
            Server::Consul,
            Settings::default(),
            &[("CONSUL_HTTP_SSL_VERIFY", "true")],
        )
        .unwrap();
        assert!(!endpoint.tls.skip_verify);
    }

    #[test]
    fn vaults_variables() {
        let vault = [
            ("VAULT_ADDR", "https://v:1"),
            ("VAULT_TOKEN", "t"),
            ("VAULT_NAMESPACE", "n"),
            ("VAULT_CACERT", "/ca"),
            ("VAULT_CLIENT_CERT", "/cert"),
            ("VAULT_CLIENT_KEY", "/key"),
            ("VAULT_TLS_SERVER_NAME", "s"),
            ("VAULT_SKIP_VERIFY", "1"),
        ];
        let file = |path: &str| Pem::File(path.into());
        let endpoint = from(Server::Vault, Settings::default(), &vault).unwrap();
        assert_eq!(endpoint.origin(), "https://v:1");
        assert_eq!(endpoint.token, Some(Token::Text("t".into())));
        assert_eq!(endpoint.namespace, text("n"));
        let expected = Tls {
            ca: Some(file("/ca")),
            identity: Some((file("/cert"), file("/key"))),
            server_name: text("s"),
            skip_verify: true,
        };
        assert_eq!(endpoint.tls, expected);
        let none = from(Server::Vault, Settings::default(), &[]).unwrap();
        assert_eq!(none.origin(), "https://127.0.0.1:8200");
    }

    #[test]
    fn namespaces_and_partitions_of_consul() {
        let consul = [("CONSUL_NAMESPACE", "n"), ("CONSUL_PARTITION", "p")];
        let endpoint = from(Server::Consul, Settings::default(), &consul).unwrap();
        assert_eq!(
            (endpoint.namespace, endpoint.partition),
            (text("n"), text("p"))
        );
        let settings = Settings {
            namespace: text("N"),
            partition: text("P"),
            ..Settings::default()
        };
        let endpoint = from(Server::Consul, settings, &consul).unwrap();
        assert_eq!(
            (endpoint.namespace, endpoint.partition),
            (text("N"), text("P"))
        );
    }

    #[test]
    fn settings_that_cannot_be_used() {
        let settings = Settings::default;
        let cases: Vec<(Settings, Variables, &str)> = vec![
            (
                Settings {
                    ca_file: text("/a"),
                    ca_pem: text("b"),
                    ..settings()
                },
                &[],
                "ca_pem",
            ),
            (
                Settings {
                    key_file: text("/a"),
                    key_pem: Some("b".into()),
                    ..settings()
                },
                &[],
                "key_pem",
            ),
            (
                Settings {
                    cert_file: text("/a"),
                    ..settings()
                },
                &[],
                "key_file",
            ),
            (
                Settings {
                    key_pem: Some("a".into()),
                    ..settings()
                },
                &[],
                "cert_file",
            ),
            (
                Settings {
                    timeout: text("soon"),
                    ..settings()
                },
                &[],
                "timeout",
            ),
            (
                Settings {
                    timeout: text("0s"),
                    ..settings()
                },
                &[],
                "timeout",
            ),
            (
                settings(),
                &[("NOMAD_SKIP_VERIFY", "perhaps")],
                "skip_verify",
            ),
            (settings(), &[("NOMAD_CLIENT_CERT", "/a")], "key_file"),
        ];
        for (settings, variables, field) in cases {
            let error = from(Server::Nomad, settings, variables).unwrap_err();
            assert_eq!(error.field, field, "{error}");
        }
    }
}
