//! What a provider-defined function implements, and how it is described to Terraform.
//!
//! A function is pure: Terraform calls it on providers that are not configured, as often as it
//! likes, and compares the results of equal calls (its `internal/providers/functions.go`).

use super::value::{Type, Value};
use super::wire::tfplugin6 as wire;

/// One function. Configurations call it `provider::<provider>::<name>(…)`.
pub trait Function: Send + Sync + 'static {
    /// What it takes and gives.
    fn signature(&self) -> Signature;

    /// The result for these arguments: one for each parameter, in order, then those of the variadic
    /// parameter. They have the types of their parameters, and are neither null nor in any part
    /// unknown where the parameter does not allow it. The same arguments always have the same
    /// result.
    ///
    /// Where the result is [`Type::Dynamic`], a value that does not bring its type gets the one
    /// that [`typed`](super::value::dynamic::typed) sees in it.
    ///
    /// # Errors
    /// Where there is no result, with the argument that is to blame.
    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}

/// What a function takes and gives.
#[derive(Clone, Debug)]
pub struct Signature {
    /// One line of plain text.
    pub summary: String,
    /// Markdown.
    pub description: String,
    /// What every call gives, in order.
    pub parameters: Vec<Parameter>,
    /// What a call may give after that, any number of times.
    pub variadic: Option<Parameter>,
    /// The type of the result.
    pub returns: Type,
}

/// One parameter of a function.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// For the documentation and for errors: arguments are told apart by their position.
    pub name: String,
    /// What values it takes.
    pub ty: Type,
    /// Whether the function is called for null; an error otherwise.
    pub allow_null: bool,
    /// Whether the function is called for values that are not wholly known; the result is unknown
    /// otherwise.
    pub allow_unknown: bool,
    /// Markdown.
    pub description: String,
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FunctionError {
    /// Sentences: what is wrong, and what to do about it. Terraform puts them into one of its own
    /// (`Invalid value for "text" parameter: ….`), so that the last needs no full stop.
    pub text: String,
    /// The index of the argument that is to blame, from 0; `None` for the call as a whole.
    pub argument: Option<usize>,
}

impl Signature {
    /// The form on the wire.
    pub fn to_wire(&self) -> wire::Function {
        wire::Function {
            parameters: self.parameters.iter().map(Parameter::to_wire).collect(),
            variadic_parameter: self.variadic.as_ref().map(Parameter::to_wire),
            r#return: Some(wire::function::Return {
                r#type: self.returns.to_json().to_string().into_bytes(),
            }),
            summary: self.summary.clone(),
            description: self.description.clone(),
            description_kind: wire::StringKind::Markdown.into(),
            deprecation_message: String::new(),
        }
    }
}

impl Parameter {
    /// A parameter that takes neither null nor anything unknown.
    pub fn new(name: &str, ty: Type, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            ty,
            allow_null: false,
            allow_unknown: false,
            description: description.to_owned(),
        }
    }

    /// The same, that also takes null.
    #[must_use]
    pub fn allow_null(mut self) -> Self {
        self.allow_null = true;
        self
    }

    /// The same, that also takes what is not wholly known.
    #[must_use]
    pub fn allow_unknown(mut self) -> Self {
        self.allow_unknown = true;
        self
    }

    fn to_wire(&self) -> wire::function::Parameter {
        wire::function::Parameter {
            name: self.name.clone(),
            r#type: self.ty.to_json().to_string().into_bytes(),
            allow_null_value: self.allow_null,
            allow_unknown_values: self.allow_unknown,
            description: self.description.clone(),
            description_kind: wire::StringKind::Markdown.into(),
        }
    }
}

impl FunctionError {
    /// An error of the call as a whole.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: None,
        }
    }

    /// The same, of one argument.
    #[must_use]
    pub fn at(mut self, argument: usize) -> Self {
        self.argument = Some(argument);
        self
    }

    /// The form on the wire.
    pub fn to_wire(&self) -> wire::FunctionError {
        wire::FunctionError {
            text: self.text.trim_end_matches('.').to_owned(),
            function_argument: self.argument.and_then(|index| i64::try_from(index).ok()),
        }
    }
}
