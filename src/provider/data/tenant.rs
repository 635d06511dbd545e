//! `oam_tenant`: what there is of a tenant.

use std::sync::Arc;

use async_trait::async_trait;

use super::{list, misformed, schema, text, texts};
use crate::oam::form;
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::Diagnostics;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::provider::Servers;
use crate::provider::application::failure;

/// The data source.
pub struct Tenant {
    servers: Arc<Servers>,
}

impl Tenant {
    /// The data source, on these servers.
    pub fn new(servers: Arc<Servers>) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl DataSource for Tenant {
    fn schema(&self) -> Schema {
        schema(
            "What there is of a tenant: its namespace in Nomad, and its applications.",
            vec![
                Attribute::new("name", Type::String, Mode::Required, "Name of the tenant."),
                text("namespace", "The Nomad namespace in which its jobs run."),
                Attribute::new(
                    "namespace_exists",
                    Type::Bool,
                    Mode::Computed,
                    "Whether Nomad has that namespace.",
                ),
                text(
                    "service_prefix",
                    "What the names of its services in Consul begin with.",
                ),
                texts("applications", "The IDs of its applications."),
            ],
        )
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        misformed(config, "name", &form::TENANT)
    }

    async fn read(&self, _: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let clients = self
            .servers
            .required()
            .map_err(|diagnostic| vec![diagnostic])?;
        let name = config.get("name").as_str().unwrap_or_default();
        let namespace = clients.nomad.namespace(name).await;
        let namespace = namespace.map_err(|e| vec![failure::nomad(&e)])?;
        let records = clients.store.list(Some(name)).await;
        let records = records.map_err(|e| vec![failure::store(&e)])?;
        // Also those whose record cannot be read: they are there.
        let mut ids: Vec<_> = records.iter().map(|(key, _)| key.to_string()).collect();
        ids.sort();
        let state = Value::from([
            ("name", name.into()),
            ("namespace", name.into()),
            ("namespace_exists", namespace.is_some().into()),
            ("service_prefix", format!("{name}-").into()),
            ("applications", list(ids)),
        ]);
        Ok((state, Vec::new()))
    }
}
