//! What an action implements: something that is done, and leaves no state.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::diagnostic::Diagnostics;
use super::resource::Context;
use super::schema::Schema;
use super::value::Value;

/// One type of action.
#[async_trait]
pub trait Action: Send + Sync + 'static {
    /// The shape of its configuration. Its version is of no consequence.
    fn schema(&self) -> Schema;

    /// Checks a configuration that may have unknown values in it, without any request.
    async fn validate(&self, config: &Value) -> Diagnostics;

    /// Says what speaks against doing it. Changes nothing; values may be unknown.
    async fn plan(&self, _cx: &Context, _config: &Value) -> Diagnostics {
        Vec::new()
    }

    /// Does it, and tells how far it is. The configuration is wholly known.
    async fn invoke(&self, cx: &Context, config: Value, progress: Progress) -> Diagnostics;
}

/// Where an action tells how far it is. What is said when nobody listens any more is lost.
#[derive(Clone, Debug)]
pub struct Progress(mpsc::UnboundedSender<Told>);

/// What comes from an action.
#[derive(Debug)]
pub(super) enum Told {
    /// How far it is.
    Progress(String),
    /// How it ended.
    End(Diagnostics),
}

impl Progress {
    /// Tells the listener at the other end.
    pub(super) fn new(sender: mpsc::UnboundedSender<Told>) -> Self {
        Self(sender)
    }

    /// Shows a line to the user.
    pub fn say(&self, message: impl Into<String>) {
        let _ = self.0.send(Told::Progress(message.into()));
    }
}
