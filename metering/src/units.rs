//! Energy and power as types: exact integers in counters and ledgers, floating point at the edges.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Energy in whole microjoules, the unit of the kernel's `energy_uj` files. Exact: sums of it never round.
///
/// 2^64 µJ are 18.4 TJ, or 585 years of a kilowatt, so sums need no wider type. An overflow panics rather than wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Microjoules(pub u64);

impl Microjoules {
    /// No energy. Never a stand-in for "unknown".
    pub const ZERO: Self = Self(0);

    /// The same energy in joules. Exact up to 2^53 µJ (9 GJ), correctly rounded beyond.
    #[must_use]
    pub fn joules(self) -> Joules {
        Joules(self.0 as f64 / 1e6)
    }

    /// Mean power over `time`; `None` if no time has passed.
    #[must_use]
    pub fn over(self, time: Duration) -> Option<Watts> {
        (!time.is_zero()).then(|| Watts(self.joules().0 / time.as_secs_f64()))
    }

    /// The smaller of both.
    #[must_use]
    pub fn at_most(self, other: Self) -> Self {
        self.min(other)
    }
}

impl Add for Microjoules {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Microjoules {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Microjoules {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for Microjoules {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Microjoules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} µJ", self.0)
    }
}

/// Energy in joules, for estimates and display. Not exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Joules(pub f64);

impl Joules {
    /// Joules rounded to the nanojoule. No counter resolves less.
    #[must_use]
    pub fn to_nanojoule(self) -> f64 {
        (self.0 * 1e9).round() / 1e9
    }
}

impl fmt::Display for Joules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.abs() {
            j if j >= 1.0 || j == 0.0 => write!(f, "{:.3} J", self.0),
            j if j >= 1e-3 => write!(f, "{:.3} mJ", self.0 * 1e3),
            _ => write!(f, "{:.1} µJ", self.0 * 1e6),
        }
    }
}

/// Power in watts.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Watts(pub f64);

impl Watts {
    /// Energy of this power over `time`, rounded down to whole microjoules; zero if the power is negative or NaN.
    #[must_use]
    pub fn during(self, time: Duration) -> Microjoules {
        Microjoules((self.0 * time.as_secs_f64() * 1e6) as u64)
    }
}

impl fmt::Display for Watts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} W", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joules_are_shown_in_the_unit_a_person_reads() {
        let shown = [0.0, 12.5, 0.0213, 0.000_050].map(|joules| Joules(joules).to_string());
        assert_eq!(shown, ["0.000 J", "12.500 J", "21.300 mJ", "50.0 µJ"]);
    }

    #[test]
    fn power_and_time_make_energy_and_back() {
        let second = Duration::from_secs(1);
        assert_eq!(Watts(2.5).during(second), Microjoules(2_500_000));
        assert_eq!(Microjoules(2_500_000).over(second), Some(Watts(2.5)));
        assert_eq!(Microjoules(1).over(Duration::ZERO), None);
        assert_eq!(Watts(-1.0).during(second), Microjoules::ZERO);
        assert_eq!(Watts(f64::NAN).during(second), Microjoules::ZERO);
    }
}
