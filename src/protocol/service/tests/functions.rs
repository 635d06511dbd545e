//! The calls about functions.

use std::sync::Arc;

use tonic::Request;

use super::{msgpack_of, service};
use crate::protocol::function::{Function, FunctionError, Parameter, Signature};
use crate::protocol::value::{Type, Value, dynamic};
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::provider_server::Provider as _;

/// A function whose result is what a closure makes of the arguments.
struct Of<F>(Signature, F);

impl<F> Function for Of<F>
where
    F: Fn(Vec<Value>) -> Result<Value, FunctionError> + Send + Sync + 'static,
{
    fn signature(&self) -> Signature {
        self.0.clone()
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        self.1(arguments)
    }
}

/// Says what is known of its argument.
fn inspect() -> Signature {
    let any = Parameter::new("any", Type::Dynamic, "");
    Signature {
        summary: "Looks at a value".to_owned(),
        description: "Looks at *any* value.".to_owned(),
        parameters: vec![any.allow_null().allow_unknown()],
        variadic: None,
        returns: Type::String,
    }
}

/// Puts texts together.
fn join() -> Signature {
    Signature {
        summary: "Joins texts".to_owned(),
        description: String::new(),
        parameters: vec![Parameter::new("separator", Type::String, "What is between")],
        variadic: Some(Parameter::new("text", Type::String, "")),
        returns: Type::String,
    }
}

/// Gives back its argument, as it is.
fn echo() -> Signature {
    Signature {
        summary: String::new(),
        description: String::new(),
        parameters: vec![Parameter::new("any", Type::Dynamic, "")],
        variadic: None,
        returns: Type::Dynamic,
    }
}

pub fn functions() -> Vec<(&'static str, Arc<dyn Function>)> {
    let look = |arguments: Vec<Value>| {
        Ok(match &arguments[0] {
            value if value.is_null() => "null",
            value if value.is_unknown() => "unknown",
            value if value.is_wholly_known() => "known",
            _ => "known in part",
        }
        .into())
    };
    let join_texts = |arguments: Vec<Value>| {
        let mut texts = Vec::new();
        for (index, argument) in arguments.iter().enumerate() {
            match argument.as_str() {
                Some("panic") => panic!("as asked"),
                Some("") => return Err(FunctionError::new("Empty.").at(index)),
                Some(text) => texts.push(text),
                None => panic!("not a known text: {argument:?}"),
            }
        }
        Ok(texts[1..].join(texts[0]).into())
    };
    let as_it_is = |arguments: Vec<Value>| {
        let document = dynamic::to_json(&arguments[0]);
        let document = document.map_err(|error| FunctionError::new(error.to_string()).at(0))?;
        match document.as_str() {
            // Without the type that it could bring.
            Some("plain") => Ok(Value::from([("a", Value::List(vec![1.into()]))])),
            _ => {
                dynamic::from_json(&document).map_err(|error| FunctionError::new(error.to_string()))
            }
        }
    };
    vec![
        ("inspect", Arc::new(Of(inspect(), look))),
        ("join", Arc::new(Of(join(), join_texts))),
        ("echo", Arc::new(Of(echo(), as_it_is))),
        ("mistyped", Arc::new(Of(join(), |_| Ok(Value::Bool(true))))),
    ]
}

/// Calls a function: its result as a value of a type, or its error.
async fn call(
    name: &str,
    arguments: Vec<wire::DynamicValue>,
    returns: &Type,
) -> Result<Value, FunctionError> {
    let request = wire::call_function::Request {
        name: name.to_owned(),
        arguments,
    };
    let response = service().call_function(Request::new(request)).await;
    let response = response.unwrap().into_inner();
    match (response.result, response.error) {
        (Some(result), None) => {
            Ok(crate::protocol::value::msgpack::decode(&result.msgpack, returns).unwrap())
        }
        (None, Some(error)) => Err(FunctionError {
            text: error.text,
            argument: error.function_argument.map(|i| usize::try_from(i).unwrap()),
        }),
        both_or_none => panic!("not an answer: {both_or_none:?}"),
    }
}

fn texts(texts: &[&str]) -> Vec<wire::DynamicValue> {
    let text = |text: &&str| msgpack_of(&(*text).into(), &Type::String);
    texts.iter().map(text).collect()
}

#[tokio::test]
async fn arguments_come_one_for_each_parameter_and_then_the_variadic_ones() {
    for (arguments, want) in [
        (&["-"][..], ""),
        (&["-", "a"], "a"),
        (&["-", "a", "b", "c"], "a-b-c"),
    ] {
        let joined = call("join", texts(arguments), &Type::String).await;
        assert_eq!(joined.unwrap(), want.into(), "{arguments:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_said_of_the_argument_to_blame() {
    let list = msgpack_of(&Value::List(vec![]), &Type::List(Box::new(Type::String)));
    let null = msgpack_of(&Value::Null, &Type::String);
    let with =
        |argument: &wire::DynamicValue| [texts(&["-", "a"]), vec![argument.clone()]].concat();
    let mistyped = "the value: expected a string, found FixArray(0)";
    let null_text = "The argument \"text\" must not be null";
    let null_separator = "The argument \"separator\" must not be null";
    let bug = "The provider has a bug";
    for (name, arguments, text, argument) in [
        (
            "join",
            texts(&[]),
            "The number of arguments must be 1 or more, and is 0",
            None,
        ),
        (
            "inspect",
            texts(&[]),
            "The number of arguments must be 1, and is 0",
            None,
        ),
        (
            "inspect",
            texts(&["a", "b"]),
            "The number of arguments must be 1, and is 2",
            None,
        ),
        ("join", vec![list.clone()], mistyped, Some(0)),
        ("join", with(&list), mistyped, Some(2)),
        ("join", vec![null.clone()], null_separator, Some(0)),
        ("join", with(&null), null_text, Some(2)),
        (
            "join",
            vec![wire::DynamicValue::default()],
            null_separator,
            Some(0),
        ),
        ("join", texts(&["-", "a", ""]), "Empty", Some(2)),
        ("join", texts(&["-", "panic"]), bug, None),
        ("mistyped", texts(&["-"]), bug, None),
        (
            "other",
            texts(&["a"]),
            "Unknown function: This version of the provider",
            None,
        ),
    ] {
        let error = call(name, arguments, &Type::String).await.unwrap_err();
        assert!(error.text.starts_with(text), "{name}: {error:?}");
        // Terraform sets the full stop.
        assert!(!error.text.ends_with('.'), "{name}: {error:?}");
        assert_eq!(error.argument, argument, "{name}: {error:?}");
    }
}

#[tokio::test]
async fn what_is_unknown_reaches_only_a_function_that_allows_it() {
    let text = |value| msgpack_of(&value, &Type::String);
    let unknown = vec![text("-".into()), text(Value::UNKNOWN)];
    let joined = call("join", unknown, &Type::String).await;
    assert_eq!(joined.unwrap(), Value::UNKNOWN);
    // Also not deep inside a value.
    let any = |value| vec![msgpack_of(&dynamic::typed(value), &Type::Dynamic)];
    let in_part = || Value::from([("a", Value::List(vec![Value::UNKNOWN]))]);
    let echoed = call("echo", any(in_part()), &Type::Dynamic).await;
    assert_eq!(echoed.unwrap(), Value::UNKNOWN);
    // What is certainly wrong is wrong although something else is unknown.
    let null = vec![text(Value::UNKNOWN), text(Value::Null)];
    let error = call("join", null, &Type::String).await.unwrap_err();
    assert_eq!(error.argument, Some(1));
    let typed_null = Value::Dynamic(Box::new((Type::String, Value::Null)));
    for (value, want) in [
        (Value::UNKNOWN, "unknown"),
        (in_part(), "known in part"),
        (Value::Null, "null"),
        (typed_null, "null"),
        (1.into(), "known"),
    ] {
        let seen = call("inspect", any(value), &Type::String).await;
        assert_eq!(seen.unwrap(), want.into());
    }
}

#[tokio::test]
async fn a_result_of_any_type_brings_its_type() {
    let any = |value: &Value| vec![msgpack_of(value, &Type::Dynamic)];
    let document = serde_json::json!({ "a": [1, "b", null, { "c": 0.1 }] });
    let value = dynamic::from_json(&document).unwrap();
    let echoed = call("echo", any(&value), &Type::Dynamic).await;
    assert_eq!(echoed.unwrap(), value);
    let plain = dynamic::typed("plain".into());
    let list = Value::from([("a", Value::List(vec![1.into()]))]);
    let echoed = call("echo", any(&plain), &Type::Dynamic).await;
    assert_eq!(echoed.unwrap(), dynamic::typed(list));
    // The null that a parameter of any type gets from a configuration.
    let error = call("echo", any(&Value::Null), &Type::Dynamic).await;
    assert_eq!(error.unwrap_err().argument, Some(0));
}

#[tokio::test]
async fn functions_are_named_and_described() {
    let service = service();
    let metadata = service
        .get_metadata(Request::new(wire::get_metadata::Request {}))
        .await;
    let named = metadata.unwrap().into_inner().functions;
    let named: Vec<_> = named.into_iter().map(|f| f.name).collect();
    assert_eq!(named, ["echo", "inspect", "join", "mistyped"]);
    let described = service
        .get_functions(Request::new(wire::get_functions::Request {}))
        .await;
    let described = described.unwrap().into_inner().functions;
    let schema = service
        .get_provider_schema(Request::new(wire::get_provider_schema::Request {}))
        .await;
    assert_eq!(schema.unwrap().into_inner().functions, described);
    assert_eq!(described.len(), named.len());
    let markdown = i32::from(wire::StringKind::Markdown);
    let parameter = |name: &str, ty: &str, open, description: &str| wire::function::Parameter {
        name: name.to_owned(),
        r#type: ty.as_bytes().to_vec(),
        allow_null_value: open,
        allow_unknown_values: open,
        description: description.to_owned(),
        description_kind: markdown,
    };
    let text = || wire::function::Return {
        r#type: b"\"string\"".to_vec(),
    };
    assert_eq!(
        described["inspect"],
        wire::Function {
            parameters: vec![parameter("any", "\"dynamic\"", true, "")],
            variadic_parameter: None,
            r#return: Some(text()),
            summary: "Looks at a value".to_owned(),
            description: "Looks at *any* value.".to_owned(),
            description_kind: markdown,
            deprecation_message: String::new(),
        }
    );
    let separator = parameter("separator", "\"string\"", false, "What is between");
    let variadic = parameter("text", "\"string\"", false, "");
    assert_eq!(described["join"].parameters, [separator]);
    assert_eq!(described["join"].variadic_parameter, Some(variadic));
}
