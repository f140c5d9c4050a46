//! The last settled calls, by identity and by time.

use std::collections::VecDeque;

use nebula_metering::{CallId, CallMap, FunctionId};

use super::KnownCall;

/// A bounded list with an index.
pub(super) struct RecentCalls {
    max: usize,
    /// The earliest first.
    calls: VecDeque<KnownCall>,
    /// The number of each call, counted from the first that ever was settled.
    numbers: CallMap<u64>,
    /// The number of the earliest call that is kept.
    first: u64,
}

impl RecentCalls {
    /// Keeps the last `max` calls.
    pub(super) fn new(max: usize) -> Self {
        // Memory is used as it fills, and what is pushed to a full list moves nothing.
        let mut numbers = CallMap::default();
        numbers.reserve(max);
        Self { max, calls: VecDeque::with_capacity(max), numbers, first: 0 }
    }

    pub(super) fn push(&mut self, call: KnownCall) {
        if self.max == 0 {
            return;
        }
        if self.calls.len() == self.max
            && let Some(forgotten) = self.calls.pop_front()
        {
            self.numbers.remove(&forgotten.call);
            self.first += 1;
        }
        self.numbers.insert(call.call, self.first + self.calls.len() as u64);
        self.calls.push_back(call);
    }

    pub(super) fn find(&self, call: CallId) -> Option<KnownCall> {
        let place = self.numbers.get(&call)? - self.first;
        self.calls.get(usize::try_from(place).ok()?).cloned()
    }

    /// The last `count` calls of the functions that are wanted, the latest first.
    pub(super) fn last(&self, wanted: impl Fn(FunctionId) -> bool, count: usize) -> Vec<KnownCall> {
        self.calls.iter().rev().filter(|call| wanted(call.function)).take(count).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Progress;
    use super::*;
    use crate::meter::{Ended, NoCharge, NotEstimated};
    use crate::outcome::Outcome;
    use nebula_metering::{Domain, Joules, Microjoules};
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    fn call(id: u128) -> KnownCall {
        let ended = Ended {
            outcome: Outcome::Ok,
            at: SystemTime::UNIX_EPOCH,
            duration: Duration::ZERO,
            estimate: Err(NotEstimated::Cancelled),
        };
        let progress = Progress::Settled(Arc::new(ended), Err(NoCharge::Incomplete));
        KnownCall { call: CallId(id), function: FunctionId((id % 2) as u32), progress }
    }

    #[test]
    fn the_last_ones_are_found_and_the_others_forgotten() {
        let mut recent = RecentCalls::new(3);
        for id in 0..10 {
            recent.push(call(id));
            for known in 0..=id {
                let found = recent.find(CallId(known)).map(|call| call.call.0);
                assert_eq!(found, (known + 3 > id).then_some(known), "{known} after {id}");
            }
        }
        let last = |count| recent.last(|_| true, count).iter().map(|call| call.call.0).collect::<Vec<_>>();
        assert_eq!((last(2), last(9)), (vec![9, 8], vec![9, 8, 7]));
        let odd: Vec<_> = recent.last(|function| function.0 == 1, 9).iter().map(|call| call.call.0).collect();
        assert_eq!(odd, [9, 7]);
        assert_eq!(recent.numbers.len(), 3);
    }

    #[test]
    fn a_list_of_none_keeps_none() {
        let mut recent = RecentCalls::new(0);
        recent.push(call(1));
        assert!(recent.find(CallId(1)).is_none() && recent.last(|_| true, 9).is_empty());
    }

    /// What the option `meter.recent` says: 600 bytes a call, with its index, its end, and the zones of its charge and its
    /// estimate.
    #[test]
    fn a_call_is_as_small_as_its_option_says() {
        let (counters, vec_min, map_load) = (2 * size_of::<usize>(), 4, 7.0 / 8.0);
        let index = (size_of::<(CallId, u64)>() + 1) as f64 / (map_load / 2.0);
        let ended = size_of::<Ended>() + counters;
        let zones = vec_min * size_of::<(Domain, Microjoules)>() + vec_min * size_of::<(Domain, Joules)>();
        let all = (size_of::<KnownCall>() + ended + zones) as f64 + index;
        assert!(all <= 600.0, "{all}");
    }
}
