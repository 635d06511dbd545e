//! The traits: what can be added to a component. One file each, with its model, its definition, its
//! checks and its translation; [`ALL`] lists them.
//!
//! To add a trait, write such a file and add its `DEFINITION` to [`ALL`]. The HCL schema, the
//! reference page, the generic checks and the portable document follow from the definition:
//! `docs/contributing/adding-a-trait.md` goes through it.

pub mod affinity;
pub mod ingress;
pub mod migration;
pub mod scaler;
pub mod service_discovery;
pub mod sidecar;
pub mod update_strategy;
pub mod vault_secret;
pub mod volume;

use std::fmt;

use crate::oam::def::Field;
use crate::oam::{ComponentType, Node, Path, Problem};
use crate::translate::Draft;

/// Every trait, in the order in which they are translated.
pub static ALL: &[Definition] = &[
    sidecar::DEFINITION,
    scaler::DEFINITION,
    ingress::DEFINITION,
    volume::DEFINITION,
    vault_secret::DEFINITION,
    affinity::DEFINITION,
    update_strategy::DEFINITION,
    migration::DEFINITION,
    service_discovery::DEFINITION,
];

/// A trait whose every value is known and checked.
pub trait Trait: fmt::Debug + Send + Sync {
    /// Adds to the job of the component.
    fn translate(&self, draft: &mut Draft<'_>);
}

/// What there is to know about a trait.
#[derive(Debug)]
pub struct Definition {
    /// The block in a component.
    pub field: &'static Field,
    /// The types of component that it applies to.
    pub applies_to: &'static [ComponentType],
    /// Why it does not apply to the others: a sentence.
    pub why_not: &'static str,
    /// What the definition of the block cannot say: the component, its path, and what is wrong.
    pub check: fn(&Node, &Path, &mut Vec<Problem>),
    /// Notes what of the job the trait would set, in a component of a type that it applies to: a live
    /// value that is there all the same shows as an attribute of the trait.
    pub unset: fn(&mut Draft<'_>),
    /// The typed trait, from the JSON of the normal form.
    pub parse: fn(serde_json::Value) -> Result<Box<dyn Trait>, serde_json::Error>,
}

/// Whether a field of a component is a trait.
pub fn is_trait(name: &str) -> bool {
    ALL.iter().any(|definition| definition.field.name == name)
}

/// Every type of component.
pub const EVERY_TYPE: &[ComponentType] = ComponentType::ALL;

/// Every type of component but the virtual machine.
pub const EVERY_TYPE_BUT_MACHINES: &[ComponentType] = &[
    ComponentType::Webservice,
    ComponentType::Worker,
    ComponentType::Task,
    ComponentType::CronTask,
    ComponentType::Daemon,
    ComponentType::Containerized,
    ComponentType::Executable,
    ComponentType::Batch,
    ComponentType::System,
];

/// The types that run always and serve ports.
pub const SERVING: &[ComponentType] = &[
    ComponentType::Webservice,
    ComponentType::Daemon,
    ComponentType::Containerized,
    ComponentType::Vm,
    ComponentType::System,
];

/// The types that run always, where there is room.
pub const ALWAYS: &[ComponentType] = &[
    ComponentType::Webservice,
    ComponentType::Worker,
    ComponentType::Containerized,
    ComponentType::Vm,
];
