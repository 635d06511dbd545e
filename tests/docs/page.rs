//! The pages of the provider block, of resources, data sources, ephemeral resources and actions.

use std::fmt::Write as _;

use oam_provider::protocol::schema::Block;

use crate::guide::Guide;
use crate::{files, schema};

/// A sort of page.
pub struct Sort {
    /// Its folder in `docs`, `docs/templates` and `examples`.
    folder: &'static str,
    /// What it is called.
    title: &'static str,
    /// The file that shows how it is used.
    usage: &'static str,
}

/// The pages of resources.
pub const RESOURCE: Sort = Sort {
    folder: "resources",
    title: "Resource",
    usage: "resource.tf",
};

/// The pages of data sources.
pub const DATA_SOURCE: Sort = Sort {
    folder: "data-sources",
    title: "Data Source",
    usage: "data-source.tf",
};

/// The pages of ephemeral resources.
pub const EPHEMERAL_RESOURCE: Sort = Sort {
    folder: "ephemeral-resources",
    title: "Ephemeral Resource",
    usage: "ephemeral-resource.tf",
};

/// The pages of actions.
pub const ACTION: Sort = Sort {
    folder: "actions",
    title: "Action",
    usage: "action.tf",
};

/// What stands before everything else: the title, the group in the registry's menu, one line of text.
pub fn front(title: &str, group: &str, description: &str) -> String {
    let description = description.lines().next().unwrap_or_default();
    format!(
        "---\npage_title: \"{title}\"\nsubcategory: \"{group}\"\ndescription: |-\n  {description}\n---\n\n"
    )
}

/// A piece of text between fences.
pub fn code(language: &str, text: &str) -> String {
    format!("```{language}\n{text}\n```\n")
}

/// The page of the provider, with the lists of the guides.
pub fn index(block: &Block, guides: &[Guide]) -> String {
    let mut text = front("Provider: oam", "", &block.description);
    let intro = files::template("index.md").unwrap_or_default();
    let usage = code("terraform", &files::example("provider/provider.tf"));
    write!(text, "{intro}\n\n## Example Usage\n\n{usage}\n").unwrap();
    text.push_str("## Vocabulary\n");
    let mut group = "";
    for guide in guides {
        if guide.group() != group {
            group = guide.group();
            write!(text, "\n**{group}**\n\n").unwrap();
        }
        writeln!(
            text,
            "- [`{}`]({}): {}",
            guide.name,
            guide.file(),
            guide.summary()
        )
        .unwrap();
    }
    text.push('\n');
    schema::write(&mut text, block);
    text
}

/// The page about what tokens must allow: the template, with the files of `examples/policies` where a line
/// `<!-- … -->` names one.
pub fn permissions() -> (String, String) {
    let template = files::template("guides/permissions.md").unwrap();
    let lines = template.lines().map(|line| {
        let file = line
            .strip_prefix("<!-- ")
            .and_then(|it| it.strip_suffix(" -->"));
        match file {
            Some(file) => code("hcl", &files::example(&format!("policies/{file}"))),
            None => format!("{line}\n"),
        }
    });
    let summary = "What the tokens for Nomad, Consul and Vault must allow.";
    let front = front("Permissions - oam", "Operations", summary);
    let text = format!("{front}# Permissions\n\n{}", lines.collect::<String>());
    ("guides/permissions.md".to_owned(), text)
}

/// The page of a resource or data source: its file in `docs`, and its text.
pub fn page(sort: &Sort, name: &str, block: &Block) -> (String, String) {
    let Sort {
        folder,
        title,
        usage,
    } = sort;
    let mut text = front(&format!("{name} {title} - oam"), "", &block.description);
    let intro = files::template(&format!("{folder}/{name}.md"));
    let intro = intro.unwrap_or_else(|| block.description.clone());
    let usage = code(
        "terraform",
        &files::example(&format!("{folder}/{name}/{usage}")),
    );
    write!(
        text,
        "# {name} ({title})\n\n{intro}\n\n## Example Usage\n\n{usage}\n"
    )
    .unwrap();
    schema::write(&mut text, block);
    if let Some(import) = files::read(&format!("examples/{folder}/{name}/import.sh")) {
        let import = code("shell", import.trim_end());
        write!(text, "\n## Import\n\n{import}").unwrap();
    }
    let short = name.strip_prefix("oam_").unwrap();
    (format!("{folder}/{short}.md"), text)
}
