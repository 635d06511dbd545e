//! The section of a page that lists attributes and blocks.

use std::fmt::Write as _;

use oam_provider::protocol::schema::{
    Attribute, AttributeNesting, AttributeType, Block, BlockNesting, Mode, NestedBlock,
};
use oam_provider::protocol::value::Type;

/// Writes the section `Schema` of a page.
pub fn write(text: &mut String, block: &Block) {
    text.push_str("## Schema\n");
    let mut nested = Vec::new();
    fields(text, "", &block.attributes, &block.blocks, &mut nested);
    let mut at = 0;
    while at < nested.len() {
        let (path, inner): (String, Inner<'_>) = nested[at].clone();
        at += 1;
        write!(text, "\n<a id=\"{}\"></a>\n### `{path}`\n", anchor(&path)).unwrap();
        match inner {
            Inner::Block(block) => {
                fields(text, &path, &block.attributes, &block.blocks, &mut nested);
            }
            Inner::Attributes(attributes) => fields(text, &path, attributes, &[], &mut nested),
        }
    }
}

#[derive(Clone)]
enum Inner<'b> {
    Block(&'b Block),
    Attributes(&'b [Attribute]),
}

fn anchor(path: &str) -> String {
    format!("nested--{}", path.replace('.', "--"))
}

fn fields<'b>(
    text: &mut String,
    path: &str,
    attributes: &'b [Attribute],
    blocks: &'b [NestedBlock],
    nested: &mut Vec<(String, Inner<'b>)>,
) {
    let groups: [(&str, &[Mode]); 3] = [
        ("Required", &[Mode::Required]),
        ("Optional", &[Mode::Optional, Mode::OptionalComputed]),
        ("Read-Only", &[Mode::Computed]),
    ];
    for (title, modes) in groups {
        let mut lines = Vec::new();
        for attribute in attributes.iter().filter(|a| modes.contains(&a.mode)) {
            let full = join(path, &attribute.name);
            let mut notes = String::new();
            for (is, note) in [
                (attribute.sensitive, ", Sensitive"),
                (attribute.write_only, ", Write-only"),
                (attribute.deprecated.is_some(), ", Deprecated"),
            ] {
                notes.push_str(if is { note } else { "" });
            }
            let (ty, more) = match &attribute.ty {
                AttributeType::Plain(ty) => (name(ty), String::new()),
                AttributeType::Nested(inner, nesting) => {
                    nested.push((full.clone(), Inner::Attributes(inner)));
                    (collection(*nesting).to_owned(), see(&full))
                }
            };
            let doc = &attribute.description;
            lines.push(format!("- `{}` ({ty}{notes}) {doc}{more}", attribute.name));
        }
        list(text, title, lines);
    }
    let mut lines = Vec::new();
    for block in blocks {
        let full = join(path, &block.name);
        let kind = match block.nesting {
            BlockNesting::Single => "Block",
            BlockNesting::List => "Block List",
            BlockNesting::Set => "Block Set",
            BlockNesting::Map => "Block, labelled",
        };
        let doc = &block.block.description;
        lines.push(format!("- `{}` ({kind}) {doc}{}", block.name, see(&full)));
        nested.push((full, Inner::Block(&block.block)));
    }
    list(text, "Blocks", lines);
}

fn list(text: &mut String, title: &str, lines: Vec<String>) {
    if !lines.is_empty() {
        write!(text, "\n**{title}**\n\n{}\n", lines.join("\n")).unwrap();
    }
}

fn see(path: &str) -> String {
    format!(" (see [`{path}`](#{}))", anchor(path))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn collection(nesting: AttributeNesting) -> &'static str {
    match nesting {
        AttributeNesting::Single => "Object",
        AttributeNesting::List => "List of Object",
        AttributeNesting::Set => "Set of Object",
        AttributeNesting::Map => "Map of Object",
    }
}

/// The name of a type.
pub fn name(ty: &Type) -> String {
    match ty {
        Type::Bool => "Boolean".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::String => "String".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(inner) => format!("List of {}", name(inner)),
        Type::Set(inner) => format!("Set of {}", name(inner)),
        Type::Map(inner) => format!("Map of {}", name(inner)),
        Type::Tuple(_) => "Tuple".to_owned(),
        Type::Object(_) => "Object".to_owned(),
    }
}
