//! Tenants: a namespace, policies and roles in Nomad, Consul and Vault.

use super::{Scenario, Step};

const FIRST: &str = r#"
resource "oam_tenant" "it" {
  EACH
  name         = "NAME"
  display_name = "First"
  domain       = "NAME.example.com"
  quotas {
    max_jobs = 5
  }
}
"#;

/// Everything that can change, has: the roles in Vault go, and what is written in Nomad and Consul changes.
const SECOND: &str = r#"
resource "oam_tenant" "it" {
  EACH
  name         = "NAME"
  display_name = "Second"
  domain       = "NAME.example.org"
  active       = false
  quotas {
    max_jobs = 7
  }
}
"#;

pub const CREATE: Scenario = Scenario::creates("ctcreate", FIRST).guarded();

pub const UPDATE: Scenario = Scenario::updates("ctupdate", FIRST, SECOND).guarded();

pub const DESTROY: Scenario = Scenario::destroys("ctdestroy", FIRST).guarded();

/// A creation that is asked for again as something else.
pub const OTHER: Scenario = CREATE.then("ctother", Step::Apply(SECOND));

/// An update that is given up half way for what was there before.
pub const BACK: Scenario = UPDATE.then("ctback", Step::Apply(FIRST));

/// An update that is given up half way, and the tenant with it.
pub const END: Scenario = UPDATE.then("ctend", Step::Destroy);

/// The user thinks better of it.
pub const KEEP: Scenario = DESTROY.then("ctkeep", Step::Apply(SECOND));

pub const CREATE_ODDLY: Scenario = CREATE.named("mtcreate");

pub const UPDATE_ODDLY: Scenario = UPDATE.named("mtupdate");

pub const DESTROY_ODDLY: Scenario = DESTROY.named("mtdestroy");
