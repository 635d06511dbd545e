//! `parse_manifest`: a portable document in the shape of the HCL.

use super::read;
use crate::protocol::function::{Function, FunctionError, Parameter, Signature};
use crate::protocol::value::{Type, Value, dynamic};

/// The function.
pub struct ParseManifest;

impl Function for ParseManifest {
    fn signature(&self) -> Signature {
        Signature {
            summary: "A manifest as an object in the shape of the HCL".to_owned(),
            description: "Reads and checks a portable OAM document, and gives it as an object with the \
                          names of the blocks and attributes of `oam_application`: blocks with a label \
                          are objects by label, and what the document does not say is not there. The \
                          function `manifest` is the other way round."
                .to_owned(),
            parameters: vec![Parameter::new(
                "manifest",
                Type::String,
                "A portable OAM document in YAML or JSON.",
            )],
            variadic: None,
            returns: Type::Dynamic,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let text = arguments
            .first()
            .and_then(Value::as_str)
            .unwrap_or_default();
        let node = read(text)?.node;
        dynamic::from_json(&node.to_json()).map_err(|error| FunctionError::new(error.to_string()))
    }
}
