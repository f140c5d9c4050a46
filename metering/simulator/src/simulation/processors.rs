//! Assigns processors to threads, and settles what each has executed.

use super::state::Simulation;
use crate::accounts::HOST;
use crate::hardware::Passed;
use crate::threads::{Role, Thread};

/// Time slice of a thread while others wait, in nanoseconds.
/// Source: Linux `kernel/sched/fair.c`, `sysctl_sched_base_slice`: 0.75 ms, times four on eight processors and more.
const QUANTUM: u64 = 3_000_000;

/// Probability that a waking thread returns to its last processor, if it can.
const STAYS: f64 = 0.9;

impl Simulation {
    /// Settles all processors.
    pub(super) fn settle_all(&mut self) {
        (0..self.schedule.running.len()).for_each(|cpu| self.settle(cpu));
    }

    pub(super) fn make_runnable(&mut self, thread: usize) {
        let Thread { consumer, cpu: last, .. } = self.schedule.threads[thread];
        let stays = consumer == HOST && self.host.is_pinned() && !self.hardware.is_busy(last);
        match if stays { Some(last) } else { self.idle_processor(last) } {
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
        let woken = self.hardware.occupy(cpu, self.now, self.schedule.threads[thread].task);
        if let Some(woken) = woken {
            self.charge(thread, &woken);
        }
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
    pub(super) fn settle(&mut self, cpu: usize) {
        let Some(passed) = self.hardware.settle(cpu, self.now) else { return };
        if let Some(thread) = self.schedule.running[cpu] {
            self.charge(thread, &passed);
        }
    }

    fn charge(&mut self, thread: usize, passed: &Passed) {
        let thread = &mut self.schedule.threads[thread];
        thread.left = thread.left.saturating_sub(passed.nanoseconds);
        self.accounts.charge(thread.consumer, passed);
        if let Role::Worker { slot: Some(slot), calling: true, .. } = thread.role
            && let Some(slot) = self.slots.get(slot)
        {
            slot.charge(passed, &self.presence[passed.package]);
        }
    }

    /// The time slice of a thread is over. If others wait, the first of them is next.
    pub(super) fn end_quantum(&mut self, cpu: usize, thread: usize) {
        match self.schedule.queue.pop_front() {
            Some(next) => {
                self.schedule.queue.push_back(thread);
                self.switch(cpu, next);
            }
            None => self.switch(cpu, thread),
        }
    }
}
