//! What a tenant's jobs may be run with. Nomad enforces it for a namespace, in its community builds, too.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The meta key of a namespace with what a tenant limits there, such as `network_modes,task_drivers`. What it
/// does not name is nobody's here: others may have set it.
pub const META_LIMITS: &str = "oam.limits";

/// What a tenant's jobs may be run with; with anything where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The only task drivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_drivers: Option<BTreeSet<String>>,
    /// The only network modes of task groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_modes: Option<BTreeSet<String>>,
}

/// One thing that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// The network modes of task groups.
    NetworkModes,
    /// The task drivers.
    TaskDrivers,
}

impl Limit {
    /// All, by their attributes.
    pub const ALL: [Self; 2] = [Self::NetworkModes, Self::TaskDrivers];

    /// The attribute of the tenant.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::NetworkModes => "network_modes",
            Self::TaskDrivers => "task_drivers",
        }
    }

    /// What one of them is.
    pub fn noun(self) -> &'static str {
        match self {
            Self::NetworkModes => "network mode",
            Self::TaskDrivers => "task driver",
        }
    }
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What alone is allowed; `None` where that is not said.
    pub fn of(&self, limit: Limit) -> Option<&BTreeSet<String>> {
        match limit {
            Limit::NetworkModes => self.network_modes.as_ref(),
            Limit::TaskDrivers => self.task_drivers.as_ref(),
        }
    }

    /// Says what alone is allowed.
    pub fn set(&mut self, limit: Limit, only: Option<BTreeSet<String>>) {
        match limit {
            Limit::NetworkModes => self.network_modes = only,
            Limit::TaskDrivers => self.task_drivers = only,
        }
    }

    /// Whether something may be used.
    pub fn allow(&self, limit: Limit, name: &str) -> bool {
        self.of(limit).is_none_or(|only| only.contains(name))
    }

    /// What is limited, as the meta [`META_LIMITS`] has it; `None` where nothing is.
    pub fn mark(&self) -> Option<String> {
        let limited = Limit::ALL.into_iter().filter(|it| self.of(*it).is_some());
        let names: Vec<_> = limited.map(Limit::attribute).collect();
        (!names.is_empty()).then(|| names.join(","))
    }
}

/// Whether a mark names something that is limited.
pub fn is_marked(mark: Option<&str>, limit: Limit) -> bool {
    let mut names = mark.into_iter().flat_map(|mark| mark.split(','));
    names.any(|name| name == limit.attribute())
}

/// Names as a message lists them: quoted, with commas between.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_names_what_is_limited() {
        let some = |names: &[&str]| Some(names.iter().map(|it| (*it).to_owned()).collect());
        let limits = |drivers, modes| Limits {
            task_drivers: drivers,
            network_modes: modes,
        };
        for (limits, mark) in [
            (limits(None, None), None),
            (limits(some(&["docker"]), None), Some("task_drivers")),
            (limits(None, some(&["bridge"])), Some("network_modes")),
            (
                limits(some(&["docker", "exec"]), some(&["bridge"])),
                Some("network_modes,task_drivers"),
            ),
        ] {
            assert_eq!(limits.mark().as_deref(), mark);
            assert_eq!(limits.is_none(), mark.is_none());
            for limit in Limit::ALL {
                assert_eq!(is_marked(mark, limit), limits.of(limit).is_some());
                assert_eq!(
                    limits.allow(limit, "raw_exec"),
                    limits.of(limit).is_none(),
                    "{limit:?}"
                );
            }
        }
        assert!(!is_marked(
            Some("task_drivers_of_others"),
            Limit::TaskDrivers
        ));
        assert!(limits(some(&["exec"]), None).allow(Limit::TaskDrivers, "exec"));
    }

    #[test]
    fn a_record_says_only_what_is_limited() {
        let said = r#"{"task_drivers":["docker","exec"]}"#;
        let read: Limits = serde_json::from_str(said).unwrap_or_default();
        assert_eq!(serde_json::to_string(&read).unwrap_or_default(), said);
        assert_eq!(serde_json::from_str("{}").ok(), Some(Limits::default()));
    }
}
