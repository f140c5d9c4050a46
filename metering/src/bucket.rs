//! The work of one window: whose it was, on which package, and when some processor was awake for it.

use std::collections::HashMap;
use std::time::Duration;

use crate::post::{CallId, FunctionId, Slice};
use crate::work::Work;
use crate::work::topology::Topology;

/// Into how many stretches a window is cut to see when calls ran: of 0.1 ms each in a window of 100 ms, as long as the
/// shortest of calls that matter and a tenth of an update of the counters.
const STRETCHES: usize = 1024;

/// What one call did on one package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub function: FunctionId,
    pub call: CallId,
    pub package: usize,
    pub work: Work,
}

/// The work of one window.
#[derive(Debug)]
pub(crate) struct Bucket {
    start: Duration,
    end: Duration,
    works: HashMap<(CallId, usize), (FunctionId, Work)>,
    /// For each package how long its processors ran calls in each stretch, in nanoseconds.
    awake: Vec<Vec<u64>>,
}

impl Bucket {
    pub fn new(start: Duration, end: Duration, packages: usize) -> Self {
        Self { start, end: end.max(start), works: HashMap::new(), awake: vec![Vec::new(); packages] }
    }

    /// Adds a slice that ran within this window. What ran before it began counts as if it had run at its beginning.
    pub fn add(&mut self, slice: &Slice, topology: &Topology) {
        let package = topology.package_of(slice.cpu);
        let (_, work) = self.works.entry((slice.call, package)).or_insert((slice.function, Work::default()));
        *work += slice.work;
        self.awaken(package, slice.end.saturating_sub(slice.work.cpu), slice.end);
    }

    /// How long any processor of the package ran calls, give or take what overlaps within a stretch.
    pub fn awake(&self, package: usize) -> Duration {
        let stretch = self.stretch_ns();
        Duration::from_nanos(self.awake[package].iter().map(|&ran| ran.min(stretch)).sum())
    }

    /// How many processors of the package ran calls: the mean over the window, and the variance.
    pub fn running(&self, package: usize) -> (f64, f64) {
        let (stretch, stretches) = (self.stretch_ns() as f64, &self.awake[package]);
        let count = nanos(self.end - self.start) as f64 / stretch;
        if count <= 0.0 {
            return (0.0, 0.0);
        }
        let running = stretches.iter().map(|&ran| ran as f64 / stretch);
        let (sum, squares) = running.fold((0.0, 0.0), |(sum, squares), one| (sum + one, squares + one * one));
        let mean = sum / count;
        (mean, (squares / count - mean * mean).max(0.0))
    }

    /// Everything, ordered by function and call.
    pub fn entries(&self) -> Vec<Entry> {
        let entry = |(&(call, package), &(function, work)): (&(CallId, usize), &(FunctionId, Work))| Entry {
            function,
            call,
            package,
            work,
        };
        let mut entries: Vec<Entry> = self.works.iter().map(entry).collect();
        entries.sort_unstable_by_key(|entry| (entry.function, entry.call, entry.package));
        entries
    }

    fn stretch_ns(&self) -> u64 {
        nanos(self.end - self.start).div_ceil(STRETCHES as u64).max(1)
    }

    fn awaken(&mut self, package: usize, from: Duration, to: Duration) {
        let stretch = self.stretch_ns();
        let stretches = &mut self.awake[package];
        if stretches.is_empty() {
            stretches.resize(STRETCHES, 0);
        }
        let position = |at: Duration| nanos(at.clamp(self.start, self.end) - self.start);
        let (mut from, to) = (position(from), position(to));
        while from < to {
            let index = (from / stretch) as usize;
            let until = to.min((index as u64 + 1) * stretch);
            stretches[index] += until - from;
            from = until;
        }
    }
}

/// The part of a slice that ran before `time`, and the rest. What it did is taken as evenly spread over its CPU time.
pub(crate) fn cut(slice: &Slice, time: Duration) -> (Option<Slice>, Option<Slice>) {
    let after = slice.end.saturating_sub(time);
    if after.is_zero() {
        return (Some(*slice), None);
    }
    if after >= slice.work.cpu {
        return (None, Some(*slice));
    }
    let (late, early) = slice.work.divided(after);
    (Some(Slice { end: time, work: early, ..*slice }), Some(Slice { work: late, ..*slice }))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::Events;

    const MS: Duration = Duration::from_millis(1);

    fn slice(call: u128, cpu: u32, end_ms: u32, ran_ms: u32) -> Slice {
        let events = Events { instructions: u64::from(ran_ms) * 1_000_001, ..Events::default() };
        let work = Work { cpu: MS * ran_ms, events: Some(events), efficient: None };
        Slice { call: CallId(call), function: FunctionId(0), end: MS * end_ms, cpu, work }
    }

    #[test]
    fn a_slice_over_two_windows_is_cut_and_nothing_is_lost() {
        let whole = slice(1, 0, 105, 15);
        let (Some(early), Some(late)) = cut(&whole, MS * 100) else { panic!("it runs over the boundary") };
        assert_eq!((early.work.cpu, late.work.cpu), (MS * 10, MS * 5));
        assert_eq!((early.end, late.end), (MS * 100, MS * 105));
        let mut sum = early.work;
        sum += late.work;
        assert_eq!(sum, whole.work);
        assert_eq!(cut(&whole, MS * 105), (Some(whole), None));
        assert_eq!(cut(&whole, MS * 90), (None, Some(whole)));
    }

    #[test]
    fn processors_that_run_at_once_are_awake_once() {
        let topology = Topology::new(&[0, 0, 1]);
        let mut bucket = Bucket::new(MS * 100, MS * 200, 2);
        for slice in [slice(1, 0, 150, 40), slice(2, 1, 140, 20), slice(3, 2, 200, 5)] {
            bucket.add(&slice, &topology);
        }
        let near = |time: Duration, expected: Duration| assert!(time.abs_diff(expected) < MS / 5, "{time:?}");
        near(bucket.awake(0), MS * 40);
        near(bucket.awake(1), MS * 5);
    }

    #[test]
    fn calls_back_to_back_are_awake_for_their_sum() {
        let topology = Topology::one_package(4);
        let mut bucket = Bucket::new(Duration::ZERO, MS * 100, 1);
        for index in 0..500_u32 {
            let work = Work::of_cpu(Duration::from_micros(10));
            let end = Duration::from_micros(10) * (index + 1);
            let slice = Slice { call: CallId(index.into()), function: FunctionId(0), end, cpu: 0, work };
            bucket.add(&slice, &topology);
        }
        assert!(bucket.awake(0).abs_diff(MS * 5) < MS / 5);
        assert_eq!(bucket.entries().len(), 500);
    }
}
