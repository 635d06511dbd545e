//! Terraform's values: what configuration, plan and state are made of on the wire.
//!
//! A [`Value`] is decoded against a [`Type`], which a schema implies
//! ([`Schema::implied_type`](super::schema::Schema::implied_type)). The value itself does not
//! repeat what the type says: a set, a list and a tuple are all [`Value::List`], a map and an
//! object are both [`Value::Map`]. Only a value whose type the schema leaves open
//! ([`Type::Dynamic`]) carries its own type along ([`Value::Dynamic`]).
//!
//! The encodings are those of `go-cty` (its `docs/json.md` and the `msgpack` package): MessagePack
//! in [`msgpack`], JSON in [`json`]. What no schema describes is in [`dynamic`].

pub mod dynamic;
pub mod json;
pub mod msgpack;
mod number;
#[cfg(test)]
mod roundtrip;
mod ty;
mod unknown;

use std::collections::BTreeMap;

pub use number::{Number, NumberError};
pub use ty::{Type, TypeError};
pub use unknown::{Bound, Refinements};

use super::path::{AttributePath, Step};

/// A value as Terraform sends or expects it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The absence of a value; every type has it.
    Null,
    /// A value that is not known before apply, with what is known of it all the same.
    Unknown(Option<Box<Refinements>>),
    /// A boolean.
    Bool(bool),
    /// A number of any size.
    Number(Number),
    /// Text.
    String(String),
    /// The elements of a list, a set or a tuple.
    List(Vec<Value>),
    /// The elements of a map or the attributes of an object.
    Map(BTreeMap<String, Value>),
    /// A value that brings its own type, where the schema says [`Type::Dynamic`].
    Dynamic(Box<(Type, Value)>),
}

impl Value {
    /// An unknown value of which nothing else is known.
    pub const UNKNOWN: Self = Self::Unknown(None);

    /// Whether this very value is null.
    pub fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Dynamic(inner) => inner.1.is_null(),
            _ => false,
        }
    }

    /// Whether this very value is unknown; what it contains is not looked at.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::Dynamic(inner) => inner.1.is_unknown(),
            _ => false,
        }
    }

    /// Whether neither this value nor anything inside it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::List(items) => items.iter().all(Self::is_wholly_known),
            Self::Map(entries) => entries.values().all(Self::is_wholly_known),
            Self::Dynamic(inner) => inner.1.is_wholly_known(),
            _ => true,
        }
    }

    /// The text, where this is a known string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, where this is a known one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The whole number, where this is a known one that fits 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The entries, where this is a known map or object.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entries to change, where this is a known map or object.
    pub fn as_map_mut(&mut self) -> Option<&mut BTreeMap<String, Value>> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The elements, where this is a known list, set or tuple.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// An attribute of an object or an entry of a map; null where there is none.
    pub fn get(&self, name: &str) -> &Value {
        static NULL: Value = Value::Null;
        match self {
            Self::Map(entries) => entries.get(name).unwrap_or(&NULL),
            _ => &NULL,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(Number::from(value))
    }
}

/// A map or an object from its entries.
impl<K: Into<String>, const N: usize> From<[(K, Value); N]> for Value {
    fn from(entries: [(K, Value); N]) -> Self {
        Self::Map(entries.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }
}

/// What is wrong with an encoded value, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ValueError {
    /// The place inside the value; empty for the value as a whole.
    pub path: AttributePath,
    /// What was expected there and what was found.
    pub message: String,
}

/// How deep values may nest; only values that bring their own type can reach it.
const MAX_DEPTH: usize = 128;

/// The way to an element of a list or a tuple.
fn step_index(index: usize) -> Step {
    Step::Index(i64::try_from(index).unwrap_or(i64::MAX))
}
