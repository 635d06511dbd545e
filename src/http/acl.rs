//! Whether a server has access control at all.

use super::{Error, Kind};

/// What became of a request about access control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acl<T> {
    /// The server has its ACLs off: nothing was done, and nobody needs a token.
    Off,
    /// It has them on.
    On(T),
}

impl<T> Acl<T> {
    /// What is there where ACLs are on.
    pub fn on(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::On(value) => Some(value),
        }
    }

    /// Tells a server with ACLs off from a request that failed.
    ///
    /// # Errors
    /// Every other error is passed on.
    pub fn told(result: Result<T, Error>) -> Result<Self, Error> {
        match result {
            Ok(value) => Ok(Self::On(value)),
            Err(error) if is_off(&error) => Ok(Self::Off),
            Err(error) => Err(error),
        }
    }
}

/// `aclDisabled` in Nomad's `nomad/acl_endpoint.go` (status 400) and in Consul's
/// `agent/acl_endpoint.go` (status 401).
fn is_off(error: &Error) -> bool {
    match &error.kind {
        Kind::Rejected { message, .. }
        | Kind::Unauthorized { message, .. }
        | Kind::Server { message, .. } => message.contains("ACL support disabled"),
        _ => false,
    }
}
