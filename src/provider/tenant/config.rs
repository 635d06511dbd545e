//! From a configuration, a plan or a state to the tenant, and the checks on the way.

use super::kind::Kind;
use super::schema::QUOTAS;
use crate::oam::form;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::value::Value;
use crate::provider::planned::{Known, Rules};
use crate::store::TenantKey;
use crate::tenants::{Limit, Limits, Quotas, Spaces, is_space};

/// Longest name that people call a tenant by, in characters.
const LONGEST_DISPLAY_NAME: usize = 64;

/// Longest name of a driver or a network.
const LONGEST_DRIVER: usize = 128;

/// The key of a tenant whose name is known.
pub fn key(value: &Value) -> Option<TenantKey> {
    Some(TenantKey::new(value.get("name").as_str()?))
}

/// What people call the tenant.
pub fn display_name(value: &Value) -> String {
    let name = value.get("display_name").as_str();
    name.unwrap_or_default().to_owned()
}

/// The domain, where there is one.
pub fn domain(value: &Value) -> Option<String> {
    value.get("domain").as_str().map(str::to_owned)
}

/// Whether the tenant is active.
pub fn is_active(value: &Value) -> bool {
    value.get("active").as_bool() != Some(false)
}

/// The quotas that are known.
pub fn quotas(value: &Value) -> Quotas {
    let quotas = value.get("quotas");
    let number = |name: &str| {
        let number = quotas.get(name).as_i64();
        number.and_then(|number| u64::try_from(number).ok())
    };
    Quotas {
        max_jobs: number("max_jobs"),
        max_cpu_mhz: number("max_cpu_mhz"),
        max_memory_mb: number("max_memory_mb"),
        max_deployments: number("max_deployments"),
    }
}

/// What the tenant's jobs may be run with, as far as it is known.
pub fn limits(value: &Value) -> Limits {
    let mut limits = Limits::default();
    for limit in Limit::ALL {
        let names = value.get(limit.attribute()).as_list();
        let names = names.map(|names| names.iter().filter_map(Value::as_str));
        limits.set(limit, names.map(|names| names.map(str::to_owned).collect()));
    }
    limits
}

/// The attribute of a limit; null where nothing is limited.
pub fn limit_value(limits: &Limits, limit: Limit) -> Value {
    let names = limits.of(limit).map(|names| names.iter().cloned());
    names.map_or(Value::Null, |names| {
        Value::List(names.map(Value::from).collect())
    })
}

/// The attributes with the namespaces of Consul and Vault that are the tenant's own.
pub const SPACES: [Kind; 2] = [Kind::ConsulNamespace, Kind::VaultNamespace];

/// The namespace of this kind that a value says, where it is known; the empty text is none.
pub fn space(value: &Value, kind: Kind) -> Option<String> {
    let name = value.get(kind.field()).as_str();
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The namespaces that are known.
pub fn spaces(value: &Value) -> Spaces {
    Spaces {
        consul: space(value, Kind::ConsulNamespace),
        vault: space(value, Kind::VaultNamespace),
    }
}

/// The block of quotas; null where nothing is limited.
pub fn quotas_value(quotas: &Quotas) -> Value {
    if quotas.is_unlimited() {
        return Value::Null;
    }
    let number = |number: Option<u64>| {
        let number = number.and_then(|number| i64::try_from(number).ok());
        number.map_or(Value::Null, Value::from)
    };
    Value::from([
        ("max_jobs", number(quotas.max_jobs)),
        ("max_cpu_mhz", number(quotas.max_cpu_mhz)),
        ("max_memory_mb", number(quotas.max_memory_mb)),
        ("max_deployments", number(quotas.max_deployments)),
    ])
}

/// What a plan lets the tenant's applications do, as far as it is known.
pub fn rules(value: &Value) -> Rules {
    let known = |name: &str| value.get(name).is_wholly_known();
    Rules {
        domain: match known("domain") {
            true => Known::Is(domain(value)),
            false => Known::No,
        },
        quotas: match known("quotas") {
            true => Known::Is(quotas(value)),
            false => Known::No,
        },
        limits: match Limit::ALL.iter().all(|limit| known(limit.attribute())) {
            true => Known::Is(limits(value)),
            false => Known::No,
        },
        active: match known("active") {
            true => Known::Is(is_active(value)),
            false => Known::No,
        },
        spaces: match SPACES.iter().all(|kind| known(kind.field())) {
            true => Known::Is(spaces(value)),
            false => Known::No,
        },
    }
}

/// Whether two values say the same of a tenant, as far as users say it.
pub fn same(one: &Value, other: &Value) -> bool {
    let fields = ["name", "display_name", "domain", "active"];
    let known = |value: &Value| {
        value.get("quotas").is_wholly_known()
            && Limit::ALL
                .iter()
                .all(|limit| value.get(limit.attribute()).is_wholly_known())
            && fields.iter().all(|name| !value.get(name).is_unknown())
            && SPACES
                .iter()
                .all(|kind| !value.get(kind.field()).is_unknown())
    };
    known(one)
        && known(other)
        && fields.iter().all(|name| one.get(name) == other.get(name))
        && quotas(one) == quotas(other)
        && limits(one) == limits(other)
        && spaces(one) == spaces(other)
}

/// Everything that can be wrong in a configuration, as far as its values are known.
pub fn validate(config: &Value) -> Diagnostics {
    let mut found = Vec::new();
    let mut error = |path: AttributePath, summary: String, detail: String| {
        found.push(Diagnostic::error(summary, detail).at(path));
    };
    if let Some(name) = config.get("name").as_str()
        && let Err(reason) = TenantKey::parse(name)
    {
        let at = AttributePath::new("name");
        error(at, "Unusable name of a tenant".to_owned(), reason);
    }
    if let Some(name) = config.get("display_name").as_str() {
        let at = || AttributePath::new("display_name");
        let length = name.chars().count();
        if length == 0 || length > LONGEST_DISPLAY_NAME {
            error(
                at(),
                format!("A display name of {length} characters"),
                format!("It has 1 to {LONGEST_DISPLAY_NAME} characters."),
            );
        }
        if name.chars().any(char::is_control) {
            error(
                at(),
                "Control characters in the display name".to_owned(),
                "It is one line of plain text.".to_owned(),
            );
        }
    }
    if let Some(domain) = config.get("domain").as_str() {
        let at = AttributePath::new("domain");
        if !(form::HOST.check)(domain) {
            let summary = format!("{domain:?} is not a domain");
            error(at, summary, form::HOST.how.to_owned());
        } else if !domain.contains('.') || domain.split('.').all(is_number) {
            error(
                at,
                format!("{domain:?} is not a domain of its own"),
                "Write one below another, such as `acme.example.com`: all hosts below it are the tenant's."
                    .to_owned(),
            );
        }
    }
    for kind in SPACES {
        if let Some(name) = space(config, kind).filter(|name| !is_space(name)) {
            error(
                AttributePath::new(kind.field()),
                format!("{name:?} is no name of a namespace"),
                "It has 1 to 64 letters, digits and hyphens, and no hyphen at its ends.".to_owned(),
            );
        }
    }
    for limit in Limit::ALL {
        let (attribute, noun) = (limit.attribute(), limit.noun());
        let Some(names) = config.get(attribute).as_list() else {
            continue;
        };
        let at = || AttributePath::new(attribute);
        if names.is_empty() {
            error(
                at(),
                format!("No {noun} is allowed"),
                format!("Name at least one {noun}, or leave {attribute} out to limit nothing."),
            );
        }
        let (is_name, how) = match limit {
            Limit::TaskDrivers => (is_driver as fn(&str) -> bool, DRIVERS),
            Limit::NetworkModes => (is_mode as fn(&str) -> bool, MODES),
        };
        let known = names.iter().filter(|name| !name.is_unknown());
        for name in known {
            match name.as_str() {
                Some(name) if is_name(name) => {}
                Some(name) => error(at(), format!("{name:?} is no {noun}"), how.to_owned()),
                None => error(
                    at(),
                    format!("{attribute} has a null in it"),
                    how.to_owned(),
                ),
            }
        }
    }
    for (name, _) in QUOTAS {
        let value = config.get("quotas").get(name);
        let is_known = !value.is_null() && !value.is_unknown();
        if is_known && value.as_i64().is_none_or(|number| number < 0) {
            error(
                AttributePath::new("quotas").attribute(name),
                format!("{name} is no whole number from 0"),
                "Write a whole number; 0 allows nothing, and no number anything.".to_owned(),
            );
        }
    }
    found
}

const DRIVERS: &str = "Write the name of a task driver of Nomad's, such as `docker` or `exec`: letters, digits, \
                       hyphens, underscores and dots.";

const MODES: &str =
    "Write `bridge`, `host`, `none`, or the name of a CNI network with `cni/` before it.";

/// Drivers are plugins, and called as they like.
fn is_driver(name: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= LONGEST_DRIVER && name.bytes().all(inside)
}

/// As of `NetworkResource.Validate` in Nomad's `nomad/structs/structs.go`.
fn is_mode(name: &str) -> bool {
    let cni = name.strip_prefix("cni/");
    matches!(name, "bridge" | "host" | "none") || cni.is_some_and(is_driver)
}

fn is_number(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;

    fn with(name: &str, value: impl Into<Value>) -> Value {
        let mut all = Value::from([
            ("name", Value::from("acme")),
            ("display_name", "ACME".into()),
            ("domain", Value::Null),
            ("quotas", Value::Null),
            ("active", Value::Null),
        ]);
        if let Some(entries) = all.as_map_mut() {
            entries.insert(name.to_owned(), value.into());
        }
        all
    }

    #[test]
    fn what_can_be_wrong_is_found_at_its_attribute() {
        let jobs = |number: Value| Value::from([("max_jobs", number)]);
        let half = jobs(Value::from(1)).get("max_jobs").clone();
        assert_eq!(half, Value::from(1));
        for (name, value, good) in [
            ("name", Value::from("acme"), true),
            ("name", Value::UNKNOWN, true),
            ("name", "a".into(), false),
            ("name", "ac-me".into(), false),
            ("name", "default".into(), false),
            ("name", "acme\"".into(), false),
            ("display_name", "ACME \"Corp\" ü".into(), true),
            ("display_name", "ü".repeat(64).into(), true),
            ("display_name", "ü".repeat(65).into(), false),
            ("display_name", "".into(), false),
            ("display_name", "a\nb".into(), false),
            ("domain", "acme.example.com".into(), true),
            ("domain", "example".into(), false),
            ("domain", "a..b".into(), false),
            ("domain", "10.0.0.1".into(), false),
            ("domain", "`a`.example.com".into(), false),
            ("domain", "*.example.com".into(), false),
            ("consul_namespace", "a-1".into(), true),
            ("consul_namespace", "".into(), true),
            ("vault_namespace", "a/b".into(), false),
            ("task_drivers", set(&["docker", "raw_exec", "a-1.b"]), true),
            ("task_drivers", Value::List(vec![Value::UNKNOWN]), true),
            ("task_drivers", Value::UNKNOWN, true),
            ("task_drivers", set(&[]), false),
            ("task_drivers", set(&["docker", ""]), false),
            ("task_drivers", set(&["a b"]), false),
            ("task_drivers", Value::List(vec![Value::Null]), false),
            (
                "network_modes",
                set(&["bridge", "host", "none", "cni/blue"]),
                true,
            ),
            ("network_modes", set(&[]), false),
            ("network_modes", set(&["overlay"]), false),
            ("network_modes", set(&["cni/"]), false),
            ("quotas", jobs(Value::from(0)), true),
            ("quotas", jobs(Value::UNKNOWN), true),
            ("quotas", jobs(Value::from(-1)), false),
        ] {
            let found = validate(&with(name, value.clone()));
            assert_eq!(found.is_empty(), good, "{name} {value:?} {found:?}");
            for diagnostic in found {
                let path = format!("{:?}", diagnostic.path);
                assert!(path.contains(name), "{path}");
            }
        }
    }

    fn set(names: &[&str]) -> Value {
        Value::List(names.iter().map(|name| Value::from(*name)).collect())
    }

    #[test]
    fn a_plan_knows_limits_when_both_are_known() {
        let docker = with("task_drivers", set(&["docker"]));
        let Known::Is(known) = rules(&docker).limits else {
            panic!("not known");
        };
        assert!(known.allow(Limit::TaskDrivers, "docker"));
        assert!(!known.allow(Limit::TaskDrivers, "exec"));
        for unknown in [Value::UNKNOWN, Value::List(vec![Value::UNKNOWN])] {
            let open = with("network_modes", unknown);
            assert_eq!(rules(&open).limits, Known::No);
            assert!(!same(&open, &open));
        }
        assert!(same(&docker, &docker));
        let both = with("task_drivers", set(&["exec", "docker"]));
        assert!(same(&both, &with("task_drivers", set(&["docker", "exec"]))));
        assert!(!same(&docker, &both));
        assert!(!same(&docker, &with("task_drivers", Value::Null)));
    }

    #[test]
    fn other_words_for_the_same_are_the_same() {
        let none = Value::from([("max_jobs", Value::Null)]);
        assert!(same(&with("quotas", none), &with("quotas", Value::Null)));
        let one = Value::from([("max_jobs", Value::from(1))]);
        assert!(!same(&with("quotas", one), &with("quotas", Value::Null)));
        let unknown = Value::from([("max_jobs", Value::UNKNOWN)]);
        assert!(!same(
            &with("quotas", unknown),
            &with("quotas", Value::Null)
        ));
    }
}
