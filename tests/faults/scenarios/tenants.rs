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

pub const CREATE: Scenario = Scenario {
    name: "ctcreate",
    guarded: true,
    shared: "",
    before: None,
    run: Step::Apply(FIRST),
    then: Step::Apply(FIRST),
    same_versions: true,
};

/// A creation that is asked for again as something else.
pub const OTHER: Scenario = Scenario {
    name: "ctother",
    then: Step::Apply(SECOND),
    ..CREATE
};

pub const UPDATE: Scenario = Scenario {
    name: "ctupdate",
    before: Some(FIRST),
    run: Step::Apply(SECOND),
    then: Step::Apply(SECOND),
    ..CREATE
};

/// An update that is given up half way for what was there before.
pub const BACK: Scenario = Scenario {
    name: "ctback",
    then: Step::Apply(FIRST),
    ..UPDATE
};

/// An update that is given up half way, and the tenant with it.
pub const END: Scenario = Scenario {
    name: "ctend",
    then: Step::Destroy,
    ..UPDATE
};

pub const DESTROY: Scenario = Scenario {
    name: "ctdestroy",
    before: Some(FIRST),
    run: Step::Destroy,
    then: Step::Destroy,
    ..CREATE
};

/// The user thinks better of it.
pub const KEEP: Scenario = Scenario {
    name: "ctkeep",
    then: Step::Apply(SECOND),
    ..DESTROY
};
