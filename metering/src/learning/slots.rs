//! The functions that have a coefficient of their own.

use std::collections::BTreeMap;

use crate::post::FunctionId;

/// Maximum number of functions with a coefficient of their own: those with most recent CPU time.
pub const FUNCTIONS_MAX: usize = 16;

/// To take the place of another, a function must have used this many times as much recently.
const LEAD: f64 = 2.0;

/// Recent CPU time, in seconds, below which a function is forgotten.
const FORGOTTEN: f64 = 1e-4;

/// The functions with a place of their own, and the recent CPU time of all.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    owners: [Option<FunctionId>; FUNCTIONS_MAX],
    recent: BTreeMap<FunctionId, f64>,
}

impl Slots {
    /// The places as they were, as far as their owners are still there.
    pub fn recall(owners: &[Option<FunctionId>]) -> Self {
        let mut slots = Self::default();
        slots.owners.iter_mut().zip(owners).for_each(|(place, owner)| *place = *owner);
        slots
    }

    /// Place of the function, if it has one.
    pub fn of(&self, function: FunctionId) -> Option<usize> {
        self.owners.iter().position(|owner| *owner == Some(function))
    }

    pub fn iter(&self) -> impl Iterator<Item = (usize, FunctionId)> + '_ {
        self.owners.iter().enumerate().filter_map(|(place, owner)| owner.map(|function| (place, function)))
    }

    /// Multiplies past CPU time by `keep`.
    pub fn forget(&mut self, keep: f64) {
        let owners = &self.owners;
        self.recent.retain(|function, recent| {
            *recent *= keep;
            *recent > FORGOTTEN || owners.contains(&Some(*function))
        });
    }

    /// Records CPU time of a function. Returns the place it has just been given, whose former owner has lost it.
    pub fn note(&mut self, function: FunctionId, cpu: f64) -> Option<usize> {
        let recent = self.recent.entry(function).or_default();
        *recent += cpu;
        let recent = *recent;
        if self.of(function).is_some() {
            return None;
        }
        let used =
            |owner: &Option<FunctionId>| owner.map_or(-1.0, |owner| self.recent.get(&owner).copied().unwrap_or(0.0));
        let (place, least) = self.owners.iter().map(used).enumerate().min_by(|a, b| a.1.total_cmp(&b.1))?;
        (least * LEAD < recent).then(|| {
            self.owners[place] = Some(function);
            place
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_uses_more_takes_the_place_of_one_that_uses_less() {
        let mut slots = Slots::default();
        for function in 0..FUNCTIONS_MAX as u32 {
            assert!(slots.note(FunctionId(function), f64::from(function) + 1.0).is_some());
        }
        assert_eq!(slots.note(FunctionId(99), 1.5), None);
        assert_eq!(slots.note(FunctionId(99), 0.6), Some(0), "windows add up");
        assert_eq!((slots.of(FunctionId(0)), slots.of(FunctionId(99))), (None, Some(0)));
        slots.forget(0.1);
        assert_eq!(slots.note(FunctionId(100), 0.5), Some(1));
    }

    #[test]
    fn functions_that_are_not_called_are_forgotten() {
        let mut slots = Slots::default();
        (0..1000).for_each(|function| _ = slots.note(FunctionId(function), 0.01));
        (0..20).for_each(|_| slots.forget(0.5));
        assert_eq!(slots.recent.len(), FUNCTIONS_MAX);
    }
}
