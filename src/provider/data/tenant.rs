//! `oam_tenant`: what there is of a tenant.

use std::sync::Arc;

use async_trait::async_trait;

use super::{list, misformed, schema, text, texts};
use crate::oam::form;
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::Diagnostics;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, AttributeNesting, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::provider::Servers;
use crate::provider::application::failure;
use crate::provider::tenant::config::{limit_value, quotas_value};
use crate::provider::tenant::read::set;
use crate::provider::tenant::schema::{limits, quotas};
use crate::store::{Phase, TenantKey, TenantRecord};
use crate::tenants::{Limit, Names};

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
        let computed =
            |name: &str, ty: Type, doc: &str| Attribute::new(name, ty, Mode::Computed, doc);
        let mut attributes = vec![
            Attribute::new("name", Type::String, Mode::Required, "Name of the tenant."),
            computed(
                "managed",
                Type::Bool,
                "Whether there is an `oam_tenant` of this name. Applications may also name a tenant that \
                 nobody manages; then what only a record tells is null.",
            ),
            text("namespace", "The Nomad namespace in which its jobs run."),
            computed(
                "namespace_exists",
                Type::Bool,
                "Whether Nomad has that namespace.",
            ),
            text(
                "service_prefix",
                "What the names of its services in Consul begin with.",
            ),
            texts("applications", "The IDs of its applications."),
            text("id", "UUID of the tenant."),
            text("display_name", "What people call it."),
            text("domain", "The domain of its hosts, where it has one."),
            Attribute::nested(
                "quotas",
                quotas(Mode::Computed),
                AttributeNesting::Single,
                Mode::Computed,
                "The most that its applications may have together.",
            ),
            computed(
                "active",
                Type::Bool,
                "Whether its applications can be applied.",
            ),
            text("created_at", "When it was made (RFC 3339)."),
            text("updated_at", "When it was last changed (RFC 3339)."),
            text(
                "status",
                "`settled`, or `applying` where an apply was interrupted or has failed.",
            ),
            text("key_prefix", "Its folder in Consul's key-value store."),
        ];
        attributes.extend(limits(Mode::Computed));
        attributes.extend(MADE.map(|(name, doc)| text(name, doc)));
        schema(
            "What there is of a tenant: its namespace in Nomad, its applications, and what was made for it.",
            attributes,
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
        let key = TenantKey::new(name);
        let namespace = clients.nomad.namespace(name).await;
        let namespace = namespace.map_err(|e| vec![failure::nomad(&e)])?;
        let stored = clients.store.read_tenant(&key).await;
        let stored = stored.map_err(|e| vec![failure::store(&e)])?;
        // Also those whose record cannot be read: they are there.
        let ids = clients.store.applications_of(&key).await;
        let ids = ids.map_err(|e| vec![failure::store(&e)])?;
        let mut ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        ids.sort();
        let names = Names::of(clients.store.prefix(), name);
        let mut state = Value::from([
            ("name", name.into()),
            ("managed", stored.is_some().into()),
            ("namespace", names.namespace().into()),
            ("namespace_exists", namespace.is_some().into()),
            ("service_prefix", names.service_prefix().into()),
            ("key_prefix", names.key_prefix().into()),
            ("applications", list(ids)),
        ]);
        let record = stored.map(|stored| stored.record);
        for (field, value) in recorded(record.as_ref()) {
            set(&mut state, field, value);
        }
        Ok((state, Vec::new()))
    }
}

/// What may be made for a tenant beside its namespace.
const MADE: [(&str, &str); 9] = [
    ("nomad_policy", "The Nomad ACL policy for its pipeline."),
    ("consul_tasks_policy", "The Consul ACL policy of its tasks."),
    ("consul_role", "The Consul role of its tasks."),
    ("consul_policy", "The Consul ACL policy for its pipeline."),
    (
        "consul_binding_rule",
        "What Consul tells the tasks in its further namespaces by.",
    ),
    (
        "consul_namespace",
        "Its own namespace of Consul, where it has one.",
    ),
    (
        "vault_namespace",
        "Its own namespace of Vault, where it has one.",
    ),
    ("vault_policy", "The Vault policy of its tasks."),
    ("vault_role", "The Vault JWT role of its tasks."),
];

/// What only the record tells; null where there is none.
fn recorded(record: Option<&TenantRecord>) -> Vec<(&'static str, Value)> {
    let text = |read: fn(&TenantRecord) -> Option<&str>| {
        record.and_then(read).map_or(Value::Null, Value::from)
    };
    let status = record.map(|record| match record.phase {
        Phase::Settled => "settled",
        Phase::Applying | Phase::Destroying => "applying",
    });
    let mut all = vec![
        ("id", text(|record| Some(&record.id))),
        ("display_name", text(|record| Some(&record.display_name))),
        ("domain", text(|record| record.domain.as_deref())),
        ("created_at", text(|record| Some(&record.created_at))),
        ("updated_at", text(|record| Some(&record.updated_at))),
        ("status", status.map_or(Value::Null, Value::from)),
        (
            "active",
            record.map_or(Value::Null, |record| record.active.into()),
        ),
        (
            "quotas",
            record.map_or(Value::Null, |record| quotas_value(&record.quotas)),
        ),
    ];
    all.extend(Limit::ALL.map(|limit| {
        let value = record.map(|record| limit_value(&record.limits, limit));
        (limit.attribute(), value.unwrap_or(Value::Null))
    }));
    all.extend(MADE.map(|(field, _)| {
        let place = record.and_then(|record| record.made.get(field));
        // Of a Vault role the login stands before its name.
        let name = place.and_then(|place| place.rsplit('/').next());
        (field, name.map_or(Value::Null, Value::from))
    }));
    all
}
