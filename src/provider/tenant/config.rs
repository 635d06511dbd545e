//! From a configuration, a plan or a state to the tenant, and the checks on the way.

use super::kind::Kind;
use super::schema::QUOTAS;
use crate::oam::form;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::value::Value;
use crate::provider::planned::{Known, Rules};
use crate::store::TenantKey;
use crate::tenants::{Quotas, Spaces, is_space};

/// Longest name that people call a tenant by, in characters.
const LONGEST_DISPLAY_NAME: usize = 64;

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
            && fields.iter().all(|name| !value.get(name).is_unknown())
            && SPACES
                .iter()
                .all(|kind| !value.get(kind.field()).is_unknown())
    };
    known(one)
        && known(other)
        && fields.iter().all(|name| one.get(name) == other.get(name))
        && quotas(one) == quotas(other)
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

fn is_number(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
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
