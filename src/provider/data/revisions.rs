//! `oam_application_revisions`: what the last applies made of an application.

use std::sync::Arc;

use async_trait::async_trait;

use super::{key, left_out, misnamed, schema, text, which};
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::Diagnostics;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, AttributeNesting, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::provider::Servers;
use crate::provider::application::{failure, read};
use crate::store::Revision;

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
            which()
                .into_iter()
                .chain([Attribute::nested(
                    "revisions",
                    revision,
                    AttributeNesting::List,
                    Mode::Computed,
                    "The revisions, oldest first; none where there is no such application. One that cannot \
                     be read is left out, with a warning.",
                )])
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
        let kept = clients.store.revisions(&key).await;
        let kept = kept.map_err(|error| vec![failure::store(&error)])?;
        let warnings = kept.iter().filter_map(|it| it.as_ref().err());
        let warnings = warnings.map(left_out).collect();
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
                Value::List(kept.iter().flatten().map(revision).collect()),
            ),
        ]);
        Ok((state, warnings))
    }
}
