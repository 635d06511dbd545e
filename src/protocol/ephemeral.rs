//! What an ephemeral resource implements: something that is there while Terraform works with it, and of
//! which neither plan nor state keeps anything.

use std::time::SystemTime;

use async_trait::async_trait;

use super::diagnostic::Diagnostics;
use super::resource::Context;
use super::schema::Schema;
use super::value::Value;

/// One type of ephemeral resource. Terraform opens it in the plan and again in the apply, each time for
/// as long as something uses it.
#[async_trait]
pub trait EphemeralResource: Send + Sync + 'static {
    /// The shape of its configuration and of what it brings. Its version is of no consequence.
    fn schema(&self) -> Schema;

    /// Checks a configuration that may have unknown values in it, without any request.
    async fn validate(&self, config: &Value) -> Diagnostics;

    /// Opens it. The configuration is wholly known. Nobody closes what was not wholly opened, so an
    /// error leaves nothing behind. Once begun, it runs to its end: nobody breaks it off half way.
    ///
    /// # Errors
    /// Where it cannot be opened.
    async fn open(&self, cx: &Context, config: Value) -> Result<Opened, Diagnostics>;

    /// Keeps it open, at the time that was asked for. Only one that asks for a time is ever renewed.
    ///
    /// # Errors
    /// Where it does not stay open. It is not renewed again, and still closed.
    async fn renew(&self, _cx: &Context, private: Vec<u8>) -> Result<Renewed, Diagnostics> {
        Ok(Renewed {
            private,
            ..Renewed::default()
        })
    }

    /// Closes it. It is called once for each that was opened, with what `open` kept: the hosts that there
    /// are do not bring what a renewal kept.
    async fn close(&self, cx: &Context, private: Vec<u8>) -> Diagnostics;
}

/// The result of [`EphemeralResource::open`].
#[derive(Clone, Debug)]
pub struct Opened {
    /// The configuration, with every computed attribute filled in. What a plan cannot know yet is unknown.
    pub value: Value,
    /// What to keep for the renewals and the close.
    pub private: Vec<u8>,
    /// When to renew it; never where it lasts long enough.
    pub renew_at: Option<SystemTime>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}

/// The result of [`EphemeralResource::renew`].
#[derive(Clone, Debug, Default)]
pub struct Renewed {
    /// What to keep for the next renewal.
    pub private: Vec<u8>,
    /// When to renew it next; never again where it now lasts long enough.
    pub renew_at: Option<SystemTime>,
    /// Warnings.
    pub diagnostics: Diagnostics,
}
