//! Values of a type that no schema says, and plain JSON documents as such values.
//!
//! The types are those that Terraform's `jsondecode` gives: an object for an object, a tuple for an
//! array, and for null no type at all.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Number, NumberError, Type, Value, ValueError, step_index};
use crate::protocol::path::{AttributePath, Step};

/// A value that brings the type that can be seen in it: lists become tuples and maps objects. Null
/// and unknown values, in which no type can be seen, stay as they are; one that brings its type
/// keeps it.
pub fn typed(value: Value) -> Value {
    match infer(value) {
        (Type::Dynamic, value) => value,
        typed => Value::Dynamic(Box::new(typed)),
    }
}

/// A value, and its type as far as it can be seen. A value inside that brings its own type hands it
/// over to the whole.
fn infer(value: Value) -> (Type, Value) {
    match value {
        Value::Null | Value::Unknown(_) => (Type::Dynamic, value),
        Value::Bool(_) => (Type::Bool, value),
        Value::Number(_) => (Type::Number, value),
        Value::String(_) => (Type::String, value),
        Value::List(items) => {
            let (types, items) = items.into_iter().map(infer).unzip();
            (Type::Tuple(types), Value::List(items))
        }
        Value::Map(entries) => {
            let entries = entries.into_iter().map(|(name, value)| {
                let (ty, value) = infer(value);
                ((name.clone(), ty), (name, value))
            });
            let (types, entries) = entries.unzip();
            (Type::Object(types), Value::Map(entries))
        }
        Value::Dynamic(inner) => *inner,
    }
}

/// A document as a value that brings its type; null as null. A number is the decimal that its text
/// says, as in Terraform: 0.1 is a tenth, and not the double beside it.
///
/// # Errors
/// Where a number has more digits than a value can hold; with the path of the place.
pub fn from_json(json: &Json) -> Result<Value, ValueError> {
    let mut path = AttributePath::ROOT;
    plain(json, &mut path).map(typed)
}

fn plain(json: &Json, path: &mut AttributePath) -> Result<Value, ValueError> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => {
            let number = number.to_string().parse();
            Value::Number(number.map_err(|error: NumberError| refused(path, error.to_string()))?)
        }
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => {
            let mut values = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                path.steps.push(step_index(index));
                values.push(plain(item, path)?);
                path.steps.pop();
            }
            Value::List(values)
        }
        Json::Object(entries) => {
            let mut values = BTreeMap::new();
            for (name, entry) in entries {
                path.steps.push(Step::Attribute(name.clone()));
                values.insert(name.clone(), plain(entry, path)?);
                path.steps.pop();
            }
            Value::Map(values)
        }
    })
}

/// A value as a plain document, whether it brings its type or not. Null stays null, also as an
/// attribute. A fraction that no double holds becomes the nearest one, as in any JSON.
///
/// # Errors
/// Where something is unknown, or a number is infinite or whole and not to be had exactly; with the
/// path of the place.
pub fn to_json(value: &Value) -> Result<Json, ValueError> {
    let mut path = AttributePath::ROOT;
    document(value, &Type::Dynamic, &mut path)
}

/// The type says what the steps of the path are; where it is open, maps are objects.
fn document(value: &Value, ty: &Type, path: &mut AttributePath) -> Result<Json, ValueError> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Unknown(_) => return Err(refused(path, "the value is not known yet")),
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => match json_number(number) {
            Some(number) => Json::Number(number),
            None => return Err(refused(path, format!("JSON cannot hold {number} exactly"))),
        },
        Value::String(text) => Json::String(text.clone()),
        Value::List(items) => {
            let mut documents = Vec::with_capacity(items.len());
            let depth = path.steps.len();
            for (index, item) in items.iter().enumerate() {
                let element = match ty {
                    Type::List(element) | Type::Set(element) => element,
                    Type::Tuple(types) => types.get(index).unwrap_or(&Type::Dynamic),
                    _ => &Type::Dynamic,
                };
                path.steps.push(step_index(index));
                let item = document(item, element, path);
                path.steps.truncate(depth);
                documents.push(match ty {
                    // Elements of a set have no path of their own.
                    Type::Set(_) => item.map_err(|error| refused(path, error.message))?,
                    _ => item?,
                });
            }
            Json::Array(documents)
        }
        Value::Map(entries) => {
            let mut documents = serde_json::Map::new();
            for (name, entry) in entries {
                let (step, element) = match ty {
                    Type::Map(element) => (Step::Key(name.clone()), &**element),
                    Type::Object(attributes) => (
                        Step::Attribute(name.clone()),
                        attributes.get(name).unwrap_or(&Type::Dynamic),
                    ),
                    _ => (Step::Attribute(name.clone()), &Type::Dynamic),
                };
                path.steps.push(step);
                documents.insert(name.clone(), document(entry, element, path)?);
                path.steps.pop();
            }
            Json::Object(documents)
        }
        Value::Dynamic(inner) => document(&inner.1, &inner.0, path)?,
    })
}

/// The number that reads as this one, or as near as a fraction comes.
fn json_number(number: &Number) -> Option<serde_json::Number> {
    if let Some(whole) = number.as_i64() {
        return Some(whole.into());
    }
    // Not by `serde_json`, which may miss the nearest double by one.
    let text = number.to_string();
    let json = match text.parse::<u64>() {
        Ok(whole) => whole.into(),
        Err(_) => serde_json::Number::from_f64(text.parse().ok()?)?,
    };
    let exact = json.to_string().parse().as_ref() == Ok(number);
    (exact || !number.is_whole()).then_some(json)
}

fn refused(path: &AttributePath, message: impl Into<String>) -> ValueError {
    ValueError {
        path: path.clone(),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::msgpack;
    use super::*;

    fn dynamic(ty: Type, value: Value) -> Value {
        Value::Dynamic(Box::new((ty, value)))
    }

    fn number(text: &str) -> Value {
        Value::Number(text.parse().unwrap())
    }

    #[test]
    fn a_document_brings_the_types_of_jsondecode() {
        for (json, ty, value) in [
            (json!(true), Type::Bool, true.into()),
            (json!("a"), Type::String, "a".into()),
            (json!(42), Type::Number, 42.into()),
            (json!(2.0), Type::Number, 2.into()),
            (json!(0.1), Type::Number, number("0.1")),
            (
                json!(u64::MAX),
                Type::Number,
                number("18446744073709551615"),
            ),
            (json!([]), Type::Tuple(vec![]), Value::List(vec![])),
            (
                json!({}),
                Type::Object(BTreeMap::new()),
                Value::Map(BTreeMap::new()),
            ),
            (
                json!([1, "a", null]),
                Type::Tuple(vec![Type::Number, Type::String, Type::Dynamic]),
                Value::List(vec![1.into(), "a".into(), Value::Null]),
            ),
            (
                json!({ "a": { "b": [true] }, "c": null }),
                Type::object([
                    ("a", Type::object([("b", Type::Tuple(vec![Type::Bool]))])),
                    ("c", Type::Dynamic),
                ]),
                Value::from([
                    ("a", Value::from([("b", Value::List(vec![true.into()]))])),
                    ("c", Value::Null),
                ]),
            ),
        ] {
            let want = dynamic(ty, value);
            assert_eq!(from_json(&json).unwrap(), want, "{json}");
            // Terraform sends back what it was sent.
            let bytes = msgpack::encode(&want, &Type::Dynamic).unwrap();
            assert_eq!(msgpack::decode(&bytes, &Type::Dynamic).unwrap(), want);
            let back = to_json(&want).unwrap();
            assert!(back == json || back == json!(2), "{json} became {back}");
        }
        assert_eq!(from_json(&json!(null)).unwrap(), Value::Null);
    }

    #[test]
    fn a_value_keeps_the_type_that_it_brings() {
        let tags = Type::Map(Box::new(Type::String));
        let a = || Value::from([("a", "b".into())]);
        let whole = typed(Value::from([("tags", dynamic(tags.clone(), a()))]));
        let want = Type::object([("tags", tags.clone())]);
        assert_eq!(whole, dynamic(want, Value::from([("tags", a())])));
        let typed_null = || dynamic(tags.clone(), Value::Null);
        assert_eq!(typed(typed_null()), typed_null());
        for open in [Value::Null, Value::UNKNOWN] {
            assert_eq!(typed(open.clone()), open);
        }
    }

    #[test]
    fn a_value_is_a_document_with_its_type_or_without() {
        let set = Type::Set(Box::new(Type::Number));
        for (value, want) in [
            (Value::Null, json!(null)),
            (dynamic(Type::String, Value::Null), json!(null)),
            ("a".into(), json!("a")),
            (dynamic(Type::Bool, true.into()), json!(true)),
            (dynamic(set, Value::List(vec![1.into()])), json!([1])),
            (
                Value::from([("a", dynamic(Type::Number, number("0.5")))]),
                json!({ "a": 0.5 }),
            ),
            (number("0.1"), json!(0.1)),
            (number("18446744073709551615"), json!(u64::MAX)),
            (number("1e30"), json!(1e30)),
            // What Terraform makes of 1/3 has more digits than this, still.
            (number("0.33333333333333333333"), json!(1.0 / 3.0)),
        ] {
            assert_eq!(to_json(&value).unwrap(), want, "{value:?}");
        }
    }

    #[test]
    fn what_is_no_document_is_an_error_at_its_place() {
        let unknown = || Value::List(vec![1.into(), Value::UNKNOWN]);
        let a = |value| Value::from([("a", value)]);
        let open = || Box::new(Type::Dynamic);
        let infinite = Value::Number(Number::try_from(f64::INFINITY).unwrap());
        for (value, place) in [
            (Value::UNKNOWN, "the value"),
            (dynamic(Type::String, Value::UNKNOWN), "the value"),
            (infinite, "the value"),
            (number("123456789012345678901234567891"), "the value"),
            (a(unknown()), "a[1]"),
            (a(dynamic(Type::List(open()), unknown())), "a[1]"),
            (a(dynamic(Type::Set(open()), unknown())), "a"),
            (dynamic(Type::Map(open()), a(unknown())), r#"["a"][1]"#),
        ] {
            let error = to_json(&value).unwrap_err();
            assert_eq!(error.path.to_string(), place, "{value:?}");
        }
    }
}
