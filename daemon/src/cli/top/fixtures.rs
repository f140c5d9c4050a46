//! Readings for tests.

use std::time::{Duration, Instant};

use nebula_metering::Microjoules;

use super::ledger::{AccountSums, LedgerReading, SettledCalls, SourceInfo, Used};
use super::rates::{LiveRates, Readings};

/// The energy of a function and of its settled calls, in millijoules.
pub fn used(active: u64, settled: u64, of_calls: u64) -> Used {
    let calls = SettledCalls { settled, active: millijoules(of_calls) };
    Used { active: millijoules(active), base: millijoules(active / 2), calls }
}

fn millijoules(value: u64) -> Microjoules {
    Microjoules(value * 1000)
}

/// A reading `ms` after `begin`. The runtime draws 0.5 W, the host 1 W, base 2 W.
pub fn reading(begin: Instant, ms: u64, functions: &[(&str, Used)]) -> LedgerReading {
    let accounts = AccountSums {
        functions: functions.iter().map(|(_, used)| used.active).sum(),
        runtime: Microjoules(ms * 500),
        host: Microjoules(ms * 1000),
        base: Microjoules(ms * 2000),
        gap: Microjoules::ZERO,
    };
    let source = SourceInfo {
        kind: "model".into(),
        description: Some("model of a made-up processor, 2 threads, 1.5–7.0 W ±80 %; not measured".into()),
        ..SourceInfo::default()
    };
    let functions = functions.iter().map(|(name, used)| ((*name).into(), *used)).collect();
    LedgerReading { at: begin + Duration::from_millis(ms), source, accounts, functions }
}

/// The rates between two readings a second apart.
pub fn rates(before: &[(&str, Used)], after: &[(&str, Used)]) -> LiveRates {
    let (begin, mut readings) = (Instant::now(), Readings::default());
    assert!(readings.push(reading(begin, 0, before)) && readings.push(reading(begin, 1000, after)));
    readings.rates().unwrap()
}
