//! A configuration from a state: what a user could have written to get it.

use std::collections::BTreeMap;

use super::schema::{
    Attribute, AttributeNesting, AttributeType, Block, BlockNesting, Mode, Schema, each,
};
use super::value::Value;

/// The configuration that leads to a state: without what only the provider sets, what is kept
/// nowhere, and what should no longer be used.
pub fn config_of(schema: &Schema, state: &Value) -> Value {
    let mut config = state.clone();
    keep_block(&schema.block, &mut config);
    config
}

fn keep_block(block: &Block, value: &mut Value) {
    let Value::Map(entries) = value else { return };
    keep_attributes(&block.attributes, entries);
    for nested in &block.blocks {
        let Some(inner) = entries.get_mut(&nested.name) else {
            continue;
        };
        match nested.nesting {
            BlockNesting::Single => {
                let had = !is_empty(inner);
                keep_block(&nested.block, inner);
                // One that the provider alone has filled in was not written by anybody.
                if had && is_empty(inner) {
                    *inner = Value::Null;
                }
            }
            _ => each(inner, |item| keep_block(&nested.block, item)),
        }
    }
}

fn keep_attributes(attributes: &[Attribute], entries: &mut BTreeMap<String, Value>) {
    for attribute in attributes {
        let Some(value) = entries.get_mut(&attribute.name) else {
            continue;
        };
        let nobodys = attribute.mode == Mode::Computed
            || attribute.write_only
            || (attribute.deprecated.is_some() && attribute.mode != Mode::Required);
        if nobodys {
            *value = Value::Null;
            continue;
        }
        let AttributeType::Nested(inner, nesting) = &attribute.ty else {
            continue;
        };
        let keep = |item: &mut Value| {
            if let Value::Map(entries) = item {
                keep_attributes(inner, entries);
            }
        };
        match nesting {
            AttributeNesting::Single => keep(value),
            _ => each(value, keep),
        }
    }
}

/// Whether there is nothing in a value.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.values().all(is_empty),
        Value::Dynamic(inner) => is_empty(&inner.1),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::schema::NestedBlock;
    use super::super::value::Type;
    use super::*;

    fn text(name: &str, mode: Mode) -> Attribute {
        Attribute::new(name, Type::String, mode, "")
    }

    fn schema() -> Schema {
        let inner = |mode| Block {
            attributes: vec![text("a", mode), text("made", Mode::Computed)],
            ..Block::default()
        };
        let nested = |name: &str, mode, nesting| NestedBlock {
            name: name.to_owned(),
            block: inner(mode),
            nesting,
        };
        let mut old = text("old", Mode::Optional);
        old.deprecated = Some("no".to_owned());
        let objects = vec![
            text("a", Mode::Required),
            text("made", Mode::Computed),
            text("either", Mode::OptionalComputed),
        ];
        let map = AttributeNesting::Map;
        Schema {
            version: 0,
            block: Block {
                attributes: vec![
                    text("a", Mode::Required),
                    text("either", Mode::OptionalComputed),
                    text("made", Mode::Computed),
                    text("secret", Mode::Optional).write_only(),
                    old,
                    Attribute::nested("objects", objects, map, Mode::Optional, ""),
                ],
                blocks: vec![
                    nested("one", Mode::Optional, BlockNesting::Single),
                    nested("many", Mode::Optional, BlockNesting::Map),
                ],
                description: String::new(),
            },
        }
    }

    fn inner(a: Value, made: Value) -> Value {
        Value::from([("a", a), ("made", made)])
    }

    #[test]
    fn what_nobody_wrote_is_left_out() {
        let object = |made: Value| {
            let object = Value::from([("a", "a".into()), ("made", made), ("either", "e".into())]);
            Value::from([("k", object)])
        };
        let state = Value::from([
            ("a", "a".into()),
            ("either", "e".into()),
            ("made", "m".into()),
            ("secret", "s".into()),
            ("old", "o".into()),
            ("objects", object("m".into())),
            ("one", inner(Value::Null, "m".into())),
            ("many", Value::from([("k", inner("a".into(), "m".into()))])),
        ]);
        let want = Value::from([
            ("a", "a".into()),
            ("either", "e".into()),
            ("made", Value::Null),
            ("secret", Value::Null),
            ("old", Value::Null),
            ("objects", object(Value::Null)),
            ("one", Value::Null),
            ("many", Value::from([("k", inner("a".into(), Value::Null))])),
        ]);
        assert_eq!(config_of(&schema(), &state), want);
    }

    #[test]
    fn a_block_that_is_there_stays() {
        for one in [
            inner("a".into(), Value::Null),
            inner(Value::Null, Value::Null),
        ] {
            let state = Value::from([("one", one)]);
            assert_eq!(config_of(&schema(), &state), state);
        }
    }
}
