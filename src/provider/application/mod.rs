//! `oam_application`: an application, its jobs on Nomad and its record in Consul.
//!
//! | module | subject |
//! |---|---|
//! | [`schema`](mod@schema) | the attributes and blocks |
//! | [`config`] | from a configuration or plan to the model, and the checks on the way |
//! | [`read`] | a refresh: what is recorded, what is live, and how they differ |
//! | [`unchanged`] | whether a state can stay as it is, without a look at every job |
//! | [`plan`] | what an apply would do |
//! | [`dry_run`] | what Nomad says of that |
//! | [`apply`], [`destroy`] | doing it |
//! | [`purge`] | taking jobs away |
//! | [`adopt`] | jobs that come from Nomad's own provider |
//! | [`identity`], [`list`], [`generate`] | which application it is, which there are, what to write for one |
//! | [`private`] | what one of these keeps for the next |
//! | [`failure`] | errors of the layers below as diagnostics |
//! | [`upgrade`] | states of older schema versions |

mod adopt;
pub(super) mod apply;
pub(super) mod config;
mod destroy;
mod dry_run;
pub(super) mod failure;
mod generate;
mod identity;
mod list;
mod plan;
mod private;
pub(super) mod purge;
pub(super) mod read;
mod register;
pub(super) mod schema;
mod unchanged;
mod upgrade;

use std::sync::Arc;

use async_trait::async_trait;

pub use list::ApplicationList;

use super::Servers;
use crate::protocol::diagnostic::Diagnostics;
use crate::protocol::identity::IdentitySchema;
use crate::protocol::resource::{
    ApplyRequest, ApplyResponse, Context, MoveRequest, PlanRequest, PlanResponse, ReadRequest,
    ReadResponse, Resource, Unchanged,
};
use crate::protocol::schema::Schema;
use crate::protocol::value::{Type, Value};

/// The resource.
pub struct ApplicationResource {
    servers: Arc<Servers>,
    ty: Type,
}

impl ApplicationResource {
    /// The resource, on these servers.
    pub fn new(servers: Arc<Servers>) -> Self {
        let ty = schema::schema().implied_type();
        Self { servers, ty }
    }
}

#[async_trait]
impl Resource for ApplicationResource {
    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        config::validate(config)
    }

    fn upgrade(&self, version: i64, state: &[u8]) -> Result<Value, Diagnostics> {
        upgrade::upgrade(version, state, &self.ty)
    }

    async fn read(&self, _: &Context, request: ReadRequest) -> ReadResponse {
        let Some(clients) = self.servers.known() else {
            // Nothing can be asked yet; the state stands.
            return request.unchanged(Vec::new());
        };
        read::read(&clients, &self.ty, request).await
    }

    async fn is_as_it_was(&self, _: &Context, state: Unchanged<'_>) -> bool {
        plan::is_as_it_was(&self.servers, state).await
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> PlanResponse {
        plan::plan(&self.servers, cx, request).await
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
        read::import(&clients, &self.ty, id).await
    }

    fn identity(&self) -> Option<IdentitySchema> {
        Some(identity::schema())
    }

    fn identify(&self, state: &Value) -> Value {
        identity::identify(state)
    }

    fn import_id(&self, identity: &Value) -> Result<String, Diagnostics> {
        identity::import_id(identity)
    }

    fn move_state(&self, request: &MoveRequest) -> Result<Option<(Value, Vec<u8>)>, Diagnostics> {
        adopt::moved(request, &self.ty)
    }

    fn generate(&self, state: &Value, config: Value) -> Value {
        generate::generate(state, config)
    }
}
