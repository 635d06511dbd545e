//! What Terraform promises its users of a resource: that a plan is what comes of it, and that each of
//! its own ways to say what shall happen to a resource works on an application.

mod halfway;
mod meta_arguments;
mod options;
mod planned;

use serde_json::Value;

use super::{application, at, yearly};
use crate::support::servers;
use crate::support::terraform::Diagnostic;

/// A component with nothing to wait for, which says this in a variable of its environment.
fn part(name: &str, greeting: &str) -> String {
    let more = format!(
        "driver = \"raw_exec\"\n    command = [\"/bin/true\"]\n    env = {{ A = \"{greeting}\" }}"
    );
    yearly(name, &more)
}

/// The same, with an image.
fn image(name: &str, version: u64) -> String {
    yearly(name, &format!("image = \"example:{version}\""))
}

/// An application with a `lifecycle` block.
fn kept(name: &str, components: &str, lifecycle: &str) -> String {
    application(
        name,
        &format!("{components}\n  lifecycle {{\n    {lifecycle}\n  }}"),
    )
}

fn job(id: &str) -> Value {
    let job = servers().nomad.job("default", id);
    job.unwrap_or_else(|| panic!("there is no job {id}"))
}

/// What tells whether somebody has written a job.
fn index(id: &str) -> Value {
    job(id)["JobModifyIndex"].clone()
}

/// What tells one job from another that has had its ID.
fn created(id: &str) -> Value {
    job(id)["CreateIndex"].clone()
}

fn greeting(id: &str) -> Value {
    at(&job(id), "/TaskGroups/0/Tasks/0/Env/A").clone()
}

fn running_image(id: &str) -> Value {
    at(&job(id), "/TaskGroups/0/Tasks/0/Config/image").clone()
}

/// Somebody else deploys this image.
fn deploy(id: &str, image: &str) {
    servers().nomad.edit("default", id, |job| {
        job["TaskGroups"][0]["Tasks"][0]["Config"]["image"] = image.into();
    });
}

fn record(name: &str) -> Option<Value> {
    servers().consul.record("oam", "default", name)
}

fn text(errors: &[Diagnostic]) -> String {
    let all = errors.iter();
    all.map(|error| format!("{}\n{}\n", error.summary, error.detail))
        .collect()
}
