//! Readings for tests.

use std::time::{Duration, Instant};

use nebula_api::energy::WorkModel;
use nebula_metering::{Joules, Microjoules};

use super::ledger::{LedgerReading, SourceInfo, Used};
use super::order::Order;
use super::rates::{LiveRates, Readings};
use super::view::View;

/// The energy of a function and of its settled calls, in millijoules.
pub fn used(active: u64, settled: u64, of_calls: u64) -> Used {
    let [active, base, settled_active] = [active, active / 2, of_calls].map(|value| Microjoules(value * 1000));
    let uncertainty = Some(Joules(settled_active.joules().0 / 5.0));
    Used { active, base, settled, settled_active, uncertainty }
}

/// A reading `ms` after `begin`. The runtime draws 0.5 W, the host 1 W, base 2 W.
pub fn reading(begin: Instant, ms: u64, functions: &[(&str, Used)]) -> LedgerReading {
    let of_functions = functions.iter().map(|(_, used)| used.active).sum();
    let [runtime, host, base] = [500, 1000, 2000].map(|rate| Microjoules(ms * rate));
    let accounts = [of_functions, runtime, host, base, Microjoules::ZERO];
    let source = SourceInfo {
        kind: "model".into(),
        work_model: Some(WorkModel::CpuTime),
        description: Some("model of a made-up processor, 2 threads, 1.5–7.0 W ±80 %; not measured".into()),
        ..SourceInfo::default()
    };
    let functions = functions.iter().map(|(name, used)| ((*name).into(), *used)).collect();
    LedgerReading { at: begin + Duration::from_millis(ms), source, relative_error: Some(0.8), accounts, functions }
}

/// The rates between two readings a second apart.
pub fn rates(before: &[(&str, Used)], after: &[(&str, Used)]) -> LiveRates {
    let (begin, mut readings) = (Instant::now(), Readings::default());
    assert!(readings.push(reading(begin, 0, before)) && readings.push(reading(begin, 1000, after)));
    readings.rates().unwrap()
}

/// A view of a daemon that was read each second for so many seconds, and when that began.
pub fn watched(seconds: u64, functions: impl Fn(u64) -> Vec<(&'static str, Used)>) -> (View, Instant) {
    let begin = Instant::now();
    let at = |second: u64| reading(begin, second * 1000, &functions(second));
    let mut view = View::new("http://127.0.0.1:8080".into(), Order::Watts, at(0), Duration::from_secs(3));
    (1..=seconds).for_each(|second| view.read(at(second)));
    (view, begin)
}
