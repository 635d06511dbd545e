//! The configuration to write for a state.

use crate::protocol::value::Value;

/// Of a manifest, the name is in the manifest.
pub fn generate(state: &Value, mut config: Value) -> Value {
    if !state.get("manifest").is_null()
        && let Some(entries) = config.as_map_mut()
    {
        entries.insert("name".to_owned(), Value::Null);
    }
    config
}
