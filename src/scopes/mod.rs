//! The scopes: what an application runs in. One file each, with its definition, its checks and its
//! translation; [`ALL`] lists them.
//!
//! A scope is a resource of its own that applications refer to, or is written in the application. An
//! application has at most one of each kind.

pub mod constraint;
pub mod namespace;
pub mod network;
pub mod node_pool;

use std::fmt;

use crate::oam::def::Block;
use crate::oam::{Node, Path, Problem};
use crate::translate::Draft;

/// Every kind of scope, in the order in which they are translated.
pub static ALL: &[Definition] = &[
    network::DEFINITION,
    node_pool::DEFINITION,
    namespace::DEFINITION,
];

/// A scope whose every value is known and checked.
pub trait Scope: fmt::Debug + Send + Sync {
    /// Sets what the scope decides in the job of a component, before the component's own fields.
    fn translate(&self, draft: &mut Draft<'_>);
}

/// A typed scope, or why there is none.
pub type Parsed = Result<Box<dyn Scope>, serde_json::Error>;

/// What there is to know about a kind of scope.
#[derive(Debug)]
pub struct Definition {
    /// The first part of an ID, such as `network` in `network/mesh`.
    pub id: &'static str,
    /// The kind in a portable document.
    pub kind: &'static str,
    /// The block of an application that holds one, by its name.
    pub field: &'static str,
    /// Its fields.
    pub block: &'static Block,
    /// What the definition of the block cannot say of the scope itself: the scope, its path, and what
    /// is wrong.
    pub check: fn(&Node, &Path, &mut Vec<Problem>),
    /// Whether a component may be in it: the application, the scope, the component's name, the
    /// component, and what is wrong, at the component.
    pub check_component: fn(&Node, &Node, &str, &Node, &mut Vec<Problem>),
    /// The typed scope, from the name and the JSON of the normal form.
    pub parse: fn(&str, serde_json::Value) -> Parsed,
}

impl Definition {
    /// The definition of an ID's first part.
    pub fn of_id(id: &str) -> Option<&'static Self> {
        ALL.iter().find(|definition| definition.id == id)
    }

    /// The definition of a kind in a document.
    pub fn of_kind(kind: &str) -> Option<&'static Self> {
        ALL.iter().find(|definition| definition.kind == kind)
    }
}

/// The definition and the name that an ID such as `network/mesh` means.
pub fn split(id: &str) -> Option<(&'static Definition, &str)> {
    let (kind, name) = id.split_once('/')?;
    Some((Definition::of_id(kind)?, name))
}
