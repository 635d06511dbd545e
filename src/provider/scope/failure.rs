//! What users are told of scopes and of what they stand for in Nomad.

use super::kind::ObjectKind;
use crate::http;
use crate::nomad::Owner;
use crate::oam::Problem;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::store::{ScopeKey, StoreError};

pub use crate::provider::application::failure::{cancelled, nomad, not_refreshed, store};

/// Recorded properties that this version cannot read.
pub fn unreadable(key: &ScopeKey, problems: &[Problem]) -> Diagnostics {
    let problems: Vec<_> = problems
        .iter()
        .map(|p| format!("{}: {}", p.path, p.summary))
        .collect();
    vec![Diagnostic::error(
        "Unreadable record",
        format!(
            "The record of the scope {key} in Consul holds properties that this version of the provider \
             cannot read ({}). Nothing was changed. Use the provider version that wrote it, or repair \
             the record.",
            problems.join("; ")
        ),
    )]
}

/// No record of a scope.
pub fn no_such(key: &ScopeKey) -> Diagnostic {
    Diagnostic::error(
        "No such scope",
        format!(
            "Consul has no record of the scope {key}. Check its name, and the provider's `key_prefix`."
        ),
    )
}

/// An object that the scope was to make is there, and is not the scope's.
pub fn exists(kind: ObjectKind, name: &str, owner: Option<&Owner>) -> Diagnostic {
    let noun = kind.noun();
    let whose = match owner {
        Some(owner) => format!("It was made by {owner}"),
        None => "This scope has not made it".to_owned(),
    };
    Diagnostic::error(
        format!("The {noun} {name:?} already exists"),
        format!(
            "{whose}, so it was left as it is. Set `create = false` to only refer to it, choose another \
             name, or remove the {noun} from Nomad first. If a scope that was made elsewhere shall be \
             managed here, import that scope."
        ),
    )
    .at(AttributePath::new(kind.field()))
}

/// A namespace that is referred to is not there.
pub fn absent(kind: ObjectKind, name: &str) -> Diagnostic {
    let noun = kind.noun();
    Diagnostic::error(
        format!("No {noun} {name:?}"),
        "Nomad has none of that name, and registers no job in it. Set `create = true` to have the scope \
         make it, or make it first.",
    )
    .at(AttributePath::new(kind.field()))
}

/// A node pool that is referred to is not there, yet.
pub fn absent_yet(kind: ObjectKind, name: &str) -> Diagnostic {
    Diagnostic::warning(
        format!("No {} {name:?} yet", kind.noun()),
        "Nomad makes it when the first node registers in it; until then no job of the scope is \
         registered or placed. Set `create = true` to have the scope make it.",
    )
    .at(AttributePath::new(kind.field()))
}

/// Nomad did not take an object as it is wanted.
pub fn refused(kind: ObjectKind, error: &http::Error) -> Diagnostic {
    if let http::Kind::Server { message, .. } = &error.kind
        && message.contains("using non-existent quota")
    {
        return Diagnostic::error(
            "Nomad has no such quota",
            format!(
                "Nomad says: {message}. Quotas are there on Nomad Enterprise alone: make the quota \
                 first, or remove `quota` on a community build."
            ),
        )
        .at(AttributePath::new("quota"));
    }
    nomad(error).at(AttributePath::new(kind.field()))
}

/// Something is still in an object that is to be deleted with its scope.
pub fn not_empty(kind: ObjectKind, name: &str, words: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The {} {name:?} is not empty", kind.noun()),
        format!(
            "Nomad does not delete it: {words}. What is in it belongs to no application of this scope. \
             Remove it and destroy the scope again; until then no application can use the scope."
        ),
    )
}

/// Something is still in an object that the scope has left.
pub fn still_not_empty(kind: ObjectKind, name: &str, words: &str) -> Diagnostic {
    Diagnostic::warning(
        format!("The {} {name:?} is still there", kind.noun()),
        format!(
            "The scope has made it and no longer uses it, but Nomad does not delete it: {words}. The \
             next apply tries again."
        ),
    )
}

/// What the record says was made here says of itself that it was not.
pub fn left_alone(kind: ObjectKind, name: &str, key: &ScopeKey) -> Diagnostic {
    let noun = kind.noun();
    Diagnostic::warning(
        format!("The {noun} {name:?} is left alone"),
        format!(
            "It does not say (in its meta) that the scope {key} has made it: somebody has put another in \
             its place, or edited it."
        ),
    )
}

/// A scope that cannot be removed now.
pub fn not_removed(error: &StoreError) -> Diagnostic {
    let mut diagnostic = store(error);
    if matches!(error, StoreError::InUse { .. }) {
        diagnostic.detail.push_str(
            " Terraform destroys a scope before it updates an application that leaves it: let that \
             happen in an apply of its own, or have `lifecycle { create_before_destroy = true }` in the \
             scope from an apply before.",
        );
    }
    diagnostic
}

/// The lock was lost on the way.
pub fn lost(key: &ScopeKey) -> Diagnostic {
    store(&StoreError::Lost {
        key: key.clone().into(),
    })
}
