//! What the plan that is being made does to scopes and tenants, for the applications that it plans after
//! them.
//!
//! Terraform plans a scope or a tenant before the applications that refer to it, and asks the same process
//! for both. So a change of it shows in the same plan at each of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::oam::Node;
use crate::tenants::{Limits, Quotas, Spaces};

/// What a plan does to a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum Planned {
    /// It will be there, and like this.
    Scope(Node),
    /// It will be gone.
    Gone,
}

/// A value of a plan, which need not be known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known<T> {
    /// It is known only after an apply.
    No,
    /// It is this.
    Is(T),
}

impl<T> Known<T> {
    /// The value, where it is known.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::No => None,
            Self::Is(value) => Some(value),
        }
    }
}

/// What a tenant allows its applications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The domain below which their hosts must be, where there is one.
    pub domain: Known<Option<String>>,
    /// The most that they may have together.
    pub quotas: Known<Quotas>,
    /// What their jobs may be run with.
    pub limits: Known<Limits>,
    /// Whether they can be applied.
    pub active: Known<bool>,
    /// The namespaces of Consul and Vault that they are in.
    pub spaces: Known<Spaces>,
}

/// What a plan does to a tenant.
#[derive(Clone, Debug, PartialEq)]
pub enum PlannedTenant {
    /// It will be there, and like this.
    Tenant(Box<Rules>),
    /// It will be gone.
    Gone,
}

/// What the plan does to scopes, by ID.
pub type PlannedScopes = Plans<Planned>;

/// What the plan does to tenants, by name.
pub type PlannedTenants = Plans<PlannedTenant>;

/// What the plan does to each of many.
#[derive(Debug)]
pub struct Plans<T>(Mutex<BTreeMap<String, T>>);

impl<T> Default for Plans<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Plans<T> {
    /// Notes what the plan does to one.
    pub fn set(&self, id: &str, planned: T) {
        self.all().insert(id.to_owned(), planned);
    }

    /// What the plan does to one, where it does anything.
    pub fn get(&self, id: &str) -> Option<T> {
        self.all().get(id).cloned()
    }

    /// What the plan does to all, by ID.
    pub fn list(&self) -> Vec<(String, T)> {
        let all = self.all();
        all.iter()
            .map(|(id, it)| (id.clone(), it.clone()))
            .collect()
    }

    /// Forgets all, at the beginning of another plan.
    pub fn clear(&self) {
        self.all().clear();
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
