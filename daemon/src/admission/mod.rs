//! Admission: how many calls run at once, how many may wait, and how much power functions may draw.

mod power_cap;
mod threshold;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use power_cap::{Lane, NoWait, OverPower, PowerCap};

/// Why a call was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Busy {
    #[error("{0} calls are waiting already, which is the limit")]
    QueueFull(usize),
    #[error("no other call ended within {0:?}")]
    WaitedTooLong(Duration),
}

/// A semaphore with a bounded queue.
#[derive(Debug)]
pub struct Admission {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue_max: usize,
    wait_max: Duration,
}

impl Admission {
    /// At most `concurrency` calls at once, at most `queue_max` waiting, none for longer than `wait_max`.
    pub fn new(concurrency: usize, queue_max: usize, wait_max: Duration) -> Self {
        Self { running: Arc::new(Semaphore::new(concurrency)), waiting: AtomicUsize::new(0), queue_max, wait_max }
    }

    /// Waits for a permit. Dropping the permit admits the next call.
    pub async fn enter(&self) -> Result<OwnedSemaphorePermit, Busy> {
        if let Ok(permit) = self.running.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = Waiting::join(&self.waiting, self.queue_max)?;
        match tokio::time::timeout(self.wait_max, self.running.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(Busy::WaitedTooLong(self.wait_max)),
        }
    }
}

/// A place in a queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    /// One of at most `max` places.
    fn join(waiting: &'a AtomicUsize, max: usize) -> Result<Self, Busy> {
        let more = |count| (count < max).then_some(count + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).map_err(|_| Busy::QueueFull(max))?;
        Ok(Self(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_queue_holds_exactly_its_bound() {
        let admission = Admission::new(1, 2, Duration::from_secs(5));
        let running = admission.enter().await.unwrap();
        let (mut first, mut second) = (Box::pin(admission.enter()), Box::pin(admission.enter()));
        tokio::select! { biased; _ = &mut first => panic!("entered"), _ = &mut second => panic!("entered"), () = std::future::ready(()) => {} }
        assert_eq!(admission.enter().await.err(), Some(Busy::QueueFull(2)));
        drop(running);
        let entered = first.await.unwrap();
        assert_eq!(second.await.err(), Some(Busy::WaitedTooLong(Duration::from_secs(5))));
        drop(entered);
        assert!(admission.enter().await.is_ok());
    }

    #[tokio::test]
    async fn without_a_queue_the_second_call_is_refused_at_once() {
        let admission = Admission::new(1, 0, Duration::from_secs(5));
        let _running = admission.enter().await.unwrap();
        assert_eq!(admission.enter().await.err(), Some(Busy::QueueFull(0)));
    }
}
