//! Which application an `oam_application` is: its tenant and its name.

use super::config;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::identity::{IdentityAttribute, IdentitySchema, Import};
use crate::protocol::value::Value;
use crate::store::ApplicationKey;

/// The shape of the identity.
pub fn schema() -> IdentitySchema {
    IdentitySchema {
        version: 0,
        attributes: vec![
            IdentityAttribute::text(
                "tenant",
                Import::Optional,
                "The tenant; `default` where the application has none.",
            ),
            IdentityAttribute::text("name", Import::Required, "The application's name."),
        ],
    }
}

/// The identity of an application.
pub fn of(key: &ApplicationKey) -> Value {
    Value::from([("tenant", key.tenant().into()), ("name", key.name().into())])
}

/// The identity of the application that a state is of; null where the state does not tell.
pub fn identify(state: &Value) -> Value {
    match config::key(state) {
        Some(key) if !state.is_null() => of(&key),
        _ => Value::Null,
    }
}

/// The ID of the application that has an identity.
///
/// # Errors
/// Where no application has such a one.
pub fn import_id(identity: &Value) -> Result<String, Diagnostics> {
    let name = identity.get("name").as_str().unwrap_or_default();
    let id = match identity.get("tenant").as_str() {
        Some(tenant) => format!("{tenant}/{name}"),
        None => name.to_owned(),
    };
    // A slash in a name would make another identity of it.
    let whole = |part: &Value| part.as_str().is_none_or(|part| !part.contains('/'));
    let is_one = whole(identity.get("name")) && whole(identity.get("tenant"));
    let parsed = ApplicationKey::parse(&id);
    match parsed {
        Ok(_) if is_one => Ok(id),
        _ => Err(vec![Diagnostic::error(
            "Unreadable import identity",
            format!("No application can have the name {name:?} in that tenant."),
        )]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_identity_and_an_id_name_the_same() {
        let identity = |tenant: Value, name: &str| {
            Value::from([("tenant", tenant), ("name", Value::from(name))])
        };
        for (identity, id) in [
            (identity(Value::Null, "shop"), Some("shop")),
            (identity("acme".into(), "shop"), Some("acme/shop")),
            (identity(Value::Null, "acme/shop"), None),
            (identity("a/b".into(), "c"), None),
            (identity(Value::Null, ""), None),
        ] {
            assert_eq!(import_id(&identity).ok().as_deref(), id, "{identity:?}");
        }
        let state = identity("acme".into(), "shop");
        assert_eq!(identify(&state), state);
        let unnamed = identity(Value::Null, "shop");
        assert_eq!(identify(&unnamed), identity("default".into(), "shop"));
        assert_eq!(identify(&Value::Null), Value::Null);
        let open = identity(Value::UNKNOWN, "shop");
        assert_eq!(identify(&open), Value::Null);
    }
}
