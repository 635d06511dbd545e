//! The ephemeral resources, one file each.

mod open;
mod tenant_token;

pub use open::OpenTokens;

use std::sync::Arc;

use super::Servers;
use crate::protocol::ephemeral::EphemeralResource;

/// Every ephemeral resource, by its full type name.
pub fn all(servers: &Arc<Servers>) -> Vec<(&'static str, Arc<dyn EphemeralResource>)> {
    let token = tenant_token::TenantToken::new(Arc::clone(servers));
    vec![("oam_tenant_token", Arc::new(token))]
}
