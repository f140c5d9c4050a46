//! Measures the slices of a call: each poll of its future, and its drop.
//!
//! A future moves between threads and waits between polls. So its work is the sum of what each poll used on its thread.
//! Waiting and preemption cost nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::post::{CallId, Full, FunctionId, PostBox, Posting, Purpose, Slice};
use crate::work::Work;
use crate::work::reader::{Ended, WorkReader};
use crate::work::thread::processor;

/// The running work account of one call. Posts what is left when dropped.
#[derive(Debug)]
pub struct Tally<E> {
    call: CallId,
    function: FunctionId,
    reader: WorkReader,
    posts: Arc<PostBox<E>>,
    /// All slices so far.
    total: Work,
    /// The last slice, with the work of those that did not fit into the queue.
    unposted: Option<Slice>,
    /// Whether any slice was posted.
    posted: bool,
}

impl<E> Tally<E> {
    /// An account for `call` of `function`. Its slices go to `posts`.
    #[must_use]
    pub fn new(call: CallId, function: FunctionId, reader: WorkReader, posts: Arc<PostBox<E>>) -> Self {
        Self { call, function, reader, posts, total: Work::default(), unposted: None, posted: false }
    }

    /// The work of all slices so far.
    #[must_use]
    pub fn total(&self) -> Work {
        self.total
    }

    /// Runs `slice` on this thread and adds its work, to be posted.
    pub fn measure<T>(&mut self, slice: impl FnOnce() -> T) -> T {
        let begun = self.reader.begin();
        let result = slice();
        let Ended { mut work, monotonic: end } = self.reader.end(begun);
        self.total += work;
        if let Some(earlier) = &self.unposted {
            work += earlier.work;
        }
        let (call, function, purpose) = (self.call, self.function, Purpose::Call);
        self.unposted = Some(Slice { call, function, purpose, end, cpu: processor(), work });
        result
    }

    /// Posts what was measured. If the queue is full, it goes with the next slice.
    pub fn post(&mut self) {
        if let Some(slice) = self.unposted
            && self.posts.post(Posting::Slice(slice)).is_ok()
        {
            self.unposted = None;
            self.posted = true;
        }
    }

    /// Ends the call and posts its last slice.
    ///
    /// # Errors
    /// When the queue is full: the call will never be settled.
    pub fn end(mut self, end: E) -> Result<(), Full> {
        match self.unposted.take() {
            Some(slice) if !self.posted => self.posts.whole(slice, end),
            last => self.posts.end(self.call, self.function, last, end),
        }
    }
}

impl<E> Drop for Tally<E> {
    fn drop(&mut self) {
        self.post();
        if self.unposted.is_some() {
            // The ledger does not lose the work: what nobody claims belongs to the runtime.
            self.posts.count_dropped();
        }
    }
}

pin_project! {
    /// Measures another future. Returns its result with the account, of which all slices but the last have been posted.
    ///
    /// The inner future is dropped inside the last slice, so cleaning up after a call belongs to it, even if the
    /// bracket is dropped early.
    #[derive(Debug)]
    pub struct Bracket<F, E> {
        #[pin]
        future: Option<F>,
        tally: Option<Tally<E>>,
    }

    impl<F, E> PinnedDrop for Bracket<F, E> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(tally) = this.tally {
                tally.measure(|| this.future.set(None));
            }
        }
    }
}

impl<F, E> Bracket<F, E> {
    /// Measures `future` into `tally`.
    pub fn new(future: F, tally: Tally<E>) -> Self {
        Self { future: Some(future), tally: Some(tally) }
    }

    /// The work of all slices so far; nothing after the end.
    pub fn total(&self) -> Work {
        self.tally.as_ref().map(Tally::total).unwrap_or_default()
    }

    /// Ends the future where it is, inside a last slice, and returns the account; `None` after the end.
    pub fn cut(self: Pin<&mut Self>) -> Option<Tally<E>> {
        let mut this = self.project();
        let mut tally = this.tally.take()?;
        tally.measure(|| this.future.set(None));
        Some(tally)
    }
}

impl<F: Future, E> Future for Bracket<F, E> {
    type Output = (F::Output, Tally<E>);

    /// When polled again after completion.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // The future exists as long as the tally.
        let Some(mut tally) = this.tally.take() else { panic!("a bracket was polled after it was ready") };
        let polled = tally.measure(|| {
            let polled = this.future.as_mut().as_pin_mut().map_or(Poll::Pending, |future| future.poll(context));
            if polled.is_ready() {
                this.future.set(None);
            }
            polled
        });
        match polled {
            Poll::Ready(output) => Poll::Ready((output, tally)),
            Poll::Pending => {
                tally.post();
                *this.tally = Some(tally);
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use crate::work::thread::{ThreadMoment, thread_cpu};

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

    /// The CPU times of what was posted.
    fn posted(posts: &PostBox<()>) -> Vec<Duration> {
        let mut slices = Vec::new();
        posts.collect(|posting| match posting {
            Posting::Slice(Slice { call: CALL, function: FUNCTION, work, .. })
            | Posting::Whole(Slice { call: CALL, function: FUNCTION, work, .. }, ()) => slices.push(work.cpu),
            Posting::End { call: CALL, function: FUNCTION, last: Some(slice), end: () } => slices.push(slice.work.cpu),
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
    fn every_poll_posts_a_slice_the_last_with_the_end_and_the_total_is_their_sum() {
        let (bracket, posts) = bracket(two_slices(), 10);
        let mut bracket = std::pin::pin!(bracket);
        assert!(bracket.as_mut().poll(&mut context()).is_pending());
        let mut slices = posted(&posts);
        let Poll::Ready(((), tally)) = bracket.as_mut().poll(&mut context()) else { panic!("not ready") };
        assert_eq!((slices.len(), posted(&posts).len()), (1, 0));
        let work = tally.total();
        tally.end(()).unwrap();
        slices.extend(posted(&posts));
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
    fn a_call_that_is_cut_is_charged_up_to_its_drop() {
        let (bracket, posts) = bracket(two_slices(), 10);
        let mut bracket = Box::pin(bracket);
        assert!(bracket.as_mut().poll(&mut context()).is_pending());
        let so_far = bracket.total().cpu;
        let tally = bracket.as_mut().cut().unwrap();
        assert!(tally.total().cpu >= so_far + Duration::from_millis(1));
        assert!(bracket.as_mut().cut().is_none());
        let total = tally.total().cpu;
        tally.end(()).unwrap();
        assert_eq!(posted(&posts).iter().sum::<Duration>(), total);
    }

    #[test]
    fn waiting_costs_nothing() {
        let (bracket, posts) = bracket(async { std::thread::sleep(Duration::from_millis(50)) }, 10);
        let started = Instant::now();
        let Poll::Ready(((), tally)) = std::pin::pin!(bracket).poll(&mut context()) else { panic!("not ready") };
        drop(tally);
        assert!(started.elapsed() >= Duration::from_millis(50));
        assert!(posted(&posts)[0] < Duration::from_millis(25));
    }

    #[test]
    fn a_slice_that_finds_the_queue_full_goes_with_the_next() {
        let (bracket, posts) = bracket(two_slices(), 1);
        let mut bracket = Box::pin(bracket);
        let (end, cpu) = (ThreadMoment::now().monotonic, processor());
        let (call, function, purpose, work) = (CALL, FUNCTION, Purpose::Call, Work::default());
        posts.post(Posting::Slice(Slice { call, function, purpose, end, cpu, work })).unwrap();
        assert!(bracket.as_mut().poll(&mut context()).is_pending());
        assert_eq!(posted(&posts), [Duration::ZERO]);
        let Poll::Ready(((), tally)) = bracket.as_mut().poll(&mut context()) else { panic!("not ready") };
        let work = tally.total();
        drop(tally);
        assert_eq!(posted(&posts), [work.cpu]);
        assert_eq!(posts.dropped(), 0);
    }
}
