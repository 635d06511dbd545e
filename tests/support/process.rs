//! A server process that cannot outlive the tests: `tools/keeper` starts it and stops it as soon as its
//! standard input ends, which the kernel sees to even when the test process is killed.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server and its keeper; dropped, it is stopped.
pub struct Server {
    keeper: Child,
    folder: PathBuf,
    name: &'static str,
}

impl Server {
    /// Starts `program` under a keeper; `first` names a server in the same folder that has to stop
    /// before this one.
    pub fn start(
        folder: &Path,
        name: &'static str,
        first: Option<&str>,
        program: &Path,
        arguments: &[&str],
    ) -> Self {
        for left in ["exit", "pid"] {
            let _ = std::fs::remove_file(folder.join(format!("{name}.{left}")));
        }
        let mut command = Command::new("sh");
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/keeper"))
            .arg(folder)
            .arg(name)
            .arg(first.unwrap_or("-"))
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal goes to the tests alone; the keeper then stops the server.
            .process_group(0);
        clean_environment(&mut command);
        let keeper = command.spawn().expect("sh can be run");
        Self {
            keeper,
            folder: folder.to_owned(),
            name,
        }
    }

    /// The server's process id, once it is started.
    pub fn pid(&self) -> u32 {
        let file = self.folder.join(format!("{}.pid", self.name));
        super::eventually("the server has a process id", || {
            std::fs::read_to_string(&file).ok()?.trim().parse().ok()
        })
    }

    /// Whether the server ended by itself.
    pub fn ended(&self) -> bool {
        self.folder.join(format!("{}.exit", self.name)).exists()
    }

    /// What the server wrote so far.
    pub fn log(&self) -> String {
        let file = self.folder.join(format!("{}.log", self.name));
        String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned()
    }

    /// The last lines of the log, for a message.
    pub fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper gives its server a minute and then kills it, so it ends.
        for _ in 0..1500 {
            if matches!(self.keeper.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Takes away what would send a server, Terraform or the provider elsewhere than the tests say.
/// `AWS_CA_BUNDLE` even keeps a Nomad agent from starting, as its AWS fingerprint fails on it.
pub fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let foreign = ["NOMAD_", "CONSUL_", "VAULT_", "TF_", "TOFU_", "AWS_"];
        if foreign.iter().any(|prefix| name.starts_with(prefix))
            || name.to_ascii_lowercase().ends_with("_proxy")
        {
            command.env_remove(name);
        }
    }
}
