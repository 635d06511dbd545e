//! The three scope resources and their data sources, alone and with the applications in them.
//!
//! Each test has a key prefix of its own, since the removal of a scope looks at all applications under
//! it. Its applications have cron jobs, which are registered and never placed.

mod crashes;
mod objects;
mod references;
mod usage;

use serde_json::Value;

use super::{application, at, yearly};
use crate::support::terraform::{Diagnostic, provider_block};
use crate::support::{Workspace, servers};

const IT: &str = "oam_application.it";

/// A workspace whose records are under this prefix.
fn workspace(prefix: &str, configuration: &str) -> Workspace {
    let work = Workspace::bare(configuration);
    work.write("provider.tf", &provider_block(servers(), prefix));
    work
}

/// A scope resource, `oam_<kind>_scope.<name>`.
fn scope(kind: &str, name: &str, fields: &str) -> String {
    format!("resource \"oam_{kind}_scope\" \"{name}\" {{\n  name = \"{name}\"\n  {fields}\n}}\n")
}

/// An application with one cron job, which refers to these scopes.
fn in_scopes(name: &str, references: &str) -> String {
    let job = yearly("job", "image = \"example/report:1\"");
    application(name, &format!("  scopes = [{references}]\n{job}"))
}

/// The record of a scope.
fn record(prefix: &str, id: &str) -> Option<Value> {
    let (text, _) = servers().consul.key(&format!("{prefix}/scopes/{id}"))?;
    Some(serde_json::from_str(&text).unwrap())
}

fn namespace(name: &str) -> Option<Value> {
    servers().nomad.find(&format!("/v1/namespace/{name}"))
}

fn pool(name: &str) -> Option<Value> {
    servers().nomad.find(&format!("/v1/node/pool/{name}"))
}

fn text(errors: &[Diagnostic]) -> String {
    let all = errors.iter();
    all.map(|error| format!("{}\n{}\n{}\n", error.summary, error.detail, error.code))
        .collect()
}
