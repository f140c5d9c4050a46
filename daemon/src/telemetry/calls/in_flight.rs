//! The calls that run now. As many places as calls may run at once, each with a lock of its own that only readers share:
//! neither the sampler nor another call ever holds it.

use std::time::SystemTime;

use crossbeam_queue::ArrayQueue;
use nebula_metering::{CallId, FunctionId};
use parking_lot::Mutex;

use super::known::{KnownCall, Progress};

/// Where a running call is; `None` where there was no place, so that nobody sees it run.
#[derive(Debug)]
#[must_use]
pub struct Place(Option<usize>);

pub(super) struct InFlight {
    places: Box<[Mutex<Option<KnownCall>>]>,
    free: ArrayQueue<usize>,
}

impl InFlight {
    pub(super) fn new(places: usize) -> Self {
        let free = ArrayQueue::new(places.max(1));
        for place in 0..places {
            // There is room for every place.
            let _ = free.push(place);
        }
        Self { places: (0..places).map(|_| Mutex::default()).collect(), free }
    }

    pub(super) fn begin(&self, call: CallId, function: FunctionId) -> Place {
        let place = self.free.pop();
        if let Some(place) = place {
            let progress = Progress::Running(SystemTime::now());
            *self.places[place].lock() = Some(KnownCall { call, function, progress });
        }
        Place(place)
    }

    pub(super) fn end(&self, Place(place): Place) {
        if let Some(place) = place {
            *self.places[place].lock() = None;
            let _ = self.free.push(place);
        }
    }

    pub(super) fn find(&self, call: CallId) -> Option<KnownCall> {
        self.places.iter().find_map(|place| place.lock().as_ref().filter(|known| known.call == call).cloned())
    }

    pub(super) fn all(&self, wanted: impl Fn(FunctionId) -> bool) -> Vec<KnownCall> {
        let running =
            |place: &Mutex<Option<KnownCall>>| place.lock().as_ref().filter(|known| wanted(known.function)).cloned();
        self.places.iter().filter_map(running).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_a_call_without_one_is_not_seen() {
        let in_flight = InFlight::new(1);
        for call in (1..=6).step_by(2) {
            let (first, second) = (CallId(call), CallId(call + 1));
            let place = in_flight.begin(first, FunctionId(0));
            let none = in_flight.begin(second, FunctionId(0));
            assert!(in_flight.find(first).is_some() && in_flight.find(second).is_none());
            in_flight.end(none);
            in_flight.end(place);
            assert!(in_flight.all(|_| true).is_empty());
        }
    }
}
