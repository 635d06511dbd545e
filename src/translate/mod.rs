//! From the model to Nomad jobs: pure, and the same for plan, apply and refresh.
//!
//! A component becomes a job with one task group and one task, all named alike. Beside each job
//! stand its [`Origin`]s: which attribute a job field came from, and how a live value becomes a
//! value of that attribute. [`drift`] compares with them.

mod draft;
pub mod drift;

use crate::nomad::job::Job;
use crate::oam::{Application, Component, ComponentType, Node, Path, units};
use crate::traits;

pub use draft::Draft;

/// The key in a job's meta that says which application it belongs to.
pub const META_APPLICATION: &str = "oam.application";
/// The key in a job's meta that says which component it is of.
pub const META_COMPONENT: &str = "oam.component";

/// Where the jobs are to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Nomad's namespace.
    pub namespace: String,
    /// Nomad's region, where it is not the agent's own.
    pub region: Option<String>,
    /// Datacenters, or patterns of them.
    pub datacenters: Vec<String>,
}

/// The job of a component.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// The component's name.
    pub component: String,
    /// Its job.
    pub job: Job,
    /// Where the job's fields came from.
    pub origins: Vec<Origin>,
}

/// Where a field of a job came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The field, such as `TaskGroups/web/Tasks/web/Config/image`: items of lists go by name.
    pub job_path: String,
    /// The attribute.
    pub attribute: Path,
    /// From the field's live value to the attribute's.
    pub inverse: Inverse,
}

/// How a field's live value becomes an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inverse {
    /// The same text.
    Text,
    /// The same number.
    Number,
    /// The same flag.
    Bool,
    /// MHz as an amount of CPU.
    Mhz,
    /// MiB as an amount of memory.
    Mib,
    /// Nanoseconds as a duration.
    Duration,
    /// A list of text.
    TextList,
    /// Text by key.
    TextMap,
}

impl Inverse {
    /// The attribute's value; `None` where there is none that means the same.
    pub fn invert(self, live: &serde_json::Value) -> Option<Node> {
        let text = |text: String| Some(Node::String(text));
        match self {
            Self::Text if live.is_string() => Some(Node::from(live)),
            Self::Number if live.is_u64() => Some(Node::from(live)),
            Self::Bool if live.is_boolean() => Some(Node::from(live)),
            Self::Mhz => text(format!("{}m", live.as_u64()?)),
            Self::Mib => text(format!("{}Mi", live.as_u64()?)),
            Self::Duration => text(units::from_nanoseconds(live.as_u64()?)),
            Self::TextList if all_text(live.as_array()?.iter()) => Some(Node::from(live)),
            Self::TextMap if all_text(live.as_object()?.values()) => Some(Node::from(live)),
            _ if live.is_null() => Some(Node::Null),
            _ => None,
        }
    }
}

fn all_text<'v>(mut values: impl Iterator<Item = &'v serde_json::Value>) -> bool {
    values.all(serde_json::Value::is_string)
}

/// The jobs of an application, in the order of its components.
pub fn translate(application: &Application, target: &Target) -> Vec<Translation> {
    let components = application.components.iter();
    components
        .map(|(name, component)| translate_component(application, name, component, target))
        .collect()
}

/// The job of one component.
pub fn translate_component(
    application: &Application,
    name: &str,
    component: &Component,
    target: &Target,
) -> Translation {
    let mut draft = Draft::new(application, name, &component.spec, target);
    for one in &component.traits {
        one.translate(&mut draft);
    }
    for definition in traits::ALL {
        if definition.applies_to.contains(&component.spec.kind) {
            (definition.unset)(&mut draft);
        }
    }
    draft.finish()
}

/// Nomad's type of job for a type of component.
pub fn job_type(component_type: &str) -> Option<&'static str> {
    ComponentType::from_name(component_type).map(draft::nomad_type)
}
