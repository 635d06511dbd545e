//! Every example is valid, and every one that runs without Docker is run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use support::Workspace;

/// The folders under `examples/` that hold a configuration.
fn examples() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")];
    while let Some(folder) = folders.pop() {
        let entries: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        if entries
            .iter()
            .any(|path| path.extension().is_some_and(|extension| extension == "tf"))
        {
            found.push(folder);
        }
        folders.extend(entries.into_iter().filter(|path| path.is_dir()));
    }
    found.sort();
    assert!(
        found.len() > 5,
        "the examples are somewhere else: {found:?}"
    );
    found
}

/// The example as it is, in a workspace of its own; its text as well.
fn workspace(folder: &Path) -> (Workspace, String) {
    let mut text = String::new();
    let mut work = Workspace::bare("");
    std::fs::remove_file(work.folder().join("versions.tf")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let content = std::fs::read_to_string(&path).unwrap();
            work.write(path.file_name().unwrap().to_str().unwrap(), &content);
            if path.extension().is_some_and(|extension| extension == "tf") {
                text += &content;
            }
        }
    }
    let servers = support::servers();
    work.set("NOMAD_ADDR", &servers.nomad.address);
    work.set("CONSUL_HTTP_ADDR", &servers.consul.address);
    (work, text)
}

#[test]
fn all_examples_are_valid_and_formatted() {
    for folder in examples() {
        let (work, _) = workspace(&folder);
        let problems = work.validate();
        assert!(problems.is_empty(), "{}: {problems:#?}", folder.display());
        let format = work.run(&["fmt", "-check", "-diff"]);
        assert_eq!(
            format.code,
            Some(0),
            "{}: {}",
            folder.display(),
            format.output
        );
    }
}

#[test]
fn the_examples_without_docker_run() {
    let all: Vec<_> = examples()
        .into_iter()
        .filter(|folder| {
            let text = std::fs::read_to_string(folder.join("main.tf")).unwrap_or_default();
            let docker = text.contains("image = \"") || text.contains("image   = \"");
            text.contains("provider \"oam\" {}") && !docker
        })
        .collect();
    assert!(all.len() >= 7, "too few examples are run: {all:?}");
    // Most of the time of each is spent on Nomad's wait for a healthy deployment.
    std::thread::scope(|scope| {
        let threads: Vec<_> = all
            .iter()
            .map(|folder| {
                let run = scope.spawn(|| {
                    let (work, _) = workspace(folder);
                    work.apply();
                    work.plan().assert_empty();
                    work.destroy();
                });
                (folder, run)
            })
            .collect();
        for (folder, run) in threads {
            assert!(run.join().is_ok(), "{}", folder.display());
        }
    });
}
