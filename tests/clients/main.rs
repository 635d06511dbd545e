//! The clients of Nomad and Consul, the store and the watch against the real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod acl;
mod enterprise;
mod hosts;
mod objects;
mod quotas;
mod requests;
mod scopes;
mod store;
mod tenants;
mod watch;

use std::time::Duration;

use oam_provider::http::{Endpoint, Server, Settings};
use oam_provider::{consul, nomad};

/// An endpoint with nothing but an address and a token, whatever the environment says.
fn endpoint(server: Server, address: &str, token: Option<&str>) -> Endpoint {
    let settings = Settings {
        address: Some(address.to_owned()),
        token: token.map(Into::into),
        ..Settings::default()
    };
    Endpoint::from(server, settings, &|_| None).unwrap()
}

fn consul_at(address: &str) -> consul::Client {
    consul::Client::new(endpoint(Server::Consul, address, None))
}

fn nomad_at(address: &str) -> nomad::Client {
    nomad::Client::new(endpoint(Server::Nomad, address, None))
}

/// Long enough for anything here to happen; a test that needs more hangs on a defect.
const LIMIT: Duration = Duration::from_secs(120);
