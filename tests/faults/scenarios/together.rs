//! A tenant, scopes of its own and an application in them, in one configuration.

use super::Scenario;

const ONE: &str = r#"
resource "oam_tenant" "one" {
  EACH
  name         = "NAMEone"
  display_name = "One"
}
resource "oam_namespace_scope" "one" {
  EACH
  name      = "NAME-one"
  namespace = "${oam_tenant.oneINDEX.name}-one"
  create    = true
}
resource "oam_node_pool_scope" "one" {
  EACH
  name      = "NAME-one"
  pool_name = "NAME-one"
  create    = true
}
resource "oam_application" "one" {
  EACH
  name   = "NAME-one"
  tenant = oam_tenant.oneINDEX.name
  scopes = [oam_namespace_scope.oneINDEX.id, oam_node_pool_scope.oneINDEX.id]

  component "cron" {
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    image    = "example/report:1"
  }
}
"#;

/// The same under another name.
const TWO: &str = r#"
resource "oam_tenant" "two" {
  EACH
  name         = "NAMEtwo"
  display_name = "Two"
}
resource "oam_namespace_scope" "two" {
  EACH
  name      = "NAME-two"
  namespace = "${oam_tenant.twoINDEX.name}-two"
  create    = true
}
resource "oam_node_pool_scope" "two" {
  EACH
  name      = "NAME-two"
  pool_name = "NAME-two"
  create    = true
}
resource "oam_application" "two" {
  EACH
  name   = "NAME-two"
  tenant = oam_tenant.twoINDEX.name
  scopes = [oam_namespace_scope.twoINDEX.id, oam_node_pool_scope.twoINDEX.id]

  component "cron" {
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    image    = "example/report:1"
  }
}
"#;

pub const CREATE: Scenario = Scenario::creates("cacreate", ONE).guarded();

/// All of it is removed, and all of it is made under other names, in one apply.
pub const SWAP: Scenario = Scenario::updates("caswap", ONE, TWO).guarded();

pub const DESTROY: Scenario = Scenario::destroys("cadestroy", ONE).guarded();
