//! What is told of every request, and may hold it.

use std::pin::Pin;

use crate::head::Seen;

/// The request goes on when it is ready, and never if it never is.
pub type Passing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sees each request twice.
pub trait Watch: Send + Sync + 'static {
    /// The request has arrived, and nothing of it has been passed on. What is answered is told to [`Self::after`].
    fn before<'a>(&'a self, request: &'a Seen) -> Passing<'a, u64>;

    /// The server has answered to the end, and the client has seen nothing of it.
    fn after(&self, number: u64) -> Passing<'_, ()>;
}
