//! What a job takes of its tenant's quotas.
//!
//! It is the most that the job may have at one time: with as many instances as an autoscaler may make,
//! the canaries of an update beside them, and the proxies that Nomad adds for the mesh.

use super::Translation;
use super::admission::PROXY;
use crate::nomad::job::{Job, Task, TaskGroup};
use crate::tenants::Usage;

/// What Nomad gives to a task that asks for nothing (`DefaultResources` in its
/// `nomad/structs/structs.go`).
const USUAL: Usage = Usage {
    jobs: 0,
    cpu_mhz: 100,
    memory_mb: 300,
};

/// What the jobs of an application take together. `nodes` tells on how many nodes one that runs on
/// every node does.
pub fn usage(translations: &[Translation], nodes: impl Fn(&Translation) -> u64) -> Usage {
    let each = translations
        .iter()
        .map(|it| usage_of_job(&it.job, || nodes(it)));
    each.sum()
}

/// What a job takes. `nodes` is asked only of a job that runs on every node.
pub fn usage_of_job(job: &Job, nodes: impl Fn() -> u64) -> Usage {
    let groups = job.task_groups.iter().map(|group| {
        let instances = match job.job_type.as_str() {
            "system" => nodes(),
            _ => instances(group),
        };
        usage_of_instance(group).times(instances)
    });
    Usage {
        jobs: 1,
        ..groups.sum()
    }
}

/// What one instance of a group takes: all of its tasks, whether they run beside or after each other.
pub fn usage_of_instance(group: &TaskGroup) -> Usage {
    let proxies = group.proxies().map(|_| PROXY);
    group.tasks.iter().map(usage_of_task).chain(proxies).sum()
}

/// The most instances of a group at one time, of a job that does not run on every node. Canaries run
/// beside all the others; a rolling update replaces them.
pub fn instances(group: &TaskGroup) -> u64 {
    let scaled = group.scaling.as_ref().map_or(0, |scaling| scaling.max);
    let canaries = group.update.as_ref().and_then(|update| update.canary);
    let instances = group.count.max(scaled);
    instances.saturating_add(canaries.unwrap_or_default())
}

fn usage_of_task(task: &Task) -> Usage {
    let wanted = task.resources.clone().unwrap_or_default();
    Usage {
        jobs: 0,
        cpu_mhz: wanted.cpu.unwrap_or(USUAL.cpu_mhz),
        memory_mb: wanted.memory_mb.unwrap_or(USUAL.memory_mb),
    }
}

#[cfg(test)]
mod tests;
