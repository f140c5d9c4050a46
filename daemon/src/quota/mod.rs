//! What functions and callers may use: calls a second, calls at once, joules within an hour. Knows plain values and a
//! clock, neither calls nor HTTP.

mod bill;
mod clock;
mod exceeded;
mod hour;
mod payer;
mod payers;
mod settings;

use nebula_metering::{Joules, Microjoules};

pub use bill::{Bill, Entry};
pub use clock::Uptime;
pub use exceeded::{Exceeded, Limit, Whose};
pub use payer::{Payer, Usage};
pub use payers::Payers;
pub use settings::{OPTIONS, Settings};

/// The most that a count of a quota can be: what is more is no limit.
pub const COUNT_MAX: u32 = 1_000_000;

/// What one function, or one token, may use; `None` where nothing bounds it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quota {
    /// Calls a second: as many at once after a quiet second, and one more whenever another such part of a second is over.
    pub calls_per_second: Option<u32>,
    /// Calls at once, those that wait for their turn included.
    pub concurrency: Option<u32>,
    /// Active energy within any hour.
    pub joules_per_hour: Option<Joules>,
}

impl Quota {
    /// Whether nothing is bounded.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// The names of what is bounded, as metrics and manifests have them.
    pub fn bounded(&self) -> impl Iterator<Item = &'static str> {
        let names = [
            self.calls_per_second.map(|_| "calls_per_second"),
            self.concurrency.map(|_| "concurrency"),
            self.joules_per_hour.map(|_| "joules_per_hour"),
        ];
        names.into_iter().flatten()
    }

    /// This, and what `default` says of all that this does not bound.
    #[must_use]
    pub fn or(self, default: Self) -> Self {
        Self {
            calls_per_second: self.calls_per_second.or(default.calls_per_second),
            concurrency: self.concurrency.or(default.concurrency),
            joules_per_hour: self.joules_per_hour.or(default.joules_per_hour),
        }
    }
}

/// Whose calls go first when there is not enough for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// The first to wait.
    Low,
    /// What functions have that say nothing.
    #[default]
    Normal,
    /// The last to wait.
    High,
}

impl Priority {
    /// Every priority, the lowest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// The nearest number of whole microjoules, but some energy where there is some.
fn whole(Joules(joules): Joules) -> Microjoules {
    let energy = (joules * 1e6).round() as u64;
    Microjoules(if joules > 0.0 { energy.max(1) } else { energy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_fills_in_what_is_not_said() {
        let own = Quota { concurrency: Some(2), ..Quota::default() };
        let default = Quota { calls_per_second: Some(5), concurrency: Some(1), joules_per_hour: Some(Joules(0.5)) };
        assert_eq!(own.or(default), Quota { concurrency: Some(2), ..default });
        assert!(Quota::default().is_unlimited() && !own.is_unlimited());
    }

    #[test]
    fn joules_become_whole_microjoules_and_some_stay_some() {
        for (joules, energy) in [(0.0, 0), (-1.0, 0), (1e-9, 1), (1.4e-6, 1), (0.5, 500_000), (f64::NAN, 0)] {
            assert_eq!(whole(Joules(joules)), Microjoules(energy), "{joules}");
        }
    }
}
