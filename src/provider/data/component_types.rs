//! `oam_component_types`: what types of component there are.

use async_trait::async_trait;

use super::{json_schema, list, schema, text, texts};
use crate::oam::ComponentType;
use crate::oam::schema::fields;
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::Diagnostics;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, AttributeNesting, Mode, Schema};
use crate::protocol::value::Value;
use crate::translate;

/// The data source.
pub struct ComponentTypes;

#[async_trait]
impl DataSource for ComponentTypes {
    fn schema(&self) -> Schema {
        let component_type = vec![
            text("name", "The name in HCL and in documents."),
            text(
                "nomad_job_type",
                "The type of its Nomad job: `service`, `batch` or `system`.",
            ),
            text("description", "What it is."),
            texts(
                "properties",
                "The fields of its `properties` in a document.",
            ),
            text("json_schema", "The JSON Schema of its `properties`."),
        ];
        schema(
            "The types of component that this version of the provider knows. No server is asked.",
            vec![Attribute::nested(
                "component_types",
                component_type,
                AttributeNesting::List,
                Mode::Computed,
                "The types.",
            )],
        )
    }

    async fn validate(&self, _: &Value) -> Diagnostics {
        Vec::new()
    }

    async fn read(&self, _: &Context, _: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let all = ComponentType::NAMES.iter().zip(ComponentType::ALL);
        let types = all.map(|(name, kind)| {
            let mut properties: Vec<_> = fields::of(*kind).map(|field| field.oam).collect();
            // The variables are two fields in HCL.
            properties.dedup();
            Value::from([
                ("name", (*name).into()),
                (
                    "nomad_job_type",
                    translate::job_type(name).unwrap_or_default().into(),
                ),
                ("description", kind.doc().into()),
                ("properties", list(properties)),
                ("json_schema", json_schema(name)),
            ])
        });
        Ok((
            Value::from([("component_types", Value::List(types.collect()))]),
            Vec::new(),
        ))
    }
}
