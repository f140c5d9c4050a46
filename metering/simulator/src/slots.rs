//! Calls in progress, and the slots that start them.

use std::collections::VecDeque;

use crate::hardware::Passed;
use crate::settings::Function;
use crate::truth::{JoulesByDomain, Truth};
use nebula_metering::CallId;
use nebula_metering::work::{Events, Work};

/// Work of the current slice. Fractions of events are kept until it is posted.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    nanoseconds: u64,
    instructions: f64,
    cycles: f64,
    ref_cycles: f64,
    misses: f64,
}

/// A slot that makes one call after another.
#[derive(Clone, Debug)]
pub struct Slot {
    pub function: Function,
    /// Its account.
    pub consumer: usize,
    /// Distinguishes the slot from an earlier one in the same place.
    pub generation: u64,
    /// The call in progress.
    pub call: Option<CallId>,
    /// Remaining CPU time of the call, in nanoseconds.
    pub left: u64,
    pub started: Option<u64>,
    pub work: Work,
    /// Work that could not be posted and goes with the next slice.
    pub unposted: Work,
    pub truth: Truth,
    counts: Counts,
}

/// Power of a package while it is busy, in watts.
#[derive(Clone, Copy, Debug)]
pub struct Presence {
    pub activation: JoulesByDomain,
    pub idle: JoulesByDomain,
}

impl Slot {
    pub fn charge(&mut self, passed: &Passed, presence: &Presence) {
        let Passed { nanoseconds, execution, part, .. } = passed;
        self.left = self.left.saturating_sub(*nanoseconds);
        self.counts.nanoseconds += nanoseconds;
        self.counts.instructions += execution.instructions;
        self.counts.cycles += execution.cycles;
        self.counts.ref_cycles += execution.ref_cycles;
        self.counts.misses += execution.misses;
        let seconds = part * 1e-9;
        self.truth.active += JoulesByDomain { package: execution.package, dram: execution.dram };
        self.truth.activation += presence.activation * seconds;
        self.truth.base += presence.idle * seconds;
    }

    pub fn end_slice(&mut self, pmu: bool) -> Work {
        let counts = std::mem::take(&mut self.counts);
        let events = Events {
            instructions: counts.instructions as u64,
            cycles: counts.cycles as u64,
            ref_cycles: counts.ref_cycles as u64,
            cache_misses: counts.misses.round() as u64,
        };
        let cpu = std::time::Duration::from_nanos(counts.nanoseconds);
        let work = Work { cpu, events: pmu.then_some(events), efficient: None };
        self.work += work;
        work
    }
}

/// All slots, the queue for workers, and the idle workers.
#[derive(Debug, Default)]
pub struct Slots {
    places: Vec<Option<Slot>>,
    free: Vec<usize>,
    generation: u64,
    calls: u128,
    /// Slots with a call that waits for a worker.
    pub queue: VecDeque<usize>,
    pub idle_workers: Vec<usize>,
}

impl Slots {
    pub fn new(idle_workers: Vec<usize>) -> Self {
        Self { idle_workers, ..Self::default() }
    }

    pub fn get(&mut self, index: usize) -> Option<&mut Slot> {
        self.places.get_mut(index)?.as_mut()
    }

    pub fn add(&mut self, function: Function, consumer: usize) -> (usize, u64) {
        self.generation += 1;
        let slot = Slot {
            function,
            consumer,
            generation: self.generation,
            call: None,
            left: 0,
            started: None,
            work: Work::default(),
            unposted: Work::default(),
            truth: Truth::default(),
            counts: Counts::default(),
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[index] = Some(slot);
        (index, self.generation)
    }

    pub fn next_call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }

    pub fn remove(&mut self, index: usize) -> Option<Slot> {
        let slot = self.places.get_mut(index)?.take();
        if slot.is_some() {
            self.free.push(index);
        }
        slot
    }

    pub fn running(&self) -> usize {
        self.places.iter().flatten().filter(|slot| slot.call.is_some()).count()
    }

    /// No slot starts another call. Slots without a call are removed. The others are removed when their call ends,
    /// since their generation is over.
    pub fn retire(&mut self) {
        for index in 0..self.places.len() {
            if self.places[index].as_ref().is_some_and(|slot| slot.call.is_none()) {
                self.remove(index);
            }
        }
        let places = &self.places;
        self.queue.retain(|&index| places[index].is_some());
        for slot in self.places.iter_mut().flatten() {
            slot.generation = 0;
        }
    }
}
