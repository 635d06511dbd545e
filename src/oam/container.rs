//! Containers: what runs beside a component's own program, in the same group.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::application::{PORT, Port, RESOURCES, Resources};
use super::def::{Block, Field, Kind, NAME};
use super::form;

/// A container of a component.
pub static BLOCK: Block = Block {
    name: "container",
    doc: "A container that runs beside the others of a component.",
    label: Some(NAME),
    fields: &FIELDS,
};

/// The fields of every container, sidecars included.
pub const FIELDS: [Field; 7] = [
    Field {
        name: "image",
        oam: "image",
        kind: Kind::Text(&form::TEXT),
        required: false,
        doc: "Docker image to run. Either this or a `command` is needed.",
    },
    Field {
        name: "command",
        oam: "command",
        kind: Kind::List(&form::TEXT),
        required: false,
        doc: "Program to run and its first arguments. With an image, it replaces the image's entry \
              point; without one, it runs with the component's driver, or else `exec`.",
    },
    Field {
        name: "args",
        oam: "args",
        kind: Kind::List(&form::TEXT),
        required: false,
        doc: "Further arguments.",
    },
    Field {
        name: "env",
        oam: "env",
        kind: Kind::Map(&form::VARIABLE, &form::TEXT),
        required: false,
        doc: "Environment variables. `${…}` is left to Nomad, which replaces it when the task starts.",
    },
    Field {
        name: "port",
        oam: "ports",
        kind: Kind::Labelled(&PORT),
        required: false,
        doc: "A port that the container serves. The label is its name, which no other port of the \
              component has.",
    },
    Field {
        name: "resources",
        oam: "resources",
        kind: Kind::Single(&RESOURCES),
        required: false,
        doc: "What the container may use.",
    },
    Field {
        name: "volume",
        oam: "volumes",
        kind: Kind::Repeated(&MOUNT),
        required: false,
        doc: "Storage that the container sees.",
    },
];

static MOUNT: Block = Block {
    name: "volume",
    doc: "Storage that a container sees.",
    label: None,
    fields: &[
        Field {
            name: "source",
            oam: "source",
            kind: Kind::Text(&form::WORD),
            required: true,
            doc: "The name of a `volume` of the component; or, for an image, the path of a folder on \
                  the node, from the root.",
        },
        Field {
            name: "destination",
            oam: "destination",
            kind: Kind::Text(&form::PATH),
            required: true,
            doc: "Where the container sees it.",
        },
        Field {
            name: "read_only",
            oam: "readOnly",
            kind: Kind::Bool,
            required: false,
            doc: "Whether the container may only read it.",
        },
    ],
};

/// A container.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Docker image.
    pub image: Option<String>,
    /// Program and first arguments.
    #[serde(default)]
    pub command: Vec<String>,
    /// Further arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Ports by label.
    #[serde(default)]
    pub port: BTreeMap<String, Port>,
    /// What it may use.
    #[serde(default)]
    pub resources: Resources,
    /// Storage that it sees.
    #[serde(default)]
    pub volume: Vec<Mount>,
}

/// Storage that a container sees.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// A volume of the component, or a folder of the node.
    pub source: String,
    /// The path in the container.
    pub destination: String,
    /// Whether it may only be read.
    #[serde(default)]
    pub read_only: bool,
}
