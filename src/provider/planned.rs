//! What the plan that is being made does to scopes, for the applications that it plans after them.
//!
//! Terraform plans a scope before the applications that refer to it, and asks the same process for
//! both. So a change of the scope shows in the same plan at each of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::oam::Node;

/// What a plan does to a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum Planned {
    /// It will be there, and like this.
    Scope(Node),
    /// It will be gone.
    Gone,
}

/// What the plan does to scopes, by ID.
#[derive(Debug, Default)]
pub struct PlannedScopes(Mutex<BTreeMap<String, Planned>>);

impl PlannedScopes {
    /// Notes what the plan does to a scope.
    pub fn set(&self, id: &str, planned: Planned) {
        self.all().insert(id.to_owned(), planned);
    }

    /// What the plan does to a scope, where it has one.
    pub fn get(&self, id: &str) -> Option<Planned> {
        self.all().get(id).cloned()
    }

    /// Forgets all, at the beginning of another plan.
    pub fn clear(&self) {
        self.all().clear();
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Planned>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
