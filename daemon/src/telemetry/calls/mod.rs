//! The calls that can be asked for: those that run, those that have ended and are not settled yet, and the last settled
//! ones. A call moves from one to the next in this order.

mod in_flight;
mod known;
mod recent;

use std::collections::HashMap;
use std::sync::Arc;

use nebula_metering::{CallId, FunctionId, Settled};

use crate::meter::{CallEnd, Ended, NoCharge, Seat};

use in_flight::InFlight;
pub use in_flight::Place;
pub use known::{KnownCall, Progress};
use recent::RecentCalls;

/// How many calls are kept.
#[derive(Clone, Copy, Debug)]
pub struct CallBounds {
    /// Calls that run.
    pub running: usize,
    /// Calls that have ended.
    pub recent: usize,
}

/// All calls that are known.
pub struct Calls {
    in_flight: InFlight,
    recent: RecentCalls,
}

impl Calls {
    /// Keeps no more calls than `bounds` say.
    #[must_use]
    pub fn new(bounds: CallBounds) -> Self {
        Self { in_flight: InFlight::new(bounds.running), recent: RecentCalls::new(bounds.recent) }
    }

    /// Takes in a call that begins. Its place is given back to [`Calls::end`].
    pub fn begin(&self, call: CallId, function: FunctionId) -> Place {
        self.in_flight.begin(call, function)
    }

    /// Takes in the end of a call, before the meter is told: what is settled must have ended.
    pub fn end(&self, place: Place, call: CallId, function: FunctionId, ended: Arc<Ended>) -> Seat {
        let seat = self.recent.push(KnownCall { call, function, progress: Progress::Ended(ended) });
        // Only now: between both it would be nowhere.
        self.in_flight.end(place);
        seat
    }

    /// Takes in a call that was settled, and tells whoever waits for it.
    pub fn settle(&self, Settled { call, charge, end, .. }: Settled<CallEnd>) {
        let CallEnd::Call { ended, seat, waiter, .. } = end else { return };
        let charge = charge.ok_or(NoCharge::Incomplete);
        let told = waiter.map(|waiter| (waiter, charge.clone()));
        self.recent.advance(seat, call, Progress::Settled(ended, charge));
        if let Some((waiter, charge)) = told {
            // One that has given up is not told.
            let _ = waiter.send(charge);
        }
    }

    /// Takes in that a call which has ended will never be settled.
    pub fn give_up(&self, seat: Seat, call: CallId, ended: Arc<Ended>, why: NoCharge) {
        self.recent.advance(seat, call, Progress::Settled(ended, Err(why)));
    }

    /// The call of this identity, if it is remembered.
    #[must_use]
    pub fn find(&self, call: CallId) -> Option<KnownCall> {
        // In the order in which calls move on, so that one that moves meanwhile is not missed.
        self.in_flight.find(call).or_else(|| self.recent.find(call))
    }

    /// At most `count` calls, of these accounts or of all: those that run, the latest begun first; then those that have
    /// ended, the latest first.
    #[must_use]
    pub fn last(&self, accounts: Option<&[FunctionId]>, count: usize) -> Vec<KnownCall> {
        let wanted = |of: FunctionId| accounts.is_none_or(|accounts| accounts.contains(&of));
        let mut found = self.in_flight.all(wanted);
        // Identities are UUIDs of version 7: the later ones are the larger ones.
        found.sort_unstable_by_key(|known| std::cmp::Reverse(known.call));
        found.extend(self.recent.last(wanted, count));
        // A call that moved on meanwhile was met twice.
        let mut found = last_of_each(found);
        found.truncate(count);
        found
    }
}

/// Each call once, as far as it had come: as it was met last.
fn last_of_each(mut calls: Vec<KnownCall>) -> Vec<KnownCall> {
    let places: HashMap<_, _> = calls.iter().enumerate().map(|(place, known)| (known.call, place)).collect();
    let mut place = 0..;
    calls.retain(|known| place.next() == places.get(&known.call).copied());
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::NotEstimated;
    use crate::outcome::Outcome;
    use std::time::{Duration, SystemTime};

    const FUNCTION: FunctionId = FunctionId(3);

    fn ended(second: u64) -> Arc<Ended> {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        Arc::new(Ended {
            outcome: Outcome::Ok,
            at,
            duration: Duration::from_millis(1),
            estimate: Err(NotEstimated::Cancelled),
        })
    }

    fn end(calls: &Calls, call: u128, second: u64) -> Seat {
        calls.end(calls.begin(CallId(call), FUNCTION), CallId(call), FUNCTION, ended(second))
    }

    fn settled(call: u128, second: u64, seat: Seat) -> Settled<CallEnd> {
        let end = CallEnd::Call { ended: ended(second), seat, waiter: None, witness: None, bill: None };
        Settled { call: CallId(call), function: FUNCTION, charge: None, end }
    }

    #[test]
    fn a_call_is_found_at_every_stage_and_then_forgotten() {
        let calls = Calls::new(CallBounds { running: 2, recent: 1 });
        let progress = || calls.find(CallId(1)).map(|known| known.progress);
        assert!(progress().is_none());
        let place = calls.begin(CallId(1), FUNCTION);
        assert!(matches!(progress(), Some(Progress::Running(_))));
        let seat = calls.end(place, CallId(1), FUNCTION, ended(1));
        assert!(matches!(progress(), Some(Progress::Ended(_))));
        calls.settle(settled(1, 1, seat));
        assert!(matches!(progress(), Some(Progress::Settled(_, Err(NoCharge::Incomplete)))));
        let seat = end(&calls, 2, 2);
        assert!(progress().is_none());
        calls.give_up(seat, CallId(2), ended(2), NoCharge::Dropped);
        assert!(matches!(calls.find(CallId(2)).unwrap().progress, Progress::Settled(_, Err(NoCharge::Dropped))));
    }

    #[test]
    fn what_runs_comes_first_and_the_latest_before_the_earlier() {
        let calls = Calls::new(CallBounds { running: 3, recent: 8 });
        for (call, second) in [(1, 11), (2, 12), (3, 14), (4, 13)] {
            let seat = end(&calls, call, second);
            if call < 3 {
                calls.settle(settled(call, second, seat));
            }
        }
        let _running = [5, 6].map(|call| calls.begin(CallId(call), FUNCTION));
        let _other = calls.begin(CallId(7), FunctionId(9));
        let last = |accounts: Option<FunctionId>, count| {
            calls
                .last(accounts.as_ref().map(std::slice::from_ref), count)
                .iter()
                .map(|known| known.call.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(last(None, 10), [7, 6, 5, 3, 4, 2, 1]);
        assert_eq!(last(Some(FUNCTION), 3), [6, 5, 3]);
        assert_eq!(last(Some(FunctionId(8)), 3), [0_u128; 0]);
    }

    #[test]
    fn a_call_that_moves_on_while_it_is_looked_for_is_met_once() {
        let call = |call, progress| KnownCall { call: CallId(call), function: FUNCTION, progress };
        let (one, two) = (ended(1), ended(2));
        let met = last_of_each(vec![
            call(1, Progress::Running(SystemTime::UNIX_EPOCH)),
            call(2, Progress::Ended(two.clone())),
            call(1, Progress::Ended(one)),
            call(2, Progress::Settled(two, Err(NoCharge::Incomplete))),
            call(3, Progress::Running(SystemTime::UNIX_EPOCH)),
        ]);
        let met: Vec<_> = met.iter().map(|known| (known.call.0, std::mem::discriminant(&known.progress))).collect();
        let progress = |known: &Progress| std::mem::discriminant(known);
        let running = progress(&Progress::Running(SystemTime::UNIX_EPOCH));
        let (has_ended, settled) =
            (progress(&Progress::Ended(ended(1))), progress(&Progress::Settled(ended(1), Err(NoCharge::Dropped))));
        assert_eq!(met, [(1, has_ended), (2, settled), (3, running)]);
    }
}
