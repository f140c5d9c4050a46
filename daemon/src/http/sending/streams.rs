//! Streams of HTTP/2, each in a task that can be cut off.
//!
//! hyper does not ask for more of an answer while its client grants no window, so only whoever holds the task can end it.
//! Dropping it resets the stream.

use std::sync::Arc;

use futures_util::future::{AbortHandle, abortable};
use hyper::rt::Executor;

use super::outlet::Outlet;

tokio::task_local! {
    /// Ends the stream that this task serves.
    static CURRENT: AbortHandle;
}

/// Runs the streams of a connection.
#[derive(Clone)]
pub struct StreamExecutor(pub Arc<Outlet>);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let open = self.0.open_stream();
        let (stream, handle) = abortable(stream);
        tokio::spawn(CURRENT.scope(handle, async move {
            // If it was cut off, the client learns it by the reset.
            let _ = stream.await;
            drop(open);
        }));
    }
}

/// What ends the stream that the current task serves.
pub(super) fn current() -> Option<AbortHandle> {
    CURRENT.try_with(AbortHandle::clone).ok()
}
