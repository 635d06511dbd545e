//! `oam_trait_types`: what traits there are.

use async_trait::async_trait;

use super::{json_schema, list, schema, text, texts};
use crate::oam::ComponentType;
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::Diagnostics;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, AttributeNesting, Mode, Schema};
use crate::protocol::value::Value;
use crate::traits;

/// The data source.
pub struct TraitTypes;

#[async_trait]
impl DataSource for TraitTypes {
    fn schema(&self) -> Schema {
        let one = vec![
            text("name", "The type in documents."),
            text("block", "The block in HCL."),
            texts("applies_to", "The types of component that it applies to."),
            text("description", "What it does."),
            text("json_schema", "The JSON Schema of its `properties`."),
        ];
        schema(
            "The traits that this version of the provider knows. No server is asked.",
            vec![Attribute::nested(
                "trait_types",
                one,
                AttributeNesting::List,
                Mode::Computed,
                "The traits.",
            )],
        )
    }

    async fn validate(&self, _: &Value) -> Diagnostics {
        Vec::new()
    }

    async fn read(&self, _: &Context, _: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let all = traits::ALL.iter().map(|definition| {
            let types = ComponentType::NAMES.iter().zip(ComponentType::ALL);
            let applies = types.filter(|(_, kind)| definition.applies_to.contains(kind));
            let field = definition.field;
            Value::from([
                ("name", field.oam.into()),
                ("block", field.name.into()),
                ("applies_to", list(applies.map(|(name, _)| *name))),
                ("description", field.doc.into()),
                ("json_schema", json_schema(field.oam)),
            ])
        });
        Ok((
            Value::from([("trait_types", Value::List(all.collect()))]),
            Vec::new(),
        ))
    }
}
