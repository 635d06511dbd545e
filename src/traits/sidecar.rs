//! `sidecar`: a further container beside a component's own, for as long as it runs, or before or after.
//!
//! A task of the group with a lifecycle
//! (<https://developer.hashicorp.com/nomad/docs/job-specification/lifecycle>).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Definition, EVERY_TYPE_BUT_MACHINES, Trait};
use crate::nomad::job;
use crate::oam::container::{Container, FIELDS as CONTAINER};
use crate::oam::def::{Block, Field, Kind, NAME};
use crate::oam::{Node, Path, Problem, validate};
use crate::translate::{Draft, Inverse};

/// The definition.
pub const DEFINITION: Definition = Definition {
    field: &Field {
        name: "sidecar",
        oam: "sidecar",
        kind: Kind::Labelled(&BLOCK),
        required: false,
        doc: "A further container beside the component's own, for as long as it runs, or before or \
              after. The label is its name.",
    },
    applies_to: EVERY_TYPE_BUT_MACHINES,
    why_not: "A virtual machine has no containers beside it.",
    check,
    unset: |_| {},
    parse: |json| Ok(Box::new(Sidecars(serde_json::from_value(json)?))),
};

static BLOCK: Block = Block {
    name: "sidecar",
    doc: "A further container beside a component's own.",
    label: Some(NAME),
    fields: &FIELDS,
};

const FIELDS: [Field; 8] = {
    let [image, command, args, env, port, resources, volume] = CONTAINER;
    [
        image, command, args, env, port, resources, volume, LIFECYCLE,
    ]
};

const LIFECYCLE: Field = Field {
    name: "lifecycle",
    oam: "lifecycle",
    kind: Kind::Single(&LIFECYCLE_BLOCK),
    required: false,
    doc: "When it runs: from before the component's own start to its end, otherwise.",
};

static LIFECYCLE_BLOCK: Block = Block {
    name: "lifecycle",
    doc: "When a sidecar runs.",
    label: None,
    fields: &[
        Field {
            name: "hook",
            oam: "hook",
            kind: Kind::Enum(&["prestart", "poststart", "poststop"]),
            required: false,
            doc: "When it starts: before the component's own program (`prestart`, the default), after \
                  its start (`poststart`), or after its end (`poststop`).",
        },
        Field {
            name: "sidecar",
            oam: "sidecar",
            kind: Kind::Bool,
            required: false,
            doc: "Whether it runs for as long as the program, and is started again when it ends; `true` \
                  otherwise, but for `poststop`. What does not must end by itself.",
        },
    ],
};

#[derive(Debug)]
struct Sidecars(BTreeMap<String, Sidecar>);

#[derive(Debug, Deserialize)]
struct Sidecar {
    #[serde(flatten)]
    container: Container,
    lifecycle: Option<Lifecycle>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lifecycle {
    hook: Option<String>,
    sidecar: Option<bool>,
}

fn check(component: &Node, path: &Path, problems: &mut Vec<Problem>) {
    for (label, sidecar) in component.get("sidecar").as_map().into_iter().flatten() {
        let path = path.key(label);
        validate::container(component, sidecar, &path, problems);
        let lifecycle = sidecar.get("lifecycle");
        if lifecycle.get("hook").as_str() == Some("poststop")
            && *lifecycle.get("sidecar") == Node::Bool(true)
        {
            problems.push(Problem::error(
                path.field("lifecycle").field("sidecar"),
                "Beside what has ended",
                "After the component's own program there is nothing to run beside. Remove this, or choose \
                 another `hook`.",
            ));
        }
    }
}

impl Trait for Sidecars {
    fn translate(&self, draft: &mut Draft<'_>) {
        for (name, sidecar) in &self.0 {
            let path = draft.path().field("sidecar").key(name);
            let usual = Lifecycle::default();
            let lifecycle = sidecar.lifecycle.as_ref().unwrap_or(&usual);
            let hook = lifecycle.hook.as_deref().unwrap_or("prestart");
            let made = job::Lifecycle {
                hook: hook.to_owned(),
                sidecar: lifecycle.sidecar.unwrap_or(hook != "poststop"),
            };
            draft.add_container(name, &sidecar.container, &path, |task| {
                task.lifecycle = Some(made);
            });
            let path = path.field("lifecycle");
            for (place, field, inverse) in [
                ("Lifecycle/Hook", "hook", Inverse::Text),
                ("Lifecycle/Sidecar", "sidecar", Inverse::Bool),
            ] {
                draft.task_origin(name, place, path.field(field), inverse);
            }
        }
    }
}
