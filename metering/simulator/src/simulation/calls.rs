//! Workers take up calls, run them a tick at a time, and post what they did.

use std::time::Duration;

use super::post::Post;
use super::schedule::Timer;
use super::state::{Simulation, nanoseconds};
use crate::accounts::RUNTIME;
use crate::settings::Function;
use crate::slots::Slot;
use crate::threads::Role;
use crate::truth::EndedCall;
use nebula_metering::work::Work;
use nebula_metering::{Purpose, Slice};

/// Probability that a worker moves to an idle processor at the end of a tick.
const MOVES: f64 = 0.03;

impl Simulation {
    /// A slot starts to call its function: at once, or within its first round.
    pub(super) fn add_slot(&mut self, function: Function, consumer: usize) {
        let (slot, generation) = self.slots.add(function, consumer);
        if function.gap.mean.is_zero() {
            self.arrive(slot);
        } else {
            let round = nanoseconds(function.gap.mean + function.call_length.mean);
            let until = self.now + self.random.below(round);
            self.schedule.wait(until, Timer::Arrival { slot, generation });
        }
    }

    /// A call arrives. An idle worker takes it, or it waits.
    pub(super) fn arrive(&mut self, slot: usize) {
        match self.slots.idle_workers.pop() {
            Some(worker) => {
                self.take_up(worker, slot);
                self.make_runnable(worker);
            }
            None => self.slots.queue.push_back(slot),
        }
    }

    pub(super) fn take_up(&mut self, worker: usize, index: usize) {
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
        (thread.consumer, thread.task, thread.left) =
            if calling { (slot.consumer, slot.function.task, slot.left) } else { (RUNTIME, self.runtime.task, before) };
    }

    /// The daemon has prepared the call; now it executes.
    pub(super) fn begin_execution(&mut self, worker: usize, index: usize) {
        let Some(slot) = self.slots.get(index) else { return };
        let thread = &mut self.schedule.threads[worker];
        thread.role = Role::Worker { slot: Some(index), calling: true, slice_due: u64::MAX };
        (thread.consumer, thread.task, thread.left) = (slot.consumer, slot.function.task, slot.left);
    }

    /// A worker without a call looks for another.
    pub(super) fn next_call(&mut self, cpu: usize, worker: usize) {
        if let Some(slot) = self.slots.queue.pop_front() {
            self.take_up(worker, slot);
            return self.carry_on(cpu, worker);
        }
        self.schedule.threads[worker].role = Role::Worker { slot: None, calling: false, slice_due: u64::MAX };
        self.slots.idle_workers.push(worker);
        self.leave(cpu);
    }

    /// A tick is over. The next call has its turn, or the same one continues, sometimes on another processor.
    pub(super) fn after_slice(&mut self, cpu: usize, worker: usize, slot: usize) {
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

    /// Ends and posts the slice on a processor. Returns whether it fitted.
    pub(super) fn end_slice(&mut self, cpu: usize, slot: usize, post: &mut dyn Post) -> bool {
        let (now, pmu) = (self.now, self.pmu);
        self.slots.get(slot).is_none_or(|slot| slot.post(now, cpu, pmu, post))
    }

    /// A call has ended. Its slot waits for the next one, or is removed.
    pub(super) fn end_call(&mut self, cpu: usize, index: usize, post: &mut dyn Post) {
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
    /// Ends the slice and posts it with earlier unposted work. Returns whether it fitted.
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
            purpose: Purpose::Call,
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
