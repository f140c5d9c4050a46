//! Work of a call that runs beside its guest. It is polled inside the polls of the guest's future, so that whoever measures
//! the call measures this work too, and it ends with the guest.

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
    /// Work that has not been polled yet. `None` once the guest has ended.
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
        let mut begun = self.begun.lock();
        match &mut *begun {
            Some(begun) => begun.push(work),
            None => {
                // Dropped without the lock, whatever it holds.
                drop(begun);
                drop(work);
            }
        }
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
}

struct Running {
    background: Background,
    /// `None` until the first.
    works: Option<FuturesUnordered<Work>>,
}

impl Running {
    /// Polls what is new and what was woken, until all of it waits.
    fn poll(&mut self, context: &mut Context<'_>) {
        loop {
            let begun = self.background.begun.lock().as_mut().map(mem::take).unwrap_or_default();
            if !begun.is_empty() {
                self.works.get_or_insert_default().extend(begun);
            }
            match self.works.as_mut().map(|works| works.poll_next_unpin(context)) {
                // One has ended; the others may be ready.
                Some(Poll::Ready(Some(()))) => {}
                Some(Poll::Pending) if self.background.begun.lock().as_ref().is_some_and(|begun| !begun.is_empty()) => {
                }
                Some(Poll::Pending | Poll::Ready(None)) | None => break,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let begun = self.background.begun.lock().take();
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

    /// Work that never ends and holds `count` until it is dropped.
    async fn never(count: Arc<()>) {
        pending::<()>().await;
        drop(count);
    }

    #[tokio::test]
    async fn a_guest_without_background_work_returns_its_output() {
        assert_eq!(Background::new().beside(ready(5)).await, 5);
        let yielding = async {
            tokio::task::yield_now().await;
            6
        };
        assert_eq!(tokio::spawn(Background::new().beside(yielding)).await.expect("a task of its own"), 6);
    }

    #[tokio::test]
    async fn work_runs_beside_the_guest_and_may_begin_further_work() {
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
    async fn work_is_polled_only_within_polls_of_the_guest() {
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
            assert_eq!(polled(), expected, "woken work waits for the guest's poll");
        }
    }

    #[tokio::test]
    async fn unfinished_work_is_dropped_with_the_guest_or_the_call() {
        let (background, count) = (Background::new(), Arc::new(()));
        let guest = async {
            background.push(never(count.clone()));
            tokio::task::yield_now().await;
            background.push(never(count.clone()));
            assert_eq!(Arc::strong_count(&count), 3, "one is running, and one was never polled");
        };
        background.clone().beside(guest).await;
        assert_eq!(Arc::strong_count(&count), 1);
        background.push(never(count.clone()));
        assert_eq!(Arc::strong_count(&count), 1, "it came too late");

        let background = Background::new();
        background.push(never(count.clone()));
        let mut call = Box::pin(background.beside(pending::<()>()));
        assert!(call.as_mut().now_or_never().is_none());
        assert_eq!(Arc::strong_count(&count), 2);
        drop(call);
        assert_eq!(Arc::strong_count(&count), 1);
    }
}
