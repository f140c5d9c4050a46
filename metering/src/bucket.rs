//! The work of one window: by which call and on which package, how long some processor was awake for it, and beside
//! what it ran.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::time::Duration;

use crate::call_map::CallHasher;
use crate::post::{CallId, FunctionId, Purpose, Slice};
use crate::work::Work;
use crate::work::topology::Topology;

/// Number of stretches of a window, to see when calls ran: 0.1 ms each in a window of 100 ms, which is the length of
/// the shortest calls that matter and a tenth of a counter update.
const STRETCHES: usize = 1024;

/// The call of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A call that may also have run in other windows.
    Call(CallId),
    /// The whole call at this place. It ran in no other window.
    Whole(usize),
}

/// The work of one call on one package.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry {
    pub function: FunctionId,
    pub purpose: Purpose,
    pub owner: Owner,
    pub package: usize,
    pub work: Work,
    /// Part of its CPU time during which another call ran on the same core.
    pub beside: f64,
}

impl Entry {
    /// Who is charged for it: a function's calls and its preparation are two consumers.
    pub fn consumer(&self) -> (FunctionId, Purpose) {
        (self.function, self.purpose)
    }
}

/// The work of one window.
#[derive(Debug)]
pub(crate) struct Bucket {
    start: Duration,
    end: Duration,
    slices: Vec<Slice>,
    whole: Vec<Slice>,
    /// CPU time of calls in each stretch, in nanoseconds, for each package and each core.
    packages: Timelines,
    cores: Timelines,
}

impl Bucket {
    pub fn new(start: Duration, end: Duration) -> Self {
        let (slices, whole) = (Vec::new(), Vec::new());
        Self { start, end: end.max(start), slices, whole, packages: Timelines::default(), cores: Timelines::default() }
    }

    /// Adds a slice of this window. What ran earlier counts as if it had run at the start.
    pub fn add(&mut self, slice: &Slice, topology: &Topology) {
        self.mark(slice, topology);
        self.slices.push(*slice);
    }

    /// Adds a call that was a single slice. Its place is the number of whole calls before it.
    pub fn add_whole(&mut self, slice: &Slice, topology: &Topology) {
        self.mark(slice, topology);
        self.whole.push(*slice);
    }

    /// The whole calls, in the order of their places.
    pub fn whole(&self) -> &[Slice] {
        &self.whole
    }

    fn mark(&mut self, slice: &Slice, topology: &Topology) {
        let (stretch, (from, to)) = (self.stretch_ns(), self.span(slice));
        self.packages.mark(topology.package_of(slice.cpu), stretch, from, to);
        if let Some(core) = topology.core_of(slice.cpu) {
            self.cores.mark(core, stretch, from, to);
        }
    }

    /// Time in which any processor of the package ran calls, apart from overlaps within a stretch.
    pub fn awake(&self, package: usize) -> Duration {
        let stretch = self.stretch_ns();
        let ran = |timeline: &Timeline| timeline.iter().map(|&ran| ran.min(stretch)).sum();
        Duration::from_nanos(self.packages.of(package).map_or(0, ran))
    }

    /// Mean and variance of the number of processors of the package that ran calls.
    pub fn running(&self, package: usize) -> (f64, f64) {
        let stretch = self.stretch_ns() as f64;
        let count = nanos(self.end - self.start) as f64 / stretch;
        let Some(timeline) = self.packages.of(package).filter(|_| count > 0.0) else { return (0.0, 0.0) };
        let running = timeline.iter().map(|&ran| ran as f64 / stretch);
        let (sum, squares) = running.fold((0.0, 0.0), |(sum, squares), one| (sum + one, squares + one * one));
        let mean = sum / count;
        (mean, (squares / count - mean * mean).max(0.0))
    }

    /// Everything, ordered by consumer; the calls of each in the order in which they were first met.
    pub fn entries(&self, topology: &Topology) -> Vec<Entry> {
        let mut entries = Vec::<Entry>::with_capacity(self.slices.len() + self.whole.len());
        let mut places = HashMap::<(CallId, usize), usize, BuildHasherDefault<CallHasher>>::default();
        places.reserve(self.slices.len());
        for slice in &self.slices {
            let Slice { call, function, purpose, .. } = *slice;
            let package = topology.package_of(slice.cpu);
            let place = *places.entry((call, package)).or_insert(entries.len());
            if place == entries.len() {
                let (owner, work) = (Owner::Call(call), Work::default());
                entries.push(Entry { function, purpose, owner, package, work, beside: 0.0 });
            }
            let entry = &mut entries[place];
            entry.work += slice.work;
            entry.beside += self.beside(slice, topology);
        }
        entries.extend(self.whole.iter().enumerate().map(|(place, slice)| Entry {
            function: slice.function,
            purpose: slice.purpose,
            owner: Owner::Whole(place),
            package: topology.package_of(slice.cpu),
            work: slice.work,
            beside: self.beside(slice, topology),
        }));
        for entry in &mut entries {
            entry.beside /= (entry.work.cpu.as_nanos() as f64).max(1.0);
        }
        entries.sort_by_key(Entry::consumer);
        entries
    }

    /// Nanoseconds of a slice during which another call ran on its core.
    fn beside(&self, slice: &Slice, topology: &Topology) -> f64 {
        let Some(core) = topology.core_of(slice.cpu).and_then(|core| self.cores.of(core)) else { return 0.0 };
        let (stretch, (from, to)) = (self.stretch_ns(), self.span(slice));
        let others = |(index, own): (usize, u64)| {
            // Other work on the core in this stretch: beside the slice, or before and after it if the stretch has room
            // for both.
            let others = core[index].saturating_sub(own);
            let beside = (own + others).saturating_sub(stretch).max(if own == stretch { others } else { 0 });
            beside.min(own) as f64
        };
        pieces(stretch, from, to).map(others).sum()
    }

    /// Start and end of a slice, in nanoseconds of the window.
    fn span(&self, slice: &Slice) -> (u64, u64) {
        let position = |at: Duration| nanos(at.clamp(self.start, self.end) - self.start);
        (position(slice.end.saturating_sub(slice.work.cpu)), position(slice.end))
    }

    fn stretch_ns(&self) -> u64 {
        nanos(self.end - self.start).div_ceil(STRETCHES as u64).max(1)
    }
}

type Timeline = Box<[u64; STRETCHES]>;

/// A timeline for each package or core on which something ran.
#[derive(Debug, Default)]
struct Timelines(Vec<Option<Timeline>>);

impl Timelines {
    fn of(&self, place: usize) -> Option<&Timeline> {
        self.0.get(place)?.as_ref()
    }

    fn mark(&mut self, place: usize, stretch: u64, from: u64, to: u64) {
        if place >= self.0.len() {
            self.0.resize_with(place + 1, || None);
        }
        let timeline = self.0[place].get_or_insert_with(|| Box::new([0; STRETCHES]));
        for (index, ran) in pieces(stretch, from, to) {
            timeline[index] += ran;
        }
    }
}

/// The stretches between two points, with the part of each that lies between them.
fn pieces(stretch: u64, mut from: u64, to: u64) -> impl Iterator<Item = (usize, u64)> {
    std::iter::from_fn(move || {
        let index = (from / stretch) as usize;
        let until = to.min((index as u64 + 1) * stretch);
        let piece = (from < to && index < STRETCHES).then(|| (index, until - from));
        from = until;
        piece
    })
}

/// The part of a slice before `time`, and the rest. Its work is taken as evenly spread over its CPU time.
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
        let (function, purpose) = (FunctionId(0), Purpose::Call);
        Slice { call: CallId(call), function, purpose, end: MS * end_ms, cpu, work }
    }

    fn near(time: Duration, expected: Duration) {
        assert!(time.abs_diff(expected) < MS / 5, "{time:?}");
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
        let mut bucket = Bucket::new(MS * 100, MS * 200);
        for slice in [slice(1, 0, 150, 40), slice(2, 1, 140, 20), slice(3, 2, 200, 5)] {
            bucket.add(&slice, &topology);
        }
        near(bucket.awake(0), MS * 40);
        near(bucket.awake(1), MS * 5);
        let (mean, variance) = bucket.running(0);
        assert!((mean - 0.6).abs() < 0.01 && (variance - 0.64).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn calls_back_to_back_are_awake_for_their_sum() {
        let topology = Topology::one_package(4);
        let mut bucket = Bucket::new(Duration::ZERO, MS * 100);
        for index in 0..500_u32 {
            let work = Work::of_cpu(Duration::from_micros(10));
            let end = Duration::from_micros(10) * (index + 1);
            let (call, function, purpose) = (CallId(index.into()), FunctionId(0), Purpose::Call);
            let slice = Slice { call, function, purpose, end, cpu: 0, work };
            bucket.add(&slice, &topology);
        }
        near(bucket.awake(0), MS * 5);
        let entries = bucket.entries(&topology);
        assert_eq!(entries.len(), 500);
        assert!(entries.iter().all(|entry| entry.beside == 0.0), "one after the other is not beside");
    }

    #[test]
    fn calls_on_one_core_run_beside_each_other() {
        let topology = Topology::of_cores(&[(0, 0), (0, 1), (0, 0), (0, 1)]);
        let mut bucket = Bucket::new(Duration::ZERO, MS * 100);
        for slice in [slice(1, 0, 50, 40), slice(2, 2, 40, 10), slice(3, 1, 50, 50)] {
            bucket.add(&slice, &topology);
        }
        let beside: Vec<f64> = bucket.entries(&topology).iter().map(|entry| entry.beside).collect();
        for (beside, expected) in beside.iter().zip([0.25, 1.0, 0.0]) {
            assert!((beside - expected).abs() < 0.01, "{beside} is not {expected}");
        }
    }
}
