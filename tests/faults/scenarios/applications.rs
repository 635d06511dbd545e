//! Applications: jobs that are registered, deployed, moved and purged.

use super::{Scenario, Step};

/// What all applications share: the scopes that they are in.
const SHARED: &str = r#"
resource "oam_network_scope" "one" {
  name         = "one"
  network_mode = "host"
}
resource "oam_network_scope" "two" {
  name         = "two"
  network_mode = "host"
  dns_servers  = ["127.0.0.53"]
}
resource "oam_namespace_scope" "left" {
  name      = "left"
  namespace = "PREFIX-left"
  create    = true
}
resource "oam_namespace_scope" "right" {
  name      = "right"
  namespace = "PREFIX-right"
  create    = true
}
"#;

/// A job that is deployed, and says in its environment in which form it is.
macro_rules! deployed {
    ($form:literal) => {
        concat!(
            r#"
  component "web" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "100000"]
    env     = { A = ""#,
            $form,
            r#"" }
    update_strategy {
      min_healthy_time  = "0s"
      progress_deadline = "0s"
    }
  }
"#
        )
    };
}

/// A job that is only registered: its time comes once a year.
macro_rules! registered {
    ($name:literal) => {
        concat!(
            r#"
  component ""#,
            $name,
            r#"" {
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
  }
"#
        )
    };
}

/// An application in a scope, with these components.
macro_rules! application {
    ($scope:literal, $($component:expr),+) => {
        concat!(
            r#"
resource "oam_application" "it" {
  EACH
  name   = "NAME"
  scopes = [""#,
            $scope,
            r#""]
"#,
            $($component),+,
            "}\n"
        )
    };
}

/// Four jobs: one that is deployed, and three that are only registered.
const FIRST: &str = application!(
    "network/one",
    deployed!("one"),
    registered!("same"),
    registered!("kind"),
    registered!("old")
);

/// One changed as it is, one the same but for its scope, one of another type, one gone, one new; all in
/// another network scope.
const SECOND: &str = application!(
    "network/two",
    deployed!("two"),
    registered!("same"),
    r#"
  component "kind" {
    type    = "task"
    driver  = "raw_exec"
    command = ["/bin/true"]
  }
"#,
    registered!("new")
);

/// Two jobs in one namespace.
const LEFT: &str = application!("namespace/left", deployed!("one"), registered!("cron"));

/// The same in another, and one changed.
const RIGHT: &str = application!("namespace/right", deployed!("two"), registered!("cron"));

pub const CREATE: Scenario = Scenario::creates("cx-create", FIRST).sharing(SHARED);

pub const UPDATE: Scenario = Scenario::updates("cx-update", FIRST, SECOND).sharing(SHARED);

/// The jobs go to another namespace.
pub const MOVE: Scenario = Scenario::updates("cx-move", LEFT, RIGHT).sharing(SHARED);

pub const DESTROY: Scenario = Scenario::destroys("cx-destroy", FIRST).sharing(SHARED);

/// A creation that is asked for again as something else, with components of other types.
pub const OTHER: Scenario = CREATE.then("cx-other", Step::Apply(SECOND));

/// An update that is given up half way for what was there before.
pub const BACK: Scenario = UPDATE.then("cx-back", Step::Apply(FIRST));

/// The user thinks better of it.
pub const KEEP: Scenario = DESTROY.then("cx-keep", Step::Apply(FIRST));

pub const CREATE_ODDLY: Scenario = CREATE.named("mx-create");

pub const UPDATE_ODDLY: Scenario = UPDATE.named("mx-update");

pub const DESTROY_ODDLY: Scenario = DESTROY.named("mx-destroy");
