//! What the tests against the real Nomad, Consul, Terraform and OpenTofu share.
//!
//! ```text
//! #[path = "support/mod.rs"]
//! mod support;
//!
//! let servers = support::servers();                    // one Nomad and one Consul per test binary
//! let job = servers.nomad.get("/v1/job/shop-web");     // plain API calls, to assert with
//! let work = Workspace::new(servers, "resource …");    // Terraform with the provider just built
//! work.apply();
//! work.plan().assert_empty();
//! let proxy = Proxy::start(&servers.nomad.address);    // counts, injects faults, holds requests
//! let guarded = support::guarded();                     // the same with ACLs on, and a Vault
//! let own = support::Servers::start(Options { acl: true, ..Options::default() });  // one's own
//! planted.none_in_servers(&own);                       // secrets of a test, in whatever form
//! if docker::ready() { … }                             // says `skipped: …` where containers cannot run
//! ```
//! `tools/servers` finds or builds the programs. Every server listens on free loopback ports of its
//! own and keeps its data in a folder of its own; `tools/keeper` stops it when the test
//! process ends, in whatever way it ends. Tests that share servers take distinct application names.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod api;
pub mod certificates;
pub mod clusters;
pub mod consul;
pub mod docker;
pub mod listener;
pub mod network;
pub mod nomad;
pub mod policies;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod secrets;
pub mod servers;
pub mod terraform;
pub mod tools;
pub mod traefik;
pub mod vault;

#[allow(unused_imports)]
pub use policies::{Policies, Role, Tokens};
#[allow(unused_imports)]
pub use proxy::{Action, Gate, Proxy};
#[allow(unused_imports)]
pub use servers::{Options, Servers, guarded, servers};
#[allow(unused_imports)]
pub use terraform::{Plan, Run, Workspace};

use std::time::{Duration, Instant};

/// Asks every 100 ms until there is an answer, for a minute at most; panics with `what` after that.
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    eventually_or(what, ask, String::new)
}

/// The same; the panic also says what `explain` has found out.
pub fn eventually_or<T>(
    what: &str,
    mut ask: impl FnMut() -> Option<T>,
    explain: impl FnOnce() -> String,
) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        if Instant::now() >= end {
            panic!(
                "this did not come about within a minute: {what}\n{}",
                explain()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
