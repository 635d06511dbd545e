//! `namespace.nomad.oam.dev`: the Nomad namespace that components run in.

use serde::Deserialize;

use super::{Definition, Scope};
use crate::oam::def::{Block, Field, Kind, NAME};
use crate::oam::{Node, Path, Problem, form};
use crate::translate::Draft;

/// The definition.
pub const DEFINITION: Definition = Definition {
    id: "namespace",
    kind: "namespace.nomad.oam.dev",
    field: "namespace_scope",
    block: &BLOCK,
    check,
    check_component,
    parse: |_, json| Ok(Box::new(serde_json::from_value::<Namespace>(json)?)),
};

/// The fields.
pub static BLOCK: Block = Block {
    name: "namespace_scope",
    doc: "The Nomad namespace that an application's components run in.",
    label: Some(NAME),
    fields: &[
        Field {
            name: "namespace",
            oam: "namespace",
            kind: Kind::Text(&form::NOMAD_NAME),
            required: true,
            doc: "The namespace. That of an application with a tenant is the tenant's own, or \
                  begins with its name and a hyphen.",
        },
        Field {
            name: "quota",
            oam: "quota",
            kind: Kind::Text(&form::NOMAD_NAME),
            required: false,
            doc: "Nomad's quota for the namespace, on Nomad Enterprise, where the scope has made \
                  the namespace.",
        },
    ],
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Namespace {
    namespace: String,
    // What belongs to the namespace, and not to the jobs in it.
    #[serde(rename = "quota")]
    _quota: Option<String>,
}

/// Nomad's namespaces have no underscores in their names (`validNamespaceName` in its
/// `nomad/structs/structs.go`), as other names have.
fn check(scope: &Node, path: &Path, problems: &mut Vec<Problem>) {
    if scope
        .get("namespace")
        .as_str()
        .is_some_and(|name| name.contains('_'))
    {
        problems.push(Problem::error(
            path.field("namespace"),
            "An underscore in a namespace",
            "Nomad takes only letters, digits and hyphens in the name of a namespace.",
        ));
    }
}

/// A tenant's applications stay with the tenant. No tenant has a hyphen in its name, so that no
/// namespace is two tenants'.
fn check_component(
    application: &Node,
    scope: &Node,
    _: &str,
    _: &Node,
    problems: &mut Vec<Problem>,
) {
    let (Some(tenant), Some(namespace)) = (
        application.get("tenant").as_str(),
        scope.get("namespace").as_str(),
    ) else {
        return;
    };
    let own = namespace == tenant
        || namespace
            .strip_prefix(tenant)
            .is_some_and(|rest| rest.starts_with('-'));
    let problem = Problem::error(
        Path::default().field("tenant"),
        format!("The namespace {namespace:?} is not the tenant's"),
        format!(
            "The namespace scope puts an application of the tenant {tenant:?} there. Use a scope \
             whose namespace is `{tenant}`, or begins with `{tenant}-`."
        ),
    );
    if !own && !problems.contains(&problem) {
        problems.push(problem);
    }
}

impl Scope for Namespace {
    fn translate(&self, draft: &mut Draft<'_>) {
        draft.job.namespace.clone_from(&self.namespace);
    }
}
