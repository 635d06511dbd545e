//! Where the programs are: asks `tools/servers`, once for each program and test binary.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

static FOUND: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// The path of `nomad`, `consul`, `terraform`, `opentofu` or `cli` (see `tools/servers`).
pub fn program(name: &str) -> PathBuf {
    let mut found = FOUND.lock().unwrap();
    if let Some(path) = found.get(name) {
        return path.clone();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/servers");
    let output = Command::new(script)
        .arg(name)
        .stderr(Stdio::inherit())
        .output()
        .expect("tools/servers can be run");
    let text = String::from_utf8(output.stdout).unwrap();
    let path = text
        .trim()
        .strip_prefix(&format!("{name}="))
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("tools/servers did not find {name}; it says why above"));
    found.insert(name.to_owned(), path.clone());
    path
}
