//! The jobs that applications translate to, against the files in `tests/golden`.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "golden/mod.rs"]
mod golden;

use oam_provider::oam;
use oam_provider::translate::drift;
use serde_json::Value;

#[test]
fn applications_translate_to_the_golden_jobs() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for case in golden::cases() {
        let jobs: Vec<_> = golden::translate(&case)
            .iter()
            .map(|t| t.job.clone())
            .collect();
        let file = golden::folder().join(format!("{}.jobs.json", case.name));
        let jobs = serde_json::to_value(jobs).unwrap();
        if update {
            std::fs::write(&file, format!("{jobs:#}\n")).unwrap();
            continue;
        }
        let wanted = std::fs::read(&file)
            .unwrap_or_else(|error| panic!("{}: {error}: run `make docs`", file.display()));
        let wanted: Value = serde_json::from_slice(&wanted).unwrap();
        assert_eq!(jobs, wanted, "{}", file.display());
    }
}

#[test]
fn every_component_type_and_trait_has_a_golden_job() {
    let names: Vec<_> = golden::cases().into_iter().map(|case| case.name).collect();
    let types = oam::ComponentType::NAMES.iter().copied();
    let traits = oam_provider::traits::ALL
        .iter()
        .map(|definition| definition.field.oam);
    for name in types.chain(traits) {
        assert!(
            names.iter().any(|case| case == name),
            "tests/golden/{name}.json is missing"
        );
    }
}

#[test]
fn a_document_gives_back_the_application() {
    for case in golden::cases() {
        let document = oam::to_document(&case.node);
        assert_eq!(
            oam::from_document(&document).unwrap(),
            case.node,
            "{}",
            case.name
        );
    }
}

#[test]
fn a_job_as_it_should_be_has_no_drift() {
    for case in golden::cases() {
        for translation in golden::translate(&case) {
            let live = drift::expected(&translation);
            assert_eq!(
                drift::compare(&translation, &live),
                Vec::new(),
                "{}",
                case.name
            );
        }
    }
}
