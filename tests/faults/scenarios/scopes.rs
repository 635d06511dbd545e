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

pub const CREATE: Scenario = Scenario {
    name: "cs-create",
    guarded: false,
    shared: "",
    before: None,
    run: Step::Apply(FIRST),
    then: Step::Apply(FIRST),
    same_versions: true,
};

/// A creation that is asked for again as something else.
pub const OTHER: Scenario = Scenario {
    name: "cs-other",
    then: Step::Apply(SECOND),
    ..CREATE
};

pub const UPDATE: Scenario = Scenario {
    name: "cs-update",
    before: Some(FIRST),
    run: Step::Apply(SECOND),
    then: Step::Apply(SECOND),
    ..CREATE
};

/// An update that is given up half way for what was there before.
pub const BACK: Scenario = Scenario {
    name: "cs-back",
    then: Step::Apply(FIRST),
    ..UPDATE
};

pub const DESTROY: Scenario = Scenario {
    name: "cs-destroy",
    before: Some(FIRST),
    run: Step::Destroy,
    then: Step::Destroy,
    ..CREATE
};

/// The user thinks better of it.
pub const KEEP: Scenario = Scenario {
    name: "cs-keep",
    then: Step::Apply(SECOND),
    ..DESTROY
};
