//! The accounts of one zone. What was measured equals what was charged, to the microjoule, after every booking.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use crate::counter::GapReason;
use crate::learning::{Consumption, Weights};
use crate::post::{FunctionId, Purpose};
use crate::shares::split;
use crate::units::Microjoules;

/// CPU time of each consumer in a window, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumers {
    /// Each function's calls, and its preparing; each at most once.
    pub functions: Vec<(FunctionId, Purpose, u64)>,
    /// This process without its calls.
    pub runtime: u64,
    /// Everything else that ran on the machine.
    pub host: u64,
}

impl From<&Consumption> for Consumers {
    fn from(consumption: &Consumption) -> Self {
        // No window has 584 years of CPU time.
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let functions = consumption.functions.iter().map(|part| (part.function, part.purpose, nanos(part.work.cpu)));
        Self { functions: functions.collect(), runtime: nanos(consumption.runtime), host: nanos(consumption.host) }
    }
}

impl Consumers {
    /// All consumers together.
    #[must_use]
    pub fn total(&self) -> Duration {
        let functions: u64 = self.functions.iter().map(|&(.., cpu)| cpu).sum();
        Duration::from_nanos(functions + self.runtime + self.host)
    }

    fn cpu_times(&self) -> Vec<u64> {
        let functions = self.functions.iter().map(|&(.., cpu)| cpu);
        functions.chain([self.runtime, self.host]).collect()
    }
}

/// What one function has been charged in one zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionEnergy {
    /// Energy that its calls caused.
    pub active: Microjoules,
    /// Energy that compiling, linking and loading it caused.
    pub preparing: Microjoules,
    /// The share of its calls, by CPU time, in the base account. A view of that account, not in addition to it.
    pub base: Microjoules,
}

impl FunctionEnergy {
    /// What its account holds.
    #[must_use]
    pub fn charged(&self) -> Microjoules {
        self.active + self.preparing
    }

    fn each(self, other: Self, with: impl Fn(Microjoules, Microjoules) -> Microjoules) -> Self {
        Self {
            active: with(self.active, other.active),
            preparing: with(self.preparing, other.preparing),
            base: with(self.base, other.base),
        }
    }
}

impl Add for FunctionEnergy {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.each(other, Add::add)
    }
}

impl AddAssign for FunctionEnergy {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for FunctionEnergy {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        self.each(earlier, Sub::sub)
    }
}

impl Sum for FunctionEnergy {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

/// What one call, or one consumer, is charged in one zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallEnergy {
    /// Energy that it caused.
    pub active: Microjoules,
    /// Its share, by CPU time, of the base energy.
    pub base: Microjoules,
}

impl AddAssign for CallEnergy {
    fn add_assign(&mut self, other: Self) {
        self.active += other.active;
        self.base += other.base;
    }
}

/// The accounts of one zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// All accepted energy: the sum of the accounts.
    pub total: Microjoules,
    /// Each function, by its number.
    pub functions: Vec<FunctionEnergy>,
    /// This process, less its calls.
    pub runtime: Microjoules,
    /// Everything else that ran.
    pub host: Microjoules,
    /// Energy that the zone draws when nothing runs, that waking it takes, and that it drew while nobody ran.
    pub base: Microjoules,
    /// Energy that can be trusted but belongs to no window.
    pub gap: Microjoules,
    /// Time without energy of its own, by reason.
    pub gaps: [Duration; GapReason::ALL.len()],
}

impl AddAssign<&Self> for Accounts {
    fn add_assign(&mut self, other: &Self) {
        self.total += other.total;
        self.functions.resize(self.functions.len().max(other.functions.len()), FunctionEnergy::default());
        self.functions.iter_mut().zip(&other.functions).for_each(|(sum, energy)| *sum += *energy);
        self.runtime += other.runtime;
        self.host += other.host;
        self.base += other.base;
        self.gap += other.gap;
        self.gaps.iter_mut().zip(other.gaps).for_each(|(sum, time)| *sum += time);
    }
}

/// The accounts of several zones together. Zones that overlap must not be among them ([`Zone::is_additive`]).
///
/// [`Zone::is_additive`]: crate::Zone::is_additive
impl<'a> Sum<&'a Self> for Accounts {
    fn sum<I: Iterator<Item = &'a Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |mut sum, accounts| {
            sum += accounts;
            sum
        })
    }
}

/// The split of the energy of one window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// What each function's calls, and each preparation, caused, in the order of [`Consumers::functions`].
    pub functions: Vec<CallEnergy>,
    /// Active energy of all consumers.
    pub active: Microjoules,
    /// Base energy.
    pub base: Microjoules,
}

impl Accounts {
    /// Splits the `energy` of a window among base and its consumers and charges them: by `weights`, or by CPU time if all
    /// weights are zero.
    ///
    /// When the accounts do not add up to the measured energy, which no input can cause.
    pub fn book(&mut self, energy: Microjoules, consumers: &Consumers, weights: &Weights) -> Charges {
        let count = consumers.functions.len();
        let by_weight = weights.functions.iter().copied().chain([weights.runtime, weights.host, weights.base]);
        let parts = split(energy.0, &by_weight.collect::<Vec<_>>());
        let Some(parts) = parts.or_else(|| split(energy.0, &consumers.cpu_times())) else {
            // Nobody ran: all of it is base.
            self.base += energy;
            self.total += energy;
            self.assert_balanced();
            return Charges { functions: Vec::new(), active: Microjoules::ZERO, base: energy };
        };
        let part = |index: usize| Microjoules(parts.get(index).copied().unwrap_or(0));
        let (runtime, host, base) = (part(count), part(count + 1), part(count + 2));
        let base_shares = split(base.0, &consumers.cpu_times()).unwrap_or_default();
        let share = |index: usize| Microjoules(base_shares.get(index).copied().unwrap_or(0));
        let functions: Vec<_> =
            (0..count).map(|index| CallEnergy { active: part(index), base: share(index) }).collect();
        for (&(function, purpose, _), charge) in consumers.functions.iter().zip(&functions) {
            let account = self.function(function);
            match purpose {
                Purpose::Call => {
                    account.active += charge.active;
                    account.base += charge.base;
                }
                Purpose::Preparing => account.preparing += charge.active,
            }
        }
        self.runtime += runtime;
        self.host += host;
        self.base += base;
        self.total += energy;
        self.assert_balanced();
        Charges { functions, active: energy - base, base }
    }

    /// Records energy of a zone that charges nobody.
    pub fn book_observed(&mut self, energy: Microjoules) {
        self.base += energy;
        self.total += energy;
    }

    /// Records time without energy, and energy that turned up without a window.
    pub fn book_gap(&mut self, reason: GapReason, time: Duration, found: Microjoules) {
        self.gaps[reason as usize] += time;
        self.gap += found;
        self.total += found;
        self.assert_balanced();
    }

    /// What all functions have been charged: their calls and their preparing.
    #[must_use]
    pub fn functions_total(&self) -> Microjoules {
        self.functions.iter().map(FunctionEnergy::charged).sum()
    }

    /// The accounts that add up to [`Accounts::total`], with their names in metrics and answers.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Microjoules); 5] {
        [
            ("function", self.functions_total()),
            ("runtime", self.runtime),
            ("host", self.host),
            ("base", self.base),
            ("gap", self.gap),
        ]
    }

    /// The growth of every account since `earlier`, an older state of the same accounts.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |place: usize| earlier.functions.get(place).copied().unwrap_or_default();
        Self {
            total: self.total - earlier.total,
            functions: self.functions.iter().enumerate().map(|(place, energy)| *energy - before(place)).collect(),
            runtime: self.runtime - earlier.runtime,
            host: self.host - earlier.host,
            base: self.base - earlier.base,
            gap: self.gap - earlier.gap,
            gaps: std::array::from_fn(|reason| self.gaps[reason].saturating_sub(earlier.gaps[reason])),
        }
    }

    /// Measured minus charged energy: zero.
    #[must_use]
    pub fn residual(&self) -> i128 {
        let charged: Microjoules = self.named().into_iter().map(|(_, energy)| energy).sum();
        i128::from(self.total.0) - i128::from(charged.0)
    }

    fn assert_balanced(&self) {
        assert_eq!(self.residual(), 0, "the accounts of a zone add up to what was measured");
    }

    fn function(&mut self, function: FunctionId) -> &mut FunctionEnergy {
        let index = function.0 as usize;
        if index >= self.functions.len() {
            self.functions.resize(index + 1, FunctionEnergy::default());
        }
        &mut self.functions[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumers(functions: &[(u32, u64)], runtime: u64, host: u64) -> Consumers {
        let functions = functions.iter().map(|&(id, cpu)| (FunctionId(id), Purpose::Call, cpu)).collect();
        Consumers { functions, runtime, host }
    }

    fn weights(functions: &[u64], runtime: u64, host: u64, base: u64) -> Weights {
        Weights { functions: functions.to_vec(), runtime, host, base }
    }

    #[test]
    fn active_energy_goes_by_weight_and_base_energy_by_cpu_time() {
        let mut accounts = Accounts::default();
        let consumers = consumers(&[(0, 30), (2, 10)], 10, 50);
        let charges = accounts.book(Microjoules(1_000), &consumers, &weights(&[2, 1], 1, 1, 5));
        assert_eq!(charges.functions[0], CallEnergy { active: Microjoules(200), base: Microjoules(150) });
        assert_eq!(charges.functions[1], CallEnergy { active: Microjoules(100), base: Microjoules(50) });
        assert_eq!(accounts.functions[1], FunctionEnergy::default());
        assert_eq!([accounts.runtime.0, accounts.host.0, accounts.base.0], [100, 100, 500]);
        assert_eq!([charges.active.0, charges.base.0], [500, 500]);
    }

    #[test]
    fn preparing_is_charged_to_the_function_apart_from_its_calls() {
        let mut accounts = Accounts::default();
        let functions = [Purpose::Call, Purpose::Preparing].map(|purpose| (FunctionId(0), purpose, 10)).to_vec();
        let consumers = Consumers { functions, runtime: 0, host: 0 };
        accounts.book(Microjoules(1_000), &consumers, &weights(&[1, 2], 0, 0, 2));
        let [function] = accounts.functions[..] else { panic!("one function: {accounts:?}") };
        assert_eq!([function.active, function.preparing, function.base], [200, 400, 200].map(Microjoules));
        assert_eq!((accounts.functions_total(), accounts.base), (Microjoules(600), Microjoules(400)));
    }

    #[test]
    fn without_weights_cpu_time_decides() {
        let mut accounts = Accounts::default();
        let consumers = consumers(&[(0, 30)], 10, 60);
        accounts.book(Microjoules(1_000), &consumers, &weights(&[0], 0, 0, 0));
        assert_eq!([accounts.functions[0].active.0, accounts.runtime.0, accounts.host.0], [300, 100, 600]);
    }

    #[test]
    fn energy_that_nobody_caused_is_base() {
        let mut accounts = Accounts::default();
        let charges = accounts.book(Microjoules(700), &consumers(&[], 0, 0), &Weights::default());
        assert_eq!(charges.base, Microjoules(700));
        assert_eq!([accounts.base, accounts.total], [Microjoules(700); 2]);
    }

    #[test]
    fn found_energy_has_an_account_of_its_own() {
        let mut accounts = Accounts::default();
        accounts.book_gap(GapReason::Lost, Duration::from_secs(3), Microjoules(42));
        assert_eq!([accounts.gap, accounts.total], [Microjoules(42); 2]);
        assert_eq!(accounts.gaps[GapReason::Lost as usize], Duration::from_secs(3));
    }
}
