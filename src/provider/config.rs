//! The provider block: where Nomad, Consul and Vault are, and how to speak to them.

use std::collections::BTreeMap;

use crate::http::{Endpoint, Secret, Server, Settings, SettingsError};
use crate::oam::form;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::schema::{Attribute, Block, BlockNesting, Mode, NestedBlock, Schema};
use crate::protocol::value::{Type, Value};
use crate::store::{KEPT, MOST_KEPT};
use crate::translate::Place;

/// The first part of every key, unless the configuration says otherwise.
const KEY_PREFIX: &str = "oam";

/// Where `nomad setup vault` mounts the login of workload identities.
const AUTH_PATH: &str = "jwt-nomad";

/// Where Vault's dev mode and its guides mount the key-value store.
const SECRETS_MOUNT: &str = "secret";

/// The audience that Nomad's documentation has workload identities for Vault have.
const AUDIENCE: &str = "vault.io";

/// What the provider block means, together with the environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to reach Nomad.
    pub nomad: Endpoint,
    /// How to reach Consul.
    pub consul: Endpoint,
    /// Where tenants' secrets are; without it nothing is made in Vault.
    pub vault: Option<Vault>,
    /// The first part of every key in Consul.
    pub key_prefix: String,
    /// Further clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// Whether a plan asks Nomad what it would do.
    pub dry_run: DryRun,
    /// Whether an error tells the last lines of what a failed task wrote.
    pub failure_logs: bool,
    /// How many revisions of each application are kept.
    pub revisions: u64,
}

/// The Vault that tenants' secrets are in.
#[derive(Clone, Debug)]
pub struct Vault {
    /// How to reach it.
    pub endpoint: Endpoint,
    /// Where the JWT login of Nomad's tasks is mounted, below `auth/`.
    pub auth_path: String,
    /// Where the key-value store with the tenants' secrets is mounted.
    pub secrets_mount: String,
    /// The audience that the tasks' identities have.
    pub audience: String,
}

/// Which servers, and where on them: one text for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location(pub String);

impl Config {
    /// Where the provider block says that records and jobs are.
    pub fn location(&self) -> Location {
        let nomad = |endpoint: &Endpoint| {
            let Endpoint {
                region, namespace, ..
            } = endpoint;
            format!("{} {region:?} {namespace:?}", endpoint.origin())
        };
        let clusters = self.clusters.iter().map(|(name, cluster)| {
            let endpoint = cluster.endpoint.as_ref().map(nomad);
            format!("{name:?} {endpoint:?} {:?}", cluster.place)
        });
        let consul = format!(
            "{} {:?} {}",
            self.consul.origin(),
            self.consul.datacenter,
            self.key_prefix
        );
        // The jobs of tenants say with which role they log in there.
        let vault = format!("vault: {}", self.vault.is_some());
        let all = [nomad(&self.nomad), consul, vault]
            .into_iter()
            .chain(clusters);
        Location(all.collect::<Vec<_>>().join("\n"))
    }
}

/// Whether a plan asks Nomad what it would do with the jobs that change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// Yes, and a Nomad that does not answer is an error.
    #[default]
    Required,
    /// Yes, and a Nomad that does not answer is a warning.
    Optional,
    /// No.
    Off,
}

impl DryRun {
    fn read(block: &Value) -> Result<Self, Diagnostic> {
        match block.get("dry_run") {
            Value::String(text) => match text.as_str() {
                "required" => Ok(Self::Required),
                "optional" => Ok(Self::Optional),
                "off" => Ok(Self::Off),
                other => Err(Diagnostic::error(
                    format!("Unknown value {other:?}"),
                    "It must be one of `required`, `optional`, `off`.",
                )
                .at(AttributePath::new("nomad").attribute("dry_run"))),
            },
            _ => Ok(Self::default()),
        }
    }
}

/// A further cluster that components may name.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// How to reach its Nomad, where it is not through the one that the block `nomad` names.
    pub endpoint: Option<Endpoint>,
    /// Where jobs go there.
    pub place: Place,
}

/// Terraform's types for the attributes of either block.
#[derive(Clone, Copy)]
enum Kind {
    Number,
    Text,
    Secret,
    Flag,
}

type Row = (&'static str, Kind, &'static str);

const NOMAD: &[Row] = &[
    (
        "region",
        Kind::Text,
        "Region to send jobs to. Environment: `NOMAD_REGION`.",
    ),
    (
        "namespace",
        Kind::Text,
        "Namespace of applications that belong to no tenant; `default` otherwise. \
         Environment: `NOMAD_NAMESPACE`.",
    ),
    (
        "dry_run",
        Kind::Text,
        "Whether a plan asks Nomad what it would do with the jobs that change: `required` (the \
         default), `optional` (a Nomad that does not answer is a warning) or `off`.",
    ),
    (
        "failure_logs",
        Kind::Flag,
        "Whether the error about a task that failed has the last lines in it that the task wrote; `true` \
         otherwise. What a task writes may be secret, and the error is in the output of the run.",
    ),
];

const CONSUL: &[Row] = &[
    (
        "datacenter",
        Kind::Text,
        "Datacenter that keeps the records; the agent's own otherwise.",
    ),
    (
        "key_prefix",
        Kind::Text,
        "First part of every key in Consul's KV store; `oam` otherwise.",
    ),
    (
        "revisions",
        Kind::Number,
        "How many revisions of each application are kept, from 0 to 1000; `10` otherwise.",
    ),
    (
        "namespace",
        Kind::Text,
        "Consul Enterprise: namespace of the records. Environment: `CONSUL_NAMESPACE`.",
    ),
    (
        "partition",
        Kind::Text,
        "Consul Enterprise: admin partition of everything; the agent's own otherwise. Environment: \
         `CONSUL_PARTITION`.",
    ),
];

const VAULT: &[Row] = &[
    (
        "namespace",
        Kind::Text,
        "Vault Enterprise: namespace in which everything is. Environment: `VAULT_NAMESPACE`.",
    ),
    (
        "auth_path",
        Kind::Text,
        "Where the JWT login of Nomad's tasks is mounted, without `auth/`; `jwt-nomad` otherwise.",
    ),
    (
        "secrets_mount",
        Kind::Text,
        "Where the key-value store with the tenants' secrets is mounted; `secret` otherwise.",
    ),
    (
        "audience",
        Kind::Text,
        "The audience of the identities that Nomad gives tasks for Vault; `vault.io` otherwise.",
    ),
];

const CLUSTER: &[Row] = &[(
    "region",
    Kind::Text,
    "Region to send jobs to; the agent's own otherwise, or that of the block `nomad` where there is no \
     `address`.",
)];

fn common(server: Server) -> Vec<(&'static str, Kind, String)> {
    let [address, token, ca, cert, key, name, verify] = match server {
        Server::Nomad => [
            "`NOMAD_ADDR`",
            "`NOMAD_TOKEN`",
            "`NOMAD_CACERT`",
            "`NOMAD_CLIENT_CERT`",
            "`NOMAD_CLIENT_KEY`",
            "`NOMAD_TLS_SERVER_NAME`",
            "`NOMAD_SKIP_VERIFY`",
        ],
        Server::Consul => [
            "`CONSUL_HTTP_ADDR` (with `CONSUL_HTTP_SSL`)",
            "`CONSUL_HTTP_TOKEN` or `CONSUL_HTTP_TOKEN_FILE`",
            "`CONSUL_CACERT`",
            "`CONSUL_CLIENT_CERT`",
            "`CONSUL_CLIENT_KEY`",
            "`CONSUL_TLS_SERVER_NAME`",
            "`CONSUL_HTTP_SSL_VERIFY`",
        ],
        Server::Vault => [
            "`VAULT_ADDR`",
            "`VAULT_TOKEN`",
            "`VAULT_CACERT`",
            "`VAULT_CLIENT_CERT`",
            "`VAULT_CLIENT_KEY`",
            "`VAULT_TLS_SERVER_NAME`",
            "`VAULT_SKIP_VERIFY`",
        ],
    };
    let default = match server {
        Server::Nomad => "http://127.0.0.1:4646",
        Server::Consul => "http://127.0.0.1:8500",
        Server::Vault => "https://127.0.0.1:8200",
    };
    let token_doc = match server {
        Server::Nomad | Server::Consul => "ACL token",
        Server::Vault => "Token",
    };
    vec![
        (
            "address",
            Kind::Text,
            format!("URL of the HTTP API; `{default}` otherwise. Environment: {address}."),
        ),
        (
            "token",
            Kind::Secret,
            format!("{token_doc}. Environment: {token}."),
        ),
        (
            "ca_file",
            Kind::Text,
            format!(
                "File with the certificates to trust, as PEM; the system's otherwise. Environment: {ca}."
            ),
        ),
        (
            "ca_pem",
            Kind::Text,
            "The certificates to trust, as PEM text.".to_owned(),
        ),
        (
            "cert_file",
            Kind::Text,
            format!(
                "File with the client certificate for mutual TLS, as PEM. Environment: {cert}."
            ),
        ),
        (
            "cert_pem",
            Kind::Text,
            "The client certificate, as PEM text.".to_owned(),
        ),
        (
            "key_file",
            Kind::Text,
            format!("File with the client certificate's private key, as PEM. Environment: {key}."),
        ),
        (
            "key_pem",
            Kind::Secret,
            "The private key, as PEM text.".to_owned(),
        ),
        (
            "tls_server_name",
            Kind::Text,
            format!("Name that the server's certificate must have. Environment: {name}."),
        ),
        (
            "skip_verify",
            Kind::Flag,
            format!("Accept any certificate: for experiments only. Environment: {verify}."),
        ),
        (
            "timeout",
            Kind::Text,
            "The longest that one request may take, such as `10s`; `30s` otherwise.".to_owned(),
        ),
    ]
}

/// The shape of the provider block.
pub fn schema() -> Schema {
    let block = |server: Server, own: &[Row], description: &str| {
        let own = own
            .iter()
            .map(|(name, kind, text)| (*name, *kind, (*text).to_owned()));
        let rows = common(server).into_iter().chain(own);
        let attribute = |(name, kind, text): (&str, Kind, String)| match kind {
            Kind::Text => Attribute::new(name, Type::String, Mode::Optional, &text),
            Kind::Secret => Attribute::new(name, Type::String, Mode::Optional, &text).sensitive(),
            Kind::Flag => Attribute::new(name, Type::Bool, Mode::Optional, &text),
            Kind::Number => Attribute::new(name, Type::Number, Mode::Optional, &text),
        };
        NestedBlock {
            name: server.block().to_owned(),
            block: Block {
                attributes: rows.map(attribute).collect(),
                blocks: Vec::new(),
                description: description.to_owned(),
            },
            nesting: BlockNesting::Single,
        }
    };
    Schema {
        version: 0,
        block: Block {
            attributes: Vec::new(),
            blocks: vec![
                block(Server::Nomad, NOMAD, "The Nomad that runs the jobs."),
                block(Server::Consul, CONSUL, "The Consul that keeps the records."),
                block(
                    Server::Vault,
                    VAULT,
                    "The Vault with the tenants' secrets. Without this block nothing is made in Vault; an \
                     empty one takes everything from the environment.",
                ),
                cluster_block(),
            ],
            description: "Runs Open Application Model applications on Nomad.".to_owned(),
        },
    }
}

/// The block of a further cluster: the settings of a Nomad, of which the environment sets none.
fn cluster_block() -> NestedBlock {
    let text = |name: &str, kind: Kind, doc: String| {
        let doc = doc
            .split(" Environment:")
            .next()
            .unwrap_or_default()
            .to_owned();
        let doc = match name {
            "address" => {
                "URL of the HTTP API. Without one, the Nomad of the block `nomad` is asked, which \
                          passes on what is for another region."
                    .to_owned()
            }
            _ => doc,
        };
        match kind {
            Kind::Text => Attribute::new(name, Type::String, Mode::Optional, &doc),
            Kind::Secret => Attribute::new(name, Type::String, Mode::Optional, &doc).sensitive(),
            Kind::Flag => Attribute::new(name, Type::Bool, Mode::Optional, &doc),
            Kind::Number => Attribute::new(name, Type::Number, Mode::Optional, &doc),
        }
    };
    let own = CLUSTER
        .iter()
        .map(|(name, kind, doc)| (*name, *kind, (*doc).to_owned()));
    let rows = common(Server::Nomad).into_iter().chain(own);
    let mut attributes: Vec<_> = rows
        .map(|(name, kind, doc)| text(name, kind, doc))
        .collect();
    attributes.push(Attribute::new(
        "datacenters",
        Type::List(Box::new(Type::String)),
        Mode::Optional,
        "Datacenters to use there, or patterns of them; all otherwise.",
    ));
    NestedBlock {
        name: "cluster".to_owned(),
        block: Block {
            attributes,
            blocks: Vec::new(),
            description:
                "A further Nomad that components may name in `target_clusters`. The label is its \
                          name."
                    .to_owned(),
        },
        nesting: BlockNesting::Map,
    }
}

/// Reads a provider block. `None`: something in it is not known yet, so that no request can be
/// made.
///
/// # Errors
/// One diagnostic for each setting that cannot be used, at its attribute.
pub fn read(
    config: &Value,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Config>, Diagnostics> {
    let block = |server: Server| {
        let path = AttributePath::new(server.block());
        endpoint(server, config.get(server.block()), &path, env)
    };
    let (nomad, consul) = (block(Server::Nomad), block(Server::Consul));
    let vault = vault(config.get(Server::Vault.block()), env);
    let key_prefix = key_prefix(config);
    let dry_run = DryRun::read(config.get("nomad"));
    let revisions = revisions(config.get("consul"));
    let mut clusters = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, block) in config.get("cluster").as_map().into_iter().flatten() {
        match cluster(name, block) {
            Ok(cluster) => drop(clusters.insert(name.clone(), cluster)),
            Err(error) => errors.push(error),
        }
    }
    match (nomad, consul, vault, key_prefix, dry_run, revisions) {
        (Ok(nomad), Ok(consul), Ok(vault), Ok(key_prefix), Ok(dry_run), Ok(revisions))
            if errors.is_empty() =>
        {
            if !config.is_wholly_known() {
                return Ok(None);
            }
            Ok(Some(Config {
                nomad,
                consul,
                vault,
                key_prefix,
                clusters,
                dry_run,
                failure_logs: config
                    .get("nomad")
                    .get("failure_logs")
                    .as_bool()
                    .unwrap_or(true),
                revisions,
            }))
        }
        (nomad, consul, vault, key_prefix, dry_run, revisions) => {
            errors.extend(
                [
                    nomad.err(),
                    consul.err(),
                    vault.err(),
                    key_prefix.err(),
                    dry_run.err(),
                    revisions.err(),
                ]
                .into_iter()
                .flatten(),
            );
            Err(errors)
        }
    }
}

/// The Vault, where the provider block has one.
fn vault(block: &Value, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Vault>, Diagnostic> {
    if matches!(block, Value::Null) {
        return Ok(None);
    }
    let path = AttributePath::new(Server::Vault.block());
    let mount = |name: &str, default: &str| {
        let mount = match block.get(name) {
            Value::String(mount) if !mount.is_empty() => mount.trim_matches('/'),
            _ => default,
        };
        match is_path(mount) {
            true => Ok(mount.to_owned()),
            false => Err(Diagnostic::error(
                "Unusable mount",
                "A mount has one or more parts separated by single slashes, such as `secret` or \
                 `team/secret`, and none of them is `.` or `..`.",
            )
            .at(path.clone().attribute(name))),
        }
    };
    Ok(Some(Vault {
        endpoint: endpoint(Server::Vault, block, &path, env)?,
        auth_path: mount("auth_path", AUTH_PATH)?,
        secrets_mount: mount("secrets_mount", SECRETS_MOUNT)?,
        audience: match block.get("audience") {
            Value::String(audience) if !audience.is_empty() => audience.clone(),
            _ => AUDIENCE.to_owned(),
        },
    }))
}

/// A further cluster. The environment is about the provider's own servers.
fn cluster(name: &str, block: &Value) -> Result<Cluster, Diagnostic> {
    let path = AttributePath::new("cluster").key(name);
    if !form::is_label(name) {
        let detail = format!("{} is how components name it.", form::LABEL.how);
        let summary = format!("{name:?} is not a name of a cluster");
        return Err(Diagnostic::error(summary, detail).at(path));
    }
    let endpoint = match block.get("address") {
        Value::Null => None,
        _ => Some(endpoint(Server::Nomad, block, &path, &|_| None)?),
    };
    let datacenters = block.get("datacenters").as_list().unwrap_or_default();
    let datacenters: Vec<_> = datacenters
        .iter()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    Ok(Cluster {
        endpoint,
        place: Place {
            region: block.get("region").as_str().map(str::to_owned),
            datacenters: match datacenters.is_empty() {
                true => vec!["*".to_owned()],
                false => datacenters,
            },
        },
    })
}

fn endpoint(
    server: Server,
    block: &Value,
    path: &AttributePath,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Endpoint, Diagnostic> {
    // An unknown value counts as unset here: what is known is checked all the same.
    let text = |name: &str| block.get(name).as_str().map(str::to_owned);
    let mut settings = Settings {
        address: text("address"),
        token: text("token").map(Secret::from),
        region: text("region"),
        namespace: text("namespace"),
        partition: text("partition"),
        datacenter: text("datacenter"),
        ca_file: text("ca_file"),
        ca_pem: text("ca_pem"),
        cert_file: text("cert_file"),
        cert_pem: text("cert_pem"),
        key_file: text("key_file"),
        key_pem: text("key_pem").map(Secret::from),
        tls_server_name: text("tls_server_name"),
        skip_verify: block.get("skip_verify").as_bool(),
        timeout: text("timeout"),
    };
    let unknown = |names: [&str; 2]| names.iter().any(|name| block.get(name).is_unknown());
    let half_known = unknown(["cert_file", "cert_pem"]) != unknown(["key_file", "key_pem"]);
    if half_known {
        // The pair cannot be judged by one half.
        settings.cert_file = None;
        settings.cert_pem = None;
        settings.key_file = None;
        settings.key_pem = None;
    }
    Endpoint::from(server, settings, env).map_err(|error| {
        let SettingsError {
            field,
            summary,
            detail,
        } = error;
        Diagnostic::error(summary, detail).at(path.clone().attribute(field))
    })
}

fn revisions(block: &Value) -> Result<u64, Diagnostic> {
    let given = match block.get("revisions") {
        Value::Number(number) => number.as_i64(),
        _ => return Ok(KEPT),
    };
    let kept = given.and_then(|given| u64::try_from(given).ok());
    kept.filter(|kept| *kept <= MOST_KEPT).ok_or_else(|| {
        Diagnostic::error(
            "Unusable number of revisions",
            format!("It must be a whole number between 0 and {MOST_KEPT}."),
        )
        .at(AttributePath::new("consul").attribute("revisions"))
    })
}

fn key_prefix(config: &Value) -> Result<String, Diagnostic> {
    let prefix = match config.get("consul").get("key_prefix") {
        Value::String(prefix) => prefix.trim_matches('/'),
        _ => KEY_PREFIX,
    };
    if !is_path(prefix) {
        let path = AttributePath::new("consul").attribute("key_prefix");
        return Err(Diagnostic::error(
            "Unusable key prefix",
            "A key prefix has one or more parts separated by single slashes, such as `oam` or \
             `platform/oam`, and none of them is `.` or `..`.",
        )
        .at(path));
    }
    Ok(prefix.to_owned())
}

/// Whether a text is one or more parts between single slashes, none of which goes up or stays.
fn is_path(text: &str) -> bool {
    text.split('/')
        .all(|part| !part.is_empty() && part != "." && part != "..")
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn read_vault(block: Value) -> Result<Option<Vault>, Diagnostics> {
        let none = || Value::Null;
        let config = Value::from([("nomad", none()), ("consul", none()), ("vault", block)]);
        let env = |name: &str| (name == "VAULT_ADDR").then(|| "https://vault:1".to_owned());
        read(&config, &env).map(|config| config.expect("all is known").vault)
    }

    #[test]
    fn vault_is_there_where_its_block_is() {
        assert!(read_vault(Value::Null).unwrap().is_none());
        let unset = || Value::Null;
        let empty = Value::from([("address", unset()), ("auth_path", unset())]);
        let vault = read_vault(empty).unwrap().unwrap();
        assert_eq!(vault.endpoint.origin(), "https://vault:1");
        assert_eq!(
            [vault.auth_path, vault.secrets_mount, vault.audience],
            ["jwt-nomad", "secret", "vault.io"]
        );
        let block = Value::from([
            ("address", "http://v:8200".into()),
            ("auth_path", "/team/jwt/".into()),
            ("secrets_mount", "team/kv/".into()),
            ("audience", "us".into()),
            ("namespace", "platform".into()),
        ]);
        let vault = read_vault(block).unwrap().unwrap();
        assert_eq!(vault.endpoint.origin(), "http://v:8200");
        assert_eq!(vault.endpoint.namespace.as_deref(), Some("platform"));
        assert_eq!(
            [vault.auth_path, vault.secrets_mount, vault.audience],
            ["team/jwt", "team/kv", "us"]
        );
    }

    #[test]
    fn vault_mounts_that_cannot_be_are_refused() {
        for name in ["auth_path", "secrets_mount"] {
            for mount in ["/", "a//b", "../sys", "a/./b", "a/..", "a\nb"] {
                let block = Value::from([(name, mount.into())]);
                let errors = read_vault(block).unwrap_err();
                assert_eq!(errors.len(), 1, "{name} {mount:?}");
                assert_eq!(errors[0].summary, "Unusable mount");
            }
        }
    }
}
