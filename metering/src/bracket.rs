//! Measures the slices of a call: each `poll` of its future, and its drop.
//!
//! A future moves between threads from poll to poll, and waits in between. Its work is therefore the sum of what each
//! poll used on the thread that ran it; waiting costs nothing, and neither does being preempted.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::post::{CallId, Full, FunctionId, PostBox, Posting, Slice};
use crate::work::Work;
use crate::work::reader::{Ended, WorkReader};
use crate::work::thread::{ThreadMoment, processor};

/// The running account of one call.
#[derive(Debug)]
pub struct Tally<E> {
    call: CallId,
    function: FunctionId,
    reader: WorkReader,
    posts: Arc<PostBox<E>>,
    /// All slices so far.
    total: Work,
    /// Slices that found the queue full, and go with the next.
    unposted: Work,
}

impl<E> Tally<E> {
    /// An account for `call` of `function`, whose slices go to `posts`.
    #[must_use]
    pub fn new(call: CallId, function: FunctionId, reader: WorkReader, posts: Arc<PostBox<E>>) -> Self {
        Self { call, function, reader, posts, total: Work::default(), unposted: Work::default() }
    }

    /// The work of all slices so far.
    #[must_use]
    pub fn total(&self) -> Work {
        self.total
    }

    /// Runs `slice` on this thread and adds what it used.
    pub fn measure<T>(&mut self, slice: impl FnOnce() -> T) -> T {
        let begun = self.reader.begin();
        let result = slice();
        let Ended { work, monotonic } = self.reader.end(begun);
        self.total += work;
        self.unposted += work;
        if self.post(monotonic).is_ok() {
            self.unposted = Work::default();
        }
        result
    }

    fn post(&self, end: Duration) -> Result<(), Full> {
        let Self { call, function, unposted: work, .. } = *self;
        self.posts.post(Posting::Slice(Slice { call, function, end, cpu: processor(), work }))
    }
}

impl<E> Drop for Tally<E> {
    fn drop(&mut self) {
        if self.unposted.cpu.is_zero() {
            return;
        }
        if self.post(ThreadMoment::now().monotonic).is_err() {
            // The work is not lost to the ledger: nobody having claimed it, it is the runtime's.
            self.posts.count_dropped();
        }
    }
}

pin_project! {
    /// A future that measures another, and gives its result together with the work it took.
    ///
    /// The inner future is dropped inside the last slice, so that clearing up after a call is part of it; also when
    /// the bracket is dropped before its end.
    #[derive(Debug)]
    pub struct Bracket<F, E> {
        #[pin]
        future: Option<F>,
        tally: Tally<E>,
    }

    impl<F, E> PinnedDrop for Bracket<F, E> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                this.tally.measure(|| this.future.set(None));
            }
        }
    }
}

impl<F, E> Bracket<F, E> {
    /// Measures `future` into `tally`.
    pub fn new(future: F, tally: Tally<E>) -> Self {
        Self { future: Some(future), tally }
    }
}

impl<F: Future, E> Future for Bracket<F, E> {
    type Output = (F::Output, Work);

    /// # Panics
    /// When polled again after it was ready, as futures may.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = this.tally.measure(|| {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                panic!("a bracket was polled after it was ready");
            };
            let polled = future.poll(context);
            if polled.is_ready() {
                this.future.set(None);
            }
            polled
        });
        polled.map(|output| (output, this.tally.total()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::time::Instant;

    use crate::work::thread::thread_cpu;

    const CALL: CallId = CallId(7);
    const FUNCTION: FunctionId = FunctionId(3);

    fn bracket<F: Future>(future: F, capacity: usize) -> (Bracket<F, ()>, Arc<PostBox<()>>) {
        let posts = Arc::new(PostBox::new(1, capacity));
        let tally = Tally::new(CALL, FUNCTION, WorkReader::cpu_time_only(), posts.clone());
        (Bracket::new(future, tally), posts)
    }

    fn burn(time: Duration) {
        let before = thread_cpu();
        while thread_cpu() - before < time {
            black_box((0..1000_u32).sum::<u32>());
        }
    }

    fn posted(posts: &PostBox<()>) -> Vec<Duration> {
        let mut slices = Vec::new();
        posts.collect(|posting| match posting {
            Posting::Slice(Slice { call: CALL, function: FUNCTION, work, .. }) => slices.push(work.cpu),
            other => panic!("{other:?}"),
        });
        slices
    }

    /// Burns a millisecond, yields, burns another; burns a third when dropped.
    async fn two_slices() {
        struct Costly;
        impl Drop for Costly {
            fn drop(&mut self) {
                burn(Duration::from_millis(1));
            }
        }
        let _costly = Costly;
        burn(Duration::from_millis(1));
        let mut yielded = false;
        std::future::poll_fn(|_| if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
        burn(Duration::from_millis(1));
    }

    fn context() -> Context<'static> {
        Context::from_waker(std::task::Waker::noop())
    }

    #[test]
    fn every_poll_posts_a_slice_and_the_total_is_their_sum() {
        let (bracket, posts) = bracket(two_slices(), 10);
        let mut bracket = std::pin::pin!(bracket);
        assert!(bracket.as_mut().poll(&mut context()).is_pending());
        let Poll::Ready(((), work)) = bracket.as_mut().poll(&mut context()) else { panic!("not ready") };
        let slices = posted(&posts);
        assert_eq!(slices.len(), 2);
        assert_eq!(slices.iter().sum::<Duration>(), work.cpu);
        assert!(slices[0] >= Duration::from_millis(1) && slices[1] >= Duration::from_millis(2), "{slices:?}");
    }

    #[test]
    fn a_dropped_call_is_charged_for_its_drop() {
        let (bracket, posts) = bracket(two_slices(), 10);
        let mut bracket = Box::pin(bracket);
        assert!(bracket.as_mut().poll(&mut context()).is_pending());
        drop(bracket);
        let slices = posted(&posts);
        assert_eq!(slices.len(), 2);
        assert!(slices[1] >= Duration::from_millis(1), "{slices:?}");
    }

    #[test]
    fn waiting_costs_nothing() {
        let (bracket, posts) = bracket(async { std::thread::sleep(Duration::from_millis(50)) }, 10);
        let started = Instant::now();
        assert!(std::pin::pin!(bracket).poll(&mut context()).is_ready());
        assert!(started.elapsed() >= Duration::from_millis(50));
        assert!(posted(&posts)[0] < Duration::from_millis(25));
    }

    #[test]
    fn a_slice_that_finds_the_queue_full_goes_with_the_next() {
        let (bracket, posts) = bracket(two_slices(), 1);
        let mut bracket = Box::pin(bracket);
        let (end, cpu) = (ThreadMoment::now().monotonic, processor());
        posts.post(Posting::Slice(Slice { call: CALL, function: FUNCTION, end, cpu, work: Work::default() })).unwrap();
        assert!(bracket.as_mut().poll(&mut context()).is_pending());
        assert_eq!(posted(&posts), [Duration::ZERO]);
        let Poll::Ready(((), work)) = bracket.as_mut().poll(&mut context()) else { panic!("not ready") };
        assert_eq!(posted(&posts), [work.cpu]);
        assert_eq!(posts.dropped(), 0);
    }
}
