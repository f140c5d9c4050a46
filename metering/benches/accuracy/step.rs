//! Who pays while idle power steps up by 15 W, and later back.
//!
//! For each stretch of time, the power that each account was charged beyond its true power. The sum of a row is what the
//! counters measured beyond the truth, so nearly zero.

use std::time::Duration;

use nebula_metering::Microjoules;
use nebula_simulator::Totals;

use crate::cell::{Cell, HOST_LOADS, Variant};
use crate::machines::{Changes, Host};
use crate::start::Start;
use crate::watch::Watched;

const STEP_WATTS: f64 = 15.0;

/// Stretches in seconds, and the power beside the processors.
const STRETCHES: [(&str, u64, f64); 8] = [
    ("20 s before", 20, 0.0),
    ("+15 W: 0–10 s", 10, STEP_WATTS),
    ("10–30 s", 20, STEP_WATTS),
    ("30–60 s", 30, STEP_WATTS),
    ("60–120 s", 60, STEP_WATTS),
    ("−15 W: 0–10 s", 10, 0.0),
    ("10–30 s", 20, 0.0),
    ("30–60 s", 30, 0.0),
];

/// Energy of the accounts, in joules: base with activation, host, runtime, functions.
type Accounts = [f64; 4];

/// Runs calls of 1 ms beside a host of 0 and of 50 %, and prints what a step does.
pub fn print(host: Host, changes: Changes, start: Start) {
    let variant = Variant::of_machine(host.has_pmu())[0];
    for load in [0, 1] {
        let cell = Cell { length: 1, at_once: 0, host: load, variant };
        let mut watched = Watched::new(host, changes, 1, &cell);
        start.prepare(&mut watched, &cell);
        watched.apply(&cell, start);
        println!(
            "{}, {}: calls of 1 ms, host load {:.0} %. Charged beyond the truth, in watts:\n",
            host.title(changes),
            start.name(),
            HOST_LOADS[load] * 100.0
        );
        println!("| | base | host | runtime | functions | functions' bias |\n|---|---|---|---|---|---|");
        for (name, seconds, extra_watts) in STRETCHES {
            watched.simulation.set_extra_watts(extra_watts);
            let (charged_before, true_before) = (charged(&watched), truth(&watched));
            watched.run(Duration::from_secs(seconds));
            let (charged, truth) = (since(charged(&watched), charged_before), since(truth(&watched), true_before));
            let beyond = |account: usize| (charged[account] - truth[account]) / seconds as f64;
            let [base, host, runtime, functions] = [0, 1, 2, 3].map(beyond);
            let bias = (charged[3] / truth[3] - 1.0) * 100.0;
            println!("| {name} | {base:+.2} | {host:+.2} | {runtime:+.2} | {functions:+.2} | {bias:+.1} % |");
        }
        println!();
    }
}

fn since(now: Accounts, before: Accounts) -> Accounts {
    std::array::from_fn(|account| now[account] - before[account])
}

fn charged(watched: &Watched) -> Accounts {
    let mut sums = [0.0; 4];
    for zone in watched.meter.report().iter().filter(|zone| zone.zone.is_additive()) {
        let accounts = &zone.accounts;
        let all: [Microjoules; 4] = [accounts.base, accounts.host, accounts.runtime, accounts.functions_total()];
        sums.iter_mut().zip(all).for_each(|(sum, energy)| *sum += energy.joules().0);
    }
    sums
}

/// What other virtual machines use belongs to the base of this one.
fn truth(watched: &Watched) -> Accounts {
    let Totals { functions, runtime, host, activation, idle, neighbours } = watched.simulation.totals();
    let functions = functions.values().map(|spent| spent.energy.sum()).sum();
    [idle.sum() + activation.sum() + neighbours.sum(), host.energy.sum(), runtime.energy.sum(), functions]
}
