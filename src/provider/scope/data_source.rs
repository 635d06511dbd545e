//! Looking a scope up.

use std::sync::Arc;

use async_trait::async_trait;

use super::kind::Kind;
use super::read::set;
use super::{failure, read, schema};
use crate::oam::form;
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::Context;
use crate::protocol::schema::Schema;
use crate::protocol::value::{Type, Value};
use crate::provider::data::left_out;
use crate::provider::{Servers, convert};

/// The data source of a kind of scope.
pub struct ScopeDataSource {
    servers: Arc<Servers>,
    kind: Kind,
    ty: Type,
}

impl ScopeDataSource {
    /// The data source, on these servers.
    pub fn new(kind: Kind, servers: Arc<Servers>) -> Self {
        let ty = schema::data_source(kind).implied_type();
        Self { servers, kind, ty }
    }
}

#[async_trait]
impl DataSource for ScopeDataSource {
    fn schema(&self) -> Schema {
        schema::data_source(self.kind)
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        let name = config.get("name").as_str();
        let bad = name.filter(|name| !(form::LABEL.check)(name)).map(|name| {
            let summary = format!("{name:?} is not {}", form::LABEL.what);
            Diagnostic::error(summary, form::LABEL.how).at(AttributePath::new("name"))
        });
        bad.into_iter().collect()
    }

    async fn read(&self, _: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let clients = self.servers.required().map_err(|error| vec![error])?;
        let at_name = |diagnostics: Diagnostics| -> Diagnostics {
            let name = || AttributePath::new("name");
            diagnostics.into_iter().map(|it| it.at(name())).collect()
        };
        let name = config.get("name").as_str().unwrap_or_default();
        let key = self.kind.key(name);
        let stored = read::find(&clients, &key).await.map_err(at_name)?;
        let node = read::recorded(self.kind, &key, &stored.record)?;
        let users = clients.store.users_told(&key).await;
        let users = users.map_err(|error| vec![failure::store(&error)])?;
        let mut state = convert::to_value(&node, &self.ty);
        convert::complete(&mut state, self.kind.definition.block);
        let revision = i64::try_from(stored.record.revision).unwrap_or(i64::MAX);
        let warnings = users.iter().filter_map(|user| user.as_ref().err());
        let warnings = warnings.map(left_out).collect();
        let users = users.iter().flatten();
        let users = users.map(|user| user.to_string().into()).collect();
        set(&mut state, "name", name.into());
        set(&mut state, "id", key.to_string().into());
        set(&mut state, "revision", revision.into());
        set(&mut state, "applications", Value::List(users));
        Ok((state, warnings))
    }
}
