//! A Nomad and a Consul that know each other, and a Vault and a Traefik if asked for.

use super::certificates::{Authority, Certificate};
use super::consul::Consul;
use super::nomad::Nomad;
use super::policies::{Policies, Role, Tokens};
use super::proxy::Proxy;
use super::traefik::Traefik;
use super::vault::Vault;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// How the servers are set up; the default is neither ACLs nor TLS nor anything in containers.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Nobody may do anything without a token: Nomad and Consul deny by default, Nomad has a token of its
    /// own for Consul, and its services and tasks log in there with their workload identities, as
    /// `nomad setup consul` sets it up.
    pub acl: bool,
    /// All APIs speak HTTPS alone, with certificates of [`Servers::authority`].
    pub tls: bool,
    /// With `tls`: clients have to show a certificate of the same authority.
    pub mutual_tls: bool,
    /// Jobs may use bridge networks and the mesh, where nobody may call anybody without an
    /// intention; [`docker::ready`](super::docker::ready) has to say yes. With ACLs or TLS the mesh
    /// is not set up, bridge networks are.
    pub containers: bool,
    /// A Vault that tasks get secrets from.
    pub vault: bool,
    /// Nomad takes jobs that need a Vault, but there is none: for jobs that are not to run.
    pub promises_vault: bool,
    /// A Traefik that serves what is tagged for it in Consul's catalog; not with `mutual_tls`.
    pub traefik: bool,
    /// Nomad's region instead of `global`.
    pub region: Option<&'static str>,
    /// Nomad's datacenter instead of `dc1`.
    pub datacenter: Option<&'static str>,
}

/// The servers of one test, or of all tests of a binary.
pub struct Servers {
    // Dropped in this order: Nomad goes before the servers it talks to.
    traefik: Option<Traefik>,
    /// The Nomad agent.
    pub nomad: Nomad,
    vault: Option<Vault>,
    /// The Consul agent.
    pub consul: Consul,
    /// Hands out Nomad's public keys to servers that have no client certificate, with mutual TLS.
    keys: Option<Proxy>,
    /// With ACLs on: what providers have been given, by their role and key prefix.
    tokens: Mutex<BTreeMap<(Role, String), Tokens>>,
    /// The authority that signed the servers' certificates, with TLS on.
    pub authority: Option<Authority>,
    /// A certificate for clients, with TLS on.
    pub client: Option<Certificate>,
    folder: PathBuf,
}

static SHARED: OnceLock<Servers> = OnceLock::new();
static GUARDED: OnceLock<Servers> = OnceLock::new();

/// The servers that the tests of this binary share: no ACLs, no TLS.
pub fn servers() -> &'static Servers {
    SHARED.get_or_init(|| Servers::start(Options::default()))
}

/// The servers that the tests of this binary share which need access control: they deny by default, and
/// have a Vault.
pub fn guarded() -> &'static Servers {
    GUARDED.get_or_init(|| {
        Servers::start(Options {
            acl: true,
            vault: true,
            ..Options::default()
        })
    })
}

/// Has the logs of the shared servers kept, where they run.
pub fn keep_shared_logs() {
    for servers in [&SHARED, &GUARDED].into_iter().filter_map(OnceLock::get) {
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
            &format!("server.{}.nomad", options.region.unwrap_or("global")),
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
        let vault = options.vault.then(|| Vault::start(&folder, &options, tls));
        let nomad = Nomad::start(&folder, &options, tls, for_nomad, &consul, vault.as_ref());
        let keys = options.mutual_tls.then(|| Proxy::before(&nomad));
        let (jwks, signer) = match &keys {
            Some(keys) => (&keys.address, None),
            None => (&nomad.address, authority.as_ref()),
        };
        let jwks = format!("{jwks}/.well-known/jwks.json");
        if options.acl {
            let signer = signer.map(|_| folder.join("tests-ca.pem"));
            consul.trust(&folder, tls, &jwks, signer.as_deref());
        }
        if let Some(vault) = &vault {
            vault.trust(&jwks, signer.map(|it| it.pem.as_str()));
        }
        let traefik = options
            .traefik
            .then(|| Traefik::start(&folder, &consul, authority.as_ref()));
        Self {
            traefik,
            nomad,
            vault,
            consul,
            keys,
            tokens: Mutex::default(),
            authority,
            client,
            folder,
        }
    }

    /// The tokens of a provider with this role whose records are below `prefix`: with ACLs on they may
    /// do what the guide's policies say, and nothing else; without, there are none.
    pub fn tokens(&self, role: Role, prefix: &str) -> Tokens {
        if self.consul.token.is_none() {
            return Tokens::default();
        }
        let mut tokens = self.tokens.lock().unwrap();
        let made = tokens.entry((role, prefix.to_owned())).or_insert_with(|| {
            let name = format!("{role:?}-{}", prefix.replace('/', "-")).to_lowercase();
            Tokens::of(self, &name, &Policies::of(role, prefix))
        });
        made.clone()
    }

    /// The Vault; panics where [`Options::vault`] did not ask for one.
    pub fn vault(&self) -> &Vault {
        self.vault.as_ref().expect("servers with a Vault")
    }

    /// Whether there is a Vault.
    pub fn has_vault(&self) -> bool {
        self.vault.is_some()
    }

    /// The Traefik; panics where [`Options::traefik`] did not ask for one.
    pub fn traefik(&self) -> &Traefik {
        self.traefik.as_ref().expect("servers with a Traefik")
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
