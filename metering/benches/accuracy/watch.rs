//! A simulated machine with a meter, and the calls whose charges are compared with the truth.

use std::time::Duration;

use nebula_metering::{Feature, FunctionId, Meter, PostBox, Settled, Uncertainty};
use nebula_simulator::{EndedCall, Function, Length, Simulation};

use crate::cell::{AT_ONCE, Cell, FUNCTIONS, HOST_LOADS, LENGTHS, Variant};
use crate::machines::{Changes, Host};
use crate::start::Start;

pub const WINDOW: Duration = Duration::from_millis(100);

/// Most postings in a window. Room for those of short calls takes longer to make than many a cell takes to run.
const POSTS: usize = 1 << 15;
const POSTS_OF_SHORT_CALLS: usize = 1 << 20;

/// Power that nobody's CPU time explains: how long it lasts, how often it comes, and its watts.
const BURST: Duration = Duration::from_millis(500);
const BURST_EVERY: Duration = Duration::from_secs(10);
const BURST_WATTS: f64 = 30.0;

/// A settled call: truth, charge, and whether the two intervals contain the truth.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub function: FunctionId,
    pub truth: f64,
    pub settled: f64,
    /// Half the width of the settled interval.
    pub half_width: f64,
    pub estimate_covers: bool,
}

impl Sample {
    pub fn settled_covers(&self) -> bool {
        (self.settled - self.truth).abs() <= self.half_width
    }
}

/// What is kept of a call from its end to its settlement.
pub struct Remembered {
    truth: f64,
    started: Duration,
    /// The estimate and half the width of its interval.
    estimate: Option<(f64, f64)>,
}

/// A simulated machine with a meter.
pub struct Watched {
    pub simulation: Simulation,
    pub meter: Meter<Remembered>,
    pub variant: Variant,
    /// Whether idle power comes in [`BURST`]s.
    pub bursts: bool,
    pub samples: Vec<Sample>,
    /// Calls whose charge the meter did not know.
    pub unknown: usize,
    /// Uncertainty of the sums of the samples of each of [`FUNCTIONS`].
    pub totals: [Uncertainty; 2],
    posts: PostBox<Remembered>,
    /// Whether counters are read later than clocks.
    late: bool,
    now: Duration,
    settled: Vec<Settled<Remembered>>,
}

impl Watched {
    pub fn new(host: Host, changes: Changes, seed: u64, cell: &Cell) -> Self {
        let variant = cell.variant;
        let mut settings = host.settings(changes, seed);
        settings.pmu &= variant == Variant::UnequalWithEvents;
        let simulation = Simulation::new(settings);
        let meter = new_meter(&simulation);
        let posts = PostBox::new(1, if cell.length == 0 { POSTS_OF_SHORT_CALLS } else { POSTS });
        let (settled, samples) = (Vec::new(), Vec::new());
        Self {
            simulation,
            meter,
            posts,
            late: changes.late,
            now: Duration::ZERO,
            settled,
            variant,
            bursts: false,
            samples,
            unknown: 0,
            totals: Default::default(),
        }
    }

    /// The daemon ends, and another one starts with what the first has learned, all costs multiplied by `factor`.
    pub fn restart(&mut self, factor: f64) {
        let mut known = self.meter.knowledge();
        for known in &mut known {
            let laws = [Feature::ClockExponent, Feature::CoreSharing].map(Feature::as_str);
            let costs = known.features.iter().zip(&mut known.mean);
            costs.filter(|(name, _)| !laws.contains(&name.as_str())).for_each(|(_, mean)| *mean *= factor);
        }
        self.meter = new_meter(&self.simulation);
        self.meter.recall(known);
    }

    /// The load of the cell: both functions and the host.
    pub fn apply(&mut self, cell: &Cell, start: Start) {
        let (length, _) = LENGTHS[cell.length];
        let tasks = self.variant.tasks();
        let function = |&index: &usize| Function {
            id: FUNCTIONS[index],
            task: tasks[index],
            concurrency: AT_ONCE[cell.at_once],
            call_length: Length::fixed(length),
            gap: Length::around(length, 1.0),
        };
        let functions: Vec<Function> = start.functions().iter().map(function).collect();
        self.simulation.set_functions(&functions);
        self.simulation.set_host(start.host_load(HOST_LOADS[cell.host]));
    }

    /// Runs the calls of the cell, and evaluates those that began and ended under its load.
    pub fn watch(&mut self, cell: &Cell, start: Start) {
        self.apply(cell, start);
        let from = self.now;
        self.settled.clear();
        self.run(Duration::from_secs(LENGTHS[cell.length].1[cell.at_once]));
        self.simulation.set_functions(&[]);
        for call in std::mem::take(&mut self.settled) {
            self.look_at(&call, from);
        }
    }

    fn look_at(&mut self, call: &Settled<Remembered>, from: Duration) {
        let Remembered { truth, started, estimate } = call.end;
        if started < from {
            return;
        }
        let Some(charge) = &call.charge else {
            self.unknown += 1;
            return;
        };
        if let Some(function) = FUNCTIONS.iter().position(|function| *function == call.function) {
            self.totals[function] += charge.uncertainty;
        }
        self.samples.push(Sample {
            function: call.function,
            truth,
            settled: charge.active.joules().0,
            half_width: charge.uncertainty.total().0,
            estimate_covers: estimate.is_some_and(|(value, half)| (value - truth).abs() <= half),
        });
    }

    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now += WINDOW;
            if self.bursts {
                let is_burst = self.now.as_millis() % BURST_EVERY.as_millis() < BURST.as_millis();
                self.simulation.set_extra_watts(if is_burst { BURST_WATTS } else { 0.0 });
            }
            let calibration = self.meter.calibration();
            let mut on_end = |call: &EndedCall| {
                let estimate = calibration.estimate(call.function, &call.work).ok();
                Remembered {
                    truth: call.truth.active.sum(),
                    started: call.started,
                    estimate: estimate.map(|estimate| (estimate.active.0, estimate.uncertainty.total().0)),
                }
            };
            let moment = self.simulation.run_until(self.now, &self.posts, &mut on_end);
            if self.late {
                self.simulation.run_until(self.now + lateness(self.now), &self.posts, &mut on_end);
            }
            self.meter.close_window(&moment, &self.posts, &mut self.settled);
        }
        assert_eq!(self.posts.dropped(), 0, "every slice of the simulation has room");
    }
}

/// How long after the clocks the counters are read: mostly little, at times 5 ms.
fn lateness(now: Duration) -> Duration {
    let part = now.as_millis() / WINDOW.as_millis() * 7919 % 1000;
    Duration::from_millis(5).mul_f64((part as f64 / 1000.0).powi(2))
}

fn new_meter(simulation: &Simulation) -> Meter<Remembered> {
    Meter::new(simulation.source(), simulation.topology(), 1 << 20)
}
