//! The calls of the plugin protocol, between the wire and a [`Provider`].
//!
//! What every call has in common is here: values are decoded by schema and encoded again, a call
//! for something that does not exist, an unreadable value and a panic each become one diagnostic,
//! and write-only attributes are null in whatever leaves. The calls themselves are in [`calls`],
//! what they are about in [`served`].

mod actions;
mod calls;
mod ephemerals;
mod functions;
mod identities;
mod lists;
mod respond;
mod served;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tonic::{Response, Status};
use tracing::Instrument as _;

use super::action::Action;
use super::data_source::DataSource;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::ephemeral::EphemeralResource;
use super::function::{Function, Signature};
use super::list_resource::ListResource;
use super::resource::{Context, Deferral, Provider, Resource};
use super::wire::tfplugin6 as wire;
use respond::Respond;
use served::{Described, Served};

type ByName<T, D = Described> = BTreeMap<&'static str, Arc<Served<T, D>>>;

/// Serves one provider.
pub struct Service {
    provider: Served<dyn Provider>,
    resources: ByName<dyn Resource>,
    data_sources: ByName<dyn DataSource>,
    ephemeral_resources: ByName<dyn EphemeralResource>,
    functions: ByName<dyn Function, Signature>,
    list_resources: ByName<dyn ListResource>,
    actions: ByName<dyn Action>,
    /// What `StopProvider` cancels; replaced then, so that later calls start afresh.
    cancel: Mutex<CancellationToken>,
    /// Cancelled with the process.
    shutdown: CancellationToken,
}

impl Service {
    /// Serves a provider until `shutdown`, which also cancels what is under way.
    pub fn new(provider: Arc<dyn Provider>, shutdown: CancellationToken) -> Self {
        let resources = provider.resources();
        let data_sources = provider.data_sources();
        let ephemeral_resources = provider.ephemeral_resources();
        let functions = provider.functions();
        let list_resources = provider.list_resources();
        let actions = provider.actions();
        Self {
            provider: Served::new(provider, |it| Described::new(it.schema())),
            resources: served::by_name(resources, Described::resource),
            data_sources: served::by_name(data_sources, |it| Described::new(it.schema())),
            ephemeral_resources: served::by_name(ephemeral_resources, |it| {
                Described::new(it.schema())
            }),
            functions: served::by_name(functions, |it| it.signature()),
            list_resources: served::by_name(list_resources, |it| Described::new(it.schema())),
            actions: served::by_name(actions, |it| Described::new(it.schema())),
            cancel: Mutex::new(shutdown.child_token()),
            shutdown,
        }
    }

    /// What goes with a request of a host that can do this.
    fn context(&self, host: Option<wire::ClientCapabilities>) -> Context {
        let current = self.cancel.lock().unwrap_or_else(PoisonError::into_inner);
        Context::new(current.clone(), host.is_some_and(|it| it.deferral_allowed))
    }

    /// Defers what the provider block is not known far enough for. Answers whether it does.
    fn has_to_wait(&self, cx: &Context) -> bool {
        !self.provider.it.is_config_known() && cx.defer(Deferral::ProviderConfigUnknown)
    }

    /// Cancels what is under way, and only that.
    fn stop(&self) {
        let fresh = self.shutdown.child_token();
        let mut current = self.cancel.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, fresh).cancel();
    }

    fn resource(&self, type_name: &str) -> Result<&Arc<Served<dyn Resource>>, Diagnostics> {
        find(&self.resources, "resource type", type_name)
    }

    fn data_source(&self, type_name: &str) -> Result<&Arc<Served<dyn DataSource>>, Diagnostics> {
        find(&self.data_sources, "data source", type_name)
    }

    fn ephemeral(
        &self,
        type_name: &str,
    ) -> Result<&Arc<Served<dyn EphemeralResource>>, Diagnostics> {
        find(&self.ephemeral_resources, "ephemeral resource", type_name)
    }

    fn list_of(&self, type_name: &str) -> Result<&Arc<Served<dyn ListResource>>, Diagnostics> {
        find(&self.list_resources, "list of the resource type", type_name)
    }

    fn action(&self, type_name: &str) -> Result<&Arc<Served<dyn Action>>, Diagnostics> {
        find(&self.actions, "action", type_name)
    }
}

/// The wire form of a deferral.
fn deferred(cx: &Context) -> Option<wire::Deferred> {
    use wire::deferred::Reason;
    let reason = match cx.deferred()? {
        Deferral::ResourceConfigUnknown => Reason::ResourceConfigUnknown,
        Deferral::ProviderConfigUnknown => Reason::ProviderConfigUnknown,
        Deferral::AbsentPrerequisite => Reason::AbsentPrereq,
    };
    Some(wire::Deferred {
        reason: reason.into(),
    })
}

fn find<'a, T>(
    all: &'a BTreeMap<&'static str, T>,
    what: &str,
    name: &str,
) -> Result<&'a T, Diagnostics> {
    all.get(name).ok_or_else(|| {
        vec![Diagnostic::error(
            format!("Unknown {what}"),
            format!(
                "This version of the provider has no {what} {name:?}. \
                 Check the name, or run `terraform init -upgrade` for a later version."
            ),
        )]
    })
}

/// What a call is about, for the log.
#[derive(Clone, Copy)]
enum About<'a> {
    Provider,
    Resource(&'a str),
    DataSource(&'a str),
    Ephemeral(&'a str),
    Function(&'a str),
    Action(&'a str),
}

impl About<'_> {
    fn span(self, rpc: &'static str) -> tracing::Span {
        match self {
            Self::Provider => tracing::debug_span!("rpc", tf_rpc = rpc),
            Self::Resource(name) => {
                tracing::debug_span!("rpc", tf_rpc = rpc, tf_resource_type = name)
            }
            Self::DataSource(name) => {
                tracing::debug_span!("rpc", tf_rpc = rpc, tf_data_source_type = name)
            }
            Self::Ephemeral(name) => {
                tracing::debug_span!("rpc", tf_rpc = rpc, tf_ephemeral_resource_type = name)
            }
            Self::Function(name) => tracing::debug_span!("rpc", tf_rpc = rpc, tf_function = name),
            Self::Action(name) => tracing::debug_span!("rpc", tf_rpc = rpc, tf_action_type = name),
        }
    }
}

/// Runs one call: its diagnostics become part of its answer, and so does a panic.
async fn answer<T: Respond>(
    rpc: &'static str,
    about: About<'_>,
    call: impl Future<Output = Result<T, Diagnostics>>,
) -> Result<Response<T>, Status> {
    let response = run(rpc, about.span(rpc), call).await;
    Ok(Response::new(response.unwrap_or_else(|d| T::failed(&d))))
}

/// Runs one call, or what is left of it: a panic becomes a diagnostic.
async fn run<T>(
    rpc: &'static str,
    span: tracing::Span,
    call: impl Future<Output = Result<T, Diagnostics>>,
) -> Result<T, Diagnostics> {
    let start = Instant::now();
    let result = AssertUnwindSafe(call.instrument(span.clone()))
        .catch_unwind()
        .await;
    let result = result.unwrap_or_else(|panic| Err(vec![from_panic(rpc, panic.as_ref())]));
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    span.in_scope(|| tracing::debug!(ms = format!("{ms:.1}"), "answered"));
    result
}

fn from_panic(rpc: &str, panic: &(dyn Any + Send)) -> Diagnostic {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(rpc, message, "a panic");
    Diagnostic::error(
        "The provider has a bug",
        format!(
            "{rpc} failed in a way it must not: {message}. Nothing else was affected. \
             Please report this with the configuration that leads to it."
        ),
    )
}
