//! What a list of resources implements: it finds the objects that there are, for `terraform query`.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::diagnostic::Diagnostics;
use super::resource::Context;
use super::schema::Schema;
use super::value::Value;

/// The list of the objects of one resource type, which has an
/// [identity](super::resource::Resource::identity).
#[async_trait]
pub trait ListResource: Send + Sync + 'static {
    /// The shape of its configuration: what narrows the list down.
    fn schema(&self) -> Schema;

    /// Checks a configuration that may have unknown values in it, without any request.
    async fn validate(&self, config: &Value) -> Diagnostics;

    /// Finds the objects, each as soon as it is known. Ends early where no more are wanted.
    ///
    /// # Errors
    /// Where the list cannot be had, or not to its end.
    async fn list(
        &self,
        cx: &Context,
        request: ListRequest,
        finds: &mut Finds,
    ) -> Result<(), Diagnostics>;
}

/// The arguments of [`ListResource::list`].
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// The configuration; null where there is none.
    pub config: Value,
    /// Whether the state of each object is wanted, too.
    pub include_resource: bool,
}

/// One object of a list.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which one it is, in the shape of the resource's identity; null where only the diagnostics are
    /// of interest.
    pub identity: Value,
    /// What to call it before a user.
    pub display_name: String,
    /// Its state, where that was asked for.
    pub resource: Option<Value>,
    /// What the user must know of it. An error ends the list.
    pub diagnostics: Diagnostics,
}

impl Found {
    /// What the user must know of an object that cannot be listed.
    pub fn unlisted(diagnostics: Diagnostics) -> Self {
        Self {
            identity: Value::Null,
            display_name: String::new(),
            resource: None,
            diagnostics,
        }
    }
}

/// Where a list puts what it finds.
#[derive(Debug)]
pub struct Finds {
    sender: mpsc::Sender<Result<Found, Diagnostics>>,
    /// How many more are wanted; `None` where there is no limit.
    left: Option<u64>,
}

impl Finds {
    /// Takes at most `limit` objects, where there is a limit.
    pub(super) fn new(
        limit: Option<u64>,
        sender: mpsc::Sender<Result<Found, Diagnostics>>,
    ) -> Self {
        Self {
            sender,
            left: limit,
        }
    }

    /// Whether another object is wanted.
    pub fn wants_more(&self) -> bool {
        self.left != Some(0) && !self.sender.is_closed()
    }

    /// Takes one, and waits where the host is slower. Answers whether another is wanted.
    pub async fn put(&mut self, found: Found) -> bool {
        if !self.wants_more() {
            return false;
        }
        if let Some(left) = &mut self.left
            && !found.identity.is_null()
        {
            *left -= 1;
        }
        self.sender.send(Ok(found)).await.is_ok() && self.wants_more()
    }
}
