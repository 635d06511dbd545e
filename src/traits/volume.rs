//! `volume`: storage that outlives an instance.
//!
//! A volume of the task group and where the task mounts it
//! (<https://developer.hashicorp.com/nomad/docs/job-specification/volume>). A component of containers
//! alone has it in each of them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Definition, EVERY_TYPE_BUT_MACHINES, Trait};
use crate::nomad::job::{Volume as NomadVolume, VolumeMount};
use crate::oam::application::Life;
use crate::oam::def::{Block, Field, Kind, NAME};
use crate::oam::form;
use crate::oam::{ComponentType, Node, Path, Problem};
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
    applies_to: EVERY_TYPE_BUT_MACHINES,
    why_not: "Nomad's driver for virtual machines mounts nothing.",
    check,
    unset: |_| {},
    parse: |json| Ok(Box::new(Volumes(serde_json::from_value(json)?))),
};

static BLOCK: Block = Block {
    name: "volume",
    doc: "Storage that outlives an instance of a component.",
    label: Some(NAME),
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
            kind: Kind::Text(&form::WORD),
            required: true,
            doc: "The host volume's name, or the CSI volume's ID.",
        },
        Field {
            name: "mount_path",
            oam: "mountPath",
            kind: Kind::Text(&form::PATH),
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
                "single-node-single-writer",
                "single-node-multi-writer",
                "multi-node-reader-only",
                "multi-node-single-writer",
                "multi-node-multi-writer",
            ]),
            required: false,
            doc: "How the volume may be shared: a CSI volume is `single-node-writer` otherwise, or \
                  `single-node-reader-only` where it is read-only. Of host volumes, only dynamic \
                  ones have such a mode, and it is a `single-node` one.",
        },
        Field {
            name: "attachment_mode",
            oam: "attachmentMode",
            kind: Kind::Enum(&["file-system", "block-device"]),
            required: false,
            doc: "How the volume is attached: a CSI volume as `file-system` otherwise. Of host \
                  volumes, only dynamic ones have such a mode.",
        },
        Field {
            name: "sticky",
            oam: "sticky",
            kind: Kind::Bool,
            required: false,
            doc: "Whether an instance keeps its dynamic host volume when it is replaced.",
        },
        Field {
            name: "per_alloc",
            oam: "perAlloc",
            kind: Kind::Bool,
            required: false,
            doc: "Whether each instance has a volume of its own: that with its number after the \
                  source, such as `data[0]`.",
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
    #[serde(default)]
    sticky: bool,
    #[serde(default)]
    per_alloc: bool,
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
        check_host(component, volume, &path, problems);
    }
}

/// What only some host volumes have (`VolumeRequest.Validate` in Nomad's `nomad/structs/volumes.go`).
fn check_host(component: &Node, volume: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let is = |name| *volume.get(name) == Node::Bool(true);
    let kind = match volume.get("type") {
        Node::Null => "host",
        kind => kind.as_str().unwrap_or_default(),
    };
    let mode = volume.get("access_mode").as_str().unwrap_or_default();
    if kind == "host" && mode.starts_with("multi-node") {
        problems.push(Problem::error(
            path.field("access_mode"),
            "A host volume is on one node",
            format!("`{mode}` is for volumes of type `csi`. Choose a `single-node` mode."),
        ));
    }
    if kind == "host" && mode.ends_with("reader-only") && *volume.get("read_only") == Node::Null {
        problems.push(reads_only(path, mode));
    }
    let csi_only = ["single-node-single-writer", "single-node-multi-writer"];
    if kind == "csi" && csi_only.contains(&mode) {
        problems.push(Problem::error(
            path.field("access_mode"),
            "Not a mode of CSI volumes",
            format!("`{mode}` is for dynamic host volumes. Choose another mode."),
        ));
    }
    if kind == "csi" && is("sticky") {
        problems.push(Problem::error(
            path.field("sticky"),
            "Not a host volume",
            "`sticky` is for dynamic host volumes. Remove it, or set the type to `host`.",
        ));
    }
    if is("per_alloc") && is("sticky") {
        problems.push(Problem::error(
            path.field("sticky"),
            "Both `per_alloc` and `sticky`",
            "With `per_alloc` an instance has its volume by its number anyway. Remove one of them.",
        ));
    }
    let kind = component.get("type").as_str();
    let everywhere = kind
        .and_then(ComponentType::from_name)
        .is_some_and(|kind| kind.life() == Life::EveryNode);
    if is("per_alloc") && everywhere {
        problems.push(Problem::error(
            path.field("per_alloc"),
            "Instances without a number",
            "What runs on every node has no numbered instances. Remove this.",
        ));
    }
    let update = component.get("update_strategy");
    let canaries = matches!(
        update.get("strategy").as_str(),
        Some("canary" | "blue-green")
    ) || update
        .get("canary")
        .as_i64()
        .is_some_and(|canaries| canaries > 0);
    if is("per_alloc") && canaries {
        problems.push(Problem::error(
            path.field("per_alloc"),
            "Canaries have no volume of their own",
            "Nomad gives no volume `per_alloc` to canaries. Remove this, or set the strategy `rolling`.",
        ));
    }
}

fn reads_only(path: &Path, mode: &str) -> Problem {
    Problem::error(
        path.field("read_only"),
        "A volume that nobody writes to",
        format!("With the access mode `{mode}` set `read_only = true`, or choose another mode."),
    )
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
        problems.push(reads_only(path, mode));
    }
    if *volume.get("per_alloc") != Node::Null {
        return;
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
                let usual = csi.then(|| usual.to_owned());
                given.clone().or(usual)
            };
            let made = NomadVolume {
                name: name.clone(),
                kind: kind.to_owned(),
                source: volume.source.clone(),
                read_only: volume.read_only,
                access_mode: mode(&volume.access_mode, access),
                attachment_mode: mode(&volume.attachment_mode, "file-system"),
                per_alloc: volume.per_alloc,
                sticky: volume.sticky,
            };
            draft.group.volumes.insert(name.clone(), made);
            let mut tasks = Vec::new();
            for task in draft.own_tasks() {
                task.volume_mounts.push(VolumeMount {
                    volume: name.clone(),
                    destination: volume.mount_path.clone(),
                    read_only: volume.read_only,
                });
                tasks.push(task.name.clone());
            }
            let path = draft.path().field("volume").key(name);
            for (place, field, inverse) in [
                ("Type", "type", Inverse::Text),
                ("Source", "source", Inverse::Text),
                ("ReadOnly", "read_only", Inverse::Bool),
                ("AccessMode", "access_mode", Inverse::Text),
                ("AttachmentMode", "attachment_mode", Inverse::Text),
                ("Sticky", "sticky", Inverse::Bool),
                ("PerAlloc", "per_alloc", Inverse::Bool),
            ] {
                draft.group_origin(
                    format_args!("Volumes/{name}/{place}"),
                    path.field(field),
                    inverse,
                );
            }
            let place = format!("VolumeMounts/{name}/Destination");
            for task in &tasks {
                draft.task_origin(task, &place, path.field("mount_path"), Inverse::Text);
            }
        }
    }
}
