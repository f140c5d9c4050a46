//! The figures of a cell over all its seeds.

use nebula_metering::FunctionId;

use crate::cell::{Cell, FUNCTIONS};
use crate::machines::{Changes, Host};
use crate::start::Start;
use crate::watch::{Sample, Watched};

#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub calls: usize,
    pub unknown: usize,
    pub median: f64,
    pub p95: f64,
    /// Charged over true energy, minus one, of each function; NaN for one that did not run.
    pub bias: [f64; 2],
    pub settled_coverage: f64,
    pub estimate_coverage: f64,
    /// Half the width of the settled interval as a part of the charge: the median of all calls.
    pub half_width: f64,
    /// Functions that ran, once for each seed, and for how many the interval of the sum of all calls contains the truth.
    pub totals: usize,
    pub totals_covered: usize,
    /// Mean [`interval_score`] of calls, and of the sums of all calls of a function.
    pub score_of_calls: f64,
    pub score_of_totals: f64,
    /// True power of each function, in watts of CPU time, for the heading.
    pub power: [f64; 2],
}

impl Figures {
    /// The bias with the larger magnitude.
    pub fn worst_bias(&self) -> f64 {
        let ran = self.bias.into_iter().filter(|bias| !bias.is_nan());
        ran.max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::NAN)
    }
}

/// Runs a cell once for each seed, and compares all its calls.
pub fn examine(host: Host, changes: Changes, start: Start, cell: &Cell, seeds: u64) -> Figures {
    let (mut samples, mut unknown, mut cpu, mut truth) = (Vec::new(), 0, [0.0; 2], [0.0; 2]);
    let (mut totals, mut totals_covered, mut scores) = (0, 0, 0.0);
    for seed in 1..=seeds {
        let mut machine = Watched::new(host, changes, seed, cell);
        start.prepare(&mut machine, cell);
        machine.watch(cell, start);
        unknown += machine.unknown;
        for (function, uncertainty) in FUNCTIONS.iter().zip(machine.totals) {
            let of = || machine.samples.iter().filter(|sample| sample.function == *function);
            let error: f64 = of().map(|sample| sample.settled - sample.truth).sum();
            if of().next().is_some() {
                let half_width = uncertainty.total().0;
                totals += 1;
                totals_covered += usize::from(error.abs() <= half_width);
                scores += interval_score(error, half_width) / of().map(|sample| sample.truth).sum::<f64>();
            }
        }
        samples.append(&mut machine.samples);
        for (index, function) in FUNCTIONS.iter().enumerate() {
            let totals = machine.simulation.totals();
            let Some(spent) = totals.functions.get(function) else { continue };
            cpu[index] += spent.cpu.as_secs_f64();
            truth[index] += spent.energy.sum();
        }
    }
    let share =
        |of: fn(&Sample) -> bool| samples.iter().filter(|sample| of(sample)).count() as f64 / samples.len() as f64;
    let bias = |function: FunctionId| {
        let of = || samples.iter().filter(|sample| sample.function == function);
        of().map(|sample| sample.settled).sum::<f64>() / of().map(|sample| sample.truth).sum::<f64>() - 1.0
    };
    let errors = Quantiles::of(samples.iter().map(|sample| (sample.settled / sample.truth - 1.0).abs()));
    let half_widths = Quantiles::of(samples.iter().map(|sample| sample.half_width / sample.settled));
    let of_calls: f64 = samples.iter().map(|of| interval_score(of.settled - of.truth, of.half_width) / of.truth).sum();
    Figures {
        calls: samples.len(),
        unknown,
        median: errors.at(0.5),
        p95: errors.at(0.95),
        bias: FUNCTIONS.map(bias),
        settled_coverage: share(Sample::settled_covers),
        estimate_coverage: share(|sample| sample.estimate_covers),
        half_width: half_widths.at(0.5),
        totals,
        totals_covered,
        score_of_calls: of_calls / samples.len() as f64,
        score_of_totals: scores / totals as f64,
        power: [truth[0] / cpu[0], truth[1] / cpu[1]],
    }
}

/// The width of a 95 % interval, and forty times the distance by which it misses the truth. On average it is least for the
/// interval that one should state: a narrow one that holds.
///
/// Source: Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 102 (2007), section 6.2.
fn interval_score(error: f64, half_width: f64) -> f64 {
    2.0 * half_width + 40.0 * (error.abs() - half_width).max(0.0)
}

/// Numbers in ascending order.
pub struct Quantiles(Vec<f64>);

impl Quantiles {
    pub fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        Self(numbers)
    }

    /// The number below which this part of all lies; NaN if there are none.
    pub fn at(&self, part: f64) -> f64 {
        let index = ((self.0.len() as f64 * part) as usize).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or(f64::NAN)
    }
}
