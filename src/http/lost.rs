//! Whether a write was done whose answer does not tell.

use std::future::Future;

use super::Error;

/// Takes a write for done where its answer does not tell and `look`, which asks the server, finds what it was
/// to make. It is not sent again: somebody may have made something else of the thing since.
///
/// # Errors
/// The write's own, where it was not done, and where `look` cannot tell either.
pub async fn found_out<T>(
    written: Result<T, Error>,
    look: impl Future<Output = Option<T>>,
) -> Result<T, Error> {
    match written {
        Err(error) if error.may_have_been_done() => look.await.ok_or(error),
        told => told,
    }
}
