//! The calls that are running: a slot for each call that may run at once. Each slot has a lock of its own, which only
//! lookups share with the call: neither the sampler nor another call ever holds it.

use std::time::SystemTime;

use crossbeam_queue::ArrayQueue;
use nebula_metering::{CallId, FunctionId};
use parking_lot::Mutex;

use super::known::{KnownCall, Progress};

/// A running call's slot. `None` if there was none free: then the call is not listed while it runs.
#[derive(Debug)]
#[must_use]
pub struct CallSlot(Option<usize>);

pub(super) struct InFlight {
    slots: Box<[Mutex<Option<KnownCall>>]>,
    free: ArrayQueue<usize>,
}

impl InFlight {
    pub(super) fn new(slots: usize) -> Self {
        let free = ArrayQueue::new(slots.max(1));
        (0..slots).for_each(|slot| assert!(free.push(slot).is_ok(), "there is room for every slot"));
        Self { slots: (0..slots).map(|_| Mutex::default()).collect(), free }
    }

    pub(super) fn begin(&self, call: CallId, function: FunctionId) -> CallSlot {
        let slot = self.free.pop();
        if let Some(slot) = slot {
            let progress = Progress::Running(SystemTime::now());
            *self.slots[slot].lock() = Some(KnownCall { call, function, progress });
        }
        CallSlot(slot)
    }

    pub(super) fn end(&self, CallSlot(slot): CallSlot) {
        if let Some(slot) = slot {
            *self.slots[slot].lock() = None;
            let _ = self.free.push(slot);
        }
    }

    pub(super) fn find(&self, call: CallId) -> Option<KnownCall> {
        self.slots.iter().find_map(|slot| slot.lock().as_ref().filter(|known| known.call == call).cloned())
    }

    pub(super) fn all(&self, wanted: impl Fn(FunctionId) -> bool) -> Vec<KnownCall> {
        let running =
            |slot: &Mutex<Option<KnownCall>>| slot.lock().as_ref().filter(|known| wanted(known.function)).cloned();
        self.slots.iter().filter_map(running).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_used_again_and_a_call_without_one_is_not_listed() {
        let in_flight = InFlight::new(1);
        for call in (1..=6).step_by(2) {
            let (first, second) = (CallId(call), CallId(call + 1));
            let slot = in_flight.begin(first, FunctionId(0));
            let none = in_flight.begin(second, FunctionId(0));
            assert!(in_flight.find(first).is_some() && in_flight.find(second).is_none());
            in_flight.end(none);
            in_flight.end(slot);
            assert!(in_flight.all(|_| true).is_empty());
        }
    }
}
