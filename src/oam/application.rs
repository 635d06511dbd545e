//! Applications and components: their definitions and their typed model.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::container::{self, Container};
use super::def::{Block, Field, Kind, Label, NAME};
use super::form;
use crate::scopes::{self, Scope};
use crate::traits::Trait;

/// An application.
pub static DEFINITION: Block = Block {
    name: "application",
    doc: "An application: components that are deployed together.",
    label: None,
    fields: &[
        Field {
            name: "name",
            oam: "name",
            kind: Kind::Text(&form::LABEL),
            required: true,
            doc: "Name of the application: lower-case letters, digits and hyphens. \
                  Another name is another application.",
        },
        Field {
            name: "tenant",
            oam: "tenant",
            kind: Kind::Text(&form::TENANT),
            required: false,
            doc: "Tenant that the application belongs to: its jobs run in the Nomad namespace of \
                  that name, and in Consul their services have it before theirs: \
                  `<tenant>-<application>-<component>`. Without one they run in the provider's \
                  namespace.",
        },
        Field {
            name: "labels",
            oam: "labels",
            kind: Kind::Map(&form::TEXT, &form::TEXT),
            required: false,
            doc: "Labels of the application, kept in its record.",
        },
        Field {
            name: "annotations",
            oam: "annotations",
            kind: Kind::Map(&form::TEXT, &form::TEXT),
            required: false,
            doc: "Annotations of the application, kept in its record.",
        },
        Field {
            name: "scopes",
            oam: "scopes",
            kind: Kind::List(&form::SCOPE),
            required: false,
            doc: "The scopes that the application is in, by their `id`: at most one of each kind.",
        },
        Field {
            name: "network_scope",
            oam: "networkscope.nomad.oam.dev",
            kind: Kind::Labelled(&scopes::network::BLOCK),
            required: false,
            doc: "A network scope of this application alone. The label is its name.",
        },
        Field {
            name: "node_pool_scope",
            oam: "nodepool.nomad.oam.dev",
            kind: Kind::Labelled(&scopes::node_pool::BLOCK),
            required: false,
            doc: "A node pool scope of this application alone. The label is its name.",
        },
        Field {
            name: "namespace_scope",
            oam: "namespace.nomad.oam.dev",
            kind: Kind::Labelled(&scopes::namespace::BLOCK),
            required: false,
            doc: "A namespace scope of this application alone. The label is its name.",
        },
        Field {
            name: "component",
            oam: "components",
            kind: Kind::Labelled(&COMPONENT),
            required: true,
            doc: "A component: one Nomad job, named `<application>-<component>`. The label is its \
                  name: lower-case letters, digits and hyphens.",
        },
    ],
};

/// A component.
pub static COMPONENT: Block = Block {
    name: "component",
    doc: "A component of an application.",
    label: Some(NAME),
    fields: &[
        Field {
            name: "type",
            oam: "type",
            kind: Kind::Enum(ComponentType::NAMES),
            required: true,
            doc: "`webservice` (runs always, serves ports), `worker` (runs always), `task` (runs \
                  once), `cron-task` (runs on a schedule) or `daemon` (runs on every node); or one \
                  of `containerizedworkload.nomad.oam.dev` (containers), \
                  `executableworkload.nomad.oam.dev` (a program that runs once), \
                  `vmworkload.nomad.oam.dev` (a virtual machine), `batchworkload.nomad.oam.dev` \
                  (runs once) and `systemworkload.nomad.oam.dev` (runs on every node).",
        },
        Field {
            name: "target_clusters",
            oam: "targetClusters",
            kind: Kind::List(&form::DATACENTER),
            required: false,
            doc: "Where to run. Where the provider block has `cluster` blocks: the labels of some, \
                  and each gets a job of its own. Where it has none: datacenters, or patterns of \
                  them. Everywhere otherwise.",
        },
        Field {
            name: "image",
            oam: "image",
            kind: Kind::Text(&form::TEXT),
            required: false,
            doc: "Docker image to run; of a virtual machine, the path of its disk image on the \
                  nodes. Either this, a `command` or `container` blocks are needed.",
        },
        Field {
            name: "image_pull_secret",
            oam: "imagePullSecret",
            kind: Kind::Text(&form::KEY),
            required: false,
            doc: "Path of a secret in Vault with the fields `username` and `password`, with which \
                  the images are pulled, such as `secret/data/registry`. The containers see both, as \
                  `OAM_REGISTRY_USERNAME` and `OAM_REGISTRY_PASSWORD`.",
        },
        Field {
            name: "driver",
            oam: "driver",
            kind: Kind::Enum(&["docker", "exec", "raw_exec", "qemu"]),
            required: false,
            doc: "Nomad task driver: `docker` where there is an image, `exec` otherwise; or \
                  `raw_exec`, for a command without isolation. A virtual machine has `qemu`.",
        },
        Field {
            name: "command",
            oam: "command",
            kind: Kind::List(&form::TEXT),
            required: false,
            doc: "Program to run and its first arguments. With an image, it replaces the image's \
                  entry point.",
        },
        Field {
            name: "args",
            oam: "args",
            kind: Kind::List(&form::TEXT),
            required: false,
            doc: "Further arguments; of a virtual machine, those of QEMU.",
        },
        Field {
            name: "env",
            oam: "env",
            kind: Kind::Variables,
            required: false,
            doc: "Environment variables. `${…}` is left to Nomad, which replaces it when the task \
                  starts.",
        },
        Field {
            name: "env_from",
            oam: "env",
            kind: Kind::Labelled(&ENV_FROM),
            required: false,
            doc: "An environment variable whose value Nomad fetches when the task starts. The label \
                  is its name.",
        },
        Field {
            name: "schedule",
            oam: "schedule",
            kind: Kind::Text(&form::CRON),
            required: false,
            doc: "When a `cron-task` runs: five cron fields, such as `*/15 * * * *`, or one of \
                  `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
        },
        Field {
            name: "time_zone",
            oam: "timeZone",
            kind: Kind::Text(&form::WORD),
            required: false,
            doc: "Time zone of the schedule, such as `Europe/Berlin`; `UTC` otherwise.",
        },
        Field {
            name: "port",
            oam: "ports",
            kind: Kind::Labelled(&PORT),
            required: false,
            doc: "A port that the component serves. The label is its name.",
        },
        Field {
            name: "upstream",
            oam: "upstreams",
            kind: Kind::Labelled(&UPSTREAM),
            required: false,
            doc: "A service that the component calls through the mesh of a network scope. The label \
                  is the name of a component.",
        },
        Field {
            name: "resources",
            oam: "resources",
            kind: Kind::Single(&RESOURCES),
            required: false,
            doc: "What each instance may use.",
        },
        Field {
            name: "restart_policy",
            oam: "restartPolicy",
            kind: Kind::Single(&RESTART_POLICY),
            required: false,
            doc: "How often a task that fails is started again on its node.",
        },
        Field {
            name: "health_check",
            oam: "healthCheck",
            kind: Kind::Single(&HEALTH_CHECK),
            required: false,
            doc: "How Consul finds out whether an instance is healthy. A deployment waits for it.",
        },
        Field {
            name: "container",
            oam: "containers",
            kind: Kind::Labelled(&container::BLOCK),
            required: false,
            doc: "A container that runs beside the others of the component. The label is its name.",
        },
    ],
};

/// Where the value of an environment variable comes from.
pub(super) static ENV_FROM: Block = Block {
    name: "env_from",
    doc: "An environment variable whose value Nomad fetches when the task starts. A change of the \
          value restarts the task.",
    label: Some(Label {
        oam: "name",
        form: &form::VARIABLE,
    }),
    fields: &[
        Field {
            name: "vault_secret",
            oam: "vaultSecret",
            kind: Kind::Single(&VAULT_SECRET),
            required: false,
            doc: "From a secret in Vault.",
        },
        Field {
            name: "consul_key",
            oam: "consulKey",
            kind: Kind::Single(&CONSUL_KEY),
            required: false,
            doc: "From a key in Consul's KV store.",
        },
    ],
};

static VAULT_SECRET: Block = Block {
    name: "vault_secret",
    doc: "A field of a secret in Vault.",
    label: None,
    fields: &[
        Field {
            name: "path",
            oam: "path",
            kind: Kind::Text(&form::KEY),
            required: true,
            doc: "Path of the secret, such as `secret/data/db`: of version 2 of the KV secrets \
                  engine, with `data` as its second part.",
        },
        Field {
            name: "field",
            oam: "field",
            kind: Kind::Text(&form::SECRET_FIELD),
            required: true,
            doc: "Name of the field.",
        },
    ],
};

static CONSUL_KEY: Block = Block {
    name: "consul_key",
    doc: "A key in Consul's KV store.",
    label: None,
    fields: &[Field {
        name: "key",
        oam: "key",
        kind: Kind::Text(&form::CONSUL_KEY),
        required: true,
        doc: "The whole key. The task waits until it is there.",
    }],
};

static UPSTREAM: Block = Block {
    name: "upstream",
    doc: "A service that a component calls through the mesh of a network scope.",
    label: Some(NAME),
    fields: &[
        Field {
            name: "port",
            oam: "port",
            kind: Kind::Integer { min: 1, max: 65535 },
            required: true,
            doc: "The port on `127.0.0.1` where the component reaches it.",
        },
        Field {
            name: "application",
            oam: "application",
            kind: Kind::Text(&form::LABEL),
            required: false,
            doc: "The application of the component, of the same tenant; this one otherwise.",
        },
    ],
};

pub(super) static PORT: Block = Block {
    name: "port",
    doc: "A port that a component serves.",
    label: Some(NAME),
    fields: &[
        Field {
            name: "port",
            oam: "port",
            kind: Kind::Integer { min: 1, max: 65535 },
            required: true,
            doc: "The number that the component listens on in its own network. In the host's \
                  network, it must listen on the port that Nomad gives it, \
                  `${NOMAD_PORT_<label>}`, unless the port is exposed.",
        },
        Field {
            name: "protocol",
            oam: "protocol",
            kind: Kind::Enum(&["TCP", "UDP"]),
            required: false,
            doc: "`TCP` (the default) or `UDP`.",
        },
        Field {
            name: "expose",
            oam: "expose",
            kind: Kind::Bool,
            required: false,
            doc: "Serve the same number on the node, so that only one instance fits on each; \
                  otherwise Nomad chooses a free port.",
        },
    ],
};

pub(super) static RESOURCES: Block = Block {
    name: "resources",
    doc: "What each instance of a component may use.",
    label: None,
    fields: &[
        Field {
            name: "cpu",
            oam: "cpu",
            kind: Kind::Text(&form::CPU),
            required: false,
            doc: "CPU in cores or thousandths of one, such as `1` or `500m`. A core counts as 1,000 \
                  MHz. `100m` otherwise.",
        },
        Field {
            name: "memory",
            oam: "memory",
            kind: Kind::Text(&form::MEMORY),
            required: false,
            doc: "Memory such as `256Mi` or `1Gi`; `300Mi` otherwise.",
        },
    ],
};

static RESTART_POLICY: Block = Block {
    name: "restart_policy",
    doc: "How often a task that fails is started again on its node.",
    label: None,
    fields: &[
        Field {
            name: "attempts",
            oam: "attempts",
            kind: Kind::Integer {
                min: 0,
                max: 10_000,
            },
            required: false,
            doc: "How often within the interval.",
        },
        Field {
            name: "interval",
            oam: "interval",
            kind: Kind::Text(&form::DURATION),
            required: false,
            doc: "The interval, such as `30m`.",
        },
        Field {
            name: "delay",
            oam: "delay",
            kind: Kind::Text(&form::DURATION),
            required: false,
            doc: "How long to wait before each, such as `15s`.",
        },
        Field {
            name: "mode",
            oam: "mode",
            kind: Kind::Enum(&["fail", "delay"]),
            required: false,
            doc: "After the last: `fail` (the default) or `delay` until the interval is over.",
        },
    ],
};

/// A health check.
pub static HEALTH_CHECK: Block = Block {
    name: "health_check",
    doc: "How Consul finds out whether an instance is healthy.",
    label: None,
    fields: &[
        Field {
            name: "type",
            oam: "type",
            kind: Kind::Enum(&["http", "tcp"]),
            required: false,
            doc: "`http` (the default) or `tcp`.",
        },
        Field {
            name: "path",
            oam: "path",
            kind: Kind::Text(&form::PATH),
            required: false,
            doc: "Path that an HTTP check asks for; `/` otherwise.",
        },
        Field {
            name: "port",
            oam: "port",
            kind: Kind::Text(&form::LABEL),
            required: false,
            doc: "Label of the port to check: the only one, or the one labelled `http`, otherwise.",
        },
        Field {
            name: "interval",
            oam: "interval",
            kind: Kind::Text(&form::DURATION),
            required: false,
            doc: "How often, such as `10s` (the default).",
        },
        Field {
            name: "timeout",
            oam: "timeout",
            kind: Kind::Text(&form::DURATION),
            required: false,
            doc: "How long one check may take, such as `2s` (the default).",
        },
    ],
};

/// What kind of thing a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentType {
    /// Runs always and serves ports.
    Webservice,
    /// Runs always.
    Worker,
    /// Runs once.
    Task,
    /// Runs on a schedule.
    CronTask,
    /// Runs on every node.
    Daemon,
    /// Containers that run always.
    #[serde(rename = "containerizedworkload.nomad.oam.dev")]
    Containerized,
    /// A program that runs once.
    #[serde(rename = "executableworkload.nomad.oam.dev")]
    Executable,
    /// A virtual machine that runs always.
    #[serde(rename = "vmworkload.nomad.oam.dev")]
    Vm,
    /// Runs once.
    #[serde(rename = "batchworkload.nomad.oam.dev")]
    Batch,
    /// Runs on every node.
    #[serde(rename = "systemworkload.nomad.oam.dev")]
    System,
}

/// How long a component runs, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Always, where there is room.
    Always,
    /// Once, or once each time.
    Once,
    /// Always, on every node.
    EveryNode,
}

impl ComponentType {
    /// Every type, in the order of [`ComponentType::NAMES`].
    pub const ALL: &'static [Self] = &[
        Self::Webservice,
        Self::Worker,
        Self::Task,
        Self::CronTask,
        Self::Daemon,
        Self::Containerized,
        Self::Executable,
        Self::Vm,
        Self::Batch,
        Self::System,
    ];

    /// The names in HCL and in documents.
    pub const NAMES: &'static [&'static str] = &[
        "webservice",
        "worker",
        "task",
        "cron-task",
        "daemon",
        "containerizedworkload.nomad.oam.dev",
        "executableworkload.nomad.oam.dev",
        "vmworkload.nomad.oam.dev",
        "batchworkload.nomad.oam.dev",
        "systemworkload.nomad.oam.dev",
    ];

    /// The type of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        let at = Self::NAMES.iter().position(|known| *known == name)?;
        Self::ALL.get(at).copied()
    }

    /// The name in HCL and in documents.
    pub fn name(self) -> &'static str {
        let at = Self::ALL.iter().position(|known| *known == self);
        at.and_then(|at| Self::NAMES.get(at).copied())
            .unwrap_or_default()
    }

    /// Markdown: what it is, and what it needs.
    pub fn doc(self) -> &'static str {
        match self {
            Self::Webservice => "Runs always and serves ports.",
            Self::Worker => "Runs always. It needs no ports.",
            Self::Task => "Runs once, to its end.",
            Self::CronTask => "Runs on a schedule, to its end each time.",
            Self::Daemon => "Runs always, once on every node.",
            Self::Containerized => {
                "Containers that run always: an `image`, `container` blocks, or both."
            }
            Self::Executable => {
                "A program of the nodes that runs once, to its end: a `command`, with the driver \
                 `exec` or `raw_exec`."
            }
            Self::Vm => {
                "A virtual machine that runs always, on QEMU, from a disk image that is on the nodes. \
                 Its ports are those of the machine."
            }
            Self::Batch => "Runs once, to its end.",
            Self::System => "Runs always, once on every node.",
        }
    }

    /// How long it runs, and where.
    pub fn life(self) -> Life {
        match self {
            Self::Webservice | Self::Worker | Self::Containerized | Self::Vm => Life::Always,
            Self::Task | Self::CronTask | Self::Executable | Self::Batch => Life::Once,
            Self::Daemon | Self::System => Life::EveryNode,
        }
    }
}

/// An application whose every value is known and checked.
#[derive(Debug)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its tenant, where it has one.
    pub tenant: Option<String>,
    /// Its scopes, at most one of each kind, in the order of [`scopes::ALL`].
    pub scopes: Vec<Box<dyn Scope>>,
    /// Its components by name.
    pub components: BTreeMap<String, Component>,
}

/// A component, with its traits.
#[derive(Debug)]
pub struct Component {
    /// Its own fields.
    pub spec: Spec,
    /// Its traits, in the order of [`crate::traits::ALL`].
    pub traits: Vec<Box<dyn Trait>>,
}

/// The fields of a component that are not traits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What kind of thing it is.
    #[serde(rename = "type")]
    pub kind: ComponentType,
    /// Clusters or datacenters; empty for everywhere.
    #[serde(default)]
    pub target_clusters: Vec<String>,
    /// Docker image, or disk image of a virtual machine.
    pub image: Option<String>,
    /// Path of a secret in Vault.
    pub image_pull_secret: Option<String>,
    /// Nomad's driver, where it is not the usual one.
    pub driver: Option<String>,
    /// Program and first arguments.
    #[serde(default)]
    pub command: Vec<String>,
    /// Further arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Environment variables that are fetched when the task starts.
    #[serde(default)]
    pub env_from: BTreeMap<String, EnvFrom>,
    /// When a cron-task runs.
    pub schedule: Option<String>,
    /// Where it is that time.
    pub time_zone: Option<String>,
    /// Ports by label.
    #[serde(default)]
    pub port: BTreeMap<String, Port>,
    /// What it calls through the mesh, by the name of the component.
    #[serde(default)]
    pub upstream: BTreeMap<String, Upstream>,
    /// What each instance may use.
    #[serde(default)]
    pub resources: Resources,
    /// How often a task that fails is started again.
    pub restart_policy: Option<RestartPolicy>,
    /// How its health is found out.
    pub health_check: Option<HealthCheck>,
    /// What runs beside, by name.
    #[serde(default)]
    pub container: BTreeMap<String, Container>,
}

/// Where the value of an environment variable comes from: one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvFrom {
    /// A field of a secret in Vault.
    pub vault_secret: Option<VaultField>,
    /// A key in Consul.
    pub consul_key: Option<ConsulKey>,
}

/// A field of a secret in Vault.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultField {
    /// Path of the secret.
    pub path: String,
    /// Name of the field.
    pub field: String,
}

/// A key in Consul.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsulKey {
    /// The whole key.
    pub key: String,
}

/// A service that is called through the mesh.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The port on the loopback address.
    pub port: u16,
    /// The application, where it is another.
    pub application: Option<String>,
}

/// A port.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// The number.
    pub port: u16,
    /// `TCP` or `UDP`.
    pub protocol: Option<String>,
    /// Whether the node serves the same number.
    #[serde(default)]
    pub expose: bool,
}

/// What each instance may use.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// CPU, such as `500m`.
    pub cpu: Option<String>,
    /// Memory, such as `256Mi`.
    pub memory: Option<String>,
}

/// How often a task that fails is started again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestartPolicy {
    /// How often.
    pub attempts: Option<u64>,
    /// Within what time.
    pub interval: Option<String>,
    /// After what time.
    pub delay: Option<String>,
    /// `fail` or `delay`.
    pub mode: Option<String>,
}

/// How health is found out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// `http` or `tcp`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Path of an HTTP check.
    pub path: Option<String>,
    /// Label of a port.
    pub port: Option<String>,
    /// How often.
    pub interval: Option<String>,
    /// For how long.
    pub timeout: Option<String>,
}

impl Spec {
    /// Nomad's driver.
    pub fn driver(&self) -> &str {
        match (&self.driver, &self.image, self.kind) {
            (Some(driver), _, _) => driver,
            (None, _, ComponentType::Vm) => "qemu",
            (None, Some(_), _) => "docker",
            (None, None, _) => "exec",
        }
    }

    /// Whether the component runs a program of its own, beside its containers.
    pub fn has_program(&self) -> bool {
        self.image.is_some() || !self.command.is_empty() || self.container.is_empty()
    }

    /// All ports by label: the component's own and those of its containers.
    pub fn ports(&self) -> impl Iterator<Item = (&String, &Port)> {
        let containers = self.container.values();
        self.port
            .iter()
            .chain(containers.flat_map(|container| &container.port))
    }

    /// The port that is meant where none is named: the only one, or the one labelled `http`.
    pub fn usual_port(&self) -> Option<&str> {
        let labels: Vec<_> = self.ports().map(|(label, _)| label.as_str()).collect();
        usual_port(labels.iter().copied())
    }
}

/// The label among several that is meant where none is named.
pub fn usual_port<'a>(labels: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let mut all = labels.clone();
    match (all.next(), all.next()) {
        (Some(only), None) => Some(only),
        _ => labels.into_iter().find(|label| *label == "http"),
    }
}
