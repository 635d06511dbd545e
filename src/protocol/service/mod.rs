//! The calls of the plugin protocol, between the wire and a [`Provider`].
//!
//! What every call has in common is here: values are decoded by schema and encoded again, a call
//! for something that does not exist, an unreadable value and a panic each become one diagnostic,
//! and write-only attributes are null in whatever leaves. The calls themselves are in [`calls`].

mod calls;
mod respond;
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

use super::diagnostic::{Diagnostic, Diagnostics};
use super::resource::{Context, Provider, Resource};
use super::schema::Schema;
use super::value::{Type, Value, json, msgpack};
use super::wire::tfplugin6::DynamicValue;
use respond::Respond;

/// Serves one provider.
pub struct Service {
    provider: Arc<dyn Provider>,
    provider_schema: Described,
    resources: BTreeMap<&'static str, Managed>,
    /// What `StopProvider` cancels; replaced then, so that later calls start afresh.
    cancel: Mutex<CancellationToken>,
    /// Cancelled with the process.
    shutdown: CancellationToken,
}

/// A schema and the type it implies.
struct Described {
    schema: Schema,
    ty: Type,
}

struct Managed {
    resource: Arc<dyn Resource>,
    described: Described,
}

impl Described {
    fn new(schema: Schema) -> Self {
        let ty = schema.implied_type();
        Self { schema, ty }
    }

    fn decode(&self, what: &str, value: Option<&DynamicValue>) -> Result<Value, Diagnostics> {
        let decoded = match value {
            None => return Ok(Value::Null),
            Some(value) if !value.msgpack.is_empty() => msgpack::decode(&value.msgpack, &self.ty),
            Some(value) if !value.json.is_empty() => json::decode(&value.json, &self.ty),
            Some(_) => return Ok(Value::Null),
        };
        decoded.map_err(|error| vec![Diagnostic::from_value_error(what, &error)])
    }

    fn encode(&self, what: &str, mut value: Value) -> Result<DynamicValue, Diagnostics> {
        self.schema.strip_write_only(&mut value);
        match msgpack::encode(&value, &self.ty) {
            Ok(msgpack) => Ok(DynamicValue {
                msgpack,
                json: Vec::new(),
            }),
            Err(error) => Err(vec![Diagnostic::from_value_error(what, &error)]),
        }
    }
}

impl Service {
    /// Serves a provider until `shutdown`, which also cancels what is under way.
    pub fn new(provider: Arc<dyn Provider>, shutdown: CancellationToken) -> Self {
        let resources = provider.resources().into_iter().map(|(name, resource)| {
            let described = Described::new(resource.schema());
            (
                name,
                Managed {
                    resource,
                    described,
                },
            )
        });
        Self {
            provider_schema: Described::new(provider.schema()),
            resources: resources.collect(),
            provider,
            cancel: Mutex::new(shutdown.child_token()),
            shutdown,
        }
    }

    fn context(&self) -> Context {
        let current = self.cancel.lock().unwrap_or_else(PoisonError::into_inner);
        Context {
            cancel: current.clone(),
        }
    }

    /// Cancels what is under way, and only that.
    fn stop(&self) {
        let fresh = self.shutdown.child_token();
        let mut current = self.cancel.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, fresh).cancel();
    }

    fn managed(&self, type_name: &str) -> Result<&Managed, Diagnostics> {
        self.resources.get(type_name).ok_or_else(|| {
            vec![Diagnostic::error(
                "Unknown resource type",
                format!(
                    "This version of the provider has no resource {type_name:?}. \
                     Check the name, or run `terraform init -upgrade` for a later version."
                ),
            )]
        })
    }
}

/// Runs one call: its diagnostics become part of its answer, and so does a panic.
async fn answer<T: Respond>(
    rpc: &'static str,
    type_name: &str,
    call: impl Future<Output = Result<T, Diagnostics>>,
) -> Result<Response<T>, Status> {
    let span = tracing::debug_span!("rpc", tf_rpc = rpc, tf_resource_type = type_name);
    let start = Instant::now();
    let response = AssertUnwindSafe(call.instrument(span.clone()))
        .catch_unwind()
        .await;
    let response = match response {
        Ok(Ok(response)) => response,
        Ok(Err(diagnostics)) => T::failed(&diagnostics),
        Err(panic) => T::failed(&[from_panic(rpc, panic.as_ref())]),
    };
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    span.in_scope(|| tracing::debug!(ms = format!("{ms:.1}"), "answered"));
    Ok(Response::new(response))
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
