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

/// Four jobs: one that is deployed, and three that are only registered.
const FIRST: &str = r#"
resource "oam_application" "it" {
  EACH
  name   = "NAME"
  scopes = ["network/one"]

  component "web" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "100000"]
    env     = { A = "one" }
    update_strategy {
      min_healthy_time  = "0s"
      progress_deadline = "0s"
    }
  }
  component "same" {
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
  }
  component "kind" {
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
  }
  component "old" {
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
  }
}
"#;

/// One changed as it is, one the same but for its scope, one of another type, one gone, one new; all in
/// another network scope.
const SECOND: &str = r#"
resource "oam_application" "it" {
  EACH
  name   = "NAME"
  scopes = ["network/two"]

  component "web" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "100000"]
    env     = { A = "two" }
    update_strategy {
      min_healthy_time  = "0s"
      progress_deadline = "0s"
    }
  }
  component "same" {
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
  }
  component "kind" {
    type    = "task"
    driver  = "raw_exec"
    command = ["/bin/true"]
  }
  component "new" {
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
  }
}
"#;

/// Two jobs in one namespace.
const LEFT: &str = r#"
resource "oam_application" "it" {
  EACH
  name   = "NAME"
  scopes = ["namespace/left"]

  component "web" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "100000"]
    update_strategy {
      min_healthy_time  = "0s"
      progress_deadline = "0s"
    }
  }
  component "cron" {
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
  }
}
"#;

/// The same in another, and one changed.
const RIGHT: &str = r#"
resource "oam_application" "it" {
  EACH
  name   = "NAME"
  scopes = ["namespace/right"]

  component "web" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "100000"]
    env     = { A = "two" }
    update_strategy {
      min_healthy_time  = "0s"
      progress_deadline = "0s"
    }
  }
  component "cron" {
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
  }
}
"#;

pub const CREATE: Scenario = Scenario {
    name: "cx-create",
    guarded: false,
    shared: SHARED,
    before: None,
    run: Step::Apply(FIRST),
    then: Step::Apply(FIRST),
    same_versions: true,
};

pub const UPDATE: Scenario = Scenario {
    name: "cx-update",
    before: Some(FIRST),
    run: Step::Apply(SECOND),
    then: Step::Apply(SECOND),
    ..CREATE
};

/// A creation that is asked for again as something else, with components of other types.
pub const OTHER: Scenario = Scenario {
    name: "cx-other",
    then: Step::Apply(SECOND),
    same_versions: false,
    ..CREATE
};

/// The jobs go to another namespace.
pub const MOVE: Scenario = Scenario {
    name: "cx-move",
    before: Some(LEFT),
    run: Step::Apply(RIGHT),
    then: Step::Apply(RIGHT),
    ..CREATE
};

pub const DESTROY: Scenario = Scenario {
    name: "cx-destroy",
    before: Some(FIRST),
    run: Step::Destroy,
    then: Step::Destroy,
    ..CREATE
};

/// The user thinks better of it.
pub const KEEP: Scenario = Scenario {
    name: "cx-keep",
    before: Some(FIRST),
    run: Step::Destroy,
    then: Step::Apply(FIRST),
    same_versions: false,
    ..CREATE
};

/// An update that is given up half way for what was there before.
pub const BACK: Scenario = Scenario {
    name: "cx-back",
    before: Some(FIRST),
    run: Step::Apply(SECOND),
    then: Step::Apply(FIRST),
    same_versions: false,
    ..CREATE
};

pub const CREATE_ODDLY: Scenario = Scenario {
    name: "mx-create",
    ..CREATE
};

pub const UPDATE_ODDLY: Scenario = Scenario {
    name: "mx-update",
    ..UPDATE
};

pub const DESTROY_ODDLY: Scenario = Scenario {
    name: "mx-destroy",
    ..DESTROY
};
