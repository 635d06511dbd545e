//! What a job is run with: what a tenant may limit.

use std::collections::BTreeMap;

use super::admission::PROXY_DRIVER;
use crate::nomad::job::{Job, TaskGroup};
use crate::tenants::{Limit, Limits};

/// The mode of a group without a `network` block, and of one that names none.
const HOST: &str = "host";

/// Something that a job is run with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Means {
    /// Which kind of thing.
    pub limit: Limit,
    /// Its name, such as `docker` or `bridge`.
    pub name: String,
    /// What needs it.
    pub user: User,
}

/// What needs something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    /// The task of this name.
    Task(String),
    /// A proxy that Nomad runs for the mesh.
    Proxy,
    /// The tasks of an instance together.
    Instance,
}

/// What a job is run with, in order.
///
/// A group without a `network` block is in the network of its node, and so counts as being in the mode
/// `host`. Nomad itself looks only at the blocks that there are.
pub fn means(job: &Job) -> Vec<Means> {
    let all = job.task_groups.iter().flat_map(of_group);
    let mut all: Vec<_> = all.collect();
    all.sort();
    all.dedup();
    all
}

/// What a job is run with and may not be.
pub fn not_allowed(job: &Job, limits: &Limits) -> Vec<Means> {
    let mut all = means(job);
    all.retain(|it| !limits.allow(it.limit, &it.name));
    all
}

/// The names of these, each once, by what they are the names of.
pub fn by_limit<'a>(means: impl IntoIterator<Item = &'a Means>) -> BTreeMap<Limit, Vec<&'a str>> {
    let mut all: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for it in means {
        let names = all.entry(it.limit).or_default();
        if !names.contains(&it.name.as_str()) {
            names.push(&it.name);
        }
    }
    all
}

fn of_group(group: &TaskGroup) -> Vec<Means> {
    let driver = |name: &str, user| Means {
        limit: Limit::TaskDrivers,
        name: name.to_owned(),
        user,
    };
    let tasks = group.tasks.iter();
    let tasks = tasks.map(|task| driver(&task.driver, User::Task(task.name.clone())));
    let proxies = group.proxies().map(|_| driver(PROXY_DRIVER, User::Proxy));
    let mut modes: Vec<_> = group
        .networks
        .iter()
        .map(|network| network.mode.as_deref().unwrap_or(HOST))
        .collect();
    if modes.is_empty() {
        modes.push(HOST);
    }
    let modes = modes.into_iter().map(|mode| Means {
        limit: Limit::NetworkModes,
        name: mode.to_owned(),
        user: User::Instance,
    });
    tasks.chain(proxies).chain(modes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomad::job::{Connect, Network, Service, SidecarService, Task};

    fn task(name: &str, driver: &str) -> Task {
        Task {
            name: name.to_owned(),
            driver: driver.to_owned(),
            ..Task::default()
        }
    }

    fn group(tasks: &[&Task], mode: Option<&str>, in_mesh: bool) -> TaskGroup {
        let network = Network {
            mode: mode.filter(|mode| *mode != "-").map(str::to_owned),
            ..Network::default()
        };
        let connect = Connect {
            sidecar_service: Some(SidecarService::default()),
            ..Connect::default()
        };
        let service = Service {
            connect: Some(connect),
            ..Service::default()
        };
        TaskGroup {
            tasks: tasks.iter().copied().cloned().collect(),
            networks: mode.map(|_| network).into_iter().collect(),
            services: in_mesh.then_some(service).into_iter().collect(),
            ..TaskGroup::default()
        }
    }

    #[test]
    fn what_a_tenant_does_not_allow_is_found() {
        let only = |names: &[&str]| Some(names.iter().map(|it| (*it).to_owned()).collect());
        let (web, log) = (task("web", "exec"), task("log", "docker"));
        let task_of = |name: &str| User::Task(name.to_owned());
        type Row = (
            &'static [&'static str],
            &'static [&'static str],
            TaskGroup,
            Vec<(&'static str, User)>,
        );
        let rows: [Row; 8] = [
            (&["exec"], &["host"], group(&[&web], None, false), vec![]),
            (
                &["exec"],
                &["host"],
                group(&[&web], Some("-"), false),
                vec![],
            ),
            (
                &["docker"],
                &["bridge"],
                group(&[&web], None, false),
                vec![("host", User::Instance), ("exec", task_of("web"))],
            ),
            (
                &["exec"],
                &["bridge"],
                group(&[&web], Some("-"), false),
                vec![("host", User::Instance)],
            ),
            (
                &["exec"],
                &["bridge"],
                group(&[&web, &log], Some("bridge"), false),
                vec![("docker", task_of("log"))],
            ),
            (
                &["exec"],
                &["bridge"],
                group(&[&web], Some("bridge"), true),
                vec![("docker", User::Proxy)],
            ),
            (
                &["exec", "docker"],
                &["bridge"],
                group(&[&web, &log], Some("bridge"), true),
                vec![],
            ),
            (
                &["exec"],
                &["bridge", "cni/blue"],
                group(&[&web], Some("cni/red"), false),
                vec![("cni/red", User::Instance)],
            ),
        ];
        for (drivers, modes, group, expected) in rows {
            let limits = Limits {
                task_drivers: only(drivers),
                network_modes: only(modes),
            };
            let job = Job {
                task_groups: vec![group],
                ..Job::default()
            };
            let found = not_allowed(&job, &limits);
            let told: Vec<_> = found
                .iter()
                .map(|it| (it.name.as_str(), it.user.clone()))
                .collect();
            assert_eq!(told, expected, "{drivers:?} {modes:?}");
            assert!(not_allowed(&job, &Limits::default()).is_empty());
        }
    }
}
