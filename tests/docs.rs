//! The reference pages in `docs/`, in the registry's layout, against the schemas they describe.
//! `UPDATE_DOCS=1 cargo test --test docs` (or `make docs`) writes them anew.

#![allow(clippy::unwrap_used)]

#[path = "docs/functions.rs"]
mod functions;
#[path = "docs/schemas.rs"]
mod schemas;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use oam_provider::protocol::resource::Provider as _;
use oam_provider::protocol::schema::{
    Attribute, AttributeNesting, AttributeType, Block, BlockNesting, Mode,
};
use oam_provider::protocol::value::Type;
use oam_provider::provider::OamProvider;

#[test]
fn the_reference_is_what_the_schemas_say() {
    let provider = OamProvider::new(|_| None);
    compare("docs/index.md", &index(&provider.schema().block));
    for (name, resource) in provider.resources() {
        let short = name.strip_prefix("oam_").unwrap();
        let page = page(name, &resource.schema().block);
        compare(&format!("docs/resources/{short}.md"), &page);
    }
    for (name, data_source) in provider.data_sources() {
        let short = name.strip_prefix("oam_").unwrap();
        let page = found(name, &data_source.schema().block);
        compare(&format!("docs/data-sources/{short}.md"), &page);
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn compare(file: &str, text: &str) {
    let path = root().join(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        return;
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == text, "{file} is out of date: run `make docs`");
}

fn example(file: &str) -> String {
    let path: PathBuf = root().join("examples").join(file);
    std::fs::read_to_string(path).unwrap().trim_end().to_owned()
}

fn index(block: &Block) -> String {
    let intro = example("../docs/templates/index.md");
    let usage = example("provider/provider.tf");
    let mut text = format!(
        "---\npage_title: \"Provider: oam\"\ndescription: |-\n  {}\n---\n\n{intro}\n\n\
         ## Example Usage\n\n```terraform\n{usage}\n```\n\n",
        block.description
    );
    schema(&mut text, block);
    text
}

fn page(name: &str, block: &Block) -> String {
    let intro = example(&format!("../docs/templates/resources/{name}.md"));
    let usage = example(&format!("resources/{name}/resource.tf"));
    let import = example(&format!("resources/{name}/import.sh"));
    let mut text = format!(
        "---\npage_title: \"{name} Resource - oam\"\nsubcategory: \"\"\ndescription: |-\n  {}\n---\n\n\
         # {name} (Resource)\n\n{intro}\n\n## Example Usage\n\n```terraform\n{usage}\n```\n\n",
        block.description
    );
    schema(&mut text, block);
    write!(text, "\n## Import\n\n```shell\n{import}\n```\n").unwrap();
    text
}

/// The page of a data source.
fn found(name: &str, block: &Block) -> String {
    let usage = example(&format!("data-sources/{name}/data-source.tf"));
    let doc = &block.description;
    let mut text = format!(
        "---\npage_title: \"{name} Data Source - oam\"\nsubcategory: \"\"\ndescription: |-\n  {doc}\n---\n\n\
         # {name} (Data Source)\n\n{doc}\n\n## Example Usage\n\n```terraform\n{usage}\n```\n\n"
    );
    schema(&mut text, block);
    text
}

fn schema(text: &mut String, block: &Block) {
    text.push_str("## Schema\n");
    let mut nested = Vec::new();
    fields(text, "", block, &mut nested);
    let mut at = 0;
    while at < nested.len() {
        let (path, inner): (String, Inner<'_>) = nested[at].clone();
        at += 1;
        write!(text, "\n<a id=\"{}\"></a>\n### `{path}`\n", anchor(&path)).unwrap();
        match inner {
            Inner::Block(block) => fields(text, &path, block, &mut nested),
            Inner::Attributes(list) => {
                let block = Block {
                    attributes: list.to_vec(),
                    ..Block::default()
                };
                let mut none = Vec::new();
                fields(text, &path, &block, &mut none);
            }
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
    block: &'b Block,
    nested: &mut Vec<(String, Inner<'b>)>,
) {
    let groups: [(&str, &[Mode]); 3] = [
        ("Required", &[Mode::Required]),
        ("Optional", &[Mode::Optional, Mode::OptionalComputed]),
        ("Read-Only", &[Mode::Computed]),
    ];
    for (title, modes) in groups {
        let mut lines = Vec::new();
        for attribute in block.attributes.iter().filter(|a| modes.contains(&a.mode)) {
            let full = join(path, &attribute.name);
            let sensitive = if attribute.sensitive {
                ", Sensitive"
            } else {
                ""
            };
            let (ty, more) = match &attribute.ty {
                AttributeType::Plain(ty) => (name(ty), String::new()),
                AttributeType::Nested(inner, nesting) => {
                    nested.push((full.clone(), Inner::Attributes(inner)));
                    (collection(*nesting).to_owned(), see(&full))
                }
            };
            let doc = &attribute.description;
            lines.push(format!(
                "- `{}` ({ty}{sensitive}) {doc}{more}",
                attribute.name
            ));
        }
        list(text, title, lines);
    }
    let mut lines = Vec::new();
    for block in &block.blocks {
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

fn name(ty: &Type) -> String {
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
