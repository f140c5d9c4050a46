//! Who was there during a window, where only sums are known: for how long a package was awake, and on which of them others
//! ran.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::learning::{Consumption, FunctionWork};
use crate::post::{FunctionId, Purpose};

/// Time in which any of `cpus` processors was busy: calls for `ran`, as was seen, and others for `others` of CPU time
/// altogether, of which it is not known when. They are taken as spread over the processors, each at its own time.
pub(crate) fn awake(ran: Duration, others: Duration, time: Duration, cpus: usize) -> Duration {
    let window = time.as_secs_f64();
    if window <= 0.0 {
        return Duration::ZERO;
    }
    let asleep = (1.0 - ran.as_secs_f64() / window).clamp(0.0, 1.0);
    let each = (others.as_secs_f64() / (window * cpus as f64)).clamp(0.0, 1.0);
    let without = asleep * (1.0 - each).powi(i32::try_from(cpus).unwrap_or(i32::MAX));
    time.mul_f64(1.0 - without)
}

/// The part of `whole` that falls to a package by its weight among all; to the first where all weigh nothing.
pub(crate) fn portion(whole: Duration, package: usize, weights: &[Duration]) -> Duration {
    let all: Duration = weights.iter().sum();
    if all.is_zero() {
        return if package == 0 { whole } else { Duration::ZERO };
    }
    whole.mul_f64(weights[package].as_secs_f64() / all.as_secs_f64())
}

/// What ran on the whole machine. It was awake for as long as its most awake package, at least.
pub(crate) fn together(packages: &[Consumption]) -> Consumption {
    let mut functions = BTreeMap::<(FunctionId, Purpose), FunctionWork>::new();
    for part in packages.iter().flat_map(|package| &package.functions) {
        functions.entry(part.consumer()).and_modify(|sum| sum.add(part.work, part.beside)).or_insert(*part);
    }
    Consumption {
        functions: functions.into_values().collect(),
        runtime: packages.iter().map(|package| package.runtime).sum(),
        host: packages.iter().map(|package| package.host).sum(),
        awake: packages.iter().map(|package| package.awake).max().unwrap_or_default(),
        awake_doubt: packages.iter().map(|package| package.awake_doubt).max().unwrap_or_default(),
        conditions: packages.first().map(|package| package.conditions).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_awake_while_anything_runs() {
        let ms = Duration::from_millis;
        assert_eq!(awake(ms(40), ms(0), ms(100), 8), ms(40));
        assert_eq!(awake(ms(0), ms(100), ms(100), 1), ms(100));
        let both = awake(ms(40), ms(80), ms(100), 8);
        assert!((0.7..0.8).contains(&(both.as_secs_f64() * 10.0)), "{both:?}");
        assert_eq!(awake(ms(500), ms(5000), ms(100), 8), ms(100));
    }

    #[test]
    fn portions_add_up() {
        let ms = Duration::from_millis;
        let weights = [ms(10), ms(30)];
        assert_eq!([0, 1].map(|package| portion(ms(8), package, &weights)), [ms(2), ms(6)]);
        assert_eq!([0, 1].map(|package| portion(ms(8), package, &[ms(0); 2])), [ms(8), ms(0)]);
    }
}
