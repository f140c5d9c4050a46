//! Where the current task's answers leave: a connection, and its stream of HTTP/2.
//!
//! Each stream runs in a task that can be cut off: hyper does not ask for more of an answer while its client grants no window,
//! so only whoever holds the task can end it. Dropping it resets the stream.

use std::sync::Arc;

use futures_util::future::{AbortHandle, abortable};
use hyper::rt::Executor;

use super::outlet::Outlet;

tokio::task_local! {
    static CURRENT: Exit;
}

/// The way out for the answers of a task.
#[derive(Clone)]
pub(super) struct Exit {
    pub outlet: Arc<Outlet>,
    /// Ends the stream that the task serves, if the connection has others.
    pub stream: Option<AbortHandle>,
}

/// That of the current task, if it serves a connection.
pub(super) fn current() -> Option<Exit> {
    CURRENT.try_with(Exit::clone).ok()
}

/// Serves a connection of HTTP/1, whose answers leave by this outlet.
pub async fn serve<C: Future>(outlet: Arc<Outlet>, connection: C) -> C::Output {
    CURRENT.scope(Exit { outlet, stream: None }, connection).await
}

/// Runs the streams of a connection of HTTP/2.
#[derive(Clone)]
pub struct StreamExecutor(pub Arc<Outlet>);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let open = self.0.open_stream();
        let (stream, handle) = abortable(stream);
        let exit = Exit { outlet: self.0.clone(), stream: Some(handle) };
        tokio::spawn(CURRENT.scope(exit, async move {
            // If it was cut off, the client learns it by the reset.
            let _ = stream.await;
            drop(open);
        }));
    }
}
