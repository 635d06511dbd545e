//! `nodepool.nomad.oam.dev`: the nodes that components run on.
//!
//! The job's node pool, datacenters and constraints
//! (<https://developer.hashicorp.com/nomad/docs/job-specification/job>).

use serde::Deserialize;

use super::constraint::{self, Constraint};
use super::{Definition, Scope};
use crate::nomad::job;
use crate::oam::def::{Block, Field, Kind, NAME};
use crate::oam::form;
use crate::translate::Draft;

/// The definition.
pub const DEFINITION: Definition = Definition {
    id: "node-pool",
    kind: "nodepool.nomad.oam.dev",
    field: "node_pool_scope",
    block: &BLOCK,
    check: |scope, path, problems| {
        constraint::check(scope.get("constraint"), &path.field("constraint"), problems)
    },
    check_component: |_, _, _, _, _| {},
    parse: |_, json| Ok(Box::new(serde_json::from_value::<NodePool>(json)?)),
};

/// The fields.
pub static BLOCK: Block = Block {
    name: "node_pool_scope",
    doc: "The nodes that an application's components run on.",
    label: Some(NAME),
    fields: &[
        Field {
            name: "pool_name",
            oam: "poolName",
            kind: Kind::Text(&form::NOMAD_NAME),
            required: false,
            doc: "Nomad's node pool; the namespace's own, which is `default` as a rule, otherwise.",
        },
        Field {
            name: "datacenter",
            oam: "datacenter",
            kind: Kind::List(&form::DATACENTER),
            required: false,
            doc: "Datacenters, or patterns of them; all otherwise. A component's \
                  `target_clusters` go first.",
        },
        Field {
            name: "node_class",
            oam: "nodeClass",
            kind: Kind::Text(&form::WORD),
            required: false,
            doc: "The class that the nodes must have.",
        },
        Field {
            name: "constraint",
            oam: "constraints",
            kind: Kind::Repeated(&constraint::BLOCK),
            required: false,
            doc: "What the nodes must be like.",
        },
    ],
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodePool {
    pool_name: Option<String>,
    #[serde(default)]
    datacenter: Vec<String>,
    node_class: Option<String>,
    #[serde(default)]
    constraint: Vec<Constraint>,
}

impl Scope for NodePool {
    fn translate(&self, draft: &mut Draft<'_>) {
        let job = &mut draft.job;
        job.node_pool.clone_from(&self.pool_name);
        if !self.datacenter.is_empty() {
            job.datacenters.clone_from(&self.datacenter);
        }
        let class = self.node_class.iter().map(|class| job::Constraint {
            left: "${node.class}".to_owned(),
            operand: "=".to_owned(),
            right: class.clone(),
        });
        let further = self.constraint.iter().map(Constraint::translate);
        job.constraints.extend(class.chain(further));
    }
}
