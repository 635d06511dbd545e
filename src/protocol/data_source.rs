//! What a data source implements.

use async_trait::async_trait;

use super::diagnostic::Diagnostics;
use super::resource::Context;
use super::schema::Schema;
use super::value::Value;

/// One type of data source: it finds what exists already, and changes nothing.
#[async_trait]
pub trait DataSource: Send + Sync + 'static {
    /// The shape of its configuration and of what it finds. Its version is of no consequence: what
    /// was found is never upgraded, but read again.
    fn schema(&self) -> Schema;

    /// Checks a configuration that may have unknown values in it, without any request.
    async fn validate(&self, config: &Value) -> Diagnostics;

    /// Finds what a configuration asks for: the configuration itself, with every computed attribute
    /// filled in, and warnings. Terraform asks only once the configuration is wholly known, and
    /// takes neither null nor anything unknown for an answer.
    ///
    /// # Errors
    /// Where it cannot be found.
    async fn read(&self, cx: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics>;
}
