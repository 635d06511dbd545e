//! `oam_application_revisions`: what the last applies made of an application.

use std::sync::Arc;

use async_trait::async_trait;

use super::{misformed, schema, text};
use crate::oam::form;
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::Diagnostics;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, AttributeNesting, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::provider::Servers;
use crate::provider::application::{failure, read};
use crate::store::{ApplicationKey, Revision};

/// The data source.
pub struct Revisions {
    servers: Arc<Servers>,
}

impl Revisions {
    /// The data source, on these servers.
    pub fn new(servers: Arc<Servers>) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl DataSource for Revisions {
    fn schema(&self) -> Schema {
        let revision = vec![
            Attribute::new(
                "revision",
                Type::Number,
                Mode::Computed,
                "Its number, as `rollback_to` of the application takes it.",
            ),
            text("applied_at", "When it was applied: RFC 3339, in UTC."),
            text(
                "manifest",
                "What it made of the application: a portable OAM document in JSON.",
            ),
        ];
        schema(
            "The revisions of an application that are kept: what each of the last applies made of it.",
            vec![
                Attribute::new(
                    "name",
                    Type::String,
                    Mode::Required,
                    "Name of the application.",
                ),
                Attribute::new(
                    "tenant",
                    Type::String,
                    Mode::Optional,
                    "Tenant that it belongs to, where it belongs to one.",
                ),
                text(
                    "id",
                    "`<tenant>/<name>`, with the tenant `default` where there is none.",
                ),
                Attribute::nested(
                    "revisions",
                    revision,
                    AttributeNesting::List,
                    Mode::Computed,
                    "The revisions, oldest first; none where there is no such application.",
                ),
            ],
        )
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = misformed(config, "name", &form::LABEL);
        found.extend(misformed(config, "tenant", &form::TENANT));
        found
    }

    async fn read(&self, _: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let clients = self
            .servers
            .required()
            .map_err(|diagnostic| vec![diagnostic])?;
        let name = config.get("name").as_str().unwrap_or_default();
        let key = ApplicationKey::new(config.get("tenant").as_str(), name);
        let kept = clients.store.revisions(&key).await;
        let kept = kept.map_err(|error| vec![failure::store(&error)])?;
        let revision = |it: &Revision| {
            Value::from([
                (
                    "revision",
                    i64::try_from(it.revision).unwrap_or(i64::MAX).into(),
                ),
                ("applied_at", it.applied_at.as_str().into()),
                ("manifest", read::manifest(&it.document)),
            ])
        };
        let state = Value::from([
            ("name", config.get("name").clone()),
            ("tenant", config.get("tenant").clone()),
            ("id", key.to_string().into()),
            (
                "revisions",
                Value::List(kept.iter().map(revision).collect()),
            ),
        ]);
        Ok((state, Vec::new()))
    }
}
