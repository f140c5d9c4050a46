//! The way of work from the threads that do it to the meter that counts it: bounded, and without a lock.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crossbeam_queue::ArrayQueue;

use crate::work::Work;

/// The identity of one call, chosen by whoever starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u128);

/// The identity of one function's account: small numbers, given out in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

/// What threads tell the meter. `E` is whatever the caller wants back when the call is settled.
#[derive(Clone, Debug)]
pub enum Posting<E> {
    /// A call did some work.
    Slice {
        /// The call.
        call: CallId,
        /// The function that it calls.
        function: FunctionId,
        /// What it did.
        work: Work,
    },
    /// A call has ended, and all its slices have been posted.
    End {
        /// The call.
        call: CallId,
        /// The function that it called.
        function: FunctionId,
        /// Given back with the settled charge.
        end: E,
    },
}

/// Bounded queues, one for each of a few groups of threads, so that posting threads rarely meet.
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
    /// A post box for about `threads` posting threads, each able to post `capacity` times between two collections.
    #[must_use]
    pub fn new(threads: usize, capacity: usize) -> Self {
        let queues = (0..threads.max(1)).map(|_| ArrayQueue::new(capacity.max(1))).collect();
        Self { queues, dropped: AtomicU64::new(0) }
    }

    /// Posts. Never waits.
    ///
    /// # Errors
    /// Gives the posting back when the queue is full.
    pub fn post(&self, posting: Posting<E>) -> Result<(), Posting<E>> {
        let queue = QUEUE.with(|queue| *queue) % self.queues.len();
        self.queues[queue].push(posting)
    }

    /// Counts a posting that was given up because the queue was full.
    pub fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How many postings were given up.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Takes out what was posted before this call; what is posted meanwhile may wait for the next.
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
    use std::time::Duration;

    fn slice(call: u128) -> Posting<()> {
        let work = Work { cpu: Duration::from_nanos(1), events: None };
        Posting::Slice { call: CallId(call), function: FunctionId(0), work }
    }

    #[test]
    fn a_full_queue_gives_the_posting_back() {
        let posts = PostBox::new(1, 2);
        assert!(posts.post(slice(1)).is_ok());
        assert!(posts.post(slice(2)).is_ok());
        assert!(matches!(posts.post(slice(3)), Err(Posting::Slice { call: CallId(3), .. })));
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
                scope.spawn(move || (0..10_000).for_each(|call| drop(posts.post(slice(thread * 10_000 + call)))));
            }
        });
        let mut seen = std::collections::HashSet::new();
        posts.collect(|posting| match posting {
            Posting::Slice { call, .. } | Posting::End { call, .. } => assert!(seen.insert(call)),
        });
        assert_eq!(seen.len(), 40_000);
    }
}
