//! The agreement between a host and a plugin, before the first call: environment variables one
//! way, one line on standard output the other (go-plugin's `docs/guide-plugin-write-non-go.md`).

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What Terraform sets, so that a plugin can tell that it was not started by hand.
pub const COOKIE_NAME: &str = "TF_PLUGIN_MAGIC_COOKIE";
/// The value that goes with it, of Terraform's and OpenTofu's providers alike.
pub const COOKIE_VALUE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
/// The one version of Terraform's protocol that is spoken here.
pub const PROTOCOL_VERSION: u32 = 6;
/// The version of go-plugin's own protocol.
const CORE_VERSION: u32 = 1;

/// What the host asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The host's certificate as PEM, where it wants mutual TLS.
    pub client_certificate: Option<String>,
    /// Where to put the socket; the system's folder for temporary files otherwise.
    pub socket_dir: Option<PathBuf>,
    /// The TCP ports to choose from, both ends included, where there are no Unix sockets.
    pub ports: (u16, u16),
}

/// Why there can be no agreement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// No host has started this process.
    #[error("this program is a Terraform provider and is started by Terraform")]
    StartedByHand,
    /// The host speaks other versions.
    #[error(
        "this provider speaks version {PROTOCOL_VERSION} of the plugin protocol, and the host \
         offers only {0}; use a newer Terraform or OpenTofu"
    )]
    Version(String),
    /// The ports are not numbers.
    #[error("{0} is not a port number: {1:?}")]
    Port(&'static str, String),
}

impl Handshake {
    /// Reads what the host asks for from its environment variables.
    ///
    /// # Errors
    /// Where this is no host, or one that speaks another version.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Self, HandshakeError> {
        if env(COOKIE_NAME).as_deref() != Some(COOKIE_VALUE) {
            return Err(HandshakeError::StartedByHand);
        }
        // A host that names no versions is one from before the negotiation; it will see ours.
        if let Some(offered) = env("PLUGIN_PROTOCOL_VERSIONS").filter(|list| !list.is_empty())
            && !offered
                .split(',')
                .any(|version| version.trim().parse() == Ok(PROTOCOL_VERSION))
        {
            return Err(HandshakeError::Version(offered));
        }
        let port = |name: &'static str, default: u16| match env(name).filter(|s| !s.is_empty()) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| HandshakeError::Port(name, text)),
        };
        Ok(Self {
            client_certificate: env("PLUGIN_CLIENT_CERT").filter(|pem| !pem.is_empty()),
            socket_dir: env("PLUGIN_UNIX_SOCKET_DIR")
                .filter(|dir| !dir.is_empty())
                .map(PathBuf::from),
            ports: (
                port("PLUGIN_MIN_PORT", 10_000)?,
                port("PLUGIN_MAX_PORT", 25_000)?,
            ),
        })
    }
}

/// Where a plugin listens, as the host wants to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `unix` or `tcp`.
    pub network: &'static str,
    /// A path, or a host and port.
    pub address: String,
}

/// The line that answers the host.
pub struct Line<'a> {
    /// Where the plugin listens.
    pub address: &'a Address,
    /// Its certificate as DER, where it serves TLS.
    pub certificate: Option<&'a [u8]>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { network, address } = self.address;
        let certificate = self.certificate.unwrap_or_default();
        let certificate = STANDARD_NO_PAD.encode(certificate);
        write!(
            f,
            "{CORE_VERSION}|{PROTOCOL_VERSION}|{network}|{address}|grpc|{certificate}"
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(extra: &[(&str, &str)]) -> Result<Handshake, HandshakeError> {
        let all: Vec<_> = [(COOKIE_NAME, COOKIE_VALUE)]
            .iter()
            .chain(extra)
            .copied()
            .collect();
        Handshake::from_env(|name| {
            let found = all.iter().rev().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn reads_the_environment() {
        assert_eq!(
            read(&[]).unwrap(),
            Handshake {
                client_certificate: None,
                socket_dir: None,
                ports: (10_000, 25_000)
            }
        );
        let full = read(&[
            ("PLUGIN_PROTOCOL_VERSIONS", "5,6"),
            ("PLUGIN_CLIENT_CERT", "pem"),
            ("PLUGIN_UNIX_SOCKET_DIR", "/run/x"),
            ("PLUGIN_MIN_PORT", "1"),
            ("PLUGIN_MAX_PORT", "2"),
        ]);
        let want = Handshake {
            client_certificate: Some("pem".to_owned()),
            socket_dir: Some("/run/x".into()),
            ports: (1, 2),
        };
        assert_eq!(full.unwrap(), want);
    }

    #[test]
    fn refuses_what_is_no_host_for_it() {
        use HandshakeError::{Port, StartedByHand, Version};
        for (extra, want) in [
            (vec![(COOKIE_NAME, "other")], StartedByHand),
            (
                vec![("PLUGIN_PROTOCOL_VERSIONS", "4,5")],
                Version("4,5".to_owned()),
            ),
            (
                vec![("PLUGIN_MIN_PORT", "x")],
                Port("PLUGIN_MIN_PORT", "x".to_owned()),
            ),
        ] {
            assert_eq!(read(&extra).unwrap_err(), want);
        }
    }

    #[test]
    fn writes_the_line() {
        let address = Address {
            network: "unix",
            address: "/run/x".to_owned(),
        };
        let line = |certificate| {
            Line {
                address: &address,
                certificate,
            }
            .to_string()
        };
        assert_eq!(line(None), "1|6|unix|/run/x|grpc|");
        assert_eq!(line(Some(&[1, 2])), "1|6|unix|/run/x|grpc|AQI");
    }
}
