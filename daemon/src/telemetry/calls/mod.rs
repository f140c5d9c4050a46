//! The calls that can be looked up: running ones, and the last ones that have ended, settled or not. A call moves from the
//! first to the second.

mod in_flight;
mod known;
mod recent;

use std::collections::HashMap;
use std::sync::Arc;

use nebula_metering::{CallId, FunctionId, Settled};

use crate::meter::{CallEnd, Ended, NoCharge, Seat};

pub use in_flight::CallSlot;
use in_flight::InFlight;
pub use known::{KnownCall, Progress};
use recent::RecentCalls;

/// How many calls are remembered.
#[derive(Clone, Copy, Debug)]
pub struct CallBounds {
    pub running: usize,
    /// Calls that have ended.
    pub recent: usize,
}

pub struct Calls {
    in_flight: InFlight,
    recent: RecentCalls,
}

impl Calls {
    pub fn new(bounds: CallBounds) -> Self {
        Self { in_flight: InFlight::new(bounds.running), recent: RecentCalls::new(bounds.recent) }
    }

    /// Adds a call that begins. [`Calls::end`] takes its slot back.
    pub fn begin(&self, call: CallId, function: FunctionId) -> CallSlot {
        self.in_flight.begin(call, function)
    }

    /// Moves a call that has ended. To be called before the meter learns of the end: a call that is settled must be here.
    pub fn end(&self, place: CallSlot, call: CallId, function: FunctionId, ended: Arc<Ended>) -> Seat {
        let seat = self.recent.push(KnownCall { call, function, progress: Progress::Ended(ended) });
        // After that: in between, nobody would find it.
        self.in_flight.end(place);
        seat
    }

    /// Notes a call's final charge, and sends it to whoever waits for it.
    pub fn settle(&self, Settled { call, charge, end, .. }: Settled<CallEnd>) {
        let CallEnd::Call { ended, seat, waiter, .. } = end else { return };
        let charge = charge.ok_or(NoCharge::Incomplete);
        self.recent.advance(seat, call, Progress::Settled(ended, charge.clone()));
        if let Some(waiter) = waiter {
            // It fails if the waiter has given up.
            let _ = waiter.send(charge);
        }
    }

    /// Notes that a call which has ended will never be settled.
    pub fn give_up(&self, seat: Seat, call: CallId, ended: Arc<Ended>, why: NoCharge) {
        self.recent.advance(seat, call, Progress::Settled(ended, Err(why)));
    }

    pub fn find(&self, call: CallId) -> Option<KnownCall> {
        // In the order in which calls move, so that a call that moves meanwhile is not missed.
        self.in_flight.find(call).or_else(|| self.recent.find(call))
    }

    /// At most `count` calls, of these functions or of all: running calls first, then ended ones, the latest first in each.
    pub fn last(&self, accounts: Option<&[FunctionId]>, count: usize) -> Vec<KnownCall> {
        let wanted = |of: FunctionId| accounts.is_none_or(|accounts| accounts.contains(&of));
        let mut found = self.in_flight.all(wanted);
        // Ids are UUIDs of version 7: later ones are larger.
        found.sort_unstable_by_key(|known| std::cmp::Reverse(known.call));
        found.extend(self.recent.last(wanted, count));
        // A call that moved meanwhile is in it twice.
        let mut found = last_of_each(found);
        found.truncate(count);
        found
    }
}

/// Keeps the last occurrence of each call, in which it has come furthest.
fn last_of_each(mut calls: Vec<KnownCall>) -> Vec<KnownCall> {
    let places: HashMap<_, _> = calls.iter().enumerate().map(|(place, known)| (known.call, place)).collect();
    let mut place = 0..;
    calls.retain(|known| place.next() == places.get(&known.call).copied());
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    const FUNCTION: FunctionId = FunctionId(3);

    fn end(calls: &Calls, call: u128, second: u64) -> Seat {
        calls.end(calls.begin(CallId(call), FUNCTION), CallId(call), FUNCTION, Ended::made_up(second))
    }

    fn settled(call: u128, second: u64, seat: Seat) -> Settled<CallEnd> {
        let end = CallEnd::Call { ended: Ended::made_up(second), seat, waiter: None, observer: None, booking: None };
        Settled { call: CallId(call), function: FUNCTION, charge: None, end }
    }

    #[test]
    fn a_call_is_found_at_every_stage_and_then_forgotten() {
        let calls = Calls::new(CallBounds { running: 2, recent: 1 });
        let progress = || calls.find(CallId(1)).map(|known| known.progress);
        assert!(progress().is_none());
        let place = calls.begin(CallId(1), FUNCTION);
        assert!(matches!(progress(), Some(Progress::Running(_))));
        let seat = calls.end(place, CallId(1), FUNCTION, Ended::made_up(1));
        assert!(matches!(progress(), Some(Progress::Ended(_))));
        calls.settle(settled(1, 1, seat));
        assert!(matches!(progress(), Some(Progress::Settled(_, Err(NoCharge::Incomplete)))));
        let seat = end(&calls, 2, 2);
        assert!(progress().is_none());
        calls.give_up(seat, CallId(2), Ended::made_up(2), NoCharge::Dropped);
        assert!(matches!(calls.find(CallId(2)).unwrap().progress, Progress::Settled(_, Err(NoCharge::Dropped))));
    }

    #[test]
    fn running_calls_come_first_and_later_ones_before_earlier_ones() {
        let calls = Calls::new(CallBounds { running: 3, recent: 8 });
        for (call, second) in [(1, 11), (2, 12), (3, 14), (4, 13)] {
            let seat = end(&calls, call, second);
            if call < 3 {
                calls.settle(settled(call, second, seat));
            }
        }
        let _running = [5, 6].map(|call| calls.begin(CallId(call), FUNCTION));
        let _other = calls.begin(CallId(7), FunctionId(9));
        let last = |accounts: Option<&[FunctionId]>, count| {
            calls.last(accounts, count).iter().map(|known| known.call.0).collect::<Vec<_>>()
        };
        assert_eq!(last(None, 10), [7, 6, 5, 3, 4, 2, 1]);
        assert_eq!(last(Some(&[FUNCTION]), 3), [6, 5, 3]);
        assert_eq!(last(Some(&[FunctionId(8)]), 3), [0_u128; 0]);
    }

    #[test]
    fn a_call_that_moves_during_a_lookup_is_listed_once() {
        let call = |call, progress| KnownCall { call: CallId(call), function: FUNCTION, progress };
        let running = || Progress::Running(SystemTime::UNIX_EPOCH);
        let ended = || Progress::Ended(Ended::made_up(1));
        let settled = Progress::Settled(Ended::made_up(1), Err(NoCharge::Incomplete));
        let found = [call(1, running()), call(2, ended()), call(1, ended()), call(2, settled), call(3, running())];
        let found = last_of_each(found.into());
        let furthest: Vec<_> = found.iter().map(|known| (known.call.0, &known.progress)).collect();
        let expected =
            matches!(furthest[..], [(1, Progress::Ended(_)), (2, Progress::Settled(..)), (3, Progress::Running(_))]);
        assert!(expected, "{furthest:?}");
    }
}
