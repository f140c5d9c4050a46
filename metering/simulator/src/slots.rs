//! The calls that are under way, and the slots that start them.

use std::collections::VecDeque;

use crate::hardware::Passed;
use crate::settings::Function;
use crate::truth::{JoulesByDomain, Truth};
use nebula_metering::CallId;
use nebula_metering::work::{Events, Work};

/// What a slice has done so far; fractions of events are kept until it is posted.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    nanoseconds: u64,
    instructions: f64,
    cycles: f64,
    ref_cycles: f64,
    misses: f64,
}

/// A place in which one call after the other is under way.
#[derive(Clone, Debug)]
pub struct Slot {
    /// What is called.
    pub function: Function,
    /// Its party in the books.
    pub party: usize,
    /// Tells the slot from one that had its place before.
    pub generation: u64,
    /// The call that has been taken up and has not ended.
    pub call: Option<CallId>,
    /// CPU time that the call takes yet, in nanoseconds.
    pub left: u64,
    /// When its first slice began.
    pub started: Option<u64>,
    /// The sum of its slices.
    pub work: Work,
    /// What could not be posted and goes with the next slice.
    pub unposted: Work,
    /// What the call cost.
    pub truth: Truth,
    counts: Counts,
}

/// What a processor's part of a nanosecond costs in a package, in watts.
#[derive(Clone, Copy, Debug)]
pub struct Presence {
    /// Activation.
    pub activation: f64,
    /// Idle power of package and memory.
    pub idle: JoulesByDomain,
}

impl Slot {
    /// Execution of the call.
    pub fn book(&mut self, passed: &Passed, presence: &Presence) {
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
        self.truth.base +=
            JoulesByDomain { package: presence.idle.package * seconds, dram: presence.idle.dram * seconds };
    }

    /// Ends the slice and gives its work.
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

/// All slots, those that wait for a worker, and the workers that wait for a call.
#[derive(Debug, Default)]
pub struct Slots {
    places: Vec<Option<Slot>>,
    free: Vec<usize>,
    generation: u64,
    calls: u128,
    /// Slots whose call has arrived, or has given way to others.
    pub queue: VecDeque<usize>,
    /// Workers without a call.
    pub idle_workers: Vec<usize>,
}

impl Slots {
    /// No slots, and workers that wait for calls.
    pub fn new(idle_workers: Vec<usize>) -> Self {
        Self { idle_workers, ..Self::default() }
    }

    /// A slot that is in use.
    pub fn get(&mut self, index: usize) -> Option<&mut Slot> {
        self.places.get_mut(index)?.as_mut()
    }

    /// A new slot of a function.
    pub fn add(&mut self, function: Function, party: usize) -> (usize, u64) {
        self.generation += 1;
        let slot = Slot {
            function,
            party,
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

    /// The identity of a new call.
    pub fn next_call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }

    /// Gives up a slot.
    pub fn remove(&mut self, index: usize) -> Option<Slot> {
        let slot = self.places.get_mut(index)?.take();
        if slot.is_some() {
            self.free.push(index);
        }
        slot
    }

    /// How many calls have been taken up and have not ended.
    pub fn running(&self) -> usize {
        self.places.iter().flatten().filter(|slot| slot.call.is_some()).count()
    }

    /// No slot starts another call. Those without a call are given up; the others are when it ends, since their
    /// generation is over.
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
