//! What the jobs in a namespace may be run with.
//!
//! Nomad looks at it when a job is registered or planned, and not at what runs already
//! (`jobNamespaceConstraintCheckHook` in its `nomad/job_endpoint_validators.go`). An empty list allows
//! everything. It has the drivers of all tasks, also of those that it adds itself, and the modes of the
//! groups' `network` blocks; a group without one is not looked at.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Namespace;

/// The field of a namespace.
const FIELD: &str = "Capabilities";

/// A list of what alone is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Task drivers.
    TaskDrivers,
    /// Network modes of task groups, from Nomad 1.9 on; before, the list is passed over.
    NetworkModes,
}

impl Capability {
    /// All.
    pub const ALL: [Self; 2] = [Self::TaskDrivers, Self::NetworkModes];

    /// As Nomad's API calls it.
    fn field(self) -> &'static str {
        match self {
            Self::TaskDrivers => "EnabledTaskDrivers",
            Self::NetworkModes => "EnabledNetworkModes",
        }
    }

    /// As Nomad's own files of namespaces call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TaskDrivers => "enabled_task_drivers",
            Self::NetworkModes => "enabled_network_modes",
        }
    }
}

impl Namespace {
    /// What alone is allowed; everything where that is nothing.
    pub fn enabled(&self, capability: Capability) -> BTreeSet<String> {
        let capabilities = self.rest.get(FIELD);
        let names = capabilities.and_then(|it| it.get(capability.field()));
        let names = names.and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Allows this alone, or everything where it is nothing. What else there is of capabilities stays.
    pub fn enable(&mut self, capability: Capability, only: &BTreeSet<String>) {
        if self.enabled(capability) == *only {
            return;
        }
        let mut capabilities = match self.rest.remove(FIELD) {
            Some(Value::Object(capabilities)) => capabilities,
            _ => Map::new(),
        };
        let names = only.iter().map(|name| Value::from(name.as_str()));
        capabilities.insert(capability.field().to_owned(), names.collect());
        self.rest.insert(FIELD.to_owned(), capabilities.into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_alone_is_allowed_is_written_and_all_else_stays() {
        let set = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
        let (drivers, modes) = (Capability::TaskDrivers, Capability::NetworkModes);
        for before in [
            json!(null),
            json!({ "EnabledTaskDrivers": null, "DisabledTaskDrivers": ["java"] }),
            json!({ "EnabledTaskDrivers": ["exec", "docker"], "EnabledNetworkModes": ["host"], "Later": 1 }),
        ] {
            let mut namespace = Namespace::default();
            namespace.rest.insert(FIELD.to_owned(), before.clone());
            let modes_before = namespace.enabled(modes);
            let was: BTreeSet<String> = namespace.enabled(drivers);
            for only in [set(&["docker", "exec"]), set(&[]), set(&["qemu"])] {
                namespace.enable(drivers, &only);
                assert_eq!(namespace.enabled(drivers), only, "{before}");
                assert_eq!(namespace.enabled(modes), modes_before, "{before}");
            }
            namespace.enable(drivers, &was);
            for (name, value) in before.as_object().into_iter().flatten() {
                if name != "EnabledTaskDrivers" {
                    assert_eq!(namespace.rest[FIELD][name], *value, "{before}");
                }
            }
        }
        // The same in another order is the same.
        let mut namespace = Namespace::default();
        let before = json!({ "EnabledTaskDrivers": ["exec", "docker"] });
        namespace.rest.insert(FIELD.to_owned(), before.clone());
        namespace.enable(drivers, &set(&["docker", "exec"]));
        assert_eq!(namespace.rest[FIELD], before);
    }
}
