//! Calls that are not settled yet, and what each has been charged so far.

use crate::bucket::Entry;
use crate::call_map::CallMap;
use crate::ledger::CallEnergy;
use crate::post::{CallId, FunctionId};
use crate::source::SourceKind;
use crate::uncertainty::Uncertainty;
use crate::units::Microjoules;
use crate::work::Work;
use crate::zone::Domain;

/// Number of windows for which an inactive call is kept when there are too many.
const IDLE_WINDOWS_MAX: u64 = 600;

/// The charge of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    /// Energy that it caused, all zones together.
    pub active: Microjoules,
    /// Its share of the base energy, all zones together.
    pub base: Microjoules,
    /// The parts of the 95 % interval of `active`.
    pub uncertainty: Uncertainty,
    /// `active` by domain, packages added.
    pub zones: Vec<(Domain, Microjoules)>,
    /// The source of the energy readings.
    pub source: SourceKind,
}

/// A call that has ended, with its charge.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled<E> {
    /// The call.
    pub call: CallId,
    /// The function it called.
    pub function: FunctionId,
    /// Its charge; `None` if the energy of some of its windows is unknown.
    pub charge: Option<Charge>,
    /// What was posted with its end.
    pub end: E,
}

/// The charge of a call in one zone, and the work it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ZoneCharge {
    /// Index of the zone in the meter.
    pub zone: usize,
    pub charged: CallEnergy,
    pub work: Work,
    /// Number of windows that charged it. Each cut its charge to whole microjoules.
    pub windows: u32,
}

#[derive(Debug)]
pub(crate) struct OpenCall {
    pub function: FunctionId,
    pub zones: Vec<ZoneCharge>,
    /// Whether some window of the call had no energy.
    incomplete: bool,
    /// The last window in which it ran.
    touched: u64,
}

#[derive(Debug)]
struct Ended<E> {
    call: CallId,
    function: FunctionId,
    end: E,
    /// The collection that saw the end.
    seen: u64,
}

/// Calls between their first slice and their settlement.
#[derive(Debug)]
pub(crate) struct Calls<E> {
    open_max: usize,
    open: CallMap<OpenCall>,
    ended: Vec<Ended<E>>,
}

impl<E> Calls<E> {
    pub fn new(open_max: usize) -> Self {
        Self { open_max, open: CallMap::default(), ended: Vec::new() }
    }

    /// Records that a call ran in the window with this number.
    pub fn touch(&mut self, call: CallId, function: FunctionId, window: u64) {
        if let Some(open) = self.open.get_mut(&call) {
            open.touched = open.touched.max(window);
            return;
        }
        if self.open.len() >= self.open_max {
            // Dropped ends leave calls behind. They are forgotten when room is needed.
            let oldest = window.saturating_sub(IDLE_WINDOWS_MAX);
            self.open.retain(|_, call| call.touched >= oldest);
        }
        if self.open.len() < self.open_max {
            self.open.insert(call, OpenCall { function, zones: Vec::new(), incomplete: false, touched: window });
        }
    }

    /// Records the end of a call, seen in the collection with this number.
    pub fn end(&mut self, call: CallId, function: FunctionId, end: E, seen: u64) {
        self.ended.push(Ended { call, function, end, seen });
    }

    /// Adds a charge of a zone for work in one window.
    pub fn charge(&mut self, call: CallId, zone: usize, charged: CallEnergy, work: Work) {
        let Some(open) = self.open.get_mut(&call) else { return };
        match open.zones.iter_mut().find(|charge| charge.zone == zone) {
            Some(charge) => {
                charge.charged += charged;
                charge.work += work;
                charge.windows += 1;
            }
            None => {
                // Most machines have one or a few zones. The default capacity of four would take half a kilobyte.
                open.zones.reserve_exact(1);
                open.zones.push(ZoneCharge { zone, charged, work, windows: 1 });
            }
        }
    }

    /// Records that a zone had no energy for a window, so the energy of this call is unknown.
    pub fn mark_incomplete(&mut self, call: CallId) {
        if let Some(open) = self.open.get_mut(&call) {
            open.incomplete = true;
        }
    }

    /// A call in progress whose energy is fully known so far.
    pub fn running(&self, call: CallId) -> Option<&OpenCall> {
        self.open.get(&call).filter(|open| open.is_known())
    }

    /// Takes the calls whose end was seen before collection `seen` and that did not run after `window`.
    ///
    /// If different threads posted a slice and the end of its call, the slice may be collected after the end. So a call
    /// waits for one more collection.
    pub fn take_settled(
        &mut self,
        seen: u64,
        window: u64,
        mut take: impl FnMut(CallId, FunctionId, Option<OpenCall>, E),
    ) {
        for ended in std::mem::take(&mut self.ended) {
            let done = || self.open.get(&ended.call).is_none_or(|open| open.touched <= window);
            if ended.seen < seen && done() {
                let open = self.open.remove(&ended.call).filter(OpenCall::is_known);
                take(ended.call, ended.function, open, ended.end);
            } else {
                self.ended.push(ended);
            }
        }
    }
}

impl OpenCall {
    fn is_known(&self) -> bool {
        !self.incomplete && !self.zones.is_empty()
    }
}

/// Hands what one consumer was charged in a zone on to its calls: active energy by `weight`, base energy by CPU time. Whole
/// microjoules by cumulative rounding, so that the parts add up to the charge.
pub(crate) fn deal(
    entries: &[&Entry],
    charge: CallEnergy,
    weight: impl Fn(&Entry) -> u64,
    mut give: impl FnMut(&Entry, CallEnergy),
) {
    let nanos = |entry: &Entry| entry.work.cpu.as_nanos();
    let mut weights: Vec<u64> = entries.iter().map(|entry| weight(entry)).collect();
    if weights.iter().all(|&weight| weight == 0) {
        weights = entries.iter().map(|entry| u64::try_from(nanos(entry)).unwrap_or(u64::MAX)).collect();
    }
    let mut active = Cumulative::new(charge.active, weights.iter().copied().map(u128::from).sum());
    let mut base = Cumulative::new(charge.base, entries.iter().map(|entry| nanos(entry)).sum());
    for (entry, weight) in entries.iter().zip(weights) {
        give(entry, CallEnergy { active: active.next(weight.into()), base: base.next(nanos(entry)) });
    }
}

/// Divides a whole into parts by cumulative rounding: their sum is right at every point.
struct Cumulative {
    whole: Microjoules,
    of: u128,
    weight: u128,
    given: u64,
}

impl Cumulative {
    fn new(whole: Microjoules, of: u128) -> Self {
        Self { whole, of: of.max(1), weight: 0, given: 0 }
    }

    fn next(&mut self, weight: u128) -> Microjoules {
        self.weight += weight;
        let until = u128::from(self.whole.0) * self.weight / self.of;
        let until = u64::try_from(until).unwrap_or(u64::MAX);
        let part = until - self.given;
        self.given = until;
        Microjoules(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Owner;
    use crate::post::Purpose;
    use std::time::Duration;

    fn entry(call: u128, cpu_us: u64) -> Entry {
        let work = Work::of_cpu(Duration::from_micros(cpu_us));
        let (function, purpose, owner) = (FunctionId(0), Purpose::Call, Owner::Call(CallId(call)));
        Entry { function, purpose, owner, package: 0, work, beside: 0.0 }
    }

    #[test]
    fn calls_get_what_their_function_was_charged() {
        let entries = [entry(1, 10), entry(2, 20), entry(3, 40)];
        let charge = CallEnergy { active: Microjoules(100), base: Microjoules(7) };
        for weight in [|entry: &Entry| entry.work.cpu.as_nanos() as u64, |_: &Entry| 0] {
            let mut charged = Vec::new();
            deal(&entries.each_ref(), charge, weight, |_, part| charged.push(part));
            assert_eq!(charged.iter().map(|part| part.active.0).collect::<Vec<_>>(), [14, 28, 58]);
            assert_eq!(charged.iter().map(|part| part.base.0).sum::<u64>(), 7);
        }
    }

    #[test]
    fn a_call_collects_what_each_window_charges_it() {
        let mut calls = Calls::<()>::new(10);
        let energy = |active| CallEnergy { active: Microjoules(active), base: Microjoules(1) };
        calls.touch(CallId(1), FunctionId(0), 1);
        for (zone, active) in [(0, 5), (1, 7), (0, 9)] {
            calls.charge(CallId(1), zone, energy(active), Work::of_cpu(Duration::from_micros(3)));
        }
        let open = calls.running(CallId(1)).expect("it is known");
        let parts: Vec<_> = open.zones.iter().map(|part| (part.zone, part.charged.active.0, part.windows)).collect();
        assert_eq!(parts, [(0, 14, 2), (1, 7, 1)]);
        calls.mark_incomplete(CallId(1));
        assert!(calls.running(CallId(1)).is_none());
    }

    #[test]
    fn a_call_is_settled_when_its_last_window_has_closed() {
        let mut calls = Calls::new(10);
        calls.touch(CallId(1), FunctionId(0), 5);
        calls.charge(CallId(1), 0, CallEnergy::default(), Work::default());
        calls.end(CallId(1), FunctionId(0), "end", 5);
        let mut settled = Vec::new();
        for (seen, window) in [(5, 5), (6, 4), (6, 5)] {
            assert!(settled.is_empty(), "{settled:?}");
            calls.take_settled(seen, window, |call, _, open, end| settled.push((call, open.is_some(), end)));
        }
        assert_eq!(settled, [(CallId(1), true, "end")]);
    }

    #[test]
    fn calls_without_an_end_are_forgotten_when_room_is_needed() {
        let mut calls = Calls::<()>::new(2);
        calls.touch(CallId(1), FunctionId(0), 1);
        calls.touch(CallId(2), FunctionId(0), 700);
        calls.touch(CallId(3), FunctionId(0), 700);
        calls.touch(CallId(4), FunctionId(0), 700);
        let open = [1, 2, 3, 4].map(|call| calls.open.contains_key(&CallId(call)));
        assert_eq!(open, [false, true, true, false]);
    }
}
