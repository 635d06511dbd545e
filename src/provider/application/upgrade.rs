//! States of older schema versions.

use serde_json::Value as Json;

use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::value::{Type, Value, json};

/// Version 0, of the first drafts, kept the ID of each job as a bare string and had neither
/// `status` nor `drift`. The refresh that follows fills in the rest.
///
/// # Errors
/// Where the version is none of these, or the state is not one of it.
pub fn upgrade(version: i64, state: &[u8], ty: &Type) -> Result<Value, Diagnostics> {
    let unreadable = |why: String| {
        vec![Diagnostic::error(
            "Unreadable state",
            format!(
                "The state says that it has schema version {version}, but it is not such a state: \
                 {why}. Remove the object from the state and import it again."
            ),
        )]
    };
    if version != 0 {
        return Err(unreadable("there never was such a version".to_owned()));
    }
    let mut old: Json = serde_json::from_slice(state).map_err(|e| unreadable(e.to_string()))?;
    let Some(entries) = old.as_object_mut() else {
        return Err(unreadable("it is not an object".to_owned()));
    };
    if let Some(Json::Object(jobs)) = entries.get_mut("jobs") {
        for job in jobs.values_mut() {
            if let Json::String(id) = job {
                *job = serde_json::json!({ "id": id });
            }
        }
    }
    entries.insert("status".to_owned(), "settled".into());
    entries.insert("drift".to_owned(), Json::Array(Vec::new()));
    json::decode(old.to_string().as_bytes(), ty).map_err(|e| unreadable(e.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::provider::application::schema::schema;

    #[test]
    fn version_0_becomes_this_one() {
        let ty = schema().implied_type();
        let old = br#"{"name":"shop","id":"default/shop","revision":3,"jobs":{"web":"shop-web"}}"#;
        let new = upgrade(0, old, &ty).unwrap();
        assert_eq!(new.get("name").as_str(), Some("shop"));
        assert_eq!(new.get("revision").as_i64(), Some(3));
        assert_eq!(new.get("status").as_str(), Some("settled"));
        assert_eq!(
            new.get("jobs").get("web").get("id").as_str(),
            Some("shop-web")
        );
        assert_eq!(new.get("jobs").get("web").get("version"), &Value::Null);
    }

    #[test]
    fn refuses_what_is_no_such_state() {
        let ty = schema().implied_type();
        for (version, state) in [(0, "[]"), (0, "{"), (0, r#"{"name":1}"#), (-1, "{}")] {
            assert!(upgrade(version, state.as_bytes(), &ty).is_err(), "{state}");
        }
    }
}
