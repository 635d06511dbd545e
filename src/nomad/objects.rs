//! Namespaces and node pools: what scopes make in Nomad.
//!
//! Nomad has no check-and-set for either, and its write is one for new and old alike. So what is
//! made here carries its [`Owner`] in its meta, and callers ask [`owner`] before they change or
//! delete anything; the lock on the scope's record keeps the provider's own processes apart.
//!
//! Sources: <https://developer.hashicorp.com/nomad/api-docs/namespaces>, `/node-pools` beside it, and
//! Nomad's `command/agent/{namespace,node_pool}_endpoint.go` and
//! `nomad/{namespace,node_pool}_endpoint.go`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::{found, or_empty};
use super::{Capability, Client};
use crate::http::{Error, Kind, Repeat, Request, found_out};

/// The meta key of the scope that made an object: its ID, such as `namespace/team`.
pub const META_SCOPE: &str = "oam.scope";

/// The meta key of the Consul key prefix under which that scope's record is.
pub const META_PREFIX: &str = "oam.prefix";

/// A Nomad namespace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Namespace {
    /// 1 to 128 letters, digits and hyphens.
    pub name: String,
    /// At most 256 bytes.
    #[serde(default)]
    pub description: String,
    /// Anything.
    #[serde(default, deserialize_with = "or_empty")]
    pub meta: BTreeMap<String, String>,
    /// The quota's name, on Enterprise; empty for none.
    #[serde(default)]
    pub quota: String,
    /// What the provider does not know: it is written back as it was read, since a write replaces
    /// the whole namespace.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A Nomad node pool.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodePool {
    /// 1 to 128 letters, digits, hyphens and underscores. `all` and `default` are Nomad's own.
    pub name: String,
    /// At most 256 bytes.
    #[serde(default)]
    pub description: String,
    /// Anything.
    #[serde(default, deserialize_with = "or_empty")]
    pub meta: BTreeMap<String, String>,
    /// What the provider does not know, as in [`Namespace::rest`].
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The scope that made an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The scope's ID, such as `node-pool/gpu`.
    pub scope: String,
    /// The Consul key prefix of its record.
    pub prefix: String,
}

impl Owner {
    /// Writes itself into the meta of an object.
    pub fn mark(&self, meta: &mut BTreeMap<String, String>) {
        meta.insert(META_SCOPE.to_owned(), self.scope.clone());
        meta.insert(META_PREFIX.to_owned(), self.prefix.clone());
    }

    /// Whether an object with this meta was made by this scope.
    pub fn made(&self, meta: &BTreeMap<String, String>) -> bool {
        owner(meta).as_ref() == Some(self)
    }
}

/// Such as `the scope node-pool/gpu (Consul key prefix oam)`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, prefix } = self;
        write!(f, "the scope {scope} (Consul key prefix {prefix})")
    }
}

/// The scope that made the object with this meta; `None` where it was made by others.
pub fn owner(meta: &BTreeMap<String, String>) -> Option<Owner> {
    Some(Owner {
        scope: meta.get(META_SCOPE)?.clone(),
        prefix: meta.get(META_PREFIX)?.clone(),
    })
}

/// What became of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Done,
    /// There was none.
    Absent,
    /// It is still there, because something is in it; Nomad's words.
    NotEmpty(String),
}

/// What namespaces and node pools have in common.
trait Object: Serialize + DeserializeOwned {
    /// Its path, but for the name.
    const PATH: &'static [&'static str];

    /// Nomad's words for why it is not deleted.
    const NOT_EMPTY: &'static [&'static str];

    fn name(&self) -> &str;

    /// Whether the two are the same in what the provider knows.
    fn same(&self, other: &Self) -> bool;

    /// Nomad's words for one that is not there to be deleted.
    fn not_found(name: &str) -> String;
}

impl Object for Namespace {
    const PATH: &'static [&'static str] = &["namespace"];

    // `DeleteNamespaces` in Nomad's `nomad/namespace_endpoint.go`, and that in its
    // `nomad/state/state_store.go` for what came in between.
    const NOT_EMPTY: &'static [&'static str] = &[
        "has non-terminal jobs",
        "has non-terminal allocations",
        "has volumes associated",
        "has variables associated",
        "has quotas associated",
        "contains at least one",
    ];

    fn name(&self) -> &str {
        &self.name
    }

    fn same(&self, other: &Self) -> bool {
        let known = |it: &Self| Self {
            rest: Map::new(),
            ..it.clone()
        };
        let mut capabilities = Capability::ALL.into_iter();
        known(self) == known(other) && capabilities.all(|it| self.enabled(it) == other.enabled(it))
    }

    fn not_found(_: &str) -> String {
        "namespace not found".to_owned()
    }
}

impl Object for NodePool {
    const PATH: &'static [&'static str] = &["node", "pool"];

    // `DeleteNodePools` in Nomad's `nomad/node_pool_endpoint.go`.
    const NOT_EMPTY: &'static [&'static str] = &["has non-terminal jobs", "has nodes in regions"];

    fn name(&self) -> &str {
        &self.name
    }

    fn same(&self, other: &Self) -> bool {
        let known = |it: &Self| Self {
            rest: Map::new(),
            ..it.clone()
        };
        known(self) == known(other)
    }

    fn not_found(name: &str) -> String {
        format!("node pool {name} not found")
    }
}

impl Client {
    /// The namespace, or `None` where there is none.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]. A token without any right in the namespace is denied
    /// access, whether there is one or not.
    pub async fn namespace(&self, name: &str) -> Result<Option<Namespace>, Error> {
        self.object(name).await
    }

    /// The namespaces that the token may see, by name.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn namespaces(&self) -> Result<Vec<Namespace>, Error> {
        let request = self.in_region(Request::get(&["namespaces"]));
        self.send(request).await?.json()
    }

    /// The namespaces whose names begin so.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn namespaces_from(&self, prefix: &str) -> Result<Vec<Namespace>, Error> {
        let request = Request::get(&["namespaces"]).query("prefix", prefix);
        self.send(self.in_region(request)).await?.json()
    }

    /// Makes the namespace, or replaces it as a whole, whoever made it. Needs a management token.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]. What Nomad does not accept, such as a quota that does not
    /// exist, is [`Kind::Server`] with its reasons.
    pub async fn write_namespace(&self, namespace: &Namespace) -> Result<(), Error> {
        self.write(namespace).await
    }

    /// Deletes the namespace, whoever made it. Needs a management token.
    ///
    /// Nomad does not delete one with jobs that are not dead, or with allocations that are not at
    /// their end, volumes, variables or quotas.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]; of Nomad's own, `default`, always.
    pub async fn delete_namespace(&self, name: &str) -> Result<Deleted, Error> {
        self.delete::<Namespace>(name).await
    }

    /// The node pool, or `None` where there is none.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn node_pool(&self, name: &str) -> Result<Option<NodePool>, Error> {
        self.object(name).await
    }

    /// The node pools that the token may see, by name.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn node_pools(&self) -> Result<Vec<NodePool>, Error> {
        let request = self.in_region(Request::get(&["node", "pools"]));
        self.send(request).await?.json()
    }

    /// Makes the node pool, or replaces it as a whole, whoever made it. Nomad makes node pools of
    /// itself, too: where a node registers with one that does not exist.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]; of Nomad's own, `all` and `default`, always.
    pub async fn write_node_pool(&self, pool: &NodePool) -> Result<(), Error> {
        self.write(pool).await
    }

    /// Deletes the node pool, whoever made it. Nomad does not delete one with nodes, or with jobs
    /// that are not dead.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`]; of Nomad's own, `all` and `default`, always.
    pub async fn delete_node_pool(&self, name: &str) -> Result<Deleted, Error> {
        self.delete::<NodePool>(name).await
    }

    async fn object<T: Object>(&self, name: &str) -> Result<Option<T>, Error> {
        let request = self.in_region(Request::get(&path::<T>(name)));
        found(self.send(request).await)?
            .map(|answer| answer.json())
            .transpose()
    }

    async fn write<T: Object>(&self, object: &T) -> Result<(), Error> {
        // Sent again after a lost answer, it would overwrite what somebody has written in between.
        let request = Request::put(&path::<T>(object.name()), Repeat::Unsent);
        let body = serde_json::to_vec(object).unwrap_or_default();
        let written = self.send(self.in_region(request).body(body)).await;
        let look = async {
            let now = self.object::<T>(object.name()).await.ok()??;
            now.same(object).then_some(())
        };
        found_out(written.map(|_| ()), look).await
    }

    async fn delete<T: Object>(&self, name: &str) -> Result<Deleted, Error> {
        // Sent again after a lost answer, it would delete what somebody has made in between.
        let request = Request::delete(&path::<T>(name), Repeat::Unsent);
        let deleted = self.send(self.in_region(request)).await;
        if let Err(error) = &deleted
            && let Kind::Server { message, .. } = &error.kind
        {
            if message.contains(&T::not_found(name)) {
                return Ok(Deleted::Absent);
            }
            if T::NOT_EMPTY.iter().any(|reason| message.contains(reason)) {
                return Ok(Deleted::NotEmpty(message.clone()));
            }
        }
        let look = async {
            let now = self.object::<T>(name).await.ok()?;
            now.is_none().then_some(Deleted::Done)
        };
        found_out(deleted.map(|_| Deleted::Done), look).await
    }
}

fn path<T: Object>(name: &str) -> Vec<&str> {
    let mut path = T::PATH.to_vec();
    path.push(name);
    path
}
