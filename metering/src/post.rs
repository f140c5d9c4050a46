//! The path of work from threads to the meter: bounded and lock-free.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;

use crate::work::Work;

/// Identity of a call, chosen by the caller of this library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u128);

/// Number of the account of a function: small numbers, assigned in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

/// What a function's work is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A call of the function.
    #[default]
    Call,
    /// Making the function ready to be called: compiling, linking, loading.
    Preparing,
}

/// A stretch of a call on one thread without interruption by another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The call.
    pub call: CallId,
    /// Its function.
    pub function: FunctionId,
    /// Whether it calls the function or prepares it.
    pub purpose: Purpose,
    /// When it ended, on `CLOCK_MONOTONIC`.
    pub end: Duration,
    /// The processor on which it ended, as the kernel numbers it.
    pub cpu: u32,
    /// Its work.
    pub work: Work,
}

/// A message from a thread to the meter. `E` is what the caller wants back with the settled charge.
#[derive(Clone, Debug)]
pub enum Posting<E> {
    /// A call has run.
    Slice(Slice),
    /// A call has ended, and all its slices but the last have been posted.
    End {
        /// The call.
        call: CallId,
        /// Its function.
        function: FunctionId,
        /// Its last slice, unless it has been posted.
        last: Option<Slice>,
        /// Given back with the settled charge.
        end: E,
    },
    /// A call that was a single slice has ended, as most are.
    Whole(Slice, E),
}

/// The queue has no room for a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue to the meter is full")]
pub struct Full;

/// Bounded queues, each for a few threads, so that posting threads rarely contend.
#[derive(Debug)]
pub struct PostBox<E> {
    queues: Box<[ArrayQueue<Posting<E>>]>,
    dropped: AtomicU64,
}

thread_local! {
    static QUEUE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

impl<E> PostBox<E> {
    /// A post box for about `threads` threads, each of which may post `capacity` times between two collections.
    #[must_use]
    pub fn new(threads: usize, capacity: usize) -> Self {
        let queues = (0..threads.max(1)).map(|_| ArrayQueue::new(capacity.max(1))).collect();
        Self { queues, dropped: AtomicU64::new(0) }
    }

    /// Posts without waiting.
    ///
    /// When the queue is full. The posting is lost.
    pub fn post(&self, posting: Posting<E>) -> Result<(), Full> {
        let queue = QUEUE.with(|queue| *queue) % self.queues.len();
        self.queues[queue].push(posting).map_err(|_| Full)
    }

    /// Posts the end of a call, with its last slice unless it has been posted.
    ///
    /// # Errors
    /// When the queue is full: the call will never be settled.
    pub fn end(&self, call: CallId, function: FunctionId, last: Option<Slice>, end: E) -> Result<(), Full> {
        self.post_last(Posting::End { call, function, last, end })
    }

    /// Posts a call that was a single slice, with its end.
    ///
    /// # Errors
    /// When the queue is full: the call will never be settled.
    pub fn whole(&self, slice: Slice, end: E) -> Result<(), Full> {
        self.post_last(Posting::Whole(slice, end))
    }

    fn post_last(&self, posting: Posting<E>) -> Result<(), Full> {
        self.post(posting).inspect_err(|_| self.count_dropped())
    }

    /// Counts a posting that was lost because the queue was full.
    pub fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Number of lost postings.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Takes everything that was posted before this call. What is posted meanwhile may wait for the next one.
    pub fn collect(&self, mut take: impl FnMut(Posting<E>)) {
        for queue in &self.queues {
            for _ in 0..queue.len() {
                let Some(posting) = queue.pop() else { break };
                take(posting);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(call: u128) -> Posting<()> {
        let work = Work::of_cpu(Duration::from_nanos(1));
        let (function, purpose) = (FunctionId(0), Purpose::Call);
        Posting::Slice(Slice { call: CallId(call), function, purpose, end: Duration::ZERO, cpu: 0, work })
    }

    #[test]
    fn a_full_queue_says_so() {
        let posts = PostBox::new(1, 2);
        assert!(posts.post(slice(1)).is_ok());
        assert!(posts.post(slice(2)).is_ok());
        assert_eq!(posts.post(slice(3)), Err(Full));
        let mut seen = 0;
        posts.collect(|_| seen += 1);
        assert_eq!(seen, 2);
        assert!(posts.post(slice(3)).is_ok());
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let posts = PostBox::new(2, 100_000);
        std::thread::scope(|scope| {
            for thread in 0..4_u128 {
                let posts = &posts;
                scope.spawn(move || (0..10_000).for_each(|call| posts.post(slice(thread * 10_000 + call)).unwrap()));
            }
        });
        let mut seen = std::collections::HashSet::new();
        posts.collect(|posting| match posting {
            Posting::Slice(Slice { call, .. }) | Posting::Whole(Slice { call, .. }, ()) | Posting::End { call, .. } => {
                assert!(seen.insert(call));
            }
        });
        assert_eq!(seen.len(), 40_000);
    }
}
