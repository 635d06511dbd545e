//! Nodes, as far as it matters on how many of them a job runs that runs on every node.
//!
//! Source: <https://developer.hashicorp.com/nomad/api-docs/nodes#list-nodes>.

use serde::Deserialize;

use super::Client;
use super::job::Job;
use crate::http::{Error, Request};

/// A node, as in the list of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Node {
    /// `ready`, `down`, `disconnected` or `initializing`.
    pub status: String,
    /// Its datacenter.
    pub datacenter: String,
    /// Its node pool.
    #[serde(default)]
    pub node_pool: String,
}

impl Node {
    /// Whether a job can have an instance here, as far as the node's pool and datacenter tell. Whether
    /// it is drained, and what constraints say, does not matter.
    pub fn takes(&self, job: &Job) -> bool {
        // On the community build every namespace has the default pool.
        let pool = job.node_pool.as_deref().unwrap_or("default");
        let in_pool = pool == "all" || pool == self.node_pool;
        let mut datacenters = job.datacenters.iter();
        self.status == "ready"
            && in_pool
            && datacenters.any(|pattern| matches(pattern, &self.datacenter))
    }
}

impl Client {
    /// All nodes of the region. Needs `node:read`.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn nodes(&self) -> Result<Vec<Node>, Error> {
        let request = self.in_region(Request::get(&["nodes"]));
        self.send(request).await?.json()
    }
}

/// Whether a text is like a pattern in which `*` stands for anything (`glob.Glob` in
/// `ryanuber/go-glob`, with which Nomad compares datacenters).
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<_> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn patterns() {
        let like = |pattern: &str| {
            let all = ["", "dc1", "dc2", "eu-dc1", "dc1-x", "eu-west-dc1-x"];
            let mut like = all.into_iter().filter(|text| matches(pattern, text));
            (like.next(), like.count())
        };
        assert_eq!(like("*"), (Some(""), 5));
        assert_eq!(like("dc1"), (Some("dc1"), 0));
        assert_eq!(like("dc*"), (Some("dc1"), 2));
        assert_eq!(like("*dc1"), (Some("dc1"), 1));
        assert_eq!(like("*-*"), (Some("eu-dc1"), 2));
        assert_eq!(like("eu*dc1*x"), (Some("eu-west-dc1-x"), 0));
        assert_eq!(like("dc1*dc1"), (None, 0));
        assert_eq!(like("**"), (Some(""), 5));
    }

    #[test]
    fn a_node_takes_what_is_for_its_pool_and_datacenter() {
        let node = |status: &str, datacenter: &str, node_pool: &str| Node {
            status: status.to_owned(),
            datacenter: datacenter.to_owned(),
            node_pool: node_pool.to_owned(),
        };
        let job = |datacenters: &[&str], node_pool: Option<&str>| Job {
            datacenters: datacenters.iter().map(|it| (*it).to_owned()).collect(),
            node_pool: node_pool.map(str::to_owned),
            ..Job::default()
        };
        let ready = node("ready", "dc1", "default");
        for (node, job, takes) in [
            (&ready, job(&["*"], None), true),
            (&ready, job(&["*"], Some("all")), true),
            (&ready, job(&["*"], Some("gpu")), false),
            (&ready, job(&["dc2", "dc1"], Some("default")), true),
            (&ready, job(&["dc2"], None), false),
            (&ready, job(&[], None), false),
            (&node("down", "dc1", "default"), job(&["*"], None), false),
            (&node("ready", "dc1", "gpu"), job(&["*"], None), false),
            (&node("ready", "dc1", "gpu"), job(&["*"], Some("gpu")), true),
        ] {
            assert_eq!(node.takes(&job), takes, "{node:?} {job:?}");
        }
    }
}
