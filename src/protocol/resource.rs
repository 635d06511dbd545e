//! What a provider implements. Its data sources and functions are in modules of their own.
//!
//! The guarantees to keep are Terraform's own (its `docs/resource-instance-change-lifecycle.md`):
//! a planned value that is known is the applied value, what the configuration sets is what the
//! plan says, and what cannot be known yet is unknown.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::data_source::DataSource;
use super::diagnostic::Diagnostics;
use super::function::Function;
use super::path::AttributePath;
use super::schema::Schema;
use super::value::Value;

/// A provider: its configuration and what it serves.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The shape of the provider block.
    fn schema(&self) -> Schema;

    /// The resources, each with its full type name.
    fn resources(&self) -> Vec<(&'static str, Arc<dyn Resource>)>;

    /// The data sources, each with its full type name.
    fn data_sources(&self) -> Vec<(&'static str, Arc<dyn DataSource>)> {
        Vec::new()
    }

    /// The functions, each with its name. They are called on providers that are not configured.
    fn functions(&self) -> Vec<(&'static str, Arc<dyn Function>)> {
        Vec::new()
    }

    /// Checks a provider block that may have unknown values in it, without any request.
    async fn validate(&self, config: &Value) -> Diagnostics;

    /// Takes the provider block before any resource is read, planned or applied. Values may still
    /// be unknown during a plan.
    async fn configure(&self, config: &Value) -> Diagnostics;

    /// Gives back what is held elsewhere, before the process ends.
    async fn shutdown(&self) {}
}

/// One type of resource.
#[async_trait]
pub trait Resource: Send + Sync + 'static {
    /// The shape of its configuration and state.
    fn schema(&self) -> Schema;

    /// Checks a configuration that may have unknown values in it, without any request.
    async fn validate(&self, config: &Value) -> Diagnostics;

    /// Turns the JSON of a state of an older schema version into a state of this one. Not called
    /// for the current version.
    ///
    /// # Errors
    /// Where the version is not known, or the state is not one of it.
    fn upgrade(&self, version: i64, state: &[u8]) -> Result<Value, Diagnostics>;

    /// Compares the state with the world.
    async fn read(&self, cx: &Context, request: ReadRequest) -> ReadResponse;

    /// Says what an apply would make of the state. Changes nothing.
    async fn plan(&self, cx: &Context, request: PlanRequest) -> PlanResponse;

    /// Makes the plan true.
    async fn apply(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse;

    /// Finds what an import names. The state may be partial: a read follows.
    ///
    /// # Errors
    /// Where nothing has that name.
    async fn import(&self, cx: &Context, id: &str) -> Result<(Value, Vec<u8>), Diagnostics>;
}

/// What goes with every request.
#[derive(Clone, Debug)]
pub struct Context {
    /// Cancelled when the user wants to stop: finish what must not be left half done, and return.
    pub cancel: CancellationToken,
}

/// The arguments of [`Resource::read`].
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The state so far.
    pub state: Value,
    /// What the provider kept beside it.
    pub private: Vec<u8>,
}

/// The result of [`Resource::read`].
#[derive(Clone, Debug)]
pub struct ReadResponse {
    /// The state as the world has it; null where the object is gone.
    pub state: Value,
    /// What to keep beside it.
    pub private: Vec<u8>,
    /// What the user must know.
    pub diagnostics: Diagnostics,
}

/// The arguments of [`Resource::plan`].
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// The state before; null for a creation.
    pub prior: Value,
    /// The configuration, with computed attributes filled in from the state before; null for a
    /// deletion.
    pub proposed: Value,
    /// The configuration alone.
    pub config: Value,
    /// What the provider kept beside the state.
    pub private: Vec<u8>,
}

/// The result of [`Resource::plan`].
#[derive(Clone, Debug)]
pub struct PlanResponse {
    /// The state after, as far as it can be known.
    pub state: Value,
    /// The attributes whose change needs another object.
    pub requires_replace: Vec<AttributePath>,
    /// What to keep for the apply.
    pub private: Vec<u8>,
    /// What the user must know.
    pub diagnostics: Diagnostics,
}

/// The arguments of [`Resource::apply`].
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// The state before; null for a creation.
    pub prior: Value,
    /// The state to reach; null for a deletion.
    pub planned: Value,
    /// The configuration; null for a deletion.
    pub config: Value,
    /// What the plan kept for the apply.
    pub private: Vec<u8>,
}

/// The result of [`Resource::apply`].
#[derive(Clone, Debug)]
pub struct ApplyResponse {
    /// The state reached, also where an error came in between: what was done is in it.
    pub state: Value,
    /// What to keep beside it.
    pub private: Vec<u8>,
    /// What the user must know.
    pub diagnostics: Diagnostics,
}
