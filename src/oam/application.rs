//! Applications and components: their definitions and their typed model.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::def::{Block, Field, Kind};
use crate::traits::Trait;

/// An application.
pub static DEFINITION: Block = Block {
    name: "application",
    doc: "An application: components that are deployed together.",
    label: "",
    fields: &[
        Field {
            name: "name",
            oam: "name",
            kind: Kind::Label,
            required: true,
            doc: "Name of the application: lower-case letters, digits and hyphens. \
                  Another name is another application.",
        },
        Field {
            name: "tenant",
            oam: "tenant",
            kind: Kind::Tenant,
            required: false,
            doc: "Tenant that the application belongs to: its jobs run in the Nomad namespace of \
                  that name, and in Consul their services have it before theirs: \
                  `<tenant>-<application>-<component>`. Without one they run in the provider's \
                  namespace.",
        },
        Field {
            name: "labels",
            oam: "labels",
            kind: Kind::StringMap,
            required: false,
            doc: "Labels of the application, kept in its record.",
        },
        Field {
            name: "annotations",
            oam: "annotations",
            kind: Kind::StringMap,
            required: false,
            doc: "Annotations of the application, kept in its record.",
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
    label: "name",
    fields: &[
        Field {
            name: "type",
            oam: "type",
            kind: Kind::Enum(ComponentType::NAMES),
            required: true,
            doc: "`webservice` (runs always, serves ports), `worker` (runs always), `task` (runs \
                  once), `cron-task` (runs on a schedule) or `daemon` (runs on every node).",
        },
        Field {
            name: "image",
            oam: "image",
            kind: Kind::String,
            required: false,
            doc: "Docker image to run. Either this or a `command` is needed.",
        },
        Field {
            name: "driver",
            oam: "driver",
            kind: Kind::Enum(&["docker", "exec", "raw_exec"]),
            required: false,
            doc: "Nomad task driver: `docker` where there is an image, `exec` otherwise; or \
                  `raw_exec`, for a command without isolation.",
        },
        Field {
            name: "command",
            oam: "command",
            kind: Kind::StringList,
            required: false,
            doc: "Program to run and its first arguments. With an image, it replaces the image's \
                  entry point.",
        },
        Field {
            name: "args",
            oam: "args",
            kind: Kind::StringList,
            required: false,
            doc: "Further arguments.",
        },
        Field {
            name: "env",
            oam: "env",
            kind: Kind::StringMap,
            required: false,
            doc: "Environment variables. `${…}` is left to Nomad, which replaces it when the task \
                  starts.",
        },
        Field {
            name: "schedule",
            oam: "schedule",
            kind: Kind::Cron,
            required: false,
            doc: "When a `cron-task` runs: five cron fields, such as `*/15 * * * *`, or one of \
                  `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
        },
        Field {
            name: "time_zone",
            oam: "timeZone",
            kind: Kind::Word,
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
    ],
};

static PORT: Block = Block {
    name: "port",
    doc: "A port that a component serves.",
    label: "name",
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

static RESOURCES: Block = Block {
    name: "resources",
    doc: "What each instance of a component may use.",
    label: "",
    fields: &[
        Field {
            name: "cpu",
            oam: "cpu",
            kind: Kind::Cpu,
            required: false,
            doc: "CPU in cores or thousandths of one, such as `1` or `500m`. A core counts as 1,000 \
                  MHz. `100m` otherwise.",
        },
        Field {
            name: "memory",
            oam: "memory",
            kind: Kind::Memory,
            required: false,
            doc: "Memory such as `256Mi` or `1Gi`; `300Mi` otherwise.",
        },
    ],
};

static RESTART_POLICY: Block = Block {
    name: "restart_policy",
    doc: "How often a task that fails is started again on its node.",
    label: "",
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
            kind: Kind::Duration,
            required: false,
            doc: "The interval, such as `30m`.",
        },
        Field {
            name: "delay",
            oam: "delay",
            kind: Kind::Duration,
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

static HEALTH_CHECK: Block = Block {
    name: "health_check",
    doc: "How Consul finds out whether an instance is healthy.",
    label: "",
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
            kind: Kind::AbsolutePath,
            required: false,
            doc: "Path that an HTTP check asks for; `/` otherwise.",
        },
        Field {
            name: "port",
            oam: "port",
            kind: Kind::Label,
            required: false,
            doc: "Label of the port to check: the only one, or the one labelled `http`, otherwise.",
        },
        Field {
            name: "interval",
            oam: "interval",
            kind: Kind::Duration,
            required: false,
            doc: "How often, such as `10s` (the default).",
        },
        Field {
            name: "timeout",
            oam: "timeout",
            kind: Kind::Duration,
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
}

impl ComponentType {
    /// The names in HCL and in documents.
    pub const NAMES: &'static [&'static str] =
        &["webservice", "worker", "task", "cron-task", "daemon"];

    /// The type of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "webservice" => Some(Self::Webservice),
            "worker" => Some(Self::Worker),
            "task" => Some(Self::Task),
            "cron-task" => Some(Self::CronTask),
            "daemon" => Some(Self::Daemon),
            _ => None,
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
    /// Docker image.
    pub image: Option<String>,
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
    /// When a cron-task runs.
    pub schedule: Option<String>,
    /// Where it is that time.
    pub time_zone: Option<String>,
    /// Ports by label.
    #[serde(default)]
    pub port: BTreeMap<String, Port>,
    /// What each instance may use.
    #[serde(default)]
    pub resources: Resources,
    /// How often a task that fails is started again.
    pub restart_policy: Option<RestartPolicy>,
    /// How its health is found out.
    pub health_check: Option<HealthCheck>,
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
        match (&self.driver, &self.image) {
            (Some(driver), _) => driver,
            (None, Some(_)) => "docker",
            (None, None) => "exec",
        }
    }

    /// The port that is meant where none is named: the only one, or the one labelled `http`.
    pub fn usual_port(&self) -> Option<&str> {
        usual_port(self.port.keys().map(String::as_str))
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
