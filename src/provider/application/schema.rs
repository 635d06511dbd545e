//! The shape of `oam_application`: the model's own blocks, and what the provider adds to them.

use crate::oam::def;
use crate::protocol::schema::{
    Attribute, AttributeNesting, Block, BlockNesting, Mode, NestedBlock, Schema,
};
use crate::protocol::value::Type;
use crate::provider::convert;

/// Raised when an older state needs an upgrade: see [`super::upgrade`].
pub const VERSION: i64 = 1;

/// The attributes that the provider sets, beside the model's.
pub const COMPUTED: [&str; 8] = [
    "consul_namespace",
    "vault_namespace",
    "id",
    "revision",
    "status",
    "jobs",
    "drift",
    "applied_scopes",
];

/// What else of the resource is not the model's.
pub const OTHER: [&str; 3] = ["timeouts", "manifest", "rollback_to"];

/// The schema of the resource.
pub fn schema() -> Schema {
    let mut block = convert::block(def::application());
    for attribute in &mut block.attributes {
        // Of a manifest it is what the manifest says.
        if attribute.name == "name" {
            attribute.mode = Mode::OptionalComputed;
            attribute
                .description
                .push_str(" With a `manifest`, the name is there.");
        } else if attribute.name == "tenant" {
            attribute.mode = Mode::OptionalComputed;
            attribute
                .description
                .push_str(" With a `manifest`, it may be there instead; this goes before.");
        }
    }
    block.attributes.push(Attribute::new(
        "manifest",
        Type::String,
        Mode::OptionalComputed,
        "The application as a portable OAM document (`core.oam.dev/v1alpha2` or `v1beta1`), in YAML \
         or JSON, instead of blocks. With `rollback_to`, the document of that revision.",
    ));
    block.attributes.push(Attribute::new(
        "rollback_to",
        Type::Number,
        Mode::Optional,
        "A revision to go back to, instead of blocks or a `manifest`: the application becomes what that \
         revision made of it, as a new revision. See the data source `oam_application_revisions`.",
    ));
    block.attributes.extend(computed());
    block.blocks.push(timeouts());
    Schema {
        version: VERSION,
        block,
    }
}

fn computed() -> Vec<Attribute> {
    let text = |name, doc| Attribute::new(name, Type::String, Mode::Computed, doc);
    let difference = vec![
        text("path", "The place in the job, as in Nomad's JSON."),
        text(
            "recorded",
            "What the recorded application has there, as JSON.",
        ),
        text("live", "What the live job has there, as JSON."),
    ];
    vec![
        text(
            "id",
            "`<tenant>/<name>`, with the tenant `default` where there is none.",
        ),
        Attribute::new(
            "revision",
            Type::Number,
            Mode::Computed,
            "Raised by one with each apply that changes the application.",
        ),
        status(),
        jobs([changes()]),
        Attribute::nested(
            "drift",
            difference,
            AttributeNesting::List,
            Mode::Computed,
            "What was changed in the live jobs and no attribute stands for.",
        ),
        Attribute::new(
            "applied_scopes",
            Type::Map(Box::new(Type::String)),
            Mode::Computed,
            "The properties of the scopes that the application refers to, as its jobs have them: JSON by \
             ID.",
        ),
        text(
            "consul_namespace",
            "The namespace of Consul that its jobs name: its tenant's own, where that has one (Enterprise).",
        ),
        text(
            "vault_namespace",
            "The namespace of Vault that its jobs name, below the provider's: the same.",
        ),
    ]
}

/// What has become of the last apply.
pub fn status() -> Attribute {
    Attribute::new(
        "status",
        Type::String,
        Mode::Computed,
        "`settled`, or `applying` where an apply was interrupted or has failed: the next one takes it from \
         there.",
    )
}

/// The jobs of an application, with these further attributes.
pub fn jobs(further: impl IntoIterator<Item = Attribute>) -> Attribute {
    let text = |name, doc| Attribute::new(name, Type::String, Mode::Computed, doc);
    let mut job = vec![
        text("id", "The job's ID."),
        text("namespace", "The namespace it is in."),
        text("type", "`service`, `batch` or `system`."),
        Attribute::new(
            "version",
            Type::Number,
            Mode::Computed,
            "The version of the job that the last apply made.",
        ),
        Attribute::new(
            "stopped",
            Type::Bool,
            Mode::Computed,
            "Whether somebody has stopped the job; the next apply starts it again.",
        ),
    ];
    job.extend(further);
    Attribute::nested(
        "jobs",
        job,
        AttributeNesting::Map,
        Mode::Computed,
        "The Nomad job of each component, by its name, with `@` and the cluster after it where the \
         component is in several.",
    )
}

fn changes() -> Attribute {
    Attribute::new(
        "changes",
        Type::List(Box::new(Type::String)),
        Mode::Computed,
        "What the last apply that changed the job has changed in it: the places, as in Nomad's JSON, whether \
         an attribute stands for them or not. Empty where it made the job.",
    )
}

fn timeouts() -> NestedBlock {
    let text = |name, doc| Attribute::new(name, Type::String, Mode::Optional, doc);
    NestedBlock {
        name: "timeouts".to_owned(),
        nesting: BlockNesting::Single,
        block: Block {
            attributes: vec![
                text(
                    "create",
                    "How long a creation may take until all is healthy; `15m` otherwise.",
                ),
                text(
                    "update",
                    "How long an update may take until all is healthy; `15m` otherwise.",
                ),
                text("delete", "How long a deletion may take; `5m` otherwise."),
            ],
            blocks: Vec::new(),
            description: "How long each operation may take, such as `90s` or `10m`.".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_providers_names_are_not_the_models() {
        let names: Vec<_> = def::application()
            .fields()
            .map(|field| field.name)
            .collect();
        for name in COMPUTED.iter().chain(&OTHER) {
            assert!(!names.contains(name), "{name}");
        }
    }
}
