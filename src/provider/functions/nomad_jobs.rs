//! `nomad_jobs`: what a manifest becomes, without any server.

use super::{read, refused};
use crate::oam::{self, Path, Problem};
use crate::protocol::function::{Function, FunctionError, Parameter, Signature};
use crate::protocol::value::{Type, Value, dynamic};
use crate::store::DEFAULT_TENANT;
use crate::translate::{self, Target};

/// The function.
pub struct NomadJobs;

impl Function for NomadJobs {
    fn signature(&self) -> Signature {
        Signature {
            summary: "The Nomad jobs of a manifest".to_owned(),
            description: "Translates a portable OAM document to Nomad jobs, without any server: an \
                          object with the job of each component by the component's name, in the form \
                          of Nomad's JSON API. They are what `oam_application` would register, in the \
                          namespace of the document's tenant or `default`, without a region and for \
                          all datacenters. The scopes of the document must be written in it."
                .to_owned(),
            parameters: vec![Parameter::new(
                "manifest",
                Type::String,
                "A portable OAM document in YAML or JSON.",
            )],
            variadic: None,
            returns: Type::Dynamic,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let text = arguments
            .first()
            .and_then(Value::as_str)
            .unwrap_or_default();
        let manifest = read(text)?;
        let said = |problems: &[Problem]| {
            let faults: Vec<_> = problems
                .iter()
                .map(|problem| manifest.fault(problem))
                .collect();
            refused(&faults)
        };
        let elsewhere: Vec<_> = oam::references(&manifest.node)
            .into_iter()
            .enumerate()
            .map(|(index, id)| not_here(index, id))
            .collect();
        if !elsewhere.is_empty() {
            return Err(said(&elsewhere));
        }
        let application = oam::parse(&manifest.node).map_err(|problems| said(&problems))?;
        let target = Target {
            namespace: application
                .tenant
                .clone()
                .unwrap_or_else(|| DEFAULT_TENANT.to_owned()),
            datacenters: vec!["*".to_owned()],
            ..Target::default()
        };
        let mut jobs = serde_json::Map::new();
        for translation in translate::translate(&application, &target) {
            let job = serde_json::to_value(&translation.job);
            jobs.insert(
                translation.key(),
                job.map_err(|error| FunctionError::new(error.to_string()))?,
            );
        }
        dynamic::from_json(&jobs.into()).map_err(|error| FunctionError::new(error.to_string()))
    }
}

fn not_here(index: usize, id: &str) -> Problem {
    Problem::error(
        Path::default().field("scopes").index(index),
        format!("The scope {id:?} is not in the manifest"),
        "What it does to the jobs is said only where it is recorded, and no server is asked here. Write \
         its `properties` beside the `scopeRef`.",
    )
}
