//! Calls that were a single slice within one window: they are charged and settled with it, without a lookup.

use crate::ledger::CallEnergy;

/// Charges of the whole calls of a window.
#[derive(Debug)]
pub(crate) struct WholeCharges {
    zones: usize,
    /// By call, then by zone; `None` if a zone did not charge it.
    charged: Vec<Option<CallEnergy>>,
}

impl WholeCharges {
    pub fn new(calls: usize, zones: usize) -> Self {
        Self { zones, charged: vec![None; calls * zones] }
    }

    pub fn charge(&mut self, call: usize, zone: usize, charged: CallEnergy) {
        self.charged[call * self.zones + zone] = Some(charged);
    }

    /// The zones that charged a call, and how much.
    pub fn of(&self, call: usize) -> impl Iterator<Item = (usize, CallEnergy)> + '_ {
        let charged = &self.charged[call * self.zones..(call + 1) * self.zones];
        charged.iter().enumerate().filter_map(|(zone, charged)| Some((zone, (*charged)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Microjoules;

    #[test]
    fn charges_are_kept_by_call_and_zone() {
        let energy = |active| CallEnergy { active: Microjoules(active), base: Microjoules::ZERO };
        let mut charges = WholeCharges::new(2, 3);
        for (call, zone, active) in [(0, 0, 1), (1, 2, 2), (0, 1, 3)] {
            charges.charge(call, zone, energy(active));
        }
        assert_eq!(charges.of(0).collect::<Vec<_>>(), [(0, energy(1)), (1, energy(3))]);
        assert_eq!(charges.of(1).collect::<Vec<_>>(), [(2, energy(2))]);
    }
}
