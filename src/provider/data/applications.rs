//! `oam_applications`: what applications there are.

use std::sync::Arc;

use async_trait::async_trait;

use super::{left_out, list, misformed, schema, text, texts};
use crate::oam::form;
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::Diagnostics;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, AttributeNesting, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::provider::Servers;
use crate::provider::application::{failure, read, schema as shape};

/// The data source.
pub struct Applications {
    servers: Arc<Servers>,
}

impl Applications {
    /// The data source, on these servers.
    pub fn new(servers: Arc<Servers>) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl DataSource for Applications {
    fn schema(&self) -> Schema {
        let application = vec![
            text("id", "`<tenant>/<name>`."),
            text("tenant", "Its tenant; `default` where it belongs to none."),
            text("name", "Its name."),
            Attribute::new(
                "revision",
                Type::Number,
                Mode::Computed,
                "How often it was changed.",
            ),
            shape::status(),
        ];
        schema(
            "The applications that are recorded under the provider's `key_prefix`, whoever applied them.",
            vec![
                Attribute::new(
                    "tenant",
                    Type::String,
                    Mode::Optional,
                    "Only those of this tenant; `default` for those that belong to none.",
                ),
                texts("ids", "Their IDs."),
                Attribute::nested(
                    "applications",
                    application,
                    AttributeNesting::List,
                    Mode::Computed,
                    "The applications, by their IDs. One whose record cannot be read is left out, with a \
                     warning.",
                ),
            ],
        )
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        misformed(config, "tenant", &form::TENANT)
    }

    async fn read(&self, _: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let clients = self
            .servers
            .required()
            .map_err(|diagnostic| vec![diagnostic])?;
        let records = clients.store.list(config.get("tenant").as_str()).await;
        let mut records = records.map_err(|e| vec![failure::store(&e)])?;
        records.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut warnings = Vec::new();
        let mut ids = Vec::new();
        let mut applications = Vec::new();
        for (key, stored) in &records {
            let record = match stored {
                Ok(stored) => &stored.record,
                Err(error) => {
                    warnings.push(left_out(error));
                    continue;
                }
            };
            ids.push(key.to_string());
            applications.push(Value::from([
                ("id", key.to_string().into()),
                ("tenant", key.tenant().into()),
                ("name", key.name().into()),
                ("revision", read::revision(record)),
                ("status", read::status(record.phase).into()),
            ]));
        }
        let state = Value::from([
            ("tenant", config.get("tenant").clone()),
            ("ids", list(ids)),
            ("applications", Value::List(applications)),
        ]);
        Ok((state, warnings))
    }
}
