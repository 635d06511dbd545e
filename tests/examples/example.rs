//! The folders under `examples/` that hold a configuration, and what each of them needs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::{Workspace, docker};

/// An image that examples use, and that no test can pull: [`docker::WEB`] has the same programs.
const BUSYBOX: &str = "\"busybox:1.37\"";

/// The provider block of an example that finds its servers by the environment.
const PROVIDER: &str = "provider \"oam\" {}";

/// What an example may need beside a Nomad with the driver `raw_exec` and a Consul: a Docker engine, a
/// secret in Vault, a key in Consul, Consul's service mesh, a host volume, Nomad's driver `exec`, a
/// namespace in Nomad, QEMU with a disk image.
const NEEDS: &[&str] = &[
    "docker",
    "vault",
    "consul",
    "mesh",
    "volume",
    "exec",
    "namespace",
    "qemu",
];

/// One example.
pub struct Example {
    /// The folder below `examples`, such as `traits/scaler`.
    pub name: String,
    /// What it needs, from its line `# Needs: docker, vault (the secret …)`.
    pub needs: BTreeSet<String>,
    /// The text of all its `.tf` files.
    pub text: String,
    folder: PathBuf,
}

/// The folder of them all.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Every example, in the order of their names.
pub fn all() -> Vec<Example> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap();
        let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        if paths.iter().any(|path| is_configuration(path)) {
            found.push(Example::read(folder));
        }
        folders.extend(paths.into_iter().filter(|path| path.is_dir()));
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

fn is_configuration(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tf")
}

impl Example {
    fn read(folder: PathBuf) -> Self {
        let mut text = String::new();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if is_configuration(&path) {
                text += &std::fs::read_to_string(path).unwrap();
            }
        }
        let name = folder.strip_prefix(root()).unwrap();
        let name = name.to_str().unwrap().to_owned();
        let needs = text.lines().find_map(|line| line.strip_prefix("# Needs: "));
        // What stands in parentheses is for readers.
        let needs = needs.into_iter().flat_map(|needs| needs.split(", "));
        let needs: BTreeSet<_> = needs
            .map(|need| need.split(" (").next().unwrap_or(need).to_owned())
            .collect();
        for need in &needs {
            assert!(NEEDS.contains(&need.as_str()), "{name} needs {need:?}");
        }
        Self {
            name,
            needs,
            text,
            folder,
        }
    }

    /// Whether it is a configuration on its own, which finds its servers by the environment. The others
    /// show a piece of one.
    pub fn is_whole(&self) -> bool {
        self.text.contains(PROVIDER)
    }

    /// Its portable manifest, where it has one.
    pub fn manifest(&self) -> Option<String> {
        std::fs::read_to_string(self.folder.join("app.yaml")).ok()
    }

    /// The example as it is, in a workspace of its own.
    pub fn workspace(&self) -> Workspace {
        self.copy(str::to_owned)
    }

    /// The example with a provider that asks no server: a plan of a creation needs none but for a dry run.
    pub fn offline(&self) -> Workspace {
        let nowhere = "http://127.0.0.1:1";
        let provider = format!(
            "provider \"oam\" {{\n  nomad {{\n    address = \"{nowhere}\"\n    dry_run = \"off\"\n  }}\n  \
             consul {{\n    address = \"{nowhere}\"\n  }}\n}}"
        );
        self.copy(|text| text.replace(PROVIDER, &provider))
    }

    /// The example with the image that the tests have.
    pub fn workspace_with_our_image(&self) -> Workspace {
        let ours = format!("{:?}", docker::WEB);
        self.copy(|text| text.replace(BUSYBOX, &ours))
    }

    fn copy(&self, change: impl Fn(&str) -> String) -> Workspace {
        let work = Workspace::bare("");
        for name in ["main.tf", "versions.tf"] {
            std::fs::remove_file(work.folder().join(name)).unwrap();
        }
        for entry in std::fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if is_configuration(&path) {
                work.write(name, &change(&std::fs::read_to_string(&path).unwrap()));
            } else if path.is_file() {
                // A manifest, for a configuration that reads it.
                std::fs::copy(&path, work.folder().join(name)).unwrap();
            }
        }
        work
    }
}
