//! `volume`: storage that outlives an instance.
//!
//! A volume of the task group and where the task mounts it
//! (<https://developer.hashicorp.com/nomad/docs/job-specification/volume>).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Definition, EVERY_TYPE, Trait};
use crate::nomad::job::{Volume as NomadVolume, VolumeMount};
use crate::oam::def::{Block, Field, Kind};
use crate::oam::{Node, Path, Problem};
use crate::translate::{Draft, Inverse};

/// The definition.
pub const DEFINITION: Definition = Definition {
    field: &Field {
        name: "volume",
        oam: "volume",
        kind: Kind::Labelled(&BLOCK),
        required: false,
        doc: "Storage that outlives an instance. The label is its name within the component.",
    },
    applies_to: EVERY_TYPE,
    why_not: "",
    check,
    unset: |_| {},
    parse: |json| Ok(Box::new(Volumes(serde_json::from_value(json)?))),
};

static BLOCK: Block = Block {
    name: "volume",
    doc: "Storage that outlives an instance of a component.",
    label: "name",
    fields: &[
        Field {
            name: "type",
            oam: "type",
            kind: Kind::Enum(&["host", "csi"]),
            required: false,
            doc: "`host` (the default), a host volume of the nodes, or `csi`.",
        },
        Field {
            name: "source",
            oam: "source",
            kind: Kind::Word,
            required: true,
            doc: "The host volume's name, or the CSI volume's ID.",
        },
        Field {
            name: "mount_path",
            oam: "mountPath",
            kind: Kind::AbsolutePath,
            required: true,
            doc: "Where the component sees it.",
        },
        Field {
            name: "read_only",
            oam: "readOnly",
            kind: Kind::Bool,
            required: false,
            doc: "Whether the component may only read it.",
        },
        Field {
            name: "access_mode",
            oam: "accessMode",
            kind: Kind::Enum(&[
                "single-node-reader-only",
                "single-node-writer",
                "multi-node-reader-only",
                "multi-node-single-writer",
                "multi-node-multi-writer",
            ]),
            required: false,
            doc: "How a CSI volume may be shared; `single-node-writer` otherwise, or \
                  `single-node-reader-only` where it is read-only.",
        },
        Field {
            name: "attachment_mode",
            oam: "attachmentMode",
            kind: Kind::Enum(&["file-system", "block-device"]),
            required: false,
            doc: "How a CSI volume is attached; `file-system` otherwise.",
        },
    ],
};

#[derive(Debug)]
struct Volumes(BTreeMap<String, Volume>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Volume {
    #[serde(rename = "type")]
    kind: Option<String>,
    source: String,
    mount_path: String,
    #[serde(default)]
    read_only: bool,
    access_mode: Option<String>,
    attachment_mode: Option<String>,
}

fn check(component: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let mut mounted = BTreeMap::new();
    for (label, volume) in component.get("volume").as_map().into_iter().flatten() {
        let path = path.key(label);
        if let Some(mount) = volume.get("mount_path").as_str()
            && let Some(other) = mounted.insert(mount, label)
        {
            problems.push(Problem::error(
                path.field("mount_path"),
                format!("{mount:?} is taken"),
                format!("The volume {other:?} of this component is mounted there."),
            ));
        }
        if component.get("driver").as_str() == Some("raw_exec") {
            problems.push(Problem::error(
                path.clone(),
                "`raw_exec` mounts nothing",
                "A command without isolation sees the node's own folders. Use the driver `exec` or an \
                 image, or remove this.",
            ));
        }
        check_access(component, volume, &path, problems);
        let is_csi = match volume.get("type") {
            Node::Unknown => true,
            kind => kind.as_str() == Some("csi"),
        };
        for name in ["access_mode", "attachment_mode"] {
            if !is_csi && !volume.get(name).is_null() {
                problems.push(Problem::error(
                    path.field(name),
                    "Not a CSI volume",
                    format!("`{name}` is for volumes of type `csi`. Remove it, or set the type."),
                ));
            }
        }
    }
}

/// Who may use a CSI volume at once (`VolumeRequest.Validate` in Nomad's `nomad/structs/volumes.go`).
fn check_access(component: &Node, volume: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let reads = match volume.get("read_only") {
        Node::Null => false,
        Node::Bool(reads) => *reads,
        _ => return,
    };
    let mode = match (volume.get("access_mode"), reads) {
        (Node::Null, true) => "single-node-reader-only",
        (Node::Null, false) => "single-node-writer",
        (node, _) => node.as_str().unwrap_or_default(),
    };
    if volume.get("type").as_str() != Some("csi") {
        return;
    }
    if mode.ends_with("reader-only") && !reads {
        problems.push(Problem::error(
            path.field("read_only"),
            "A volume that nobody writes to",
            format!(
                "With the access mode `{mode}` set `read_only = true`, or choose another mode."
            ),
        ));
    }
    let scaler = component.get("scaler");
    let count = scaler
        .get("replicas")
        .as_i64()
        .or_else(|| scaler.get("min").as_i64());
    let alone = mode.starts_with("single-node") || (mode == "multi-node-single-writer" && !reads);
    if alone && count.is_some_and(|count| count > 1) {
        problems.push(Problem::error(
            path.field("access_mode"),
            "One volume for several instances",
            format!(
                "With the access mode `{mode}` one instance may use the volume. Set a mode for several, \
                 such as `multi-node-multi-writer`, or scale to 1."
            ),
        ));
    }
}

impl Trait for Volumes {
    fn translate(&self, draft: &mut Draft<'_>) {
        for (name, volume) in &self.0 {
            let kind = volume.kind.as_deref().unwrap_or("host");
            let csi = kind == "csi";
            let access = match volume.read_only {
                true => "single-node-reader-only",
                false => "single-node-writer",
            };
            let mode = |given: &Option<String>, usual: &str| {
                csi.then(|| given.clone().unwrap_or_else(|| usual.to_owned()))
            };
            let made = NomadVolume {
                name: name.clone(),
                kind: kind.to_owned(),
                source: volume.source.clone(),
                read_only: volume.read_only,
                access_mode: mode(&volume.access_mode, access),
                attachment_mode: mode(&volume.attachment_mode, "file-system"),
            };
            draft.group.volumes.insert(name.clone(), made);
            draft.task.volume_mounts.push(VolumeMount {
                volume: name.clone(),
                destination: volume.mount_path.clone(),
                read_only: volume.read_only,
            });
            let path = draft.path().field("volume").key(name);
            for (place, field, inverse) in [
                ("Source", "source", Inverse::Text),
                ("ReadOnly", "read_only", Inverse::Bool),
            ] {
                draft.group_origin(
                    &format!("Volumes/{name}/{place}"),
                    path.field(field),
                    inverse,
                );
            }
            let place = format!("VolumeMounts/{name}/Destination");
            draft.task_origin(&place, path.field("mount_path"), Inverse::Text);
        }
    }
}
