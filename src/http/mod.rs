//! What the clients of Nomad, Consul and Vault share.
//!
//! The servers speak the same dialect of HTTP: JSON bodies, a token in a header of its own, plain
//! text as the body of an error (Vault: JSON), an index header for blocking queries (Vault: none). So
//! there is one client core:
//!
//! - [`Settings`] (what the user wrote) and the ecosystem's environment variables become an
//!   [`Endpoint`], a pure step that reads no file and opens no connection;
//! - [`Client`] sends requests to an endpoint: it builds its connection pool at the first request,
//!   retries what can be retried without doing anything twice, counts and traces every request;
//! - [`Error`] tells what went wrong and what to do about it, and never carries a token.

mod acl;
mod client;
mod endpoint;
mod error;
#[cfg(test)]
mod faults;
mod lost;
mod secret;
mod tls;
mod turns;

pub use acl::Acl;
pub use client::{Answer, Client, Repeat, Request};
pub use endpoint::{Endpoint, Server, Settings, SettingsError, Token};
pub use error::{Error, Kind};
pub use lost::found_out;
pub use secret::Secret;
pub use tls::{Pem, Tls};
