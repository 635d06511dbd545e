//! What a provider implements. Its data sources, ephemeral resources, functions, lists and actions are
//! in modules of their own.
//!
//! The guarantees to keep are Terraform's own (its `docs/resource-instance-change-lifecycle.md`):
//! a planned value that is known is the applied value, what the configuration sets is what the
//! plan says, and what cannot be known yet is unknown.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::data_source::DataSource;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::ephemeral::EphemeralResource;
use super::function::Function;
use super::identity::IdentitySchema;
use super::list_resource::ListResource;
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

    /// The ephemeral resources, each with its full type name.
    fn ephemeral_resources(&self) -> Vec<(&'static str, Arc<dyn EphemeralResource>)> {
        Vec::new()
    }

    /// The functions, each with its name. They are called on providers that are not configured.
    fn functions(&self) -> Vec<(&'static str, Arc<dyn Function>)> {
        Vec::new()
    }

    /// The lists, each with the full name of the resource type that it lists.
    fn list_resources(&self) -> Vec<(&'static str, Arc<dyn ListResource>)> {
        Vec::new()
    }

    /// The actions, each with its full type name.
    fn actions(&self) -> Vec<(&'static str, Arc<dyn Action>)> {
        Vec::new()
    }

    /// Checks a provider block that may have unknown values in it, without any request.
    async fn validate(&self, config: &Value) -> Diagnostics;

    /// Takes the provider block before any resource is read, planned or applied. Values may still
    /// be unknown during a plan.
    async fn configure(&self, config: &Value) -> Diagnostics;

    /// Whether the provider block that it was configured with left nothing unknown that it needs. Where
    /// it did, and the host can wait, what is read or planned is deferred.
    fn is_config_known(&self) -> bool {
        true
    }

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

    /// Whether there is nothing to do at all for what the host proposes to leave as it was, where that is
    /// plain without a plan. The state then is planned to stay as it is, in the very bytes that came.
    async fn is_as_it_was(&self, _cx: &Context, _state: Unchanged<'_>) -> bool {
        false
    }

    /// Says what an apply would make of the state. Changes nothing.
    async fn plan(&self, cx: &Context, request: PlanRequest) -> PlanResponse;

    /// Makes the plan true.
    async fn apply(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse;

    /// Finds what an import names. The state may be partial: a read follows.
    ///
    /// # Errors
    /// Where nothing has that name.
    async fn import(&self, cx: &Context, id: &str) -> Result<(Value, Vec<u8>), Diagnostics>;

    /// What tells one object from another, where that is told apart from the state.
    fn identity(&self) -> Option<IdentitySchema> {
        None
    }

    /// The identity of the object that has this state, or will have it. Null where the state does not
    /// tell. It must stay the same for as long as the object does.
    fn identify(&self, _state: &Value) -> Value {
        Value::Null
    }

    /// Turns the JSON of an identity of an older version into one of this version. Not called for the
    /// current version.
    ///
    /// # Errors
    /// Where the version is not known, or the identity is not one of it.
    fn upgrade_identity(&self, version: i64, _identity: &[u8]) -> Result<Value, Diagnostics> {
        Err(vec![Diagnostic::error(
            "Unreadable identity",
            format!("The identity has version {version}, and there never was such a version."),
        )])
    }

    /// The ID for an [import](Self::import) of the object that has this identity. What an import has to
    /// say is there.
    ///
    /// # Errors
    /// Where no object can have that identity.
    fn import_id(&self, _identity: &Value) -> Result<String, Diagnostics> {
        Err(vec![Diagnostic::error(
            "Import by identity is not supported",
            "This type of resource is imported by its ID.",
        )])
    }

    /// Makes a state of this type, and what is kept beside it, from that of another type or provider.
    /// `None` where it does not know how. Called before the provider is configured.
    ///
    /// # Errors
    /// Where the state is not what it says it is.
    fn move_state(&self, _request: &MoveRequest) -> Result<Option<(Value, Vec<u8>)>, Diagnostics> {
        Ok(None)
    }

    /// The configuration to write for a state, from the one that its schema leads to
    /// ([`config_of`](super::generate::config_of)).
    fn generate(&self, _state: &Value, config: Value) -> Value {
        config
    }
}

/// What goes with every request.
#[derive(Clone, Debug)]
pub struct Context {
    /// Cancelled when the user wants to stop: finish what must not be left half done, and return.
    pub cancel: CancellationToken,
    /// Why the answer has to wait; `None` where the host cannot wait.
    deferral: Option<Arc<OnceLock<Deferral>>>,
}

/// Why something cannot be read or planned before another apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferral {
    /// The configuration is not known far enough.
    ResourceConfigUnknown,
    /// The provider block is not.
    ProviderConfigUnknown,
    /// Something is not there yet.
    AbsentPrerequisite,
}

impl Context {
    /// For one request, of a host that can wait for another apply or cannot.
    pub fn new(cancel: CancellationToken, can_wait: bool) -> Self {
        Self {
            cancel,
            deferral: can_wait.then(Arc::default),
        }
    }

    /// Has the host come back to this after another apply, where it can; the answer then need not be
    /// complete. Answers whether it can. The first reason counts.
    pub fn defer(&self, why: Deferral) -> bool {
        match &self.deferral {
            Some(deferral) => {
                deferral.get_or_init(|| why);
                true
            }
            None => false,
        }
    }

    /// Why the answer has to wait, where it has.
    pub fn deferred(&self) -> Option<Deferral> {
        self.deferral.as_ref()?.get().copied()
    }
}

/// The arguments of [`Resource::move_state`].
#[derive(Clone, Debug)]
pub struct MoveRequest {
    /// The provider that has written the state: `<host>/<namespace>/<name>`.
    pub provider: String,
    /// The type that the state is of.
    pub type_name: String,
    /// The version of that type's schema.
    pub version: i64,
    /// The state, as JSON.
    pub state: Vec<u8>,
    /// What that provider kept beside it.
    pub private: Vec<u8>,
    /// The identity, as JSON; empty where there is none.
    pub identity: Vec<u8>,
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
    /// Whether the state is the very one that came, so that it can go back in the same bytes.
    pub same: bool,
}

impl ReadRequest {
    /// The answer that leaves everything as it was.
    pub fn unchanged(self, diagnostics: Diagnostics) -> ReadResponse {
        ReadResponse {
            state: self.state,
            private: self.private,
            diagnostics,
            same: true,
        }
    }
}

/// The arguments of [`Resource::is_as_it_was`].
#[derive(Clone, Copy, Debug)]
pub struct Unchanged<'a> {
    /// The state before, which is also what the host proposes.
    pub state: &'a Value,
    /// The configuration alone.
    pub config: &'a Value,
    /// What the provider kept beside the state.
    pub private: &'a [u8],
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

impl ApplyRequest {
    /// The answer of an apply that has changed nothing.
    pub fn unchanged(self, diagnostics: Diagnostics) -> ApplyResponse {
        ApplyResponse {
            state: self.prior,
            private: self.private,
            diagnostics,
        }
    }
}
