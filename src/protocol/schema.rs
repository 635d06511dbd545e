//! What a resource or the provider looks like to Terraform.

use std::collections::BTreeMap;

use super::value::{Type, Value};
use super::wire::tfplugin6 as wire;

/// The shape of a configuration, a plan and a state, with a version for its upgrades.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Raised when an older state needs an upgrade.
    pub version: i64,
    /// The attributes and blocks.
    pub block: Block,
}

/// Attributes and nested blocks.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// What is written `name = value`.
    pub attributes: Vec<Attribute>,
    /// What is written `name { … }` or `name "label" { … }`.
    pub blocks: Vec<NestedBlock>,
    /// Markdown.
    pub description: String,
}

/// One attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Lower-case letters, digits and underscores.
    pub name: String,
    /// What values it takes.
    pub ty: AttributeType,
    /// Who sets it.
    pub mode: Mode,
    /// Whether Terraform hides its value.
    pub sensitive: bool,
    /// Whether its value is in the configuration only, and null everywhere else.
    pub write_only: bool,
    /// Markdown.
    pub description: String,
    /// Set where it should no longer be used: what to do instead.
    pub deprecated: Option<String>,
}

/// What values an attribute takes: never both of these.
#[derive(Clone, Debug)]
pub enum AttributeType {
    /// Values of a type.
    Plain(Type),
    /// Objects whose attributes are described one by one.
    Nested(Vec<Attribute>, AttributeNesting),
}

/// How many objects a nested attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeNesting {
    /// One.
    Single,
    /// Several, in order.
    List,
    /// Several, without order.
    Set,
    /// Several, by key.
    Map,
}

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The configuration, always.
    Required,
    /// The configuration, or nobody.
    Optional,
    /// The provider.
    Computed,
    /// The configuration, or else the provider.
    OptionalComputed,
}

/// A kind of block inside another.
#[derive(Clone, Debug)]
pub struct NestedBlock {
    /// The name that stands before the braces.
    pub name: String,
    /// What may stand between them.
    pub block: Block,
    /// How many there may be.
    pub nesting: BlockNesting,
}

/// How many blocks of a kind there may be, and how they are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockNesting {
    /// At most one.
    Single,
    /// Several, in order.
    List,
    /// Several, without order.
    Set,
    /// Several, each with its own label.
    Map,
}

impl Schema {
    /// The type of the values that have this shape.
    pub fn implied_type(&self) -> Type {
        self.block.implied_type()
    }

    /// Whether there is anything write-only.
    pub fn has_write_only(&self) -> bool {
        self.block.has_write_only()
    }

    /// Sets every write-only attribute of a value to null, as every value but the configuration
    /// must have it.
    pub fn strip_write_only(&self, value: &mut Value) {
        self.block.strip_write_only(value);
    }

    /// The form on the wire.
    pub fn to_wire(&self) -> wire::Schema {
        wire::Schema {
            version: self.version,
            block: Some(self.block.to_wire()),
        }
    }
}

impl Block {
    /// The type of the block's values.
    pub fn implied_type(&self) -> Type {
        let attributes = self
            .attributes
            .iter()
            .map(|a| (a.name.clone(), a.ty.implied_type()));
        let blocks = self
            .blocks
            .iter()
            .map(|b| (b.name.clone(), b.implied_type()));
        Type::Object(attributes.chain(blocks).collect())
    }

    fn has_write_only(&self) -> bool {
        self.attributes.iter().any(Attribute::has_write_only)
            || self.blocks.iter().any(|it| it.block.has_write_only())
    }

    fn strip_write_only(&self, value: &mut Value) {
        let Value::Map(entries) = value else { return };
        strip_attributes(&self.attributes, entries);
        for nested in &self.blocks {
            let Some(inner) = entries.get_mut(&nested.name) else {
                continue;
            };
            match nested.nesting {
                BlockNesting::Single => nested.block.strip_write_only(inner),
                _ => each(inner, |item| nested.block.strip_write_only(item)),
            }
        }
    }

    fn to_wire(&self) -> wire::schema::Block {
        wire::schema::Block {
            attributes: self.attributes.iter().map(Attribute::to_wire).collect(),
            block_types: self.blocks.iter().map(NestedBlock::to_wire).collect(),
            description: self.description.clone(),
            description_kind: wire::StringKind::Markdown.into(),
            ..Default::default()
        }
    }
}

/// Runs `f` on each element of a collection.
pub(super) fn each(value: &mut Value, f: impl Fn(&mut Value)) {
    match value {
        Value::List(items) => items.iter_mut().for_each(f),
        Value::Map(entries) => entries.values_mut().for_each(f),
        Value::Dynamic(inner) => each(&mut inner.1, f),
        _ => {}
    }
}

fn strip_attributes(attributes: &[Attribute], entries: &mut BTreeMap<String, Value>) {
    for attribute in attributes {
        let Some(value) = entries.get_mut(&attribute.name) else {
            continue;
        };
        if attribute.write_only {
            *value = Value::Null;
            continue;
        }
        let AttributeType::Nested(inner, nesting) = &attribute.ty else {
            continue;
        };
        let strip = |item: &mut Value| {
            if let Value::Map(entries) = item {
                strip_attributes(inner, entries);
            }
        };
        match nesting {
            AttributeNesting::Single => strip(value),
            _ => each(value, strip),
        }
    }
}

impl AttributeType {
    fn implied_type(&self) -> Type {
        let (attributes, nesting) = match self {
            Self::Plain(ty) => return ty.clone(),
            Self::Nested(attributes, nesting) => (attributes, nesting),
        };
        let attributes = attributes
            .iter()
            .map(|a| (a.name.clone(), a.ty.implied_type()));
        let object = Type::Object(attributes.collect());
        match nesting {
            AttributeNesting::Single => object,
            AttributeNesting::List => Type::List(Box::new(object)),
            AttributeNesting::Set => Type::Set(Box::new(object)),
            AttributeNesting::Map => Type::Map(Box::new(object)),
        }
    }
}

impl Attribute {
    /// An attribute of a type.
    pub fn new(name: &str, ty: Type, mode: Mode, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            ty: AttributeType::Plain(ty),
            mode,
            sensitive: false,
            write_only: false,
            description: description.to_owned(),
            deprecated: None,
        }
    }

    fn has_write_only(&self) -> bool {
        let inside = match &self.ty {
            AttributeType::Plain(_) => &[][..],
            AttributeType::Nested(inner, _) => inner,
        };
        self.write_only || inside.iter().any(Self::has_write_only)
    }

    /// An attribute that holds objects.
    pub fn nested(
        name: &str,
        attributes: Vec<Self>,
        nesting: AttributeNesting,
        mode: Mode,
        description: &str,
    ) -> Self {
        Self {
            ty: AttributeType::Nested(attributes, nesting),
            ..Self::new(name, Type::Dynamic, mode, description)
        }
    }

    /// The same, hidden in what Terraform prints.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The same, never kept.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    fn to_wire(&self) -> wire::schema::Attribute {
        let (ty, nested_type) = match &self.ty {
            AttributeType::Plain(ty) => (ty.to_json().to_string().into_bytes(), None),
            AttributeType::Nested(attributes, nesting) => {
                (Vec::new(), Some(object_to_wire(attributes, *nesting)))
            }
        };
        wire::schema::Attribute {
            name: self.name.clone(),
            r#type: ty,
            nested_type,
            description: self.description.clone(),
            required: self.mode == Mode::Required,
            optional: matches!(self.mode, Mode::Optional | Mode::OptionalComputed),
            computed: matches!(self.mode, Mode::Computed | Mode::OptionalComputed),
            sensitive: self.sensitive,
            description_kind: wire::StringKind::Markdown.into(),
            deprecated: self.deprecated.is_some(),
            write_only: self.write_only,
            deprecation_message: self.deprecated.clone().unwrap_or_default(),
        }
    }
}

fn object_to_wire(attributes: &[Attribute], nesting: AttributeNesting) -> wire::schema::Object {
    use wire::schema::object::NestingMode;
    let nesting = match nesting {
        AttributeNesting::Single => NestingMode::Single,
        AttributeNesting::List => NestingMode::List,
        AttributeNesting::Set => NestingMode::Set,
        AttributeNesting::Map => NestingMode::Map,
    };
    // `min_items` and `max_items` of nested attributes are deprecated and stay 0.
    wire::schema::Object {
        attributes: attributes.iter().map(Attribute::to_wire).collect(),
        nesting: nesting.into(),
        ..Default::default()
    }
}

impl NestedBlock {
    /// The implied type, as `configschema` has it: where a block leaves a type open, each of
    /// several blocks may have another, so that the collection cannot have one either.
    fn implied_type(&self) -> Type {
        let object = self.block.implied_type();
        match self.nesting {
            BlockNesting::Single => object,
            BlockNesting::List | BlockNesting::Map if object.has_dynamic() => Type::Dynamic,
            BlockNesting::List => Type::List(Box::new(object)),
            BlockNesting::Set => Type::Set(Box::new(object)),
            BlockNesting::Map => Type::Map(Box::new(object)),
        }
    }

    fn to_wire(&self) -> wire::schema::NestedBlock {
        use wire::schema::nested_block::NestingMode;
        let nesting = match self.nesting {
            BlockNesting::Single => NestingMode::Single,
            BlockNesting::List => NestingMode::List,
            BlockNesting::Set => NestingMode::Set,
            BlockNesting::Map => NestingMode::Map,
        };
        wire::schema::NestedBlock {
            type_name: self.name.clone(),
            block: Some(self.block.to_wire()),
            nesting: nesting.into(),
            ..Default::default()
        }
    }
}
