//! Names of fields in messages: as the HCL has them, and as a document does.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::oam::application::DEFINITION;
use crate::oam::def::{Block, Kind};
use crate::scopes;

/// The names with an underscore, which documents have in camelCase.
static NAMES: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    let mut names = BTreeMap::new();
    collect(&DEFINITION, &mut names);
    for definition in scopes::ALL {
        collect(definition.block, &mut names);
    }
    names
});

fn collect(block: &'static Block, names: &mut BTreeMap<&'static str, &'static str>) {
    for field in block.fields() {
        if field.name.contains('_') {
            names.insert(field.name, field.oam);
        }
        if let Kind::Single(inner) | Kind::Labelled(inner) | Kind::Repeated(inner) = field.kind {
            collect(inner, names);
        }
    }
}

/// A message about the normal form, for somebody who wrote a document: what stands in backticks has the
/// names of the document.
pub fn in_document(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(at, part)| {
        let end = part.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        let (name, rest) = part.split_at(end.unwrap_or(part.len()));
        match NAMES.get(name) {
            Some(oam) if at % 2 == 1 => format!("{oam}{rest}"),
            _ => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::in_document;

    #[test]
    fn names_in_backticks_are_those_of_the_document() {
        for (hcl, document) in [
            ("Set `read_only = true`.", "Set `readOnly = true`."),
            ("`time_zone`, read_only", "`timeZone`, read_only"),
            ("the driver `raw_exec`", "the driver `raw_exec`"),
            ("`update_strategy`", "`updatestrategy.nomad.oam.dev`"),
            ("\"time_zone\" `", "\"time_zone\" `"),
        ] {
            assert_eq!(in_document(hcl), document);
        }
    }
}
