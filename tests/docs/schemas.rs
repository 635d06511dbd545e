//! The JSON Schemas in `docs/schemas/`, against the definitions that they are made from.

use std::collections::BTreeSet;

use oam_provider::oam::schema;

use super::{compare, root};

#[test]
fn the_schemas_are_what_the_definitions_say() {
    let mut files = BTreeSet::new();
    for kind in schema::kinds() {
        let file = format!("{}.schema.json", kind.to_lowercase());
        let text = format!("{:#}\n", schema::of(kind).unwrap());
        compare(&format!("docs/schemas/{file}"), &text);
        files.insert(file);
    }
    let found: BTreeSet<_> = std::fs::read_dir(root().join("docs/schemas"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        found, files,
        "docs/schemas has other files than there are kinds"
    );
}
