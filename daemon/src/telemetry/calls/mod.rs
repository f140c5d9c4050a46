//! The calls that can be asked for: those that run, those that have ended and are not settled yet, and the last settled
//! ones. A call moves from one to the next in this order.

mod in_flight;
mod recent;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use nebula_metering::{CallId, CallMap, Charge, FunctionId, Settled};

use crate::meter::{CallEnd, Ended, NoCharge};

use in_flight::InFlight;
pub use in_flight::Place;
use recent::RecentCalls;

/// A call, as far as it has come.
#[derive(Clone, Debug)]
pub struct KnownCall {
    /// Its identity.
    pub call: CallId,
    /// The function that it calls.
    pub function: FunctionId,
    /// How far it has come.
    pub progress: Progress,
}

/// How far a call has come.
#[derive(Clone, Debug)]
pub enum Progress {
    /// It runs, since then.
    Running(SystemTime),
    /// It has ended; the windows that it lived in have not closed yet.
    Ended(Arc<Ended>),
    /// Its charge is final.
    Settled(Arc<Ended>, Result<Charge, NoCharge>),
}

impl KnownCall {
    fn ended_at(&self) -> Option<SystemTime> {
        match &self.progress {
            Progress::Running(_) => None,
            Progress::Ended(ended) | Progress::Settled(ended, _) => Some(ended.at),
        }
    }
}

/// How many calls move on under one lock: few enough that a call which ends meanwhile waits for microseconds.
const BATCH: usize = 64;

/// How many calls are kept.
#[derive(Clone, Copy, Debug)]
pub struct CallBounds {
    /// Calls that run.
    pub running: usize,
    /// Calls that have ended and are not settled.
    pub ended: usize,
    /// Settled calls.
    pub settled: usize,
}

/// All calls that are known. No call waits here for the sampler before its end: what runs is kept apart from what has
/// ended.
pub struct Calls {
    in_flight: InFlight,
    ended: Mutex<CallMap<(FunctionId, Arc<Ended>)>>,
    ended_max: usize,
    recent: Mutex<RecentCalls>,
}

impl Calls {
    /// Keeps no more calls than `bounds` say.
    #[must_use]
    pub fn new(bounds: CallBounds) -> Self {
        Self {
            in_flight: InFlight::new(bounds.running),
            ended: Mutex::default(),
            ended_max: bounds.ended,
            recent: Mutex::new(RecentCalls::new(bounds.settled)),
        }
    }

    /// Takes in a call that begins. Its place is given back to [`Calls::end`].
    pub fn begin(&self, call: CallId, function: FunctionId) -> Place {
        self.in_flight.begin(call, function)
    }

    /// Takes in the end of a call, before the meter is told: what is settled must have ended.
    pub fn end(&self, place: Place, call: CallId, function: FunctionId, ended: Arc<Ended>) {
        {
            let mut calls = lock(&self.ended);
            if calls.len() < self.ended_max {
                calls.insert(call, (function, ended));
            }
        }
        // Only now: between both it would be nowhere.
        self.in_flight.end(place);
    }

    /// Takes in calls that were settled, and tells whoever waits for them.
    pub fn settle(&self, settled: impl IntoIterator<Item = Settled<CallEnd>>) {
        let mut told = Vec::new();
        self.remember(settled.into_iter().map(|Settled { call, function, charge, end: CallEnd { ended, waiter } }| {
            let charge = charge.ok_or(NoCharge::Incomplete);
            told.extend(waiter.map(|waiter| (waiter, charge.clone())));
            KnownCall { call, function, progress: Progress::Settled(ended, charge) }
        }));
        for (waiter, charge) in told {
            // One that has given up is not told.
            let _ = waiter.send(charge);
        }
    }

    /// Takes in that a call which has ended will never be settled.
    pub fn give_up(&self, call: CallId, function: FunctionId, ended: Arc<Ended>, why: NoCharge) {
        self.remember([KnownCall { call, function, progress: Progress::Settled(ended, Err(why)) }]);
    }

    fn remember(&self, settled: impl IntoIterator<Item = KnownCall>) {
        let mut settled = settled.into_iter().peekable();
        while settled.peek().is_some() {
            let mut calls = [None; BATCH];
            {
                let mut recent = lock(&self.recent);
                for (known, call) in calls.iter_mut().map_while(|call| settled.next().map(|known| (known, call))) {
                    *call = Some(known.call);
                    recent.push(known);
                }
            }
            let mut ended = lock(&self.ended);
            for call in calls.iter().flatten() {
                ended.remove(call);
            }
        }
    }

    /// The call of this identity, if it is remembered.
    #[must_use]
    pub fn find(&self, call: CallId) -> Option<KnownCall> {
        // In the order in which calls move on, so that one that moves meanwhile is not missed.
        let ended = || {
            let calls = lock(&self.ended);
            let (function, ended) = calls.get(&call)?;
            Some(KnownCall { call, function: *function, progress: Progress::Ended(ended.clone()) })
        };
        self.in_flight.find(call).or_else(ended).or_else(|| lock(&self.recent).find(call))
    }

    /// At most `count` calls, of one function or of all: those that run, the latest begun first; then those that have
    /// ended, the latest first.
    #[must_use]
    pub fn last(&self, function: Option<FunctionId>, count: usize) -> Vec<KnownCall> {
        let wanted = |of: FunctionId| function.is_none_or(|function| function == of);
        let mut found = self.in_flight.all(wanted);
        // Identities are UUIDs of version 7: the later ones are the larger ones.
        found.sort_unstable_by_key(|known| std::cmp::Reverse(known.call));
        let mut ended: Vec<_> = lock(&self.ended)
            .iter()
            .filter(|(_, (of, _))| wanted(*of))
            .map(|(&call, (function, ended))| KnownCall {
                call,
                function: *function,
                progress: Progress::Ended(ended.clone()),
            })
            .collect();
        ended.extend(lock(&self.recent).last(wanted, count));
        ended.sort_by_key(|known| std::cmp::Reverse(known.ended_at()));
        found.extend(ended);
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::NotEstimated;
    use crate::outcome::Outcome;
    use std::time::Duration;

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

    fn settled(call: u128, second: u64) -> Settled<CallEnd> {
        let end = CallEnd { ended: ended(second), waiter: None };
        Settled { call: CallId(call), function: FUNCTION, charge: None, end }
    }

    fn bounds(running: usize, ended: usize, settled: usize) -> CallBounds {
        CallBounds { running, ended, settled }
    }

    #[test]
    fn a_call_is_found_at_every_stage_and_then_forgotten() {
        let calls = Calls::new(bounds(2, 2, 1));
        let progress = || calls.find(CallId(1)).map(|known| known.progress);
        assert!(progress().is_none());
        let place = calls.begin(CallId(1), FUNCTION);
        assert!(matches!(progress(), Some(Progress::Running(_))));
        calls.end(place, CallId(1), FUNCTION, ended(1));
        assert!(matches!(progress(), Some(Progress::Ended(_))));
        calls.settle([settled(1, 1)]);
        assert!(matches!(progress(), Some(Progress::Settled(_, Err(NoCharge::Incomplete)))));
        calls.give_up(CallId(2), FUNCTION, ended(2), NoCharge::Dropped);
        assert!(progress().is_none());
        assert!(matches!(calls.find(CallId(2)).unwrap().progress, Progress::Settled(_, Err(NoCharge::Dropped))));
    }

    #[test]
    fn what_runs_comes_first_and_the_latest_before_the_earlier() {
        let calls = Calls::new(bounds(3, 4, 4));
        for call in [1, 2] {
            calls.end(calls.begin(CallId(call), FUNCTION), CallId(call), FUNCTION, ended(10 + call as u64));
            calls.settle([settled(call, 10 + call as u64)]);
        }
        for (call, second) in [(3, 14), (4, 13)] {
            calls.end(calls.begin(CallId(call), FUNCTION), CallId(call), FUNCTION, ended(second));
        }
        let _running = [5, 6].map(|call| calls.begin(CallId(call), FUNCTION));
        let _other = calls.begin(CallId(7), FunctionId(9));
        let last = |function, count| calls.last(function, count).iter().map(|known| known.call.0).collect::<Vec<_>>();
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

    #[test]
    fn many_that_are_settled_at_once_all_move_on() {
        let count = 2 * BATCH + 1;
        let calls = Calls::new(bounds(1, count, count));
        let all = 1..=count as u128;
        for call in all.clone() {
            calls.end(calls.begin(CallId(call), FUNCTION), CallId(call), FUNCTION, ended(1));
        }
        calls.settle(all.clone().map(|call| settled(call, 1)));
        let is_settled =
            |call| calls.find(CallId(call)).is_some_and(|known| matches!(known.progress, Progress::Settled(..)));
        assert!(all.clone().all(is_settled));
        assert_eq!(calls.last(None, 2 * count).len(), count);
    }

    #[test]
    fn ended_calls_are_bounded() {
        let calls = Calls::new(bounds(1, 2, 1));
        for call in 1..=3 {
            calls.end(calls.begin(CallId(call), FUNCTION), CallId(call), FUNCTION, ended(1));
        }
        assert_eq!(calls.last(None, 10).len(), 2);
        calls.settle([settled(3, 1)]);
        assert!(calls.find(CallId(3)).is_some(), "one that found no room is known again once it is settled");
    }
}
