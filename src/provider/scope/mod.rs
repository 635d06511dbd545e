//! `oam_network_scope`, `oam_node_pool_scope` and `oam_namespace_scope`: scopes that applications refer
//! to, each with its record in Consul and, where it makes one, its namespace or node pool in Nomad.
//!
//! | module | subject |
//! |---|---|
//! | [`kind`] | the three kinds |
//! | [`schema`](mod@schema) | the attributes and blocks of resources and data sources |
//! | [`config`] | from a configuration or plan to the scope, and the checks on the way |
//! | [`object`] | the namespace or node pool of a scope |
//! | [`read`] | a refresh and an import |
//! | [`plan`] | what an apply would do, also to the applications in the scope |
//! | [`apply`], [`destroy`] | doing it |
//! | [`private`] | what one of these keeps for the next |
//! | [`failure`] | what users are told |
//! | [`data_source`] | looking a scope up |
//!
//! # What a scope owns
//!
//! With `create`, a scope makes a namespace or node pool and writes into its meta who made it
//! ([`crate::nomad::Owner`]). The meta alone says what is a scope's: nothing else is changed or deleted,
//! but for one that the record says was made and whose meta names nobody, which is taken back.
//!
//! * `create` from true to false hands over all that the scope has made: it stays as it is, without the marks.
//! * `create` from false to true makes the object, which must not be there.
//! * Another `pool_name` or `namespace`: the new one is made first. The old one cannot go before the
//!   jobs have left it, and those move when the applications are applied, after the scope. So it is
//!   deleted by whoever comes first when it is empty: this very apply, that of the last application to
//!   leave ([`object::tidy`]), or the next apply of the scope. Until then `leaving` names it.

mod apply;
mod config;
pub mod data_source;
mod destroy;
mod failure;
pub mod kind;
pub mod object;
mod plan;
pub mod private;
mod read;
mod schema;

use std::sync::Arc;

use async_trait::async_trait;

use self::kind::Kind;
use super::Servers;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::{
    ApplyRequest, ApplyResponse, Context, PlanRequest, PlanResponse, ReadRequest, ReadResponse,
    Resource,
};
use crate::protocol::schema::Schema;
use crate::protocol::value::{Type, Value};

/// The resource of a kind of scope.
pub struct ScopeResource {
    servers: Arc<Servers>,
    kind: Kind,
    ty: Type,
}

impl ScopeResource {
    /// The resource, on these servers.
    pub fn new(kind: Kind, servers: Arc<Servers>) -> Self {
        let ty = schema::resource(kind).implied_type();
        Self { servers, kind, ty }
    }
}

#[async_trait]
impl Resource for ScopeResource {
    fn schema(&self) -> Schema {
        schema::resource(self.kind)
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        config::validate(self.kind, config)
    }

    fn upgrade(&self, version: i64, _: &[u8]) -> Result<Value, Diagnostics> {
        Err(vec![Diagnostic::error(
            "Unreadable state",
            format!(
                "The state says that it has schema version {version}, which there never was. Remove the \
                 object from the state and import it again."
            ),
        )])
    }

    async fn read(&self, _: &Context, request: ReadRequest) -> ReadResponse {
        let Some(clients) = self.servers.known() else {
            // Nothing can be asked yet; the state stands.
            return request.unchanged(Vec::new());
        };
        read::read(self.kind, &clients, &self.ty, request).await
    }

    async fn plan(&self, _: &Context, request: PlanRequest) -> PlanResponse {
        plan::plan(self.kind, &self.servers, request)
    }

    async fn apply(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        let clients = match self.servers.required() {
            Ok(clients) => clients,
            Err(diagnostic) => return request.unchanged(vec![diagnostic]),
        };
        if request.planned.is_null() {
            destroy::destroy(self.kind, &clients, cx, request).await
        } else {
            apply::apply(self.kind, &clients, cx, request).await
        }
    }

    async fn import(&self, _: &Context, id: &str) -> Result<(Value, Vec<u8>), Diagnostics> {
        let clients = self
            .servers
            .required()
            .map_err(|diagnostic| vec![diagnostic])?;
        read::import(self.kind, &clients, &self.ty, id).await
    }
}
