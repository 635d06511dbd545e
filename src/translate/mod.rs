//! From the model to Nomad jobs: pure, and the same for plan, apply and refresh.
//!
//! A component becomes a job with one task group, named alike, in which its program, its containers
//! and its sidecars are the tasks. In several clusters it is several jobs. Beside each job stand its
//! [`Origin`]s: which attribute a job field came from, and how a live value becomes a
//! value of that attribute. [`drift`] compares with them.

mod admission;
mod draft;
pub mod drift;
mod means;
mod origin;
mod task;
mod usage;

use std::collections::BTreeMap;

use crate::nomad::job::Job;
use crate::oam::{Application, Component, ComponentType, Node, Path, Problem};
use crate::traits;

pub use draft::{Draft, Mesh, service};
pub use means::{Means, User, by_limit, not_allowed};
pub use origin::{Inverse, Origin, item_name};
pub use task::{Program, secret_field};
pub use usage::{instances, usage, usage_of_instance, usage_of_job};

/// The key in a job's meta that says which application it belongs to.
pub const META_APPLICATION: &str = "oam.application";
/// The key in a job's meta that says which component it is of.
pub const META_COMPONENT: &str = "oam.component";

/// Where the jobs are to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Nomad's namespace.
    pub namespace: String,
    /// Nomad's region, where it is not the agent's own.
    pub region: Option<String>,
    /// Datacenters, or patterns of them.
    pub datacenters: Vec<String>,
    /// The role with which tasks that use Vault log in there, where it is not the one of Nomad's
    /// configuration.
    pub vault_role: Option<String>,
    /// The namespace of Consul that the jobs' services are in and their tasks read, where it is not the
    /// one of Nomad's configuration.
    pub consul_namespace: Option<String>,
    /// The whole path of the namespace of Vault that tasks log in to, where it is not the one of Nomad's
    /// configuration.
    pub vault_namespace: Option<String>,
    /// Further clusters by name, which components may name.
    pub clusters: BTreeMap<String, Place>,
}

/// One of several clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Nomad's region, where it is not the agent's own.
    pub region: Option<String>,
    /// Datacenters, or patterns of them.
    pub datacenters: Vec<String>,
}

/// The job of a component.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// The component's name.
    pub component: String,
    /// The cluster it is in, where that is not the provider's own.
    pub cluster: Option<String>,
    /// Its job.
    pub job: Job,
    /// Where the job's fields came from.
    pub origins: Vec<Origin>,
}

impl Translation {
    /// What tells the jobs of an application apart: the component, and `@` and the cluster where it is
    /// in one.
    pub fn key(&self) -> String {
        job_key(&self.component, self.cluster.as_deref())
    }
}

/// As of [`Translation::key`].
pub fn job_key(component: &str, cluster: Option<&str>) -> String {
    match cluster {
        Some(cluster) => format!("{component}@{cluster}"),
        None => component.to_owned(),
    }
}

/// The component and the cluster of a key.
pub fn split_key(key: &str) -> (&str, Option<&str>) {
    match key.split_once('@') {
        Some((component, cluster)) => (component, Some(cluster)),
        None => (key, None),
    }
}

/// The jobs of an application, in the order of its components and of their clusters.
///
/// A component that names a cluster that the target has not gets no job there: [`unknown_clusters`]
/// tells.
pub fn translate(application: &Application, target: &Target) -> Vec<Translation> {
    let components = application.components.iter();
    components
        .flat_map(|(name, component)| translate_component(application, name, component, target))
        .collect()
}

/// The jobs of one component: one, or one in each of its clusters.
pub fn translate_component(
    application: &Application,
    name: &str,
    component: &Component,
    target: &Target,
) -> Vec<Translation> {
    let wanted = &component.spec.target_clusters;
    if target.clusters.is_empty() || wanted.is_empty() {
        let mut home = target.clone();
        if !wanted.is_empty() {
            home.datacenters.clone_from(wanted);
        }
        return vec![job(application, name, component, &home, None)];
    }
    let known = wanted
        .iter()
        .filter_map(|cluster| target.clusters.get_key_value(cluster));
    let jobs: BTreeMap<_, _> = known
        .map(|(cluster, place)| {
            let there = Target {
                region: place.region.clone(),
                datacenters: place.datacenters.clone(),
                clusters: BTreeMap::new(),
                ..target.clone()
            };
            let job = job(application, name, component, &there, Some(cluster));
            (cluster, job)
        })
        .collect();
    jobs.into_values().collect()
}

/// Where components name clusters that the target has not, each with the path of the name.
pub fn unknown_clusters(application: &Node, target: &Target) -> Vec<Problem> {
    let mut problems = Vec::new();
    if target.clusters.is_empty() {
        return problems;
    }
    let known: Vec<_> = target
        .clusters
        .keys()
        .map(|name| format!("`{name}`"))
        .collect();
    let components = application.get("component").as_map();
    for (name, component) in components.into_iter().flatten() {
        let Node::List(wanted) = component.get("target_clusters") else {
            continue;
        };
        for (index, cluster) in wanted.iter().enumerate() {
            let Some(cluster) = cluster.as_str() else {
                continue;
            };
            if !target.clusters.contains_key(cluster) {
                problems.push(Problem::error(
                    Path::component(name).field("target_clusters").index(index),
                    format!("Unknown cluster {cluster:?}"),
                    format!(
                        "The provider block has the clusters {}. Name one of them, or add a `cluster` \
                         block.",
                        known.join(", ")
                    ),
                ));
            }
        }
    }
    problems
}

fn job(
    application: &Application,
    name: &str,
    component: &Component,
    target: &Target,
    cluster: Option<&str>,
) -> Translation {
    let mut draft = Draft::new(application, name, &component.spec, target);
    for scope in &application.scopes {
        scope.translate(&mut draft);
    }
    if !component.spec.target_clusters.is_empty() {
        // What the component says goes before what its node pool scope says.
        draft.job.datacenters.clone_from(&target.datacenters);
    }
    draft.component();
    for one in &component.traits {
        one.translate(&mut draft);
    }
    for definition in traits::ALL {
        if definition.applies_to.contains(&component.spec.kind) {
            (definition.unset)(&mut draft);
        }
    }
    draft.finish(cluster)
}

/// Nomad's type of job for a type of component.
pub fn job_type(component_type: &str) -> Option<&'static str> {
    ComponentType::from_name(component_type).map(draft::nomad_type)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;

    /// A component with a service, a secret and a key, and a sidecar with neither.
    fn translated(target: &Target) -> serde_json::Value {
        let application = json!({ "name": "shop", "tenant": "acme", "component": { "web": {
            "type": "webservice",
            "image": "a:1",
            "port": { "http": { "port": 80 } },
            "service_discovery": {},
            "env_from": {
                "A": { "vault_secret": { "path": "secret/data/acme/db", "field": "a" } },
                "B": { "consul_key": { "key": "acme/b" } },
            },
            "sidecar": { "log": { "image": "b:1" } },
            "target_clusters": ["east"],
        } } });
        let application = crate::oam::parse(&Node::from(&application)).unwrap();
        let translated = translate(&application, target);
        serde_json::to_value(&translated[0].job).unwrap()
    }

    #[test]
    fn the_jobs_of_a_tenant_name_its_namespaces() {
        let target = Target {
            consul_namespace: Some("acme".to_owned()),
            vault_namespace: Some("platform/acme".to_owned()),
            clusters: [("east".to_owned(), Place::default())].into(),
            ..Target::default()
        };
        let group = &translated(&target)["TaskGroups"][0];
        assert_eq!(group["Consul"], json!({ "Namespace": "acme" }));
        let task = &group["Tasks"][0];
        // A task with a block of its own does not take its group's.
        assert_eq!(task["Consul"], json!({ "Namespace": "acme" }));
        assert_eq!(task["Vault"], json!({ "Namespace": "platform/acme" }));
        let sidecar = &group["Tasks"][1];
        assert_eq!((sidecar.get("Consul"), sidecar.get("Vault")), (None, None));

        let without = Target {
            consul_namespace: None,
            vault_namespace: None,
            ..target
        };
        let group = &translated(&without)["TaskGroups"][0];
        assert_eq!(group.get("Consul"), None);
        assert_eq!(group["Tasks"][0]["Consul"], json!({}));
        assert_eq!(group["Tasks"][0]["Vault"], json!({}));
    }
}
