//! Types, and the JSON form that schemas and dynamic values give them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// The type of a value, as in `go-cty`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `bool`
    Bool,
    /// `number`
    Number,
    /// `string`
    String,
    /// A type that each value brings itself.
    Dynamic,
    /// `list(T)`
    List(Box<Type>),
    /// `set(T)`
    Set(Box<Type>),
    /// `map(T)`
    Map(Box<Type>),
    /// `tuple([T, …])`
    Tuple(Vec<Type>),
    /// `object({name = T, …})`
    Object(BTreeMap<String, Type>),
}

/// A type that cannot be read from its JSON form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a type: {0}")]
pub struct TypeError(String);

impl Type {
    /// An object type from its attributes.
    pub fn object<K: Into<String>>(attributes: impl IntoIterator<Item = (K, Type)>) -> Self {
        Self::Object(attributes.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }

    /// Whether a value of this type brings (part of) its type itself.
    pub fn has_dynamic(&self) -> bool {
        match self {
            Self::Dynamic => true,
            Self::List(t) | Self::Set(t) | Self::Map(t) => t.has_dynamic(),
            Self::Tuple(types) => types.iter().any(Self::has_dynamic),
            Self::Object(attributes) => attributes.values().any(Self::has_dynamic),
            _ => false,
        }
    }

    /// The JSON form, such as `["list","string"]`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Bool => "bool".into(),
            Self::Number => "number".into(),
            Self::String => "string".into(),
            Self::Dynamic => "dynamic".into(),
            Self::List(t) => Json::Array(vec!["list".into(), t.to_json()]),
            Self::Set(t) => Json::Array(vec!["set".into(), t.to_json()]),
            Self::Map(t) => Json::Array(vec!["map".into(), t.to_json()]),
            Self::Tuple(types) => {
                let types = types.iter().map(Self::to_json).collect();
                Json::Array(vec!["tuple".into(), Json::Array(types)])
            }
            Self::Object(attributes) => {
                let attributes = attributes.iter().map(|(k, t)| (k.clone(), t.to_json()));
                Json::Array(vec!["object".into(), Json::Object(attributes.collect())])
            }
        }
    }

    /// Reads the JSON form. Which attributes of an object are optional is of no consequence for a
    /// value that has arrived, so that list is passed over.
    ///
    /// # Errors
    /// Where the JSON is not a type.
    pub fn from_json(json: &Json) -> Result<Self, TypeError> {
        let refused = || TypeError(json.to_string().chars().take(80).collect());
        if let Some(name) = json.as_str() {
            return match name {
                "bool" => Ok(Self::Bool),
                "number" => Ok(Self::Number),
                "string" => Ok(Self::String),
                "dynamic" => Ok(Self::Dynamic),
                _ => Err(refused()),
            };
        }
        let parts = json.as_array().ok_or_else(refused)?;
        let (kind, inner) = match parts.as_slice() {
            [Json::String(kind), inner] => (kind.as_str(), inner),
            [Json::String(kind), inner, Json::Array(_)] if kind == "object" => {
                (kind.as_str(), inner)
            }
            _ => return Err(refused()),
        };
        match (kind, inner) {
            ("list", _) => Ok(Self::List(Box::new(Self::from_json(inner)?))),
            ("set", _) => Ok(Self::Set(Box::new(Self::from_json(inner)?))),
            ("map", _) => Ok(Self::Map(Box::new(Self::from_json(inner)?))),
            ("tuple", Json::Array(types)) => {
                let types: Result<_, _> = types.iter().map(Self::from_json).collect();
                Ok(Self::Tuple(types?))
            }
            ("object", Json::Object(attributes)) => attributes
                .iter()
                .map(|(name, t)| Ok((name.clone(), Self::from_json(t)?)))
                .collect::<Result<_, _>>()
                .map(Self::Object),
            _ => Err(refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            r#""bool""#,
            r#"["list","string"]"#,
            r#"["map",["set","number"]]"#,
            r#"["tuple",["string","dynamic"]]"#,
            r#"["object",{"a":"string","b":["list","bool"]}]"#,
        ] {
            let json: Json = serde_json::from_str(text).unwrap();
            assert_eq!(Type::from_json(&json).unwrap().to_json(), json);
        }
        let optional: Json = serde_json::from_str(r#"["object",{"a":"string"},["a"]]"#).unwrap();
        let want = Type::object([("a", Type::String)]);
        assert_eq!(Type::from_json(&optional).unwrap(), want);
    }

    #[test]
    fn refuses_what_is_no_type() {
        for text in [
            "1",
            r#""int""#,
            r#"["list"]"#,
            r#"["object",[]]"#,
            r#"["tuple","string"]"#,
        ] {
            let json: Json = serde_json::from_str(text).unwrap();
            assert!(Type::from_json(&json).is_err(), "{text}");
        }
    }
}
