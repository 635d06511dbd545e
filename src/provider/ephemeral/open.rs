//! The tokens that are open.
//!
//! A host closes what it has opened, but not always: Terraform 1.11 closes nothing once a resource that
//! uses it has failed, and just ends the provider. So what is open is revoked when the process ends.

use std::sync::{Mutex, PoisonError};

use super::tenant_token::Kept;
use crate::provider::Clients;

/// The tokens that are open.
#[derive(Debug, Default)]
pub struct OpenTokens(Mutex<Vec<Kept>>);

impl OpenTokens {
    /// Notes tokens that have been made.
    pub(super) fn add(&self, kept: Kept) {
        if !kept.is_empty() {
            self.all().push(kept);
        }
    }

    /// Forgets tokens that have been revoked.
    pub(super) fn remove(&self, kept: &Kept) {
        self.all().retain(|it| it != kept);
    }

    /// Revokes those that nobody has closed. What cannot be revoked ends by itself.
    pub async fn revoke(&self, clients: &Clients) {
        let left = std::mem::take(&mut *self.all());
        for kept in left {
            for said in kept.revoke(clients).await {
                tracing::warn!("{}: {}", said.summary, said.detail);
            }
        }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
