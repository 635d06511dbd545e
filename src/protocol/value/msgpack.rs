//! Values as MessagePack, the way `go-cty` writes them (its `cty/msgpack` package).
//!
//! An unknown value is an extension: type 0 when nothing is known of it, type 12 with a map of
//! [`Refinements`] otherwise. A value of dynamic type is an array of two: its type as JSON, and
//! the value. A number is an integer, a double, or decimal text, whichever first holds it exactly.

use std::collections::BTreeMap;

use rmp::Marker;
use rmp::decode;
use rmp::encode;

use super::{Bound, MAX_DEPTH, Number, Refinements, Type, Value, ValueError, step_index};
use crate::protocol::path::{AttributePath, Step};

/// A step on the way to a place. It borrows its name: only an error needs one of its own.
#[derive(Clone, Copy)]
enum Place<'a> {
    Attribute(&'a str),
    Key(&'a str),
    Index(usize),
}

fn path(places: &[Place<'_>]) -> AttributePath {
    let step = |place: &Place<'_>| match place {
        Place::Attribute(name) => Step::Attribute((*name).to_owned()),
        Place::Key(key) => Step::Key((*key).to_owned()),
        Place::Index(index) => step_index(*index),
    };
    AttributePath {
        steps: places.iter().map(step).collect(),
    }
}

const EXT_UNKNOWN: i8 = 0;
const EXT_REFINED: i8 = 12;
const REFINED_NULLNESS: i64 = 1;
const REFINED_PREFIX: i64 = 2;
const REFINED_NUMBER_MIN: i64 = 3;
const REFINED_NUMBER_MAX: i64 = 4;
const REFINED_LENGTH_MIN: i64 = 5;
const REFINED_LENGTH_MAX: i64 = 6;

/// Reads a value of a type.
///
/// # Errors
/// Where the bytes are not MessagePack, or not a value of that type; with the path of the place.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, ValueError> {
    let mut reader = Reader {
        rest: bytes,
        places: Vec::new(),
        depth: 0,
    };
    let value = reader.value(ty)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(reader.error(format!("{} bytes follow the value", reader.rest.len())))
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    places: Vec<Place<'a>>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn error(&self, message: impl Into<String>) -> ValueError {
        ValueError {
            path: path(&self.places),
            message: message.into(),
        }
    }

    fn peek(&self) -> Result<Marker, ValueError> {
        match self.rest.first() {
            Some(byte) => Ok(Marker::from_u8(*byte)),
            None => Err(self.error("the value ends too early")),
        }
    }

    fn expected(&self, what: &str) -> ValueError {
        match self.peek() {
            Ok(marker) => self.error(format!("expected {what}, found {marker:?}")),
            Err(error) => error,
        }
    }

    /// Takes `len` bytes off the front.
    fn take(&mut self, len: usize) -> Result<&'a [u8], ValueError> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.error("the value ends too early")),
        }
    }

    /// Runs a primitive decoder, which moves on only where it succeeds.
    fn read<T, E>(
        &mut self,
        what: &str,
        f: impl FnOnce(&mut &'a [u8]) -> Result<T, E>,
    ) -> Result<T, ValueError> {
        let mut rest = self.rest;
        match f(&mut rest) {
            Ok(value) => {
                self.rest = rest;
                Ok(value)
            }
            Err(_) => Err(self.expected(what)),
        }
    }

    fn text(&mut self, what: &str) -> Result<&'a str, ValueError> {
        let len = self.read(what, decode::read_str_len)? as usize;
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map_err(|_| self.error("the text is not UTF-8"))
    }

    fn array_len(&mut self, what: &str) -> Result<usize, ValueError> {
        Ok(self.read(what, decode::read_array_len)? as usize)
    }

    /// A collection cannot have more elements than bytes are left, whatever its length says; and where many
    /// say so inside of each other, they do not have them either.
    fn capacity(&self, len: usize) -> usize {
        len.min(self.rest.len()).min(1024)
    }

    fn value(&mut self, ty: &Type) -> Result<Value, ValueError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("the value nests too deeply"));
        }
        let value = match self.peek()? {
            Marker::Null => {
                self.rest = &self.rest[1..];
                Value::Null
            }
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => self.unknown()?,
            _ => self.known(ty)?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn known(&mut self, ty: &Type) -> Result<Value, ValueError> {
        match ty {
            Type::Bool => Ok(Value::Bool(self.read("a bool", decode::read_bool)?)),
            Type::Number => Ok(Value::Number(self.number()?)),
            Type::String => Ok(Value::String(self.text("a string")?.to_owned())),
            Type::Dynamic => self.dynamic(),
            Type::List(element) => self.list("a list", element),
            Type::Set(element) => self.set(element),
            Type::Map(element) => self.map(element),
            Type::Tuple(types) => self.tuple(types),
            Type::Object(attributes) => self.object(attributes),
        }
    }

    fn number(&mut self) -> Result<Number, ValueError> {
        let what = "a number";
        match self.peek()? {
            Marker::F32 => {
                let value = self.read(what, decode::read_f32)?;
                Number::try_from(f64::from(value)).map_err(|e| self.error(e.to_string()))
            }
            Marker::F64 => {
                let value = self.read(what, decode::read_f64)?;
                Number::try_from(value).map_err(|e| self.error(e.to_string()))
            }
            Marker::U64 => Ok(self.read(what, decode::read_u64)?.into()),
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let text = self.text(what)?;
                text.parse()
                    .map_err(|e: super::NumberError| self.error(e.to_string()))
            }
            _ => Ok(self.read(what, decode::read_int::<i64, _>)?.into()),
        }
    }

    fn list(&mut self, what: &str, element: &Type) -> Result<Value, ValueError> {
        let len = self.array_len(what)?;
        let mut items = Vec::with_capacity(self.capacity(len));
        for index in 0..len {
            self.places.push(Place::Index(index));
            items.push(self.value(element)?);
            self.places.pop();
        }
        Ok(Value::List(items))
    }

    /// Elements of a set have no path of their own; several of them may be unknown.
    fn set(&mut self, element: &Type) -> Result<Value, ValueError> {
        let len = self.array_len("a set")?;
        let mut items = Vec::with_capacity(self.capacity(len));
        let depth = self.places.len();
        for _ in 0..len {
            let item = self.value(element).map_err(|mut error| {
                error.path.steps.truncate(depth);
                error
            })?;
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, element: &Type) -> Result<Value, ValueError> {
        let len = self.read("a map", decode::read_map_len)?;
        let mut entries = BTreeMap::new();
        for _ in 0..len {
            let key = self.text("a map key")?;
            self.places.push(Place::Key(key));
            let value = self.value(element)?;
            entries.insert(key.to_owned(), value);
            self.places.pop();
        }
        Ok(Value::Map(entries))
    }

    fn tuple(&mut self, types: &[Type]) -> Result<Value, ValueError> {
        let len = self.array_len("a tuple")?;
        if len != types.len() {
            return Err(self.error(format!("expected {} elements, found {len}", types.len())));
        }
        let mut items = Vec::with_capacity(len);
        for (index, ty) in types.iter().enumerate() {
            self.places.push(Place::Index(index));
            items.push(self.value(ty)?);
            self.places.pop();
        }
        Ok(Value::List(items))
    }

    fn object(&mut self, attributes: &BTreeMap<String, Type>) -> Result<Value, ValueError> {
        let len = self.read("an object", decode::read_map_len)? as usize;
        let mut entries = Vec::with_capacity(self.capacity(len));
        // Hosts write them in this order, so that hardly any has to be looked up.
        let mut expected = attributes.iter();
        for _ in 0..len {
            let name = self.text("an attribute name")?;
            let next = expected.next().filter(|(expected, _)| *expected == name);
            let Some((_, ty)) = next.or_else(|| attributes.get_key_value(name)) else {
                return Err(self.error(format!("the schema has no attribute {name:?}")));
            };
            self.places.push(Place::Attribute(name));
            let value = self.value(ty)?;
            entries.push((name.to_owned(), value));
            self.places.pop();
        }
        let entries = BTreeMap::from_iter(entries);
        if entries.len() == attributes.len() {
            return Ok(Value::Map(entries));
        }
        let missing = attributes.keys().find(|name| !entries.contains_key(*name));
        let name = missing.map(String::as_str).unwrap_or_default();
        Err(self.error(format!("the attribute {name:?} is missing")))
    }

    fn dynamic(&mut self) -> Result<Value, ValueError> {
        let what = "a type and a value";
        if self.array_len(what)? != 2 {
            return Err(self.error(format!("expected {what}")));
        }
        let json = match self.peek()? {
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let len = self.read("a type", decode::read_bin_len)? as usize;
                self.take(len)?
            }
            _ => self.text("a type")?.as_bytes(),
        };
        let ty = serde_json::from_slice(json)
            .map_err(|e| self.error(format!("not a type: {e}")))
            .and_then(|json| Type::from_json(&json).map_err(|e| self.error(e.to_string())))?;
        let value = self.value(&ty)?;
        Ok(Value::Dynamic(Box::new((ty, value))))
    }

    fn unknown(&mut self) -> Result<Value, ValueError> {
        let meta = self.read("an unknown value", decode::read_ext_meta)?;
        let body = self.take(meta.size as usize)?;
        if meta.typeid != EXT_REFINED {
            return Ok(Value::UNKNOWN);
        }
        let mut inner = Reader {
            rest: body,
            places: self.places.clone(),
            depth: self.depth,
        };
        let refinements = inner.refinements()?;
        Ok(if refinements == Refinements::default() {
            Value::UNKNOWN
        } else {
            Value::Unknown(Some(Box::new(refinements)))
        })
    }

    fn refinements(&mut self) -> Result<Refinements, ValueError> {
        let what = "a refinement";
        let mut refinements = Refinements::default();
        for _ in 0..self.read(what, decode::read_map_len)? {
            match self.read(what, decode::read_int::<i64, _>)? {
                REFINED_NULLNESS => {
                    refinements.nullness = Some(self.read(what, decode::read_bool)?);
                }
                REFINED_PREFIX => refinements.prefix = Some(self.text(what)?.to_owned()),
                REFINED_NUMBER_MIN => refinements.number_min = Some(self.bound()?),
                REFINED_NUMBER_MAX => refinements.number_max = Some(self.bound()?),
                REFINED_LENGTH_MIN => {
                    refinements.length_min = Some(self.read(what, decode::read_int)?);
                }
                REFINED_LENGTH_MAX => {
                    refinements.length_max = Some(self.read(what, decode::read_int)?);
                }
                // A promise of a later version may be ignored, but then nothing after it can be read.
                _ => break,
            }
        }
        Ok(refinements)
    }

    fn bound(&mut self) -> Result<Bound, ValueError> {
        if self.array_len("a bound")? != 2 {
            return Err(self.error("expected a bound and whether it is included"));
        }
        Ok(Bound {
            value: self.number()?,
            inclusive: self.read("a bool", decode::read_bool)?,
        })
    }
}

/// Bytes that hold most values.
const USUAL: usize = 2048;

/// Writes a value of a type.
///
/// # Errors
/// Where the value is not one of that type, which is a mistake of the provider; with the path.
pub fn encode(value: &Value, ty: &Type) -> Result<Vec<u8>, ValueError> {
    let mut writer = Writer {
        out: Vec::with_capacity(USUAL),
        places: Vec::new(),
    };
    writer.value(value, ty)?;
    Ok(writer.out)
}

struct Writer<'v> {
    out: Vec<u8>,
    places: Vec<Place<'v>>,
}

impl<'v> Writer<'v> {
    fn error(&self, message: impl Into<String>) -> ValueError {
        ValueError {
            path: path(&self.places),
            message: message.into(),
        }
    }

    /// Writing to memory cannot fail, so what a primitive encoder answers is of no interest.
    fn put<T, E>(&mut self, f: impl FnOnce(&mut Vec<u8>) -> Result<T, E>) {
        let _ = f(&mut self.out);
    }

    fn text(&mut self, text: &str) {
        self.put(|out| encode::write_str(out, text));
    }

    fn array_len(&mut self, len: usize) {
        self.put(|out| encode::write_array_len(out, u32::try_from(len).unwrap_or(u32::MAX)));
    }

    fn map_len(&mut self, len: usize) {
        self.put(|out| encode::write_map_len(out, u32::try_from(len).unwrap_or(u32::MAX)));
    }

    fn value(&mut self, value: &'v Value, ty: &'v Type) -> Result<(), ValueError> {
        match (value, ty) {
            (Value::Null, _) => self.put(encode::write_nil),
            (Value::Unknown(refinements), _) => self.unknown(refinements.as_deref()),
            (Value::Dynamic(inner), Type::Dynamic) => self.dynamic(&inner.0, &inner.1)?,
            (Value::Bool(value), Type::Bool) => self.put(|out| encode::write_bool(out, *value)),
            (Value::Number(number), Type::Number) => self.number(number),
            (Value::String(text), Type::String) => self.text(text),
            (Value::List(items), Type::List(element)) => {
                self.array_len(items.len());
                for (index, item) in items.iter().enumerate() {
                    self.places.push(Place::Index(index));
                    self.value(item, element)?;
                    self.places.pop();
                }
            }
            (Value::List(items), Type::Set(element)) => {
                self.array_len(items.len());
                for item in items {
                    self.value(item, element)?;
                }
            }
            (Value::List(items), Type::Tuple(types)) if items.len() == types.len() => {
                self.array_len(items.len());
                for (index, (item, ty)) in items.iter().zip(types).enumerate() {
                    self.places.push(Place::Index(index));
                    self.value(item, ty)?;
                    self.places.pop();
                }
            }
            (Value::Map(entries), Type::Map(element)) => {
                self.map_len(entries.len());
                for (key, item) in entries {
                    self.text(key);
                    self.places.push(Place::Key(key));
                    self.value(item, element)?;
                    self.places.pop();
                }
            }
            (Value::Map(entries), Type::Object(attributes)) => self.object(entries, attributes)?,
            (value, ty) => {
                let ty = ty.to_json();
                return Err(self.error(format!("expected {ty}, got {}", kind(value))));
            }
        }
        Ok(())
    }

    fn object(
        &mut self,
        entries: &'v BTreeMap<String, Value>,
        attributes: &'v BTreeMap<String, Type>,
    ) -> Result<(), ValueError> {
        self.map_len(attributes.len());
        // Both are in the order of their names.
        let mut entries = entries.iter().peekable();
        for (name, ty) in attributes {
            let value = match entries.next_if(|(entry, _)| *entry <= name) {
                Some((entry, _)) if entry != name => return Err(self.unknown_attribute(entry)),
                Some((_, value)) => value,
                None => &Value::Null,
            };
            self.text(name);
            self.places.push(Place::Attribute(name));
            self.value(value, ty)?;
            self.places.pop();
        }
        match entries.next() {
            Some((entry, _)) => Err(self.unknown_attribute(entry)),
            None => Ok(()),
        }
    }

    fn unknown_attribute(&self, name: &str) -> ValueError {
        self.error(format!("the schema has no attribute {name:?}"))
    }

    fn number(&mut self, number: &Number) {
        match number {
            Number::Int(value) => self.put(|out| encode::write_sint(out, *value)),
            Number::Float(value) => self.put(|out| encode::write_f64(out, *value)),
            Number::Big(_) => self.text(&number.to_string()),
        }
    }

    fn dynamic(&mut self, ty: &'v Type, value: &'v Value) -> Result<(), ValueError> {
        // An unknown value whose type is known keeps it: `go-cty` writes the pair for that, too.
        let json = ty.to_json().to_string();
        self.array_len(2);
        self.put(|out| encode::write_bin(out, json.as_bytes()));
        self.value(value, ty)
    }

    fn unknown(&mut self, refinements: Option<&Refinements>) {
        let Some(refinements) = refinements else {
            self.put(|out| encode::write_ext_meta(out, 1, EXT_UNKNOWN));
            self.out.push(0);
            return;
        };
        let mut body = Self {
            out: Vec::new(),
            places: Vec::new(),
        };
        body.refinements(refinements);
        let len = u32::try_from(body.out.len()).unwrap_or(u32::MAX);
        self.put(|out| encode::write_ext_meta(out, len, EXT_REFINED));
        self.out.extend(body.out);
    }

    fn refinements(&mut self, refinements: &Refinements) {
        let Refinements {
            nullness,
            prefix,
            number_min,
            number_max,
            length_min,
            length_max,
        } = refinements;
        let count = [
            nullness.is_some(),
            prefix.is_some(),
            number_min.is_some(),
            number_max.is_some(),
            length_min.is_some(),
            length_max.is_some(),
        ];
        self.map_len(count.iter().filter(|present| **present).count());
        if let Some(null) = nullness {
            self.put(|out| encode::write_sint(out, REFINED_NULLNESS));
            self.put(|out| encode::write_bool(out, *null));
        }
        if let Some(prefix) = prefix {
            self.put(|out| encode::write_sint(out, REFINED_PREFIX));
            self.text(prefix);
        }
        for (key, bound) in [
            (REFINED_NUMBER_MIN, number_min),
            (REFINED_NUMBER_MAX, number_max),
        ] {
            if let Some(bound) = bound {
                self.put(|out| encode::write_sint(out, key));
                self.array_len(2);
                self.number(&bound.value);
                self.put(|out| encode::write_bool(out, bound.inclusive));
            }
        }
        for (key, length) in [
            (REFINED_LENGTH_MIN, length_min),
            (REFINED_LENGTH_MAX, length_max),
        ] {
            if let Some(length) = length {
                self.put(|out| encode::write_sint(out, key));
                self.put(|out| encode::write_sint(out, *length));
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Unknown(_) => "an unknown value",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Dynamic(_) => "a value with its own type",
    }
}
