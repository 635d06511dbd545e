//! The record of one scope, and which scopes an application uses.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::form::Recorded;
use super::{FORMAT, Key, Operation, Phase};

/// What a scope groups applications by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeKind {
    /// How they are connected.
    Network,
    /// Which nodes they run on.
    NodePool,
    /// Which Nomad namespace they are in.
    Namespace,
}

impl ScopeKind {
    /// All kinds.
    pub const ALL: [ScopeKind; 3] = [
        ScopeKind::Network,
        ScopeKind::NodePool,
        ScopeKind::Namespace,
    ];

    /// The first part of an ID: `network`, `node-pool` or `namespace`.
    pub fn name(self) -> &'static str {
        match self {
            ScopeKind::Network => "network",
            ScopeKind::NodePool => "node-pool",
            ScopeKind::Namespace => "namespace",
        }
    }

    /// What a document has as `scopeRef.kind`, such as `networkscope.nomad.oam.dev`.
    pub fn document_kind(self) -> &'static str {
        match self {
            ScopeKind::Network => "networkscope.nomad.oam.dev",
            ScopeKind::NodePool => "nodepool.nomad.oam.dev",
            ScopeKind::Namespace => "namespace.nomad.oam.dev",
        }
    }
}

impl fmt::Display for ScopeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which scope: kind and name. In JSON it is its ID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopeKey {
    kind: ScopeKind,
    name: String,
}

impl ScopeKey {
    /// The key of a scope.
    pub fn new(kind: ScopeKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
        }
    }

    /// Reads an ID, `kind/name`, as applications refer to scopes and `terraform import` gets it.
    ///
    /// # Errors
    /// A sentence that says what an ID looks like.
    pub fn parse(id: &str) -> Result<Self, String> {
        let read = || {
            let (kind, name) = id.split_once('/')?;
            let kind = ScopeKind::ALL.into_iter().find(|it| it.name() == kind)?;
            // As in the ID of an application: no dots, no slashes.
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            (!name.is_empty() && name.chars().all(plain)).then(|| Self::new(kind, name))
        };
        read().ok_or_else(|| {
            format!(
                "\"{id}\" is no scope ID. Write it as \"network/NAME\", \"node-pool/NAME\" or \"namespace/NAME\"."
            )
        })
    }

    /// What the scope groups by.
    pub fn kind(&self) -> ScopeKind {
        self.kind
    }

    /// The scope's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The ID, `kind/name`.
impl fmt::Display for ScopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl TryFrom<String> for ScopeKey {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        Self::parse(&id)
    }
}

impl From<ScopeKey> for String {
    fn from(key: ScopeKey) -> Self {
        key.to_string()
    }
}

/// The record of one scope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeRecord {
    /// Always [`FORMAT`].
    pub format: u32,
    /// Counts the applies, from 1.
    pub revision: u64,
    /// What is happening.
    pub phase: Phase,
    /// The scope's portable properties.
    pub properties: Value,
    /// Whether the scope has made its Nomad object, rather than found it.
    pub owns: bool,
    /// The Nomad object that an apply makes or changes, while it is at it: no other scope makes the same
    /// meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub making: Option<String>,
    /// Who is at it; written by the store while the phase is not settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

impl Recorded for ScopeRecord {
    type Key = ScopeKey;
    const FOLDER: &'static str = "scopes";
    const FOLLOWS: bool = false;

    fn revision(&self) -> u64 {
        self.revision
    }

    fn phase(&self) -> Phase {
        self.phase
    }

    fn operation(&self) -> Option<&Operation> {
        self.operation.as_ref()
    }

    fn stamped(self, phase: Phase, operation: Option<Operation>) -> Self {
        Self {
            format: FORMAT,
            phase,
            operation,
            making: self.making.filter(|_| phase == Phase::Applying),
            ..self
        }
    }

    fn following(self, _: &Self) -> Result<Self, String> {
        Ok(self)
    }

    /// An interrupted removal, too: making the scope again is as good as ending its removal.
    fn adoptable(&self) -> bool {
        match self.phase {
            Phase::Applying => self.revision == 1,
            Phase::Destroying => true,
            Phase::Settled => false,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.properties == other.properties
    }
}

impl From<ScopeKey> for Key {
    fn from(key: ScopeKey) -> Self {
        Key::Scope(key)
    }
}

/// The scopes that a document refers to, by `spec.scopes[].scopeRef`. One with `properties` is written in
/// the document, and is nobody else's.
///
/// # Errors
/// What is no reference to a scope. A document that has one is not to be taken for one that uses
/// nothing.
pub(super) fn of_document(document: &Value) -> Result<BTreeSet<ScopeKey>, String> {
    let scopes = match document.get("spec").and_then(|spec| spec.get("scopes")) {
        None | Some(Value::Null) => return Ok(BTreeSet::new()),
        Some(Value::Array(scopes)) => scopes,
        Some(_) => return Err("its `spec.scopes` is no list".to_owned()),
    };
    let read = |scope: &Value| {
        let text = |field| scope.get("scopeRef")?.get(field)?.as_str();
        let kind = text("kind")?;
        let kind = ScopeKind::ALL
            .into_iter()
            .find(|it| it.document_kind() == kind)?;
        ScopeKey::parse(&format!("{kind}/{}", text("name")?)).ok()
    };
    let elsewhere = scopes
        .iter()
        .filter(|scope| scope.get("properties").is_none());
    let scopes = elsewhere.map(|scope| {
        read(scope).ok_or_else(|| format!("in its `spec.scopes`, {scope} refers to no known scope"))
    });
    scopes.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;

    #[test]
    fn ids() {
        for kind in ScopeKind::ALL {
            let key = ScopeKey::new(kind, "mesh-2");
            assert_eq!(key.to_string(), format!("{}/mesh-2", kind.name()));
            assert_eq!(ScopeKey::parse(&key.to_string()), Ok(key.clone()));
            assert_eq!(json!(key), json!(key.to_string()));
        }
        for id in [
            "",
            "/",
            "mesh",
            "/mesh",
            "network/",
            "network/a/b",
            "Network/a",
            "health/a",
            "network/..",
            "network/a b",
            "network/ümlaut",
            "network/a\n",
            "node_pool/a",
        ] {
            let error = ScopeKey::parse(id).unwrap_err();
            assert!(error.contains("node-pool/NAME"), "{error}");
            assert!(serde_json::from_value::<ScopeKey>(json!(id)).is_err());
        }
    }

    #[test]
    fn references_in_documents() {
        let document = |scopes: Value| json!({ "spec": { "components": [], "scopes": scopes } });
        let scope = |kind: &str, name: Value| json!({ "scopeRef": { "kind": kind, "name": name } });
        let found = of_document(&document(json!([
            scope("namespace.nomad.oam.dev", json!("team")),
            scope("networkscope.nomad.oam.dev", json!("mesh")),
            scope("nodepool.nomad.oam.dev", json!("gpu")),
            scope("nodepool.nomad.oam.dev", json!("gpu")),
            json!({
                "scopeRef": { "kind": "networkscope.nomad.oam.dev", "name": "own" },
                "properties": {},
            }),
        ])));
        let ids: Vec<_> = found.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["network/mesh", "node-pool/gpu", "namespace/team"]);
        for none in [
            json!({}),
            json!({ "spec": {} }),
            document(json!([])),
            document(json!(null)),
        ] {
            assert_eq!(of_document(&none), Ok(BTreeSet::new()), "{none}");
        }
        for bad in [
            json!("network/mesh"),
            json!(["network/mesh"]),
            json!([{}]),
            json!([scope("healthscope.core.oam.dev", json!("x"))]),
            json!([scope("nodepool.nomad.oam.dev", json!(3))]),
            json!([scope("nodepool.nomad.oam.dev", json!("a/b"))]),
        ] {
            assert!(of_document(&document(bad.clone())).is_err(), "{bad}");
        }
    }
}
