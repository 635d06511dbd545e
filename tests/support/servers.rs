//! A Nomad and a Consul that know each other.

use super::certificates::{Authority, Certificate};
use super::consul::Consul;
use super::nomad::Nomad;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// How the servers are set up; the default is neither ACLs nor TLS.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Nobody may do anything without a token.
    pub acl: bool,
    /// Both APIs speak HTTPS alone, with certificates of [`Servers::authority`].
    pub tls: bool,
    /// With `tls`: clients have to show a certificate of the same authority.
    pub mutual_tls: bool,
}

/// The servers of one test, or of all tests of a binary.
pub struct Servers {
    // Dropped in this order: Nomad goes before the Consul it talks to.
    /// The Nomad agent.
    pub nomad: Nomad,
    /// The Consul agent.
    pub consul: Consul,
    /// The authority that signed the servers' certificates, with TLS on.
    pub authority: Option<Authority>,
    /// A certificate for clients, with TLS on.
    pub client: Option<Certificate>,
    folder: PathBuf,
}

static SHARED: OnceLock<Servers> = OnceLock::new();

/// The servers that the tests of this binary share: no ACLs, no TLS.
pub fn servers() -> &'static Servers {
    SHARED.get_or_init(|| Servers::start(Options::default()))
}

/// Has the logs of the shared servers kept, where they run.
pub fn keep_shared_logs() {
    if let Some(servers) = SHARED.get() {
        eprintln!("the servers' logs are in {}", servers.keep_logs().display());
    }
}

impl Servers {
    /// Starts a Consul and a Nomad and waits until jobs can be run.
    #[allow(clippy::needless_pass_by_value)]
    pub fn start(options: Options) -> Self {
        // Short, as sockets in Nomad's allocation folders have paths of at most 108 bytes; and
        // kept out of this process's hands, as the keepers remove it.
        let folder = tempfile::Builder::new()
            .prefix("oam-")
            .tempdir()
            .unwrap()
            .keep();
        let names = [
            "127.0.0.1",
            "localhost",
            "server.global.nomad",
            "server.dc1.consul",
        ];
        let authority = options.tls.then(|| Authority::new(&folder, "tests"));
        let certificate = authority.as_ref().map(|it| it.issue("server", &names));
        let client = authority.as_ref().map(|it| it.issue("client", &["client"]));
        let tls = authority
            .as_ref()
            .map(|it| it.pem.as_str())
            .zip(certificate.as_ref());
        let (for_nomad, for_consul) = if options.acl {
            (
                Some("11111111-1111-4111-8111-111111111111"),
                Some("22222222-2222-4222-8222-222222222222"),
            )
        } else {
            (None, None)
        };
        let consul = Consul::start(&folder, &options, tls, for_consul);
        let nomad = Nomad::start(&folder, &options, tls, for_nomad, &consul);
        Self {
            nomad,
            consul,
            authority,
            client,
            folder,
        }
    }

    /// Where the servers keep their files while they run.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder behind the Nomad host volume `data`.
    pub fn volume(&self) -> PathBuf {
        self.folder.join("nomad/volumes/data")
    }

    /// Has the keepers leave the servers' logs in place, for a test that fails.
    pub fn keep_logs(&self) -> PathBuf {
        let _ = std::fs::write(self.folder.join("failed"), "");
        self.folder.clone()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the servers' logs are in {}", self.keep_logs().display());
        }
    }
}
