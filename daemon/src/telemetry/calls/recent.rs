//! The last calls that have ended: a ring of seats. Each seat has a lock of its own, so that calls that end, the sampler that
//! settles them and lookups rarely wait for each other.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering};

use nebula_metering::{CallId, FunctionId};
use parking_lot::Mutex;

use super::known::{KnownCall, Progress};
use crate::meter::Seat;

pub(super) struct RecentCalls {
    seats: Box<[Mutex<Option<KnownCall>>]>,
    next: AtomicUsize,
}

impl RecentCalls {
    pub(super) fn new(max: usize) -> Self {
        Self { seats: (0..max).map(|_| Mutex::default()).collect(), next: AtomicUsize::new(0) }
    }

    /// Adds a call, and forgets the oldest.
    pub(super) fn push(&self, call: KnownCall) -> Seat {
        let seat = self.next.fetch_add(1, Ordering::Relaxed) % self.seats.len().max(1);
        if let Some(place) = self.seats.get(seat) {
            // The old call is freed after the lock is released.
            let forgotten = place.lock().replace(call);
            drop(forgotten);
        }
        Seat(seat)
    }

    /// Updates a call, if it is still remembered.
    pub(super) fn advance(&self, Seat(seat): Seat, call: CallId, progress: Progress) {
        if let Some(place) = self.seats.get(seat)
            && let Some(known) = place.lock().as_mut().filter(|known| known.call == call)
        {
            known.progress = progress;
        }
    }

    pub(super) fn find(&self, call: CallId) -> Option<KnownCall> {
        self.seats.iter().find_map(|seat| seat.lock().as_ref().filter(|known| known.call == call).cloned())
    }

    /// The last `count` calls of the wanted functions, the latest first.
    pub(super) fn last(&self, wanted: impl Fn(FunctionId) -> bool, count: usize) -> Vec<KnownCall> {
        let ended = |(place, seat): (usize, &Mutex<Option<KnownCall>>)| {
            let seat = seat.lock();
            let known = seat.as_ref().filter(|known| wanted(known.function))?;
            Some((known.ended_at(), place))
        };
        let mut places: Vec<_> = self.seats.iter().enumerate().filter_map(ended).collect();
        places.sort_unstable_by_key(|&place| Reverse(place));
        let known = |&(_, place): &(_, usize)| self.seats[place].lock().clone().filter(|known| wanted(known.function));
        places.iter().take(count).filter_map(known).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Ended, NoCharge};
    use nebula_metering::{Domain, Joules, Microjoules};

    fn call(id: u64) -> KnownCall {
        let progress = Progress::Ended(Ended::made_up(id));
        KnownCall { call: CallId(id.into()), function: FunctionId((id % 2) as u32), progress }
    }

    #[test]
    fn the_last_calls_are_found_and_the_others_forgotten() {
        let recent = RecentCalls::new(3);
        for id in 0..10 {
            let _ = recent.push(call(id));
            for known in 0..=id {
                let found = recent.find(CallId(known.into())).map(|call| call.call.0);
                assert_eq!(found, (known + 3 > id).then_some(known.into()), "{known} after {id}");
            }
        }
        let last = |count| recent.last(|_| true, count).iter().map(|call| call.call.0).collect::<Vec<_>>();
        assert_eq!((last(2), last(9)), (vec![9, 8], vec![9, 8, 7]));
        let odd: Vec<_> = recent.last(|function| function.0 == 1, 9).iter().map(|call| call.call.0).collect();
        assert_eq!(odd, [9, 7]);
    }

    #[test]
    fn a_call_is_updated_only_while_it_is_remembered() {
        let recent = RecentCalls::new(1);
        let settled = |seat, id: u64| {
            let progress = Progress::Settled(Ended::made_up(id), Err(NoCharge::Incomplete));
            recent.advance(seat, CallId(id.into()), progress);
        };
        let (first, second) = (recent.push(call(1)), recent.push(call(2)));
        settled(first, 1);
        assert!(matches!(recent.find(CallId(2)).unwrap().progress, Progress::Ended(_)));
        settled(second, 2);
        assert!(matches!(recent.find(CallId(2)).unwrap().progress, Progress::Settled(..)));
    }

    #[test]
    fn a_ring_of_no_seats_keeps_no_call() {
        let recent = RecentCalls::new(0);
        let seat = recent.push(call(1));
        recent.advance(seat, CallId(1), call(1).progress);
        assert!(recent.find(CallId(1)).is_none() && recent.last(|_| true, 9).is_empty());
    }

    /// The option `meter.recent` promises 550 bytes per call, including its end and the zones of its charge and estimate.
    #[test]
    fn a_call_is_as_small_as_its_option_promises() {
        let (counters, vec_min) = (2 * size_of::<usize>(), 4);
        let ended = size_of::<Ended>() + counters;
        let zones = vec_min * size_of::<(Domain, Microjoules)>() + vec_min * size_of::<(Domain, Joules)>();
        let all = size_of::<Mutex<Option<KnownCall>>>() + ended + zones;
        assert!(all <= 550, "{all}");
    }
}
