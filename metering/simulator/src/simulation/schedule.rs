//! The scheduler: assigns processors to threads.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::Simulation;
use super::calls::Post;
use crate::accounts::HOST;
use crate::threads::{Role, Thread};

/// Time slice of a thread while others wait, in nanoseconds.
/// Source: Linux `kernel/sched/fair.c`, `sysctl_sched_base_slice`: 0.75 ms, times four on eight processors and more.
const QUANTUM: u64 = 3_000_000;

/// Probability that a waking thread returns to its last processor, if it can.
const STAYS: f64 = 0.9;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A call arrives in a slot of this generation.
    Arrival { slot: usize, generation: u64 },
    /// A background thread wakes up.
    Wake { thread: usize },
}

/// The threads, their processors, and those that wait for one.
#[derive(Debug)]
pub struct Schedule {
    pub(super) threads: Vec<Thread>,
    queue: VecDeque<usize>,
    running: Vec<Option<usize>>,
    /// Time of the next event on each processor; `u64::MAX` if idle.
    due: Vec<u64>,
    quantum_end: Vec<u64>,
    timers: BinaryHeap<Reverse<(u64, Timer)>>,
}

impl Schedule {
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

    pub(super) fn wait(&mut self, until: u64, timer: Timer) {
        self.timers.push(Reverse((until, timer)));
    }
}

impl Simulation {
    /// Runs all events until `stop`.
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

    /// Settles all processors.
    pub(super) fn settle_all(&mut self) {
        (0..self.schedule.running.len()).for_each(|cpu| self.settle(cpu));
    }

    /// Advances the host. All processors must be settled.
    pub(super) fn advance_host(&mut self) {
        if self.host.advance(self.now, &mut self.random) {
            self.change_host_task();
        }
    }

    /// Gives the threads of the host its current task. All processors must be settled.
    pub(super) fn change_host_task(&mut self) {
        let task = self.host.task();
        for thread in &mut self.schedule.threads {
            if thread.consumer == HOST {
                thread.task = task;
            }
        }
        for (cpu, running) in self.schedule.running.iter().enumerate() {
            if running.is_some_and(|thread| self.schedule.threads[thread].consumer == HOST) {
                self.hardware.change(cpu, task);
            }
        }
    }

    /// Puts background threads to sleep until their first burst.
    pub(super) fn wake_background(&mut self) {
        for (thread, Thread { role, .. }) in self.schedule.threads.iter().enumerate() {
            if let Role::Background { next } = role {
                self.schedule.timers.push(Reverse((*next, Timer::Wake { thread })));
            }
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

    /// Whether a background thread has a burst to execute; otherwise it sleeps.
    fn background_continues(&mut self, thread: usize) -> bool {
        let load =
            if self.schedule.threads[thread].consumer == HOST { self.host.utilisation() } else { self.runtime.steady };
        match self.schedule.threads[thread].next_burst(self.now, load, &mut self.random) {
            Some(until) => {
                self.schedule.wait(until, Timer::Wake { thread });
                false
            }
            None => true,
        }
    }

    pub(super) fn make_runnable(&mut self, thread: usize) {
        match self.idle_processor(self.schedule.threads[thread].cpu) {
            Some(cpu) => self.enter(cpu, thread),
            None => self.schedule.queue.push_back(thread),
        }
    }

    /// Usually the last processor, if its core is idle; else any, preferably on an idle core.
    pub(super) fn idle_processor(&mut self, last: usize) -> Option<usize> {
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

    /// Starts a thread on an idle processor.
    pub(super) fn enter(&mut self, cpu: usize, thread: usize) {
        if let Some(sibling) = self.hardware.sibling(cpu) {
            self.settle(sibling);
        }
        self.hardware.occupy(cpu, self.now, self.schedule.threads[thread].task);
        self.switch(cpu, thread);
    }

    /// Replaces the thread on a processor, which must be settled.
    fn switch(&mut self, cpu: usize, thread: usize) {
        self.schedule.running[cpu] = Some(thread);
        self.schedule.threads[thread].cpu = cpu;
        self.schedule.quantum_end[cpu] = self.now + QUANTUM;
        self.carry_on(cpu, thread);
    }

    pub(super) fn carry_on(&mut self, cpu: usize, index: usize) {
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

    /// Removes the thread from a processor, which must be settled.
    pub(super) fn leave(&mut self, cpu: usize) {
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

    /// Settles a processor.
    fn settle(&mut self, cpu: usize) {
        let Some(passed) = self.hardware.settle(cpu, self.now) else { return };
        let Some(thread) = self.schedule.running[cpu] else { return };
        let thread = &mut self.schedule.threads[thread];
        thread.left = thread.left.saturating_sub(passed.nanoseconds);
        self.accounts.charge(thread.consumer, &passed);
        if let Role::Worker { slot: Some(slot), calling: true, .. } = thread.role
            && let Some(slot) = self.slots.get(slot)
        {
            slot.charge(&passed, &self.presence);
        }
    }

    /// Handles the event that is due on a processor.
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

    /// The time slice of a thread is over. If others wait, the first of them is next.
    fn end_quantum(&mut self, cpu: usize, thread: usize) {
        match self.schedule.queue.pop_front() {
            Some(next) => {
                self.schedule.queue.push_back(thread);
                self.switch(cpu, next);
            }
            None => self.switch(cpu, thread),
        }
    }
}
