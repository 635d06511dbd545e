//! The provider under the real Terraform (or OpenTofu), against the real Nomad and Consul.
//!
//! One module for each side of it. The tests share two servers, so each takes application names of
//! its own; a test that has to break something, or to set it up differently, starts its own servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod adoption;
mod applies;
mod clusters;
mod components;
mod configuration;
mod data_sources;
mod docker;
mod drift;
mod dry_run;
mod faults;
mod functions;
mod guarantees;
mod imports;
mod lifecycle;
mod manifests;
mod moves;
mod newer;
mod policies;
mod promotion;
mod quotas;
mod records;
mod revisions;
mod scopes;
mod secrets;
mod secure;
mod tenants;
mod traits;
mod upgrade;
mod validation;

use serde_json::Value;

/// The address of the application in every test's configuration.
const ADDRESS: &str = "oam_application.it";

/// An application with these components, under `oam_application.it`.
fn application(name: &str, components: &str) -> String {
    format!("resource \"oam_application\" \"it\" {{\n  name = \"{name}\"\n{components}\n}}\n")
}

/// A worker that idles in a plain process, with further arguments in its block.
fn worker(name: &str, more: &str) -> String {
    format!(
        r#"
  component "{name}" {{
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "100000"]
    {more}
  }}"#
    )
}

/// A component that is registered and never runs by itself, so that nothing has to be waited for.
fn yearly(name: &str, more: &str) -> String {
    format!(
        r#"
  component "{name}" {{
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    {more}
  }}"#
    )
}

/// The value at a JSON pointer, which has to be there.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value
        .pointer(pointer)
        .unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
}
