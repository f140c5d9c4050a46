//! Where a call runs. Most calls take microseconds and run on the thread that read their request. A call that still computes
//! at its first tick moves to threads of lower priority, so that long calls do not hold up short ones.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use nebula_runtime::take_yielded;

use crate::thread_priority::lower_priority;

/// How long the threads may take to stop. Guests yield at every tick and need no longer.
const END_MAX: Duration = Duration::from_secs(1);

/// Threads for long calls. Dropping it stops them. Calls were started by other threads and use their timers: those threads must
/// outlive these.
#[derive(Debug)]
pub struct LongCalls(Option<Runtime>);

impl LongCalls {
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let builder = builder.worker_threads(threads).thread_name("long-calls").on_thread_start(lower_priority);
        Ok(Self(Some(builder.enable_all().build()?)))
    }

    pub fn handle(&self) -> Option<Handle> {
        self.0.as_ref().map(|runtime| runtime.handle().clone())
    }
}

impl Drop for LongCalls {
    fn drop(&mut self) {
        // Calls that still run have had their grace period.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(END_MAX);
        }
    }
}

/// A call, wherever it runs. Dropping it ends the call.
pub(super) enum Placed<T> {
    /// On the thread that polls it.
    Here(Pin<Box<dyn Future<Output = T> + Send>>, Option<Handle>),
    /// On a thread for long calls.
    Away(Abandoned<T>),
    /// Between the two, or ended with its thread.
    Gone,
}

impl<T: Send + 'static> Placed<T> {
    /// On this thread, and later on one of `away` if there are any.
    pub fn new(call: impl Future<Output = T> + Send + 'static, away: Option<Handle>) -> Self {
        Self::Here(Box::pin(call), away)
    }
}

impl<T: Send + 'static> Future for Placed<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        if let Self::Here(call, away) = &mut *self {
            let _before = take_yielded();
            if let Poll::Ready(output) = call.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            // A call that waits is woken when its event comes. Only a call that computes moves.
            if away.is_none() || !take_yielded() {
                return Poll::Pending;
            }
            if let Self::Here(call, Some(away)) = std::mem::replace(&mut *self, Self::Gone) {
                *self = Self::Away(Abandoned(away.spawn(call)));
            }
        }
        let Self::Away(Abandoned(task)) = &mut *self else { return Poll::Pending };
        match ready!(Pin::new(task).poll(context)) {
            Ok(output) => Poll::Ready(output),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The daemon is stopping and nobody will read an answer. A task may not be polled again after its end.
                Err(_) => {
                    *self = Self::Gone;
                    Poll::Pending
                }
            },
        }
    }
}

/// A task that is aborted when nobody waits for it any more.
pub(super) struct Abandoned<T>(JoinHandle<T>);

impl<T> Drop for Abandoned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt as _;

    use super::*;

    /// The threads for long calls stop while connections still poll their calls.
    #[test]
    fn a_call_whose_thread_has_stopped_may_be_polled_again() {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let mut call = Placed::Away(Abandoned(runtime.spawn(pending::<()>())));
        runtime.shutdown_timeout(END_MAX);
        for _ in 0..3 {
            assert!((&mut call).now_or_never().is_none());
        }
    }
}
