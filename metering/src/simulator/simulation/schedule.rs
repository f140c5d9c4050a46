//! Who runs where: the kernel hands processors to threads, and workers take up calls.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::super::books::{HOST, RUNTIME};
use super::super::settings::Function;
use super::super::slots::Slot;
use super::super::threads::{Role, Thread};
use super::super::truth::EndedCall;
use super::{Simulation, nanoseconds};
use crate::post::{Full, Slice};
use crate::work::Work;

/// How long a thread may run while others wait, in nanoseconds.
/// Source: Linux `kernel/sched/fair.c`, `sysctl_sched_base_slice`: 0.75 ms, times four on eight processors and more.
const QUANTUM: u64 = 3_000_000;

/// How often a thread that wakes up goes back to where it last ran, if it can.
const STAYS: f64 = 0.9;

/// How often a worker moves to an idle processor at the end of a tick, though nobody drives it away.
const MOVES: f64 = 0.03;

/// Where slices and ends go.
pub trait Post {
    /// A slice has ended.
    fn slice(&mut self, slice: Slice) -> Result<(), Full>;
    /// A call has ended; `complete` unless work of it could not be posted.
    fn end(&mut self, ended: &EndedCall, complete: bool);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A call arrives in a slot of this generation.
    Arrival { slot: usize, generation: u64 },
    /// A background thread wakes up.
    Wake { thread: usize },
}

/// The threads, the processors they run on, and those that wait for one.
#[derive(Debug)]
pub struct Schedule {
    threads: Vec<Thread>,
    queue: VecDeque<usize>,
    running: Vec<Option<usize>>,
    /// When something happens on a processor; `u64::MAX` on an idle one.
    due: Vec<u64>,
    quantum_end: Vec<u64>,
    timers: BinaryHeap<Reverse<(u64, Timer)>>,
}

impl Schedule {
    /// Threads that all sleep.
    pub fn new(threads: Vec<Thread>, cpus: usize) -> Self {
        Self {
            threads,
            queue: VecDeque::new(),
            running: vec![None; cpus],
            due: vec![u64::MAX; cpus],
            quantum_end: vec![0; cpus],
            timers: BinaryHeap::new(),
        }
    }

    fn wait(&mut self, until: u64, timer: Timer) {
        self.timers.push(Reverse((until, timer)));
    }
}

impl Simulation {
    /// Everything that happens until `stop`.
    pub(super) fn run_events(&mut self, stop: u64, post: &mut dyn Post) {
        loop {
            let (mut cpu, mut at) = (0, u64::MAX);
            for (index, &due) in self.schedule.due.iter().enumerate() {
                if due < at {
                    (cpu, at) = (index, due);
                }
            }
            let timer = self.schedule.timers.peek().map_or(u64::MAX, |Reverse((due, _))| *due);
            if at.min(timer) > stop {
                return;
            }
            if timer <= at {
                self.now = timer;
                if let Some(Reverse((_, timer))) = self.schedule.timers.pop() {
                    self.ring(timer);
                }
            } else {
                self.now = at;
                self.attend(cpu, post);
            }
        }
    }

    /// Brings the books of all processors up to now.
    pub(super) fn settle_all(&mut self) {
        (0..self.schedule.running.len()).for_each(|cpu| self.settle(cpu));
    }

    /// The host does what it does at this time. All processors must have been settled.
    pub(super) fn update_host(&mut self) {
        self.host.advance(self.now, &mut self.random);
        let task = self.host.task();
        for thread in &mut self.schedule.threads {
            if thread.party == HOST {
                thread.task = task;
            }
        }
        for (cpu, running) in self.schedule.running.iter().enumerate() {
            if running.is_some_and(|thread| self.schedule.threads[thread].party == HOST) {
                self.hardware.change(cpu, task);
            }
        }
    }

    /// Background threads begin to sleep until their first burst.
    pub(super) fn wake_background(&mut self) {
        for (thread, Thread { role, .. }) in self.schedule.threads.iter().enumerate() {
            if let Role::Background { next } = role {
                self.schedule.timers.push(Reverse((*next, Timer::Wake { thread })));
            }
        }
    }

    /// A slot begins to call its function: at once, or some time within its first round.
    pub(super) fn add_slot(&mut self, function: Function, party: usize) {
        let (slot, generation) = self.slots.add(function, party);
        if function.gap.mean.is_zero() {
            self.arrive(slot);
        } else {
            let round = nanoseconds(function.gap.mean + function.call_length.mean);
            let until = self.now + self.random.below(round);
            self.schedule.wait(until, Timer::Arrival { slot, generation });
        }
    }

    fn ring(&mut self, timer: Timer) {
        match timer {
            Timer::Arrival { slot, generation } => {
                if self.slots.get(slot).is_some_and(|slot| slot.generation == generation) {
                    self.arrive(slot);
                }
            }
            Timer::Wake { thread } => {
                if self.background_continues(thread) {
                    self.make_runnable(thread);
                }
            }
        }
    }

    /// A call arrives: a worker without a call takes it up, or it waits.
    fn arrive(&mut self, slot: usize) {
        match self.slots.idle_workers.pop() {
            Some(worker) => {
                self.take_up(worker, slot);
                self.make_runnable(worker);
            }
            None => self.slots.queue.push_back(slot),
        }
    }

    /// A worker makes a call its own.
    fn take_up(&mut self, worker: usize, index: usize) {
        let next_call = self.slots.next_call();
        let Some(slot) = self.slots.get(index) else { return };
        let is_new = slot.call.is_none();
        if is_new {
            slot.call = Some(next_call);
            slot.left = slot.function.call_length.draw(&mut self.random).max(1);
        }
        let before = if is_new { nanoseconds(self.runtime.per_call) } else { 0 };
        let thread = &mut self.schedule.threads[worker];
        let calling = before == 0;
        thread.role = Role::Worker { slot: Some(index), calling, slice_due: u64::MAX };
        (thread.party, thread.task, thread.left) =
            if calling { (slot.party, slot.function.task, slot.left) } else { (RUNTIME, self.runtime.task, before) };
    }

    /// Whether a background thread has a burst to execute; otherwise it sleeps.
    fn background_continues(&mut self, thread: usize) -> bool {
        let load =
            if self.schedule.threads[thread].party == HOST { self.host.utilisation() } else { self.runtime.steady };
        match self.schedule.threads[thread].next_burst(self.now, load, &mut self.random) {
            Some(until) => {
                self.schedule.wait(until, Timer::Wake { thread });
                false
            }
            None => true,
        }
    }

    /// A thread wants a processor.
    fn make_runnable(&mut self, thread: usize) {
        match self.idle_processor(self.schedule.threads[thread].cpu) {
            Some(cpu) => self.enter(cpu, thread),
            None => self.schedule.queue.push_back(thread),
        }
    }

    /// The last processor again if its core is idle, as a rule; else any, but rather one whose core is idle.
    fn idle_processor(&mut self, last: usize) -> Option<usize> {
        if self.hardware.is_core_idle(last) && self.random.happens(STAYS) {
            return Some(last);
        }
        let cpus = self.schedule.running.len();
        let first = self.random.below(cpus as u64) as usize;
        let mut any = None;
        for cpu in (first..cpus).chain(0..first) {
            if self.hardware.is_core_idle(cpu) {
                return Some(cpu);
            }
            if any.is_none() && !self.hardware.is_busy(cpu) {
                any = Some(cpu);
            }
        }
        any
    }

    /// A thread begins to run on an idle processor.
    fn enter(&mut self, cpu: usize, thread: usize) {
        if let Some(sibling) = self.hardware.sibling(cpu) {
            self.settle(sibling);
        }
        self.hardware.occupy(cpu, self.now, self.schedule.threads[thread].task);
        self.switch(cpu, thread);
    }

    /// A thread runs on a processor instead of the one before, which must have been settled.
    fn switch(&mut self, cpu: usize, thread: usize) {
        self.schedule.running[cpu] = Some(thread);
        self.schedule.threads[thread].cpu = cpu;
        self.schedule.quantum_end[cpu] = self.now + QUANTUM;
        self.carry_on(cpu, thread);
    }

    /// A processor executes what its thread has to do now.
    fn carry_on(&mut self, cpu: usize, index: usize) {
        let thread = &mut self.schedule.threads[index];
        self.hardware.change(cpu, thread.task);
        let mut due = self.schedule.quantum_end[cpu].min(self.now + thread.left);
        if let Role::Worker { slot: Some(slot), calling: true, slice_due } = &mut thread.role {
            if *slice_due == u64::MAX {
                *slice_due = self.now + self.tick;
                if let Some(slot) = self.slots.get(*slot) {
                    slot.started.get_or_insert(self.now);
                }
            }
            due = due.min((*slice_due).max(self.now));
        }
        self.schedule.due[cpu] = due;
    }

    /// The thread on a processor, which must have been settled, has nothing more to do there.
    fn leave(&mut self, cpu: usize) {
        if let Some(next) = self.schedule.queue.pop_front() {
            return self.switch(cpu, next);
        }
        if let Some(sibling) = self.hardware.sibling(cpu) {
            self.settle(sibling);
        }
        self.hardware.release(cpu, self.now);
        self.schedule.running[cpu] = None;
        self.schedule.due[cpu] = u64::MAX;
    }

    /// Brings the books of a processor up to now.
    fn settle(&mut self, cpu: usize) {
        let Some(passed) = self.hardware.settle(cpu, self.now) else { return };
        let Some(thread) = self.schedule.running[cpu] else { return };
        let thread = &mut self.schedule.threads[thread];
        thread.left = thread.left.saturating_sub(passed.nanoseconds);
        self.books.book(thread.party, &passed);
        if let Role::Worker { slot: Some(slot), calling: true, .. } = thread.role
            && let Some(slot) = self.slots.get(slot)
        {
            slot.book(&passed, &self.presence);
        }
    }

    /// Something is due on a processor.
    fn attend(&mut self, cpu: usize, post: &mut dyn Post) {
        self.settle(cpu);
        let Some(index) = self.schedule.running[cpu] else { return };
        let thread = self.schedule.threads[index];
        match thread.role {
            Role::Worker { slot: Some(slot), calling: false, .. } if thread.left == 0 => {
                self.begin_execution(index, slot);
                self.carry_on(cpu, index);
            }
            Role::Worker { slot: Some(slot), calling: true, .. } if thread.left == 0 => {
                self.end_call(cpu, slot, post);
                self.next_call(cpu, index);
            }
            Role::Worker { slot: Some(slot), calling: true, slice_due } if slice_due <= self.now => {
                self.end_slice(cpu, slot, post);
                self.after_slice(cpu, index, slot);
            }
            Role::Background { .. } if thread.left == 0 => {
                if self.background_continues(index) {
                    self.carry_on(cpu, index);
                } else {
                    self.leave(cpu);
                }
            }
            Role::Worker { .. } | Role::Background { .. } => self.end_quantum(cpu, index),
        }
    }

    /// The daemon has prepared the call.
    fn begin_execution(&mut self, worker: usize, index: usize) {
        let Some(slot) = self.slots.get(index) else { return };
        let thread = &mut self.schedule.threads[worker];
        thread.role = Role::Worker { slot: Some(index), calling: true, slice_due: u64::MAX };
        (thread.party, thread.task, thread.left) = (slot.party, slot.function.task, slot.left);
    }

    /// A worker whose call has ended or given way looks for another.
    fn next_call(&mut self, cpu: usize, worker: usize) {
        if let Some(slot) = self.slots.queue.pop_front() {
            self.take_up(worker, slot);
            return self.carry_on(cpu, worker);
        }
        self.schedule.threads[worker].role = Role::Worker { slot: None, calling: false, slice_due: u64::MAX };
        self.slots.idle_workers.push(worker);
        self.leave(cpu);
    }

    /// A tick is over: the next call has its turn, or the same goes on, now and then elsewhere.
    fn after_slice(&mut self, cpu: usize, worker: usize, slot: usize) {
        if !self.slots.queue.is_empty() {
            self.slots.queue.push_back(slot);
            return self.next_call(cpu, worker);
        }
        if let Role::Worker { slice_due, .. } = &mut self.schedule.threads[worker].role {
            *slice_due = u64::MAX;
        }
        if self.random.happens(MOVES)
            && let Some(elsewhere) = self.idle_processor(cpu)
        {
            self.leave(cpu);
            self.enter(elsewhere, worker);
        } else {
            self.carry_on(cpu, worker);
        }
    }

    /// A thread has had its time; if others wait, the first of them is next.
    fn end_quantum(&mut self, cpu: usize, thread: usize) {
        match self.schedule.queue.pop_front() {
            Some(next) => {
                self.schedule.queue.push_back(thread);
                self.switch(cpu, next);
            }
            None => self.switch(cpu, thread),
        }
    }

    fn end_slice(&mut self, cpu: usize, slot: usize, post: &mut dyn Post) -> bool {
        let (now, pmu) = (self.now, self.pmu);
        self.slots.get(slot).is_none_or(|slot| slot.post(now, cpu, pmu, post))
    }

    fn end_call(&mut self, cpu: usize, index: usize, post: &mut dyn Post) {
        let complete = self.end_slice(cpu, index, post);
        let Some(slot) = self.slots.get(index) else { return };
        let Some(call) = slot.call.take() else { return };
        let ended = EndedCall {
            call,
            function: slot.function.id,
            started: Duration::from_nanos(slot.started.take().unwrap_or(self.now)),
            ended: Duration::from_nanos(self.now),
            work: std::mem::take(&mut slot.work),
            truth: std::mem::take(&mut slot.truth),
        };
        slot.unposted = Work::default();
        let (gap, generation) = (slot.function.gap.draw(&mut self.random), slot.generation);
        post.end(&ended, complete);
        if generation == 0 {
            self.slots.remove(index);
        } else if gap == 0 {
            self.slots.queue.push_back(index);
        } else {
            self.schedule.wait(self.now + gap, Timer::Arrival { slot: index, generation });
        }
    }
}

impl Slot {
    /// Ends the slice and posts it with what could not be posted before; whether there was room.
    fn post(&mut self, now: u64, cpu: usize, pmu: bool, post: &mut dyn Post) -> bool {
        let work = self.end_slice(pmu);
        self.unposted += work;
        let Some(call) = self.call else { return true };
        if self.unposted.cpu.is_zero() {
            return true;
        }
        let slice = Slice {
            call,
            function: self.function.id,
            end: Duration::from_nanos(now),
            cpu: cpu as u32,
            work: self.unposted,
        };
        let posted = post.slice(slice).is_ok();
        if posted {
            self.unposted = Work::default();
        }
        posted
    }
}
