use std::time::Instant;

use super::super::account::total;
use super::super::fixtures::{rates, reading, used};
use super::*;

fn of<'r>(rates: &'r LiveRates, name: &str) -> &'r FunctionRates {
    rates.functions.iter().find(|function| &*function.name == name).unwrap()
}

#[test]
fn watts_calls_and_joules_are_differences_over_time() {
    let rates =
        rates(&[("a", used(100, 10, 80)), ("b", used(0, 0, 0))], &[("a", used(400, 30, 280)), ("b", used(100, 0, 0))]);
    let (a, b) = (of(&rates, "a"), of(&rates, "b"));
    assert_eq!((a.watts, a.share, a.calls_per_second), (Watts(0.3), 0.75, 20.0));
    assert_eq!(a.per_call, PerCall::Recent(Joules(0.01)), "of the calls that were settled, not of the account");
    assert_eq!((a.joules, a.base, a.calls), (Joules(0.4), Joules(0.2), 30));
    assert_eq!((b.watts, b.calls_per_second, b.per_call), (Watts(0.1), 0.0, PerCall::Unknown), "its first call runs");
    assert_eq!(rates.calls_per_second, 20.0);
    assert_eq!((rates.power, total(&rates.power)), ([0.4, 0.5, 1.0, 2.0, 0.0].map(Watts), Watts(3.9)));
}

#[test]
fn without_recent_calls_the_mean_of_all_calls_is_marked_as_such() {
    let rates = rates(&[("a", used(100, 10, 80))], &[("a", used(150, 10, 80))]);
    assert_eq!(of(&rates, "a").per_call, PerCall::SinceStart(Joules(0.008)));
    assert_eq!(of(&rates, "a").calls_per_second, 0.0);
    assert!(of(&rates, "a").watts.0 > 0.0, "a call runs");
}

#[test]
fn a_new_function_starts_at_zero_and_a_removed_one_is_not_listed() {
    let rates = rates(&[("old", used(100, 1, 90))], &[("old", used(100, 1, 90)), ("new", used(50, 5, 50))]);
    assert_eq!((of(&rates, "new").watts, of(&rates, "new").calls_per_second), (Watts(0.05), 5.0));
    let vanished =
        super::super::fixtures::rates(&[("a", used(10, 0, 0)), ("#7", used(0, 0, 0))], &[("a", used(20, 0, 0))]);
    assert_eq!(vanished.functions.len(), 1);
}

#[test]
fn renaming_an_account_counts_as_no_power() {
    let rates =
        rates(&[("#7", used(5000, 0, 0)), ("a", used(10, 0, 0))], &[("shop", used(5001, 0, 0)), ("a", used(20, 0, 0))]);
    assert_eq!((of(&rates, "shop").watts, of(&rates, "shop").joules), (Watts(0.0), Joules(5.001)));
    assert_eq!(of(&rates, "a").watts, Watts(0.01));
}

#[test]
fn readings_start_over_when_counters_go_back() {
    let (begin, mut readings) = (Instant::now(), Readings::default());
    let with = |active, settled| [("a", used(active, settled, active))];
    assert!(readings.push(reading(begin, 10_000, &with(500, 5))));
    assert!(!readings.push(reading(begin, 500, &with(600, 6))), "all accounts fell but the functions'");
    assert!(readings.rates().is_none());
    assert!(readings.push(reading(begin, 1500, &with(900, 9))));
    assert_eq!(readings.rates().unwrap().calls_per_second, 3.0);
    assert!(!readings.push(reading(begin, 2500, &with(950, 3))), "calls fell");
    let mut other = reading(begin, 3500, &with(950, 3));
    other.source.kind = "powercap".into();
    assert!(!readings.push(other), "another source has accounts of its own");
}

#[test]
fn rates_are_means_over_five_seconds_and_the_chart_over_one() {
    let (begin, mut readings) = (Instant::now(), Readings::default());
    // 1 W, and from the tenth second on 3 W.
    let energy = |ms: u64| if ms <= 10_000 { ms } else { 10_000 + 3 * (ms - 10_000) };
    for ms in (0..=12_000).step_by(200) {
        readings.push(reading(begin, ms, &[("a", used(energy(ms), 0, 0))]));
    }
    let rates = readings.rates().unwrap();
    assert_eq!((rates.over, rates.power[0]), (Duration::from_secs(5), Watts(1.8)));
    let rates = readings.rates_over(Duration::from_secs(1)).unwrap();
    assert_eq!((rates.over, rates.power[0]), (Duration::from_secs(1), Watts(3.0)));
    assert!(readings.readings.len() <= 26);
}

#[test]
fn readings_far_apart_are_means_over_the_time_between_them() {
    let (begin, mut readings) = (Instant::now(), Readings::default());
    for ms in [0, 1000, 60_000] {
        readings.push(reading(begin, ms, &[("a", used(ms, 0, 0))]));
    }
    assert_eq!(readings.rates().unwrap().over, Duration::from_secs(59));
    assert_eq!(readings.rates_over(Duration::from_secs(1)).unwrap().power[0], Watts(1.0));
}

#[test]
fn there_are_no_rates_without_time_between_readings() {
    let (begin, mut readings) = (Instant::now(), Readings::default());
    assert!(readings.rates().is_none());
    readings.push(reading(begin, 0, &[]));
    assert!(readings.rates().is_none());
    readings.push(reading(begin, 0, &[]));
    assert!(readings.rates().is_none());
}
