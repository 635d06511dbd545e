//! Reads the golden cases.
#![allow(dead_code)]

use std::path::PathBuf;

use oam_provider::oam::{self, Node};
use oam_provider::translate::{self, Target, Translation};

/// One application.
pub struct Case {
    pub name: String,
    pub node: Node,
}

pub fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden"]
        .iter()
        .collect()
}

/// Every case, in the order of their names.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        let Some(name) = file
            .strip_suffix(".json")
            .filter(|name| !name.ends_with(".jobs"))
        else {
            continue;
        };
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        cases.push(Case {
            name: name.to_owned(),
            node: Node::from(&json),
        });
    }
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(!cases.is_empty());
    cases
}

/// The jobs of a case.
pub fn translate(case: &Case) -> Vec<Translation> {
    let application =
        oam::parse(&case.node).unwrap_or_else(|problems| panic!("{}: {problems:#?}", case.name));
    let target = Target {
        namespace: "default".to_owned(),
        region: None,
        datacenters: vec!["*".to_owned()],
        ..Target::default()
    };
    translate::translate(&application, &target)
}
