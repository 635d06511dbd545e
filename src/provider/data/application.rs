//! `oam_application`: one application, as it is recorded and runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::{key, misnamed, schema, text, which};
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::provider::Servers;
use crate::provider::application::{failure, read, schema as shape};

/// The data source.
pub struct Application {
    servers: Arc<Servers>,
}

impl Application {
    /// The data source, on these servers.
    pub fn new(servers: Arc<Servers>) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl DataSource for Application {
    fn schema(&self) -> Schema {
        schema(
            "An application that exists, whoever applied it.",
            which()
                .into_iter()
                .chain([
                    Attribute::new(
                        "revision",
                        Type::Number,
                        Mode::Computed,
                        "Raised by one with each apply that changes the application.",
                    ),
                    shape::status(),
                    text(
                        "manifest",
                        "The application as a portable OAM document in JSON, as it is recorded.",
                    ),
                    Attribute::new(
                        "components",
                        Type::Map(Box::new(Type::String)),
                        Mode::Computed,
                        "The type of each component, by its name.",
                    ),
                    shape::jobs([]),
                ])
                .collect(),
        )
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        misnamed(config)
    }

    async fn read(&self, _: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let clients = self
            .servers
            .required()
            .map_err(|diagnostic| vec![diagnostic])?;
        let key = key(&config);
        let stored = clients.store.read(&key).await;
        let Some(stored) = stored.map_err(|e| vec![failure::store(&e)])? else {
            let detail = format!(
                "Consul has no record of the application {key}. Check the name and the tenant, and the \
                 provider's `key_prefix`."
            );
            let absent = Diagnostic::error("No such application", detail);
            return Err(vec![absent.at(AttributePath::new("name"))]);
        };
        let record = &stored.record;
        let jobs = read::jobs(&clients, &key, record).await?;
        let state = Value::from([
            ("name", config.get("name").clone()),
            ("tenant", config.get("tenant").clone()),
            ("id", key.to_string().into()),
            ("revision", read::revision(record)),
            ("status", read::status(record.phase).into()),
            ("manifest", read::manifest(&record.document)),
            ("components", components(&record.document)),
            ("jobs", jobs),
        ]);
        Ok((state, Vec::new()))
    }
}

/// The types of a document's components, by name.
fn components(document: &serde_json::Value) -> Value {
    let components = document["spec"]["components"]
        .as_array()
        .into_iter()
        .flatten();
    let types = components.filter_map(|component| {
        let name = component["name"].as_str()?.to_owned();
        Some((name, component["type"].as_str()?.into()))
    });
    Value::Map(types.collect::<BTreeMap<_, _>>())
}
