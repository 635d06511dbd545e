//! The kinds of scope, and what there is of each in Nomad.

use crate::scopes::{self, Definition};
use crate::store::{ScopeKey, ScopeKind};

/// A kind of scope, as the store and as the model know it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The store's.
    pub scope: ScopeKind,
    /// The model's.
    pub definition: &'static Definition,
}

impl Kind {
    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        scopes::ALL.iter().filter_map(|definition| {
            let mut kinds = ScopeKind::ALL.into_iter();
            let scope = kinds.find(|kind| kind.document_kind() == definition.kind)?;
            Some(Self { scope, definition })
        })
    }

    /// The name of its resource and of its data source.
    pub fn type_name(self) -> &'static str {
        match self.scope {
            ScopeKind::Network => "oam_network_scope",
            ScopeKind::NodePool => "oam_node_pool_scope",
            ScopeKind::Namespace => "oam_namespace_scope",
        }
    }

    /// The key of a scope of this kind.
    pub fn key(self, name: &str) -> ScopeKey {
        ScopeKey::new(self.scope, name)
    }

    /// What such a scope can make in Nomad; nothing for a network.
    pub fn object(self) -> Option<ObjectKind> {
        match self.scope {
            ScopeKind::Network => None,
            ScopeKind::NodePool => Some(ObjectKind::NodePool),
            ScopeKind::Namespace => Some(ObjectKind::Namespace),
        }
    }
}

/// What a scope can make in Nomad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A namespace.
    Namespace,
    /// A node pool.
    NodePool,
}

impl ObjectKind {
    /// What it is called.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::NodePool => "node pool",
        }
    }

    /// The attribute, in HCL and in the normal form, that names it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::NodePool => "pool_name",
        }
    }

    /// The property of the scope's document that names it.
    pub fn property(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::NodePool => "poolName",
        }
    }

    /// Whether Nomad has made it by itself, and lets nobody change it.
    pub fn is_built_in(self, name: &str) -> bool {
        match self {
            Self::Namespace => name == "default",
            Self::NodePool => matches!(name, "default" | "all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_one_of_the_models() {
        let ids: Vec<_> = Kind::all().map(|kind| kind.scope.name()).collect();
        assert_eq!(ids, ["network", "node-pool", "namespace"]);
        for kind in Kind::all() {
            assert_eq!(kind.scope.name(), kind.definition.id);
            assert_eq!(kind.type_name(), format!("oam_{}", kind.definition.field));
            let Some(object) = kind.object() else {
                continue;
            };
            let field = kind.definition.block.field(object.field());
            assert_eq!(field.map(|field| field.oam), Some(object.property()));
        }
    }
}
