//! The definitions of blocks: one static table each.
//!
//! From a definition come the HCL schema, the reference page, the generic checks and the portable
//! document. What only one block needs is checked beside its model instead.

use crate::traits;

/// A block: an application, a component, a port, a trait, …
#[derive(Debug)]
pub struct Block {
    /// The name in HCL.
    pub name: &'static str,
    /// Markdown: what it is.
    pub doc: &'static str,
    /// What a label stands for, as the name of a field of the portable document; empty where the
    /// block has no label.
    pub label: &'static str,
    /// Its own fields, and further tables of them.
    pub fields: &'static [Field],
}

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
#[derive(Debug)]
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
#[derive(Debug)]
pub enum Kind {
    /// Any text.
    String,
    /// A flag.
    Bool,
    /// A whole number in a range, both ends included.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// An amount of CPU, such as `500m` or `1`.
    Cpu,
    /// An amount of memory, such as `256Mi` or `1Gi`.
    Memory,
    /// A duration, such as `30s` or `1m30s`.
    Duration,
    /// One of these.
    Enum(&'static [&'static str]),
    /// A cron expression.
    Cron,
    /// A DNS label: lower-case letters, digits and hyphens.
    Label,
    /// The name of a tenant.
    Tenant,
    /// A DNS name.
    Host,
    /// A path of a URL or a file system, from the root.
    AbsolutePath,
    /// A name without any character that means something elsewhere.
    Word,
    /// A list of text.
    StringList,
    /// A list of words.
    WordList,
    /// Text by key.
    StringMap,
    /// A block that is there once or not at all.
    Single(&'static Block),
    /// Blocks by label.
    Labelled(&'static Block),
}

/// The definition of an application.
pub fn application() -> &'static Block {
    &super::application::DEFINITION
}
