//! What `CallFunction` has to do around a function.

use super::served::{decode, encode};
use crate::protocol::function::{Function, FunctionError, Signature};
use crate::protocol::value::{Type, Value, dynamic};
use crate::protocol::wire::tfplugin6::DynamicValue;

/// Calls a function. Terraform has checked the arguments by the same rules (its
/// `internal/providers/functions.go`), so that only a host with a bug meets the errors made here.
pub fn call(
    function: &dyn Function,
    signature: &Signature,
    arguments: &[DynamicValue],
) -> Result<DynamicValue, FunctionError> {
    let (values, known) = read(signature, arguments)?;
    let result = if known {
        function.call(values)?
    } else {
        Value::UNKNOWN
    };
    let result = match signature.returns {
        Type::Dynamic => dynamic::typed(result),
        _ => result,
    };
    encode(&signature.returns, &result).map_err(|error| {
        FunctionError::new(format!(
            "The provider has a bug: the result is not what the function says it is. {error}. \
             Please report this with the configuration that leads to it"
        ))
    })
}

/// The arguments, and whether they are known as far as the function needs it.
fn read(
    signature: &Signature,
    arguments: &[DynamicValue],
) -> Result<(Vec<Value>, bool), FunctionError> {
    let least = signature.parameters.len();
    let too_many = arguments.len() > least && signature.variadic.is_none();
    if arguments.len() < least || too_many {
        return Err(wrong_count(signature, arguments.len()));
    }
    let variadic = signature.variadic.iter().cycle();
    let parameters = signature.parameters.iter().chain(variadic);
    let mut values = Vec::with_capacity(arguments.len());
    let mut known = true;
    for (index, (argument, parameter)) in arguments.iter().zip(parameters).enumerate() {
        let value = decode(&parameter.ty, Some(argument))
            .map_err(|error| FunctionError::new(error.to_string()).at(index))?;
        if value.is_null() && !parameter.allow_null {
            let text = format!("The argument {:?} must not be null", parameter.name);
            return Err(FunctionError::new(text).at(index));
        }
        known &= parameter.allow_unknown || value.is_wholly_known();
        values.push(value);
    }
    Ok((values, known))
}

fn wrong_count(signature: &Signature, count: usize) -> FunctionError {
    let least = signature.parameters.len();
    let or_more = match signature.variadic {
        Some(_) => " or more",
        None => "",
    };
    FunctionError::new(format!(
        "The number of arguments must be {least}{or_more}, and is {count}"
    ))
}
