//! Work of a call that runs beside its guest. It is polled inside the polls of the guest's future, so that whoever measures
//! the call measures this work too, and it ends with the guest.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Work that runs beside a guest. Clones refer to the same background.
///
/// It costs a call without such work one small allocation, and an uncontended lock at each poll.
#[derive(Clone)]
pub struct Background {
    /// What has not been polled yet. `None` once the guest has ended.
    begun: Arc<Mutex<Option<Vec<Work>>>>,
}

impl Background {
    pub fn new() -> Self {
        Self { begun: Arc::new(Mutex::new(Some(Vec::new()))) }
    }

    /// Adds `future`. If this is called from within a poll of the guest or of other work, it is first polled when that poll is
    /// over; otherwise at the guest's next poll. After the guest's end it is dropped at once.
    pub fn push(&self, future: impl Future<Output = ()> + Send + 'static) {
        let work: Work = Box::pin(future);
        let refused = self.with(|begun| match begun {
            Some(begun) => {
                begun.push(work);
                None
            }
            None => Some(work),
        });
        // Dropped after the lock is released, whatever it holds.
        drop(refused);
    }

    /// Drives `guest` to its end and this work beside it. What is unfinished by then is dropped.
    pub async fn beside<F: Future>(self, guest: F) -> F::Output {
        let mut running = Running { background: self, works: None };
        let mut guest = pin!(guest);
        poll_fn(|context| {
            // The guest first, so that what it adds has started when this poll is over.
            let polled = guest.as_mut().poll(context);
            if polled.is_pending() {
                running.poll(context);
            }
            polled
        })
        .await
    }

    fn with<T>(&self, act: impl FnOnce(&mut Option<Vec<Work>>) -> T) -> T {
        act(&mut self.begun.lock())
    }
}

impl Default for Background {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").finish_non_exhaustive()
    }
}

/// The background of one call while its guest runs.
struct Running {
    background: Background,
    /// `None` until the first.
    works: Option<FuturesUnordered<Work>>,
}

impl Running {
    /// Polls what is new and what was woken, until all of it waits.
    fn poll(&mut self, context: &mut Context<'_>) {
        loop {
            let begun = self.background.with(|begun| begun.as_mut().map(mem::take)).unwrap_or_default();
            if !begun.is_empty() {
                self.works.get_or_insert_default().extend(begun);
            }
            match self.works.as_mut().map(|works| works.poll_next_unpin(context)) {
                // One has ended; the others may be ready.
                Some(Poll::Ready(Some(()))) => {}
                Some(Poll::Pending)
                    if self.background.with(|begun| begun.as_ref().is_some_and(|begun| !begun.is_empty())) => {}
                Some(Poll::Pending | Poll::Ready(None)) | None => break,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let begun = self.background.with(Option::take);
        drop(begun);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use tokio::sync::{Notify, oneshot};

    use super::*;

    struct CountsDrop(Arc<AtomicUsize>);

    impl Drop for CountsDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn a_guest_that_begins_nothing_returns_what_it_returns() {
        assert_eq!(Background::new().beside(ready(5)).await, 5);
        let yielding = async {
            tokio::task::yield_now().await;
            6
        };
        assert_eq!(tokio::spawn(Background::new().beside(yielding)).await.expect("a task of its own"), 6);
    }

    #[tokio::test]
    async fn the_guest_hears_from_what_it_has_begun() {
        let background = Background::new();
        let guest = async {
            let (answer, answered) = oneshot::channel();
            let inner = background.clone();
            background.push(async move {
                tokio::task::yield_now().await;
                // Work may begin further work, also in its last poll.
                inner.push(async move {
                    tokio::task::yield_now().await;
                    answer.send(7).expect("the guest waits");
                });
            });
            answered.await.expect("an answer")
        };
        assert_eq!(background.clone().beside(guest).await, 7);
    }

    #[tokio::test]
    async fn nothing_is_polled_but_within_the_guests_polls() {
        let (background, polls, woken) = (Background::new(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (counted, waiting) = (polls.clone(), woken.clone());
        background.push(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                waiting.notified().await;
            }
        });
        let mut beside = Box::pin(background.beside(pending::<()>()));
        let polled = || polls.load(Ordering::Relaxed);
        assert_eq!(polled(), 0, "pushing polls nothing");
        for expected in 1..=3 {
            assert!(beside.as_mut().now_or_never().is_none());
            assert_eq!(polled(), expected);
            woken.notify_one();
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            assert_eq!(polled(), expected, "it was woken and has to wait for the guest's poll");
        }
    }

    #[tokio::test]
    async fn what_is_unfinished_ends_with_the_guest() {
        let (background, drops) = (Background::new(), Arc::new(AtomicUsize::new(0)));
        let never = || {
            let counts = CountsDrop(drops.clone());
            async move {
                let _counts = counts;
                pending::<()>().await;
            }
        };
        let guest = async {
            background.push(never());
            tokio::task::yield_now().await;
            background.push(never());
        };
        background.clone().beside(guest).await;
        assert_eq!(drops.load(Ordering::Relaxed), 2, "one that ran, and one that was never polled");
        background.push(never());
        assert_eq!(drops.load(Ordering::Relaxed), 3, "one that came too late");
    }

    #[tokio::test]
    async fn what_is_unfinished_ends_with_a_call_that_is_dropped() {
        let (background, drops) = (Background::new(), Arc::new(AtomicUsize::new(0)));
        let counts = CountsDrop(drops.clone());
        background.push(async move {
            let _counts = counts;
            pending::<()>().await;
        });
        let mut beside = Box::pin(background.clone().beside(pending::<()>()));
        assert!(beside.as_mut().now_or_never().is_none());
        drop(beside);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    }
}
