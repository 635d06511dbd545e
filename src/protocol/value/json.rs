//! Values as JSON: how Terraform keeps a state, and hands it back when a schema has a new version.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{MAX_DEPTH, Type, Value, ValueError};
use crate::protocol::path::AttributePath;

/// Reads a value of a type. An attribute that the JSON lacks is null, and one that the type lacks
/// is passed over: a state may come from another version of the schema.
///
/// # Errors
/// Where the bytes are not JSON, or not a value of that type.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, ValueError> {
    decode_at(0, bytes, ty)
}

/// Reads a value that is inside of so many others.
fn decode_at(depth: usize, bytes: &[u8], ty: &Type) -> Result<Value, ValueError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Seed { ty, depth }.deserialize(&mut deserializer);
    value
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| ValueError {
            path: AttributePath::ROOT,
            message: error.to_string(),
        })
}

/// Reads the next value as one of this type.
struct Seed<'t> {
    ty: &'t Type,
    /// How many values it is inside of: a value that brings its type is read by a deserializer of its own,
    /// which knows of none.
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        if self.depth >= MAX_DEPTH {
            return Err(D::Error::custom("the value nests too deeply"));
        }
        match self.ty {
            // The text of a number, so that none loses digits to a double.
            Type::Number => {
                let raw: &RawValue = serde::Deserialize::deserialize(d)?;
                let text = raw.get().trim_matches('"');
                match text {
                    "null" => Ok(Value::Null),
                    _ => text.parse().map(Value::Number).map_err(D::Error::custom),
                }
            }
            ty => d.deserialize_any(Typed {
                ty,
                depth: self.depth + 1,
            }),
        }
    }
}

/// A value of this type, and how deep what is in it is.
struct Typed<'t> {
    ty: &'t Type,
    depth: usize,
}

impl<'t> Typed<'t> {
    fn inside(&self, ty: &'t Type) -> Seed<'t> {
        let depth = self.depth;
        Seed { ty, depth }
    }
}

impl<'de> Visitor<'de> for Typed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value of type {}", self.ty.to_json())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        match self.ty {
            Type::Bool => Ok(Value::Bool(value)),
            _ => Err(E::invalid_type(serde::de::Unexpected::Bool(value), &self)),
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        match self.ty {
            Type::String => Ok(Value::String(text.to_owned())),
            _ => Err(E::invalid_type(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        match self.ty {
            Type::List(element) | Type::Set(element) => {
                while let Some(item) = seq.next_element_seed(self.inside(element))? {
                    items.push(item);
                }
            }
            Type::Tuple(types) => {
                for (index, ty) in types.iter().enumerate() {
                    let item = seq.next_element_seed(self.inside(ty))?;
                    items.push(item.ok_or_else(|| A::Error::invalid_length(index, &self))?);
                }
                if seq.next_element::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::invalid_length(types.len() + 1, &self));
                }
            }
            _ => return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self)),
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = BTreeMap::new();
        match self.ty {
            Type::Map(element) => {
                while let Some(key) = map.next_key::<String>()? {
                    let value = map.next_value_seed(self.inside(element))?;
                    entries.insert(key, value);
                }
            }
            Type::Object(attributes) => {
                while let Some(name) = map.next_key::<String>()? {
                    match attributes.get(&name) {
                        Some(ty) => {
                            let value = map.next_value_seed(self.inside(ty))?;
                            entries.insert(name, value);
                        }
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                if entries.len() < attributes.len() {
                    for name in attributes.keys() {
                        if !entries.contains_key(name) {
                            entries.insert(name.clone(), Value::Null);
                        }
                    }
                }
            }
            Type::Dynamic => return dynamic(map, self.depth),
            _ => return Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self)),
        }
        Ok(Value::Map(entries))
    }
}

/// A value that brings its type: `{"value": …, "type": …}`.
fn dynamic<'de, A: MapAccess<'de>>(mut map: A, depth: usize) -> Result<Value, A::Error> {
    let mut ty = None;
    let mut value: Option<&RawValue> = None;
    while let Some(key) = map.next_key::<String>()? {
        match key.as_str() {
            "type" => {
                let json: serde_json::Value = map.next_value()?;
                ty = Some(Type::from_json(&json).map_err(A::Error::custom)?);
            }
            "value" => value = Some(map.next_value()?),
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
    }
    let (Some(ty), Some(value)) = (ty, value) else {
        return Err(A::Error::custom("expected a type and a value"));
    };
    let value = decode_at(depth, value.get().as_bytes(), &ty).map_err(A::Error::custom)?;
    Ok(match value {
        Value::Null => Value::Null,
        value => Value::Dynamic(Box::new((ty, value))),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_by_type() {
        let ty = Type::object([
            ("text", Type::String),
            ("count", Type::Number),
            ("tags", Type::Map(Box::new(Type::String))),
            ("pair", Type::Tuple(vec![Type::Bool, Type::Number])),
            ("any", Type::Dynamic),
            ("gone", Type::Bool),
        ]);
        let json =
            br#"{"text":"a","count":0.1,"tags":{"k":null},"pair":[true,12345678901234567890],
            "any":{"type":["list","string"],"value":["x"]},"later":{"a":[1]}}"#;
        let list = Type::List(Box::new(Type::String));
        let any = Value::Dynamic(Box::new((list, Value::List(vec!["x".into()]))));
        let want = Value::from([
            ("text", "a".into()),
            ("count", Value::Number("0.1".parse().unwrap())),
            ("tags", Value::from([("k", Value::Null)])),
            (
                "pair",
                Value::List(vec![
                    true.into(),
                    Value::Number("12345678901234567890".parse().unwrap()),
                ]),
            ),
            ("any", any),
            ("gone", Value::Null),
        ]);
        assert_eq!(decode(json, &ty).unwrap(), want);
    }

    #[test]
    fn refuses_another_type() {
        let list = Type::List(Box::new(Type::String));
        for (json, ty) in [
            ("1", &Type::String),
            ("true", &Type::Number),
            ("\"a\"", &Type::Bool),
            ("{}", &list),
            ("[1]", &list),
            ("[] []", &list),
            ("[", &list),
            ("{}", &Type::Dynamic),
        ] {
            assert!(decode(json.as_bytes(), ty).is_err(), "{json}");
        }
    }
}
