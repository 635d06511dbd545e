//! The files that pages are made of, and the pages themselves.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file; `None` where there is none.
pub fn read(file: &str) -> Option<String> {
    std::fs::read_to_string(root().join(file)).ok()
}

/// What a page says before its example, by the path below `docs/templates`.
pub fn template(file: &str) -> Option<String> {
    let text = read(&format!("docs/templates/{file}"))?;
    Some(text.trim_end().to_owned())
}

/// The text of an example, by its path below `examples`; a page cannot do without.
pub fn example(file: &str) -> String {
    let text = read(&format!("examples/{file}"));
    let text = text.unwrap_or_else(|| panic!("examples/{file} is missing: a page shows it"));
    text.trim_end().to_owned()
}

/// Writes the pages, and removes those of what is no more.
pub fn write(pages: &[(String, String)]) {
    for file in generated() {
        if !pages.iter().any(|(page, _)| *page == file) {
            std::fs::remove_file(root().join("docs").join(file)).unwrap();
        }
    }
    for (file, text) in pages {
        let path = root().join("docs").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Writes one file.
pub fn put(file: &str, text: &str) {
    let path = root().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The pages below `docs` that only this test may write; a guide of another name is its author's.
pub fn generated() -> Vec<String> {
    let is_generated = |file: &String| {
        let (folder, name) = file.split_once('/').unwrap_or(("", file));
        match folder {
            "actions"
            | "resources"
            | "data-sources"
            | "ephemeral-resources"
            | "functions"
            | "schemas" => true,
            "guides" => ["component-", "trait-", "scope-"]
                .iter()
                .any(|kind| name.starts_with(kind)),
            _ => false,
        }
    };
    below("docs").into_iter().filter(is_generated).collect()
}

/// The files below a folder, in order, by their paths from there.
pub fn below(folder: &str) -> Vec<String> {
    let start = root().join(folder);
    let mut found = Vec::new();
    let mut folders = vec![start.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let path = path.strip_prefix(&start).unwrap();
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The targets of the links in a page that are neither in it nor in the web.
pub fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.starts_with('#') && !target.contains("://"))
        .map(str::to_owned)
        .collect()
}

/// Whether what a page links to is there.
pub fn leads_somewhere(page: &str, link: &str) -> bool {
    let link = link.split('#').next().unwrap_or(link);
    let folder: PathBuf = root().join(page).parent().unwrap().to_owned();
    folder.join(link).exists()
}
