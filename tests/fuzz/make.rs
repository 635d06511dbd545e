//! Inputs: values that fit, documents, texts, and what goes wrong with them on the way.

use std::cell::RefCell;
use std::collections::BTreeMap;

use fastrand::Rng;
use oam_provider::oam::{self, Node};
use oam_provider::protocol::value::{Bound, Number, Refinements, Type, Value};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value as Json, json};

fn one<'a, T: ?Sized>(rng: &mut Rng, of: &[&'a T]) -> &'a T {
    of[rng.usize(..of.len())]
}

fn several<T>(rng: &mut Rng, mut make: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..rng.usize(..4)).map(|_| make(rng)).collect()
}

/// A type.
pub fn ty(rng: &mut Rng, depth: u32) -> Type {
    let leaf = match rng.u8(..4) {
        0 => Type::Bool,
        1 => Type::Number,
        2 => Type::String,
        _ => Type::Dynamic,
    };
    if depth == 0 || rng.u8(..3) == 0 {
        return leaf;
    }
    let inner = |rng: &mut Rng| ty(rng, depth - 1);
    match rng.u8(..5) {
        0 => Type::List(Box::new(inner(rng))),
        1 => Type::Set(Box::new(inner(rng))),
        2 => Type::Map(Box::new(inner(rng))),
        3 => Type::Tuple(several(rng, inner)),
        _ => Type::object(several(rng, |rng| (word(rng), inner(rng)))),
    }
}

fn word(rng: &mut Rng) -> String {
    (0..rng.usize(1..6)).map(|_| rng.lowercase()).collect()
}

fn text(rng: &mut Rng) -> String {
    let words = [
        "",
        "a",
        "null",
        "1.50",
        "0x1f",
        "${NOMAD_PORT_http}",
        "{{ x }}",
        "a\0b",
        "æøå 日本",
        "\u{feff}",
        "\u{2028}",
        "~",
        "*a",
        "<<",
        "10s",
        "128Mi",
        "500m",
        "../..",
        "a/b",
        "/",
        "nomad",
        "@yearly",
        "* * * * *",
        "99999999999999999999h",
        "-1",
        "\r\n",
    ];
    match rng.u8(..3) {
        0 => (0..rng.usize(..12)).map(|_| rng.char(..)).collect(),
        1 => one(rng, &words).to_owned() + one(rng, &words),
        _ => one(rng, &words).to_owned(),
    }
}

fn number(rng: &mut Rng) -> Number {
    match rng.u8(..5) {
        0 => rng.i64(..).into(),
        1 => rng.u64(..).into(),
        2 => rng.i64(-3..70_000).into(),
        3 => Number::try_from(f64::from_bits(rng.u64(..))).unwrap_or(0_i64.into()),
        _ => format!("{}.{}", rng.u64(..), rng.u128(..)).parse().unwrap(),
    }
}

fn refinements(rng: &mut Rng) -> Option<Box<Refinements>> {
    let bound = |rng: &mut Rng| Bound {
        value: number(rng),
        inclusive: rng.bool(),
    };
    let made = Refinements {
        nullness: rng.bool().then(|| rng.bool()),
        prefix: rng.bool().then(|| text(rng)),
        number_min: rng.bool().then(|| bound(rng)),
        number_max: rng.bool().then(|| bound(rng)),
        length_min: rng.bool().then(|| rng.i64(..)),
        length_max: rng.bool().then(|| rng.i64(..)),
    };
    (rng.bool() && made != Refinements::default()).then(|| Box::new(made))
}

/// A value of a type, some of it null or unknown.
pub fn value(rng: &mut Rng, ty: &Type, depth: u32) -> Value {
    match rng.u8(..12) {
        0 => return Value::Null,
        1 => return Value::Unknown(refinements(rng)),
        _ => {}
    }
    match ty {
        Type::Bool => Value::Bool(rng.bool()),
        Type::Number => Value::Number(number(rng)),
        Type::String => Value::String(text(rng)),
        Type::Dynamic if depth == 0 => Value::Null,
        Type::Dynamic => {
            let ty = self::ty(rng, depth);
            let inner = value(rng, &ty, depth - 1);
            Value::Dynamic(Box::new((ty, inner)))
        }
        Type::List(inner) | Type::Set(inner) => {
            Value::List(several(rng, |rng| value(rng, inner, depth)))
        }
        Type::Map(inner) => {
            let entries = several(rng, |rng| (text(rng), value(rng, inner, depth)));
            Value::Map(entries.into_iter().collect())
        }
        Type::Tuple(types) => Value::List(types.iter().map(|ty| value(rng, ty, depth)).collect()),
        Type::Object(attributes) => {
            let entries = attributes
                .iter()
                .map(|(name, ty)| (name.clone(), value(rng, ty, depth)));
            Value::Map(entries.collect::<BTreeMap<_, _>>())
        }
    }
}

/// A state's JSON of a type.
pub fn json_text(rng: &mut Rng, ty: &Type, depth: u32) -> String {
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    let map = |entries: Vec<(String, String)>| {
        let entries = entries
            .iter()
            .map(|(name, text)| format!("{}:{text}", Json::from(name.as_str())));
        format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
    };
    if rng.u8(..12) == 0 {
        return "null".to_owned();
    }
    match ty {
        Type::Bool => rng.bool().to_string(),
        Type::Number => match number(rng).to_string() {
            text if text.ends_with(char::is_numeric) => text,
            _ => "1e9999".to_owned(),
        },
        Type::String => Json::from(text(rng)).to_string(),
        Type::Dynamic if depth == 0 => "null".to_owned(),
        Type::Dynamic => {
            let ty = self::ty(rng, depth);
            let inner = json_text(rng, &ty, depth - 1);
            format!(r#"{{"type":{},"value":{inner}}}"#, ty.to_json())
        }
        Type::List(inner) | Type::Set(inner) => {
            list(several(rng, |rng| json_text(rng, inner, depth)))
        }
        Type::Map(inner) => map(several(rng, |rng| {
            (text(rng), json_text(rng, inner, depth))
        })),
        Type::Tuple(types) => list(types.iter().map(|ty| json_text(rng, ty, depth)).collect()),
        Type::Object(attributes) => {
            let all = attributes
                .iter()
                .map(|(name, ty)| (name.clone(), json_text(rng, ty, depth)));
            map(all.collect())
        }
    }
}

/// Anything at all.
pub fn bytes(rng: &mut Rng) -> Vec<u8> {
    let size = rng.usize(..64);
    std::iter::repeat_with(|| rng.u8(..)).take(size).collect()
}

/// Changes bytes in some places: the marks of MessagePack and lengths beyond all measure among them.
pub fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let marks: [&[u8]; 16] = [
        &[0xc0],
        &[0xc1],
        &[0xd4, 0, 0],
        &[0xc7, 3, 12, 0x81, 1, 0xc2],
        &[0xdd, 0xff, 0xff, 0xff, 0xff],
        &[0xdf, 0x7f, 0xff, 0xff, 0xff],
        &[0xdb, 0xff, 0xff, 0xff, 0xff],
        &[0xc9, 0xff, 0xff, 0xff, 0xff, 12],
        &[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
        &[0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
        &[0xcb, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0xc4, 8, b'"', b'n', b'u', b'm', b'b', b'e', b'r', b'"'],
        &[0xa6, b'1', b'e', b'9', b'9', b'9', b'9'],
        &[0xff, 0xfe],
        b"1e9999",
        b"{\"type\":\"dynamic\",\"value\":",
    ];
    for _ in 0..rng.usize(..4) {
        let at = rng.usize(..=bytes.len());
        let end = rng.usize(at..=bytes.len().min(at + 16));
        match rng.u8(..6) {
            0 if at < bytes.len() => bytes[at] = rng.u8(..),
            1 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            4 => {
                let part = bytes[at..end].to_vec();
                let times = rng.usize(1..20);
                bytes.splice(at..at, part.repeat(times));
            }
            _ => drop(bytes.splice(at..end, one(rng, &marks).iter().copied())),
        }
    }
}

/// A document of anything.
pub fn document(rng: &mut Rng, depth: u32) -> Json {
    match rng.u8(..if depth == 0 { 5 } else { 8 }) {
        0 => Json::Null,
        1 => rng.bool().into(),
        2 => rng.i64(..).into(),
        3 => json!(f64::from_bits(rng.u64(..))),
        4 => text(rng).into(),
        5 | 6 => several(rng, |rng| document(rng, depth - 1)).into(),
        _ => {
            let entries = several(rng, |rng| (text(rng), document(rng, depth - 1)));
            Json::Object(entries.into_iter().collect::<Map<_, _>>())
        }
    }
}

/// Changes something, somewhere.
pub fn mutate_json(rng: &mut Rng, json: &mut Json) {
    let inside = match json {
        Json::Array(items) => items.len(),
        Json::Object(entries) => entries.len(),
        _ => 0,
    };
    if inside > 0 && rng.u8(..8) > 0 {
        let at = rng.usize(..inside);
        let found = match json {
            Json::Array(items) => items.get_mut(at),
            Json::Object(entries) => entries.values_mut().nth(at),
            _ => None,
        };
        return mutate_json(rng, found.unwrap());
    }
    match json {
        Json::Array(items) if rng.bool() => match rng.bool() {
            true => items.extend(items.clone()),
            false => items.push(document(rng, 2)),
        },
        Json::Object(entries) if rng.bool() => match rng.bool() {
            true => drop(entries.insert(text(rng), document(rng, 2))),
            false => drop(entries.remove(&entries.keys().next().cloned().unwrap_or_default())),
        },
        Json::String(old) if rng.bool() => match rng.bool() {
            true => old.push_str(&text(rng)),
            false => *old = text(rng),
        },
        Json::Number(_) if rng.bool() => *json = rng.i64(-2..100_000).into(),
        _ => *json = document(rng, 2),
    }
}

/// How many applications there are: to make one takes far longer than to change it.
const APPLICATIONS: u16 = 1_000;

/// A valid application, in the shape of the HCL.
pub fn application(rng: &mut Rng) -> Json {
    thread_local! {
        static MADE: RefCell<BTreeMap<u16, Json>> = const { RefCell::new(BTreeMap::new()) };
    }
    let which = rng.u16(..APPLICATIONS);
    MADE.with_borrow_mut(|made| {
        made.entry(which)
            .or_insert_with(|| make_application(which))
            .clone()
    })
}

fn make_application(which: u16) -> Json {
    let mut seed = [0; 32];
    Rng::with_seed(u64::from(which)).fill(&mut seed);
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let tree = crate::generate::application().new_tree(&mut runner);
    tree.unwrap().current()
}

/// The text of a manifest, more or less.
pub fn manifest(rng: &mut Rng) -> String {
    let mut document = oam::to_document(&Node::from(&application(rng)));
    for _ in 0..rng.usize(..3) {
        mutate_json(rng, &mut document);
    }
    let text = match rng.u8(..3) {
        0 => document.to_string(),
        1 => format!("{document:#}"),
        _ => yaml(&document, 0),
    };
    match rng.bool() {
        true => text,
        false => mutate_text(rng, &text),
    }
}

/// Block style where there is anything in it, and JSON for all else.
fn yaml(json: &Json, indent: usize) -> String {
    let margin = format!("\n{}", "  ".repeat(indent));
    match json {
        Json::Array(items) if !items.is_empty() => items
            .iter()
            .map(|item| format!("{margin}- {}", yaml(item, indent + 1)))
            .collect(),
        Json::Object(entries) if !entries.is_empty() => entries
            .iter()
            .map(|(key, value)| {
                format!(
                    "{margin}{}: {}",
                    Json::from(key.as_str()),
                    yaml(value, indent + 1)
                )
            })
            .collect(),
        other => other.to_string(),
    }
}

/// Changes a text in some places: what YAML gives a meaning to among it.
pub fn mutate_text(rng: &mut Rng, text: &str) -> String {
    let marks = [
        "&a ",
        "*a",
        "<<: *a",
        "!!binary ",
        "!!str ",
        "!x ",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "? ",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "\t",
        "|\n",
        ">-\n",
        "'",
        "\"",
        "#",
        "\\x00",
        "\\u",
        "\0",
        "\u{85}",
        "\u{2029}",
        "\u{feff}",
        "\r",
        "\n",
        "\n\n   ",
        ".nan",
        ".inf",
        "0o17",
        "1e999",
        "~",
        "null",
        "a: a: a",
        ", ",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..rng.usize(..6) {
        let at = rng.usize(..=chars.len());
        let end = rng.usize(at..=chars.len().min(at + 30));
        match rng.u8(..4) {
            0 => drop(chars.drain(at..end)),
            1 => {
                let part = chars[at..end].to_vec();
                let times = rng.usize(1..30);
                chars.splice(at..at, part.repeat(times));
            }
            2 => chars.insert(at, rng.char(..)),
            _ => drop(chars.splice(at..end, one(rng, &marks).chars())),
        }
    }
    chars.into_iter().collect()
}
