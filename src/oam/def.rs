//! The definitions of blocks: one static table each.
//!
//! From a definition come the HCL schema, the reference page, the generic checks and the portable
//! document. What only one block needs is checked beside its model instead.

use super::form::{self, Form};
use crate::traits;

/// A block: an application, a component, a port, a trait, …
#[derive(Debug)]
pub struct Block {
    /// The name in HCL.
    pub name: &'static str,
    /// Markdown: what it is.
    pub doc: &'static str,
    /// What its label stands for, where it has one.
    pub label: Option<Label>,
    /// Its own fields, and further tables of them.
    pub fields: &'static [Field],
}

/// The label of a block.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name as a field of the portable document.
    pub oam: &'static str,
    /// What labels look like.
    pub form: &'static Form,
}

/// The label that most blocks have: a name.
pub const NAME: Label = Label {
    oam: "name",
    form: &form::LABEL,
};

impl Block {
    /// Its fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        let traits: &'static [traits::Definition] = match self.name {
            "component" => traits::ALL,
            _ => &[],
        };
        self.fields
            .iter()
            .chain(traits.iter().map(|definition| definition.field))
    }

    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }
}

/// A field of a block.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in HCL, in snake_case.
    pub name: &'static str,
    /// The name in a portable document, in camelCase.
    pub oam: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// Markdown: what it means, with unit and default.
    pub doc: &'static str,
}

/// What values a field takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text of a form.
    Text(&'static Form),
    /// A flag.
    Bool,
    /// A whole number in a range, both ends included.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// One of these.
    Enum(&'static [&'static str]),
    /// A list of text of a form.
    List(&'static Form),
    /// Text of a form by key of a form.
    Map(&'static Form, &'static Form),
    /// Environment variables: a map in HCL, a list of `name` and `value` in a document.
    Variables,
    /// A block that is there once or not at all.
    Single(&'static Block),
    /// Blocks by label.
    Labelled(&'static Block),
    /// Blocks without a label, in order.
    Repeated(&'static Block),
}

/// The definition of an application.
pub fn application() -> &'static Block {
    &super::application::DEFINITION
}
