//! Values through their encodings and back.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value as Json;

use super::{Bound, Number, Refinements, Type, Value, dynamic, msgpack};

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>()
            .prop_filter("not a number", |f| !f.is_nan())
            .prop_map(|f| Number::try_from(f).unwrap()),
        "-?[1-9][0-9]{0,60}(\\.[0-9]{1,60})?".prop_map(|text| text.parse().unwrap()),
    ]
}

fn refinements() -> impl Strategy<Value = Option<Box<Refinements>>> {
    let bound = || {
        let bound = (number(), any::<bool>());
        proptest::option::of(bound.prop_map(|(value, inclusive)| Bound { value, inclusive }))
    };
    let fields = (
        proptest::option::of(any::<bool>()),
        proptest::option::of(".{0,8}"),
        bound(),
        bound(),
        proptest::option::of(any::<i64>()),
        proptest::option::of(any::<i64>()),
    );
    fields.prop_map(
        |(nullness, prefix, number_min, number_max, length_min, length_max)| {
            let refinements = Refinements {
                nullness,
                prefix,
                number_min,
                number_max,
                length_min,
                length_max,
            };
            (refinements != Refinements::default()).then(|| Box::new(refinements))
        },
    )
}

fn ty() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        Just(Type::Bool),
        Just(Type::Number),
        Just(Type::String),
        Just(Type::Dynamic),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|t| Type::List(Box::new(t))),
            inner.clone().prop_map(|t| Type::Set(Box::new(t))),
            inner.clone().prop_map(|t| Type::Map(Box::new(t))),
            vec(inner.clone(), 0..4).prop_map(Type::Tuple),
            btree_map("[a-z_]{1,6}", inner, 0..4).prop_map(Type::Object),
        ]
    })
}

/// A value of a type: known, null, or unknown with or without promises.
fn value(ty: &Type, depth: u32) -> BoxedStrategy<Value> {
    let known: BoxedStrategy<Value> = match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => number().prop_map(Value::Number).boxed(),
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::Dynamic if depth == 0 => Just(Value::Null).boxed(),
        Type::Dynamic => self::ty()
            .prop_flat_map(move |ty| (Just(ty.clone()), value(&ty, depth - 1)))
            .prop_map(|inner| Value::Dynamic(Box::new(inner)))
            .boxed(),
        Type::List(t) | Type::Set(t) => vec(value(t, depth), 0..4).prop_map(Value::List).boxed(),
        Type::Map(t) => btree_map(".{0,6}", value(t, depth), 0..4)
            .prop_map(Value::Map)
            .boxed(),
        Type::Tuple(types) => {
            let items: Vec<_> = types.iter().map(|t| value(t, depth)).collect();
            items.prop_map(Value::List).boxed()
        }
        Type::Object(attributes) => {
            let names: Vec<_> = attributes.keys().cloned().collect();
            let values: Vec<_> = attributes.values().map(|t| value(t, depth)).collect();
            values
                .prop_map(move |values| Value::Map(names.iter().cloned().zip(values).collect()))
                .boxed()
        }
    };
    prop_oneof![
        6 => known,
        1 => Just(Value::Null),
        1 => refinements().prop_map(Value::Unknown),
    ]
    .boxed()
}

/// A document. JSON tells 1 and 1.0 apart, which values do not: so no double here is whole.
fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>()
            .prop_filter("whole or no number", |f| f.is_finite() && f.fract() != 0.0)
            .prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            btree_map(".{0,6}", inner, 0..4)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn msgpack_gives_back_what_it_was_given(
        (ty, value) in ty().prop_flat_map(|ty| (Just(ty.clone()), value(&ty, 2)))
    ) {
        let bytes = msgpack::encode(&value, &ty).unwrap();
        prop_assert_eq!(msgpack::decode(&bytes, &ty).unwrap(), value);
    }

    #[test]
    fn a_document_comes_back(document in document()) {
        let value = dynamic::from_json(&document).unwrap();
        let bytes = msgpack::encode(&value, &Type::Dynamic).unwrap();
        let value = msgpack::decode(&bytes, &Type::Dynamic).unwrap();
        prop_assert_eq!(dynamic::to_json(&value).unwrap(), document);
    }

    #[test]
    fn the_type_that_is_seen_in_a_value_is_one_of_its_types(
        value in ty().prop_flat_map(|ty| value(&ty, 2))
    ) {
        let typed = dynamic::typed(value);
        let bytes = msgpack::encode(&typed, &Type::Dynamic).unwrap();
        prop_assert_eq!(msgpack::decode(&bytes, &Type::Dynamic).unwrap(), typed);
    }

    #[test]
    fn a_type_reads_back(ty in ty()) {
        prop_assert_eq!(Type::from_json(&ty.to_json()).unwrap(), ty);
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(ty in ty(), bytes in vec(any::<u8>(), 0..64)) {
        let _ = msgpack::decode(&bytes, &ty);
        let _ = super::json::decode(&bytes, &ty);
    }

    #[test]
    fn cut_short_is_an_error(
        (ty, value) in ty().prop_flat_map(|ty| (Just(ty.clone()), value(&ty, 2))),
        at in any::<prop::sample::Index>(),
    ) {
        let bytes = msgpack::encode(&value, &ty).unwrap();
        prop_assert!(msgpack::decode(&bytes[..at.index(bytes.len())], &ty).is_err());
    }
}

/// What `go-cty` writes, byte for byte.
#[test]
fn msgpack_is_what_go_cty_writes() {
    let not_null = Refinements {
        nullness: Some(false),
        ..Default::default()
    };
    let list = Type::List(Box::new(Type::String));
    for (ty, value, bytes) in [
        (Type::String, Value::UNKNOWN, vec![0xd4, 0, 0]),
        (
            Type::String,
            Value::Unknown(Some(Box::new(not_null))),
            vec![0xc7, 3, 0x0c, 0x81, 0x01, 0xc2],
        ),
        (Type::Number, Value::from(5), vec![0x05]),
        (Type::Number, Value::from(-1), vec![0xff]),
        (
            Type::Number,
            Value::Number("0.5".parse().unwrap()),
            vec![0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0],
        ),
        (
            Type::Number,
            Value::Number("0.1".parse().unwrap()),
            vec![0xa3, b'0', b'.', b'1'],
        ),
        (
            Type::Dynamic,
            Value::Dynamic(Box::new((Type::Bool, true.into()))),
            [&[0x92, 0xc4, 6][..], b"\"bool\"", &[0xc3]].concat(),
        ),
        (
            Type::Set(Box::new(Type::String)),
            Value::List(vec![Value::UNKNOWN, Value::UNKNOWN]),
            vec![0x92, 0xd4, 0, 0, 0xd4, 0, 0],
        ),
        (list, Value::List(Vec::new()), vec![0x90]),
    ] {
        assert_eq!(msgpack::encode(&value, &ty).unwrap(), bytes, "{value:?}");
        assert_eq!(msgpack::decode(&bytes, &ty).unwrap(), value);
    }
}

#[test]
fn an_error_names_the_place() {
    let port = Type::object([("port", Type::Number)]);
    let block = Type::object([
        ("args", Type::List(Box::new(Type::String))),
        ("port", Type::Map(Box::new(port.clone()))),
        ("tags", Type::Set(Box::new(port))),
    ]);
    let root = Type::object([("component", Type::Map(Box::new(block.clone())))]);
    // Encoded with another type at one place, so that the place is what cannot be decoded.
    let wrong = |name: &str, ty: Type, value: Value| {
        let Type::Object(mut attributes) = block.clone() else {
            unreachable!("an object")
        };
        attributes.insert(name.to_owned(), ty);
        let mut component: BTreeMap<_, _> = attributes
            .keys()
            .map(|k| (k.clone(), Value::Null))
            .collect();
        component.insert(name.to_owned(), value);
        let ty = Type::object([("component", Type::Map(Box::new(Type::Object(attributes))))]);
        let value = Value::from([("component", Value::from([("web", Value::Map(component))]))]);
        let bytes = msgpack::encode(&value, &ty).unwrap();
        msgpack::decode(&bytes, &root).unwrap_err().path.to_string()
    };
    let numbers = Type::List(Box::new(Type::Number));
    let args = Value::List(vec![Value::Null, 1.into()]);
    assert_eq!(wrong("args", numbers, args), r#"component["web"].args[1]"#);
    let text_port = Type::object([("port", Type::Bool)]);
    let ports = Value::from([("http", Value::from([("port", true.into())]))]);
    let map = Type::Map(Box::new(text_port.clone()));
    assert_eq!(
        wrong("port", map, ports),
        r#"component["web"].port["http"].port"#
    );
    let tags = Value::List(vec![Value::from([("port", true.into())])]);
    let set = Type::Set(Box::new(text_port));
    assert_eq!(wrong("tags", set, tags), r#"component["web"].tags"#);
}
