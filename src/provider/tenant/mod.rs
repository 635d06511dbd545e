//! `oam_tenant`: a tenant with its record in Consul, and what keeps it apart from others on each server.
//!
//! | module | subject |
//! |---|---|
//! | [`kind`] | the kinds of things that are made for a tenant |
//! | [`object`] | one such thing: what it should be, and whose it is |
//! | [`objects`] | all of them on the servers |
//! | [`schema`](mod@schema) | the attributes and blocks |
//! | [`config`] | from a configuration or plan to the tenant, and the checks on the way |
//! | [`limits`] | what its jobs may be run with, on its namespaces |
//! | [`read`] | a refresh and an import |
//! | [`plan`] | what an apply would do, also to the applications of the tenant |
//! | [`apply`], [`destroy`] | doing it |
//! | [`failure`] | what users are told |
//!
//! # What a tenant owns
//!
//! Everything that is made carries its mark ([`crate::tenants::Mark`]): the namespace in its meta, the
//! policies in their description, Vault's in its first line. What says that it is somebody else's is
//! never changed or deleted; what says nothing is the tenant's where its record says that it was made.
//! Where a server has its ACLs off, nothing is made there, and what is made later shows in `drift` before.

mod apply;
pub mod config;
mod destroy;
pub mod enterprise;
mod failure;
mod kind;
pub mod limits;
mod object;
mod objects;
mod plan;
pub mod read;
pub mod schema;

use std::sync::Arc;

use async_trait::async_trait;

use super::Servers;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::{
    ApplyRequest, ApplyResponse, Context, PlanRequest, PlanResponse, ReadRequest, ReadResponse,
    Resource,
};
use crate::protocol::schema::Schema;
use crate::protocol::value::Value;

/// The resource.
pub struct TenantResource {
    servers: Arc<Servers>,
}

impl TenantResource {
    /// The resource, on these servers.
    pub fn new(servers: Arc<Servers>) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl Resource for TenantResource {
    fn schema(&self) -> Schema {
        schema::resource()
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        config::validate(config)
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
        read::read(&clients, request).await
    }

    async fn plan(&self, _: &Context, request: PlanRequest) -> PlanResponse {
        plan::plan(&self.servers, request).await
    }

    async fn apply(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        let clients = match self.servers.required() {
            Ok(clients) => clients,
            Err(diagnostic) => return request.unchanged(vec![diagnostic]),
        };
        if request.planned.is_null() {
            destroy::destroy(&clients, cx, request).await
        } else {
            apply::apply(&clients, cx, request).await
        }
    }

    async fn import(&self, _: &Context, id: &str) -> Result<(Value, Vec<u8>), Diagnostics> {
        let clients = self
            .servers
            .required()
            .map_err(|diagnostic| vec![diagnostic])?;
        read::import(&clients, id).await
    }
}
