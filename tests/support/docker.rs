//! Containers: whether this machine can run them, and images for the Docker engine. None is started
//! here: `tools/engine` runs `make test` with one, which all test binaries then share.
//! In an engine that was there before, the images stay, as `oam-tests/…`.

use super::tools;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Serves HTTP on port 8080 (or `$PORT`); `tests/support/image/answer` says what.
pub const WEB: &str = "oam-tests/web:1";
/// The same under another name.
pub const WEB_2: &str = "oam-tests/web:2";
/// Nomad's `infra_image`: holds the network namespace of an allocation.
pub const PAUSE: &str = "oam-tests/pause:1";
/// Envoy, for the sidecars of the mesh.
pub const ENVOY: &str = "oam-tests/envoy:1";

static READY: OnceLock<Result<(), String>> = OnceLock::new();

/// Whether containers in bridge networks can be run here; the images are there then. Where they
/// cannot, the test that asks is to return: this has [said why](skipped).
pub fn ready() -> bool {
    let ready = READY.get_or_init(|| missing().map_or_else(make_images, Err));
    if let Err(reason) = ready {
        skipped(reason);
    }
    ready.is_ok()
}

/// Says that a test is not run, and why; panics instead with `CI=true` in the environment.
pub fn skipped(reason: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "this cannot be left out in CI: {reason}"
    );
    eprintln!("skipped: {reason}");
}

/// What this machine lacks for containers in bridge networks; `None` if nothing.
fn missing() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("bridge networks need Linux".to_owned());
    }
    if !nix::unistd::geteuid().is_root() {
        return Some("bridge networks need root".to_owned());
    }
    for program in ["ip", "iptables"] {
        let found = Command::new(program)
            .arg("-V")
            .stdin(Stdio::null())
            .output();
        if found.is_err() {
            return Some(format!("{program} is not on PATH"));
        }
    }
    if cni_plugins().is_none() {
        return Some(format!(
            "no CNI plugins in {} (Debian: containernetworking-plugins)",
            CNI_FOLDERS.join(" or ")
        ));
    }
    if static_busybox().is_none() {
        return Some("no static busybox (Debian: busybox-static)".to_owned());
    }
    if !docker(&["info"]) {
        return Some("no Docker engine answers; `make test` starts one if it can".to_owned());
    }
    None
}

const CNI_FOLDERS: [&str; 2] = ["/opt/cni/bin", "/usr/lib/cni"];

/// The folder of the CNI plugins.
pub fn cni_plugins() -> Option<&'static str> {
    CNI_FOLDERS
        .into_iter()
        .find(|folder| Path::new(folder).join("bridge").exists())
}

fn make_images() -> Result<(), String> {
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let image = |name: &str, settings: &[&str], fill: &dyn Fn(&Path)| {
        let root = scratch.path().join(name.replace(['/', ':'], "-"));
        busybox_root(&root);
        fill(&root);
        if import(&root, name, settings) {
            Ok(())
        } else {
            Err(format!("the image {name} cannot be made"))
        }
    };
    let serve: [&str; 1] = ["CMD [\"/bin/serve\"]"];
    image(WEB, &serve, &|_| ())?;
    image(WEB_2, &serve, &|_| ())?;
    image(PAUSE, &["CMD [\"/bin/pause\"]"], &|_| ())?;
    let envoy = tools::program("envoy");
    image(ENVOY, &["ENTRYPOINT [\"/bin/envoy\"]"], &|root| {
        put(&envoy, &root.join("bin/envoy"));
        for library in libraries(&envoy) {
            let inside = library.strip_prefix("/").unwrap_or(&library);
            put(&library, &root.join(inside));
        }
    })
}

/// Makes the image `name` with nothing in it but busybox; false where there is no static busybox.
pub fn busybox_image(name: &str, scratch: &Path) -> bool {
    let root = scratch.join("image");
    if static_busybox().is_none() {
        return false;
    }
    busybox_root(&root);
    import(&root, name, &[])
}

/// A root file system with busybox, its commands, and the scripts of `tests/support/image`.
fn busybox_root(root: &Path) {
    let busybox = static_busybox().expect("a static busybox");
    std::fs::create_dir_all(root.join("tmp")).unwrap();
    put(&busybox, &root.join("bin/busybox"));
    for command in [
        "awk", "cat", "echo", "env", "httpd", "nc", "printf", "sh", "sleep", "timeout", "wget",
    ] {
        let _ = symlink("busybox", root.join("bin").join(command));
    }
    for (name, script) in [
        ("answer", include_str!("image/answer")),
        ("pause", include_str!("image/pause")),
        ("serve", include_str!("image/serve")),
    ] {
        let path = root.join("bin").join(name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Copies a file, with the folders to it.
fn put(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

/// The libraries that a program is linked with, as `ldd` lists them: `name => /path (0x…)`, or
/// `/path (0x…)` for the loader.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    String::from_utf8_lossy(&listed.stdout)
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

/// Makes an image of a file system; `settings` are as in a Dockerfile.
fn import(root: &Path, name: &str, settings: &[&str]) -> bool {
    let archive = root.with_extension("tar");
    let packed = Command::new("tar")
        .arg("-C")
        .arg(root)
        .arg("-cf")
        .arg(&archive)
        .arg(".")
        .status();
    let mut arguments = vec!["import"];
    for setting in settings {
        arguments.extend(["--change", setting]);
    }
    arguments.extend([archive.to_str().unwrap(), name]);
    packed.is_ok_and(|status| status.success()) && docker(&arguments)
}

fn static_busybox() -> Option<PathBuf> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())?;
    // `ldd` fails on what needs no libraries.
    let linked = Command::new("ldd")
        .arg(&busybox)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    linked
        .is_ok_and(|status| !status.success())
        .then_some(busybox)
}

fn docker(arguments: &[&str]) -> bool {
    let status = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
