//! Networks of its own for the containers of each Nomad agent: `tools/network` says what they are, and
//! the agent's keeper takes them away.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/network");

/// The interface, the bridge and the subnet of one agent.
#[derive(Debug, Clone)]
pub struct Network {
    number: u8,
}

impl Network {
    /// Takes a number that no other agent on this machine has, and has the keeper of `server` in
    /// `folder` give it back.
    pub fn make(folder: &Path, server: &str) -> Self {
        for _ in 0..100 {
            let number = fastrand::u8(1..=254);
            let made = Command::new(SCRIPT)
                .args(["up", &number.to_string()])
                .stderr(Stdio::null())
                .status()
                .expect("tools/network can be run");
            if made.success() {
                let after = folder.join(format!("{server}.after"));
                let script = format!("#!/bin/sh\nexec \"{SCRIPT}\" down {number}\n");
                std::fs::write(&after, script).unwrap();
                std::fs::set_permissions(&after, std::fs::Permissions::from_mode(0o755)).unwrap();
                return Self { number };
            }
        }
        panic!("no free network for an agent in a hundred tries");
    }

    /// The interface whose address the ports of jobs get.
    pub fn interface(&self) -> String {
        format!("oam-h{}", self.number)
    }

    /// The bridge that Nomad is to make.
    pub fn bridge(&self) -> String {
        format!("oam-b{}", self.number)
    }

    /// The bridge's subnet.
    pub fn subnet(&self) -> String {
        format!("198.18.{}.0/24", self.number)
    }
}
