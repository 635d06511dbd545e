//! Scopes: one of each kind, with what it makes in Nomad.

use super::{Scenario, Step};

const FIRST: &str = r#"
resource "oam_namespace_scope" "it" {
  EACH
  name        = "NAME"
  namespace   = "NAME-one"
  create      = true
  description = "First"
}
resource "oam_node_pool_scope" "it" {
  EACH
  name        = "NAME"
  pool_name   = "NAME-one"
  create      = true
  description = "First"
}
resource "oam_network_scope" "it" {
  EACH
  name         = "NAME"
  network_mode = "host"
}
"#;

/// The namespace is another one, the node pool is described in other words, the network has other servers.
const SECOND: &str = r#"
resource "oam_namespace_scope" "it" {
  EACH
  name        = "NAME"
  namespace   = "NAME-two"
  create      = true
  description = "Second"
}
resource "oam_node_pool_scope" "it" {
  EACH
  name        = "NAME"
  pool_name   = "NAME-one"
  create      = true
  description = "Second"
}
resource "oam_network_scope" "it" {
  EACH
  name         = "NAME"
  network_mode = "host"
  dns_servers  = ["127.0.0.53"]
}
"#;

pub const CREATE: Scenario = Scenario::creates("cs-create", FIRST);

pub const UPDATE: Scenario = Scenario::updates("cs-update", FIRST, SECOND);

pub const DESTROY: Scenario = Scenario::destroys("cs-destroy", FIRST);

/// A creation that is asked for again as something else.
pub const OTHER: Scenario = CREATE.then("cs-other", Step::Apply(SECOND));

/// An update that is given up half way for what was there before.
pub const BACK: Scenario = UPDATE.then("cs-back", Step::Apply(FIRST));

/// The user thinks better of it.
pub const KEEP: Scenario = DESTROY.then("cs-keep", Step::Apply(SECOND));

pub const CREATE_ODDLY: Scenario = CREATE.named("ms-create");

pub const UPDATE_ODDLY: Scenario = UPDATE.named("ms-update");

pub const DESTROY_ODDLY: Scenario = DESTROY.named("ms-destroy");
