//! The fields of a block as tables: its own, and those of each block in it.

use std::fmt::Write as _;

use oam_provider::oam::def::{Block, Field, Kind};

/// Writes the table of a block, and one of each block below it. Of its own fields those are shown of
/// which it is said whether they are required.
pub fn write(text: &mut String, block: &'static Block, required: impl Fn(&Field) -> Option<bool>) {
    let mut nested = vec![(String::new(), block)];
    let mut at = 0;
    while at < nested.len() {
        let (path, block) = nested[at].clone();
        at += 1;
        if !path.is_empty() {
            write!(text, "\n### `{path}`\n\n{}\n", block.doc).unwrap();
        }
        text.push_str(
            "\n| in HCL | in a manifest | type | required | meaning |\n|---|---|---|---|---|\n",
        );
        if let Some(label) = block.label {
            row(
                text,
                "the label",
                &format!("`{}`", label.oam),
                label.form.what,
                true,
                label.form.how,
            );
        }
        for field in block.fields() {
            let required = match at {
                1 => required(field),
                _ => Some(field.required),
            };
            let Some(required) = required else { continue };
            let (hcl, document) = (format!("`{}`", field.name), format!("`{}`", field.oam));
            row(
                text,
                &hcl,
                &document,
                &kind(&field.kind),
                required,
                field.doc,
            );
            if let Kind::Single(inner) | Kind::Labelled(inner) | Kind::Repeated(inner) = field.kind
            {
                let path = match path.as_str() {
                    "" => field.name.to_owned(),
                    outer => format!("{outer}.{}", field.name),
                };
                nested.push((path, inner));
            }
        }
    }
}

fn row(text: &mut String, hcl: &str, document: &str, kind: &str, required: bool, doc: &str) {
    let required = if required { "yes" } else { "no" };
    // A bar ends a cell, even in code.
    let (kind, doc) = (kind.replace('|', "\\|"), doc.replace('|', "\\|"));
    writeln!(text, "| {hcl} | {document} | {kind} | {required} | {doc} |").unwrap();
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Text(form) => form.what.to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
        Kind::Enum(values) => {
            let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
            values.join(", ")
        }
        Kind::List(form) => format!("a list, each {}", form.what),
        Kind::Map(keys, values) => format!("a map from {} to {}", keys.what, values.what),
        Kind::Variables => "a map; in a manifest a list of `name` and `value`".to_owned(),
        Kind::Single(_) => "a block".to_owned(),
        Kind::Labelled(_) => "blocks with labels; in a manifest a list".to_owned(),
        Kind::Repeated(_) => "blocks; in a manifest a list".to_owned(),
    }
}
