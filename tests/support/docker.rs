//! Images for the Docker engine, where one answers. None is started here: an engine changes the
//! network of the machine that it runs on. `.ci/run` starts one on CI's machines.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Makes the image `name` with nothing in it but busybox; false where there is no static busybox.
pub fn busybox_image(name: &str, scratch: &Path) -> bool {
    let Some(busybox) = static_busybox() else {
        return false;
    };
    let root = scratch.join("image");
    for folder in ["bin", "tmp"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::copy(busybox, root.join("bin/busybox")).unwrap();
    let _ = std::os::unix::fs::symlink("busybox", root.join("bin/sh"));
    let archive = scratch.join("image.tar");
    let packed = Command::new("tar")
        .arg("-C")
        .arg(&root)
        .arg("-cf")
        .arg(&archive)
        .arg(".")
        .status();
    packed.is_ok_and(|status| status.success())
        && docker(&["import", archive.to_str().unwrap(), name])
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
