//! Runs events in order of time: timers, and what is due on a processor.

use std::cmp::Reverse;

use super::post::Post;
use super::schedule::Timer;
use super::state::Simulation;
use crate::accounts::HOST;
use crate::threads::{Role, Thread};

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
}
