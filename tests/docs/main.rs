//! The pages in `docs/`, in the registry's layout, against the schemas and definitions they describe.
//! `UPDATE_DOCS=1 cargo test --test docs` (or `make docs`) writes them anew.
//!
//! | page | from |
//! |---|---|
//! | `index.md` | the provider block, `templates/index.md`, `examples/provider/provider.tf` |
//! | `resources/<name>.md` | the schema, `templates/resources/oam_<name>.md`, `examples/resources/oam_<name>/` |
//! | `data-sources/<name>.md` | the same below `data-sources` |
//! | `ephemeral-resources/<name>.md` | the same below `ephemeral-resources` |
//! | `actions/<name>.md` | the same below `actions` |
//! | `functions/<name>.md` | the signature, `templates/functions/<name>.md`, `examples/functions/<name>/` |
//! | `guides/permissions.md` | `templates/guides/permissions.md`, `examples/policies/` |
//! | `schemas/<name>.schema.json` | the JSON Schema of a document, a component type, a trait or a scope |
//! | `guides/component-…`, `trait-…`, `scope-…` | the definition, and the example of that name with its jobs |
//!
//! A template is what a page says before its example; without one that is the schema's description.

#![allow(clippy::unwrap_used, clippy::panic)]

mod files;
mod function;
#[path = "../golden/mod.rs"]
mod golden;
mod guide;
mod page;
mod released;
mod schema;
mod table;

use oam_provider::oam;
use oam_provider::protocol::resource::Provider as _;
use oam_provider::provider::OamProvider;

/// Every page that is generated: its file and its text.
fn pages() -> Vec<(String, String)> {
    let provider = OamProvider::new(|_| None);
    let mut pages = vec![(
        "index.md".to_owned(),
        page::index(&provider.schema().block, &guide::all()),
    )];
    for (name, resource) in provider.resources() {
        pages.push(page::page(&page::RESOURCE, name, &resource.schema().block));
    }
    for (name, data_source) in provider.data_sources() {
        let block = data_source.schema().block;
        pages.push(page::page(&page::DATA_SOURCE, name, &block));
    }
    for (name, ephemeral) in provider.ephemeral_resources() {
        let block = ephemeral.schema().block;
        pages.push(page::page(&page::EPHEMERAL_RESOURCE, name, &block));
    }
    for (name, action) in provider.actions() {
        pages.push(page::page(&page::ACTION, name, &action.schema().block));
    }
    for (name, function) in provider.functions() {
        pages.push(function::page(name, &function.signature()));
    }
    let resources: Vec<_> = provider.resources().iter().map(|(name, _)| *name).collect();
    pages.extend(guide::all().iter().map(|guide| guide.page(&resources)));
    pages.push(page::permissions());
    pages.extend(oam::schema::kinds().into_iter().map(json_schema));
    pages
}

/// The file of the JSON Schema of a kind, and its text.
fn json_schema(kind: &str) -> (String, String) {
    let schema = oam::schema::of(kind).unwrap();
    let file = format!("schemas/{}.schema.json", kind.to_lowercase());
    (file, format!("{schema:#}\n"))
}

#[test]
fn the_pages_are_what_the_schemas_and_definitions_say() {
    let pages = pages();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        files::write(&pages);
    }
    for (file, text) in &pages {
        assert!(
            files::read(&format!("docs/{file}")).as_ref() == Some(text),
            "docs/{file} is out of date: run `make docs`"
        );
    }
    let left = files::generated()
        .into_iter()
        .find(|file| !pages.iter().any(|(page, _)| page == file));
    assert_eq!(left, None, "a page of what is no more: run `make docs`");
}

#[test]
fn every_template_belongs_to_a_page() {
    let provider = OamProvider::new(|_| None);
    let mut names = vec!["index.md".to_owned(), "guides/permissions.md".to_owned()];
    let resources = provider.resources();
    names.extend(
        resources
            .iter()
            .map(|(name, _)| format!("resources/{name}.md")),
    );
    let data_sources = provider.data_sources();
    names.extend(
        data_sources
            .iter()
            .map(|(name, _)| format!("data-sources/{name}.md")),
    );
    let ephemeral_resources = provider.ephemeral_resources();
    names.extend(
        ephemeral_resources
            .iter()
            .map(|(name, _)| format!("ephemeral-resources/{name}.md")),
    );
    let actions = provider.actions();
    names.extend(actions.iter().map(|(name, _)| format!("actions/{name}.md")));
    let functions = provider.functions();
    names.extend(
        functions
            .iter()
            .map(|(name, _)| format!("functions/{name}.md")),
    );
    for file in files::below("docs/templates") {
        assert!(
            names.contains(&file),
            "no page is made of docs/templates/{file}"
        );
    }
}

#[test]
fn links_lead_to_files() {
    for file in files::below("docs").into_iter().chain([String::new()]) {
        let path = match file.as_str() {
            "" => "README.md".to_owned(),
            file => format!("docs/{file}"),
        };
        // A template is read where its page is.
        if path.starts_with("docs/templates/") || !path.ends_with(".md") {
            continue;
        }
        for link in files::links(&files::read(&path).unwrap()) {
            assert!(files::leads_somewhere(&path, &link), "{path}: {link}");
        }
    }
}
