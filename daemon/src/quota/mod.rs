//! Quotas of functions and callers: calls per second, calls at once, joules within an hour. This room knows plain values
//! and a clock, neither calls nor HTTP.

mod clock;
mod exceeded;
mod hour;
mod payer;
mod permit;
mod settings;

use nebula_metering::{Joules, Microjoules};

pub use exceeded::{Limit, QuotaExceeded, QuotaOwner};
pub use payer::{Payer, Payers, QuotaUsage};
pub use permit::{Booking, QuotaPermit};
pub use settings::Settings;

/// The highest count that a quota can set. Anything more is no limit.
pub const COUNT_MAX: u32 = 1_000_000;

/// What one function or one token may use; `None` means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quota {
    /// After a quiet second, this many calls may come at once.
    pub calls_per_second: Option<u32>,
    /// Calls at once, including those that wait.
    pub concurrency: Option<u32>,
    /// Active energy within any hour.
    pub joules_per_hour: Option<Joules>,
}

impl Quota {
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// The names of its limits, as in metrics and manifests.
    pub fn bounded(&self) -> impl Iterator<Item = &'static str> {
        let names = [
            self.calls_per_second.map(|_| "calls_per_second"),
            self.concurrency.map(|_| "concurrency"),
            self.joules_per_hour.map(|_| "joules_per_hour"),
        ];
        names.into_iter().flatten()
    }

    /// This quota, with the limits of `default` where it has none.
    pub fn or(self, default: Self) -> Self {
        Self {
            calls_per_second: self.calls_per_second.or(default.calls_per_second),
            concurrency: self.concurrency.or(default.concurrency),
            joules_per_hour: self.joules_per_hour.or(default.joules_per_hour),
        }
    }
}

/// Which calls go first when there is not enough power for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Waits first.
    Low,
    #[default]
    Normal,
    /// Waits last.
    High,
}

impl Priority {
    /// Lowest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// The nearest whole number of microjoules, but at least one of any energy above zero.
fn whole(Joules(joules): Joules) -> Microjoules {
    let energy = (joules * 1e6).round() as u64;
    Microjoules(if joules > 0.0 { energy.max(1) } else { energy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_fills_in_missing_limits() {
        let own = Quota { concurrency: Some(2), ..Quota::default() };
        let default = Quota { calls_per_second: Some(5), concurrency: Some(1), joules_per_hour: Some(Joules(0.5)) };
        assert_eq!(own.or(default), Quota { concurrency: Some(2), ..default });
        assert!(Quota::default().is_unlimited() && !own.is_unlimited());
    }

    #[test]
    fn joules_become_whole_microjoules_and_never_vanish() {
        for (joules, energy) in [(0.0, 0), (-1.0, 0), (1e-9, 1), (1.4e-6, 1), (0.5, 500_000), (f64::NAN, 0)] {
            assert_eq!(whole(Joules(joules)), Microjoules(energy), "{joules}");
        }
    }
}
