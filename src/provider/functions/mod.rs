//! The provider's functions, one file each. They are pure, and work without a provider block.

mod manifest;
mod nomad_jobs;
mod parse_manifest;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::oam::manifest::{Fault, Manifest};
use crate::oam::{self, Problem, Severity};
use crate::protocol::function::{Function, FunctionError};

/// Every function, by its name.
pub fn all() -> Vec<(&'static str, Arc<dyn Function>)> {
    vec![
        ("manifest", Arc::new(manifest::ToManifest)),
        ("nomad_jobs", Arc::new(nomad_jobs::NomadJobs)),
        ("parse_manifest", Arc::new(parse_manifest::ParseManifest)),
        ("schema", Arc::new(schema::JsonSchema)),
    ]
}

/// Reads a manifest, the first argument, and checks the application in it.
fn read(text: &str) -> Result<Manifest, FunctionError> {
    let manifest = oam::manifest::read(text).map_err(|faults| refused(&faults))?;
    let problems = oam::validate(&manifest.node);
    let errors = problems.iter().filter(|it| it.severity == Severity::Error);
    let faults: Vec<_> = errors.map(|problem| manifest.fault(problem)).collect();
    match faults.is_empty() {
        true => Ok(manifest),
        false => Err(refused(&faults)),
    }
}

/// The faults of a manifest, the first argument.
fn refused(faults: &[Fault]) -> FunctionError {
    let said = faults.iter().map(|fault| {
        let place = match fault.place.as_str() {
            "" => String::new(),
            place => format!(", at `{place}`"),
        };
        format!(
            "{}{place}: {}. {}",
            fault.location, fault.summary, fault.detail
        )
    });
    listed(said.collect())
}

/// The problems of an application in the shape of the HCL, the first argument.
fn problems(problems: &[Problem]) -> FunctionError {
    let said = problems.iter().map(|problem| {
        let place = match problem.path.0.is_empty() {
            true => String::new(),
            false => format!("`{}`: ", problem.path),
        };
        format!("{place}{}. {}", problem.summary, problem.detail)
    });
    listed(said.collect())
}

/// One thing in a sentence, several in lines.
fn listed(said: Vec<String>) -> FunctionError {
    let text = match said.as_slice() {
        [one] => one.clone(),
        several => format!("\n- {}", several.join("\n- ")),
    };
    FunctionError::new(text).at(0)
}
