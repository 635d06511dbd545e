//! `schema`: the JSON Schemas.

use crate::oam::schema;
use crate::protocol::function::{Function, FunctionError, Parameter, Signature};
use crate::protocol::value::{Type, Value};

/// The function.
pub struct JsonSchema;

impl Function for JsonSchema {
    fn signature(&self) -> Signature {
        Signature {
            summary: "The JSON Schema of a kind of document".to_owned(),
            description: format!(
                "Gives the JSON Schema (draft 2020-12), as JSON, of a portable OAM document, or of the \
                 `properties` of a component type, a trait or a scope in it. The kinds are `{}`; traits and \
                 scopes are known by the names of their blocks, too.",
                schema::kinds().join("`, `")
            ),
            parameters: vec![Parameter::new(
                "kind",
                Type::String,
                "`Application`, or the name of a component type, a trait or a kind of scope.",
            )],
            variadic: None,
            returns: Type::String,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let kind = arguments
            .first()
            .and_then(Value::as_str)
            .unwrap_or_default();
        match schema::of(kind) {
            Some(schema) => Ok(format!("{schema:#}\n").into()),
            None => {
                let known = schema::kinds().join("`, `");
                let text = format!("there is no schema of {kind:?}. It must be one of `{known}`.");
                Err(FunctionError::new(text).at(0))
            }
        }
    }
}
