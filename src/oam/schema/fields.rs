//! Which of a component's fields a component type takes.
//!
//! The checks in [`validate`](crate::oam::validate) say the same, with reasons; a test compares them.

use crate::oam::ComponentType;
use crate::oam::application::COMPONENT;
use crate::oam::def::Field;
use crate::oam::document::BESIDE;
use crate::traits;

/// The fields of a component's `properties` that a type takes, in order.
pub fn of(kind: ComponentType) -> impl Iterator<Item = &'static Field> {
    let own = |field: &&Field| !BESIDE.contains(&field.name) && !traits::is_trait(field.name);
    COMPONENT
        .fields()
        .filter(own)
        .filter(move |field| takes(kind, field.name))
}

/// Whether a type takes a field of [`COMPONENT`], by its name in HCL.
pub fn takes(kind: ComponentType, name: &str) -> bool {
    match name {
        "schedule" | "time_zone" => kind == ComponentType::CronTask,
        "command" | "container" | "image_pull_secret" => kind != ComponentType::Vm,
        // QEMU has no network of its own, and so no mesh.
        "upstream" => kind != ComponentType::Vm,
        "image" => kind != ComponentType::Executable,
        _ => true,
    }
}

/// Whether a type needs a field that components as such do not.
pub fn needs(kind: ComponentType, name: &str) -> bool {
    matches!(
        (kind, name),
        (ComponentType::CronTask, "schedule") | (ComponentType::Vm, "image")
    )
}
