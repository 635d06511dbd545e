//! The shape of a scope: the model's own block, and what the provider adds to it.

use super::kind::{Kind, ObjectKind};
use crate::protocol::schema::{
    Attribute, AttributeNesting, AttributeType, Block, BlockNesting, Mode, Schema,
};
use crate::protocol::value::Type;
use crate::provider::convert;

/// The attributes that are not the model's.
pub const EXTRA: [&str; 7] = [
    "name",
    "id",
    "revision",
    "status",
    "create",
    "description",
    "leaving",
];

/// The schema of the resource.
pub fn resource(kind: Kind) -> Schema {
    let mut block = convert::block(kind.definition.block);
    let name = Attribute::new(
        "name",
        Type::String,
        Mode::Required,
        "The scope's name: lower-case letters, digits and hyphens. Another name is another scope.",
    );
    block.attributes.insert(0, name);
    if let Some(object) = kind.object() {
        block.attributes.extend(of_object(object));
    }
    block.attributes.extend([
        id(kind),
        revision(),
        Attribute::new(
            "status",
            Type::String,
            Mode::Computed,
            "`settled`, or `applying` where an apply was interrupted or has failed: the next one takes it \
             from there. No application can be applied in the scope until then.",
        ),
    ]);
    Schema { version: 0, block }
}

/// The schema of the data source.
pub fn data_source(kind: Kind) -> Schema {
    let mut block = computed(convert::block(kind.definition.block));
    let name = Attribute::new("name", Type::String, Mode::Required, "The scope's name.");
    block.attributes.insert(0, name);
    block.attributes.extend([
        id(kind),
        revision(),
        Attribute::new(
            "applications",
            Type::List(Box::new(Type::String)),
            Mode::Computed,
            "The applications that use the scope, each as `<tenant>/<name>`, with the tenant `default` \
             where there is none. One whose record cannot be read is left out, with a warning.",
        ),
    ]);
    Schema { version: 0, block }
}

fn id(kind: Kind) -> Attribute {
    let doc = format!(
        "`{}/<name>`, as an application's `scopes` refer to it.",
        kind.scope
    );
    Attribute::new("id", Type::String, Mode::Computed, &doc)
}

fn revision() -> Attribute {
    Attribute::new(
        "revision",
        Type::Number,
        Mode::Computed,
        "Raised by one with each apply that changes the scope.",
    )
}

fn of_object(object: ObjectKind) -> [Attribute; 3] {
    let noun = object.noun();
    let create = format!(
        "Whether the scope makes the {noun}, and takes it away when it is destroyed itself; `false` \
         otherwise: the {noun} is somebody else's."
    );
    let description = format!("The {noun}'s description in Nomad. Only with `create`.");
    let leaving = format!(
        "Each {noun} that the scope has made, no longer uses and could not delete yet, because there \
         were jobs in it. The next apply tries again."
    );
    let texts = Type::List(Box::new(Type::String));
    [
        Attribute::new("create", Type::Bool, Mode::OptionalComputed, &create),
        Attribute::new("description", Type::String, Mode::Optional, &description),
        Attribute::new("leaving", texts, Mode::Computed, &leaving),
    ]
}

/// A block as somebody finds it: nothing in it is configured, so its blocks are attributes.
fn computed(block: Block) -> Block {
    let mut attributes: Vec<_> = block.attributes.into_iter().map(found).collect();
    attributes.extend(block.blocks.into_iter().map(|nested| {
        let inner = computed(nested.block);
        let nesting = match nested.nesting {
            BlockNesting::Single => AttributeNesting::Single,
            BlockNesting::List => AttributeNesting::List,
            BlockNesting::Set => AttributeNesting::Set,
            BlockNesting::Map => AttributeNesting::Map,
        };
        let doc = &inner.description;
        Attribute::nested(&nested.name, inner.attributes, nesting, Mode::Computed, doc)
    }));
    Block {
        attributes,
        blocks: Vec::new(),
        description: block.description,
    }
}

fn found(attribute: Attribute) -> Attribute {
    let ty = match attribute.ty {
        AttributeType::Nested(inner, nesting) => {
            AttributeType::Nested(inner.into_iter().map(found).collect(), nesting)
        }
        plain => plain,
    };
    Attribute {
        ty,
        mode: Mode::Computed,
        ..attribute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_providers_names_are_not_the_models() {
        for kind in Kind::all() {
            for field in kind.definition.block.fields() {
                assert!(!EXTRA.contains(&field.name), "{}", field.name);
                assert_ne!(field.name, "applications");
            }
        }
    }
}
