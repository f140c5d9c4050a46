//! Compares settled charges with the truth on a simulated machine where the true energy of every call is known.
//!
//! `cargo bench -p nebula-metering --bench accuracy` prints the table in `metering/README.md`; `-- --quick` prints a
//! part of it. Deterministic: the same on every machine.

#![allow(missing_docs, reason = "a benchmark has no readers of its documentation")]

use std::collections::BTreeMap;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nebula_metering::{FunctionId, Meter, PostBox, Settled};
use nebula_simulator::{EndedCall, Function, HostLoad, Length, Machine, Settings, Simulation, Task};

const WINDOW: Duration = Duration::from_millis(100);

/// CPU time of a call, and how long calls of this length are observed, in simulated seconds, for each of [`AT_ONCE`]:
/// long enough for tens of the longest, short enough for millions of the shortest.
const LENGTHS: [(Duration, [u64; AT_ONCE.len()]); 4] = [
    (Duration::from_micros(10), [20, 4, 2]),
    (Duration::from_millis(1), [20, 12, 12]),
    (Duration::from_millis(100), [60, 40, 40]),
    (Duration::from_secs(10), [600, 240, 240]),
];

/// Slots of each function: the maximum number of calls at once.
const AT_ONCE: [usize; 3] = [1, 8, 64];

const HOST_LOADS: [f64; 3] = [0.0, 0.5, 0.95];

const SEEDS: [u64; 3] = [1, 2, 3];

/// The functions that are compared.
const FUNCTIONS: [FunctionId; 2] = [FunctionId(0), FunctionId(1)];

/// The variants, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Variant {
    /// Power 2:1, hardware events.
    UnequalWithEvents,
    /// Power 2:1, CPU time alone.
    UnequalWithout,
    /// Equal power, CPU time alone.
    EqualWithout,
}

const VARIANTS: [Variant; 3] = [Variant::UnequalWithEvents, Variant::UnequalWithout, Variant::EqualWithout];

impl Variant {
    /// A task that stalls, and one that does not and draws twice as much on the default machine.
    fn tasks(self) -> [Task; 2] {
        match self {
            Self::EqualWithout => [MIDDLE, MIDDLE],
            Self::UnequalWithEvents | Self::UnequalWithout => [LIGHT, HEAVY],
        }
    }
}

const LIGHT: Task = Task { ipc: 0.7, misses_per_kilo_instruction: 1.0, factor: 1.0 };
const HEAVY: Task = Task { ipc: 2.6, misses_per_kilo_instruction: 0.5, factor: 1.0 };
const MIDDLE: Task = Task { ipc: 1.5, misses_per_kilo_instruction: 1.0, factor: 1.0 };

/// Slots of each function and host load, for six seconds each, before a cell is measured.
const MORNING: [(usize, usize, f64); 20] = [
    (2, 0, 0.0),
    (0, 3, 0.1),
    (6, 1, 0.3),
    (1, 8, 0.0),
    (0, 0, 0.5),
    (4, 4, 0.8),
    (1, 0, 0.0),
    (0, 1, 0.2),
    (12, 0, 0.1),
    (0, 12, 0.2),
    (3, 3, 0.0),
    (0, 2, 0.6),
    (5, 0, 0.7),
    (16, 16, 0.0),
    (0, 0, 0.9),
    (2, 9, 0.4),
    (9, 2, 0.0),
    (1, 1, 0.05),
    (24, 3, 0.1),
    (3, 24, 0.0),
];

/// One cell of the table.
#[derive(Clone, Copy, Debug)]
struct Cell {
    length: usize,
    at_once: usize,
    host: usize,
    variant: Variant,
}

/// The result of a settled call: truth, settled charge, and whether the two intervals contain the truth.
#[derive(Clone, Copy, Debug)]
struct Sample {
    function: FunctionId,
    truth: f64,
    settled: f64,
    settled_covers: bool,
    estimate_covers: bool,
}

/// What is kept of a call from its end to its settlement.
struct Remembered {
    truth: f64,
    started: Duration,
    /// The estimate and half the width of its interval.
    estimate: Option<(f64, f64)>,
}

/// The figures of a cell over all seeds.
#[derive(Clone, Debug, Default)]
struct Figures {
    calls: usize,
    unknown: usize,
    median: f64,
    p95: f64,
    /// Charged over true energy, minus one, of each function.
    bias: [f64; 2],
    settled_coverage: f64,
    estimate_coverage: f64,
    /// True power of each function, in watts of CPU time, for the heading.
    power: [f64; 2],
}

impl Figures {
    /// The bias with the larger magnitude.
    fn worst_bias(&self) -> f64 {
        if self.bias[0].abs() > self.bias[1].abs() { self.bias[0] } else { self.bias[1] }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test` runs benches without this flag, only to see that they start.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let started = Instant::now();
    let cells = cells(quick);
    let seeds = if quick { &SEEDS[..1] } else { &SEEDS[..] };
    let done: Mutex<BTreeMap<usize, Figures>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((index, cell)) = cells.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
                    let figures = examine(cell, seeds);
                    if let Ok(mut done) = done.lock() {
                        done.insert(index, figures);
                        eprint!("\r{} of {} cells, {:.0?}", done.len(), cells.len(), started.elapsed());
                    }
                }
            });
        }
    });
    eprintln!();
    let Ok(done) = done.into_inner() else { return ExitCode::FAILURE };
    print_table(&cells, &done);
    print_movement(&cells, &done);
    print_goals(&cells, &done);
    ExitCode::SUCCESS
}

fn cells(quick: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for length in 0..LENGTHS.len() {
        for at_once in 0..AT_ONCE.len() {
            for host in 0..HOST_LOADS.len() {
                for variant in VARIANTS {
                    if !quick || (length < 3 && at_once != 2) {
                        cells.push(Cell { length, at_once, host, variant });
                    }
                }
            }
        }
    }
    cells
}

fn examine(cell: &Cell, seeds: &[u64]) -> Figures {
    let (mut samples, mut unknown, mut cpu, mut truth) = (Vec::new(), 0, [0.0; 2], [0.0; 2]);
    for &seed in seeds {
        let mut machine = Watched::new(seed, cell.variant);
        machine.live_through_a_morning();
        let (length, seconds) = LENGTHS[cell.length];
        machine.watch(cell, length, Duration::from_secs(seconds[cell.at_once]));
        unknown += machine.unknown;
        samples.append(&mut machine.samples);
        for (index, function) in FUNCTIONS.iter().enumerate() {
            let totals = machine.simulation.totals();
            let Some(spent) = totals.functions.get(function) else { continue };
            cpu[index] += spent.cpu.as_secs_f64();
            truth[index] += spent.energy.sum();
        }
    }
    let mut errors: Vec<f64> = samples.iter().map(|sample| (sample.settled / sample.truth - 1.0).abs()).collect();
    errors.sort_by(f64::total_cmp);
    let quantile = |part: f64| errors.get((errors.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN);
    let share =
        |of: fn(&Sample) -> bool| samples.iter().filter(|sample| of(sample)).count() as f64 / samples.len() as f64;
    let bias = |function: FunctionId| {
        let of = || samples.iter().filter(|sample| sample.function == function);
        of().map(|sample| sample.settled).sum::<f64>() / of().map(|sample| sample.truth).sum::<f64>() - 1.0
    };
    Figures {
        calls: samples.len(),
        unknown,
        median: quantile(0.5),
        p95: quantile(0.95),
        bias: FUNCTIONS.map(bias),
        settled_coverage: share(|sample| sample.settled_covers),
        estimate_coverage: share(|sample| sample.estimate_covers),
        power: [truth[0] / cpu[0], truth[1] / cpu[1]],
    }
}

/// A simulated machine with a meter.
struct Watched {
    simulation: Simulation,
    meter: Meter<Remembered>,
    posts: PostBox<Remembered>,
    now: Duration,
    settled: Vec<Settled<Remembered>>,
    variant: Variant,
    samples: Vec<Sample>,
    unknown: usize,
}

impl Watched {
    fn new(seed: u64, variant: Variant) -> Self {
        let settings =
            Settings { pmu: variant == Variant::UnequalWithEvents, ..Settings::new(seed, Machine::server()) };
        let simulation = Simulation::new(settings);
        let meter = Meter::new(simulation.source(), simulation.topology(), 1 << 20);
        let posts = PostBox::new(1, 1 << 20);
        let (settled, samples) = (Vec::new(), Vec::new());
        Self { simulation, meter, posts, now: Duration::ZERO, settled, variant, samples, unknown: 0 }
    }

    /// Warm-up: quiet, and two minutes of traffic that comes and goes.
    fn live_through_a_morning(&mut self) {
        self.run(Duration::from_secs(10));
        let [a, b] = self.variant.tasks();
        for (at_once_a, at_once_b, host) in MORNING {
            let function = |id, task, concurrency| Function {
                concurrency,
                call_length: Length::around(Duration::from_millis(20), 0.9),
                gap: Length::around(Duration::from_millis(30), 0.9),
                ..Function::new(id, task, WINDOW)
            };
            self.simulation.set_functions(&[function(0, a, at_once_a), function(1, b, at_once_b)]);
            self.simulation.set_host(host_load(host));
            self.run(Duration::from_secs(6));
        }
        self.simulation.set_functions(&[]);
        self.simulation.set_host(HostLoad::none());
        self.run(Duration::from_secs(2));
    }

    /// Runs the calls of the cell, and evaluates those that began and ended under its load.
    fn watch(&mut self, cell: &Cell, length: Duration, time: Duration) {
        let [a, b] = self.variant.tasks();
        let function = |id, task| Function {
            concurrency: AT_ONCE[cell.at_once],
            call_length: Length::fixed(length),
            gap: Length::around(length, 1.0),
            ..Function::new(id, task, length)
        };
        self.simulation.set_functions(&[function(0, a), function(1, b)]);
        self.simulation.set_host(host_load(HOST_LOADS[cell.host]));
        let from = self.now;
        self.settled.clear();
        self.run(time);
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
        let settled = charge.active.joules().0;
        let covers = |value: f64, half: f64| (value - truth).abs() <= half;
        self.samples.push(Sample {
            function: call.function,
            truth,
            settled,
            settled_covers: covers(settled, charge.uncertainty.0),
            estimate_covers: estimate.is_some_and(|(value, half)| covers(value, half)),
        });
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now += WINDOW;
            let calibration = self.meter.calibration();
            let moment = self.simulation.run_until(self.now, &self.posts, &mut |call: &EndedCall| {
                let estimate = calibration.estimate(call.function, &call.work).ok();
                Remembered {
                    truth: call.truth.active.sum(),
                    started: call.started,
                    estimate: estimate.map(|estimate| (estimate.active.0, estimate.uncertainty.0)),
                }
            });
            self.meter.close_window(&moment, &self.posts, &mut self.settled);
        }
        assert_eq!(self.posts.dropped(), 0, "every slice of the simulation has room");
    }
}

/// Unrelated load that comes and goes, and whose power varies by a twentieth.
fn host_load(utilisation: f64) -> HostLoad {
    HostLoad { wander: 0.05, burstiness: 0.2, ..HostLoad::steady(utilisation) }
}

fn print_table(cells: &[Cell], done: &BTreeMap<usize, Figures>) {
    println!(
        "Percent: median error / 95th percentile / bias of the function that is further off / coverage of the 95 %"
    );
    println!("interval of settled charges (of estimates). Columns: two functions whose power is 2:1, told by hardware");
    println!("events; the same by CPU time alone; two of equal power by CPU time alone.");
    println!();
    println!(
        "| call | at once | host load | 2:1, hardware events | 2:1, CPU time alone | equal power, CPU time alone |"
    );
    println!("|---|---|---|---|---|---|");
    for (row, chunk) in cells.chunks(VARIANTS.len()).enumerate() {
        let Cell { length, at_once, host, .. } = chunk[0];
        print!("| {:?} | {} | {:.0} % |", LENGTHS[length].0, AT_ONCE[at_once], HOST_LOADS[host] * 100.0);
        for column in 0..chunk.len() {
            let Some(figures) = done.get(&(row * VARIANTS.len() + column)) else { continue };
            print!(
                " {:.1} / {:.1} / {:+.1} / {:.0} ({:.0}) |",
                figures.median * 100.0,
                figures.p95 * 100.0,
                figures.worst_bias() * 100.0,
                figures.settled_coverage * 100.0,
                figures.estimate_coverage * 100.0,
            );
        }
        println!();
    }
    println!();
    let seen: usize = done.values().map(|figures| figures.calls).sum();
    let unknown: usize = done.values().map(|figures| figures.unknown).sum();
    println!("{seen} calls, of which {unknown} are not fully known.");
    for (index, figures) in done.iter().take(VARIANTS.len()) {
        println!("{:?}: {:.2} and {:.2} W of CPU time", cells[*index].variant, figures.power[0], figures.power[1]);
    }
}

/// How many cells meet each goal.
fn print_goals(cells: &[Cell], done: &BTreeMap<usize, Figures>) {
    let count = |goal: &str, of: &dyn Fn(&Cell) -> bool, kept: &dyn Fn(&Figures) -> bool| {
        let all: Vec<_> = done.iter().filter(|(index, _)| of(&cells[**index])).collect();
        println!("{goal}: {} of {} cells", all.iter().filter(|(_, figures)| kept(figures)).count(), all.len());
    };
    let bias = |most: f64| move |figures: &Figures| figures.worst_bias().abs() <= most;
    count("bias at most 1 % with events", &|cell| cell.variant == Variant::UnequalWithEvents, &bias(0.01));
    count("bias at most 3 % with CPU time, equal power", &|cell| cell.variant == Variant::EqualWithout, &bias(0.03));
    count("median error at most 3 %, calls of 100 ms and more", &|cell| cell.length >= 2, &|figures| {
        figures.median <= 0.03
    });
    count("the settled interval covers at least 93 %", &|_| true, &|figures| figures.settled_coverage >= 0.93);
    count("the settled interval covers 93 to 97 %", &|_| true, &|figures| {
        (0.93..=0.97).contains(&figures.settled_coverage)
    });
    count("the interval of estimates covers at least 90 %", &|_| true, &|figures| figures.estimate_coverage >= 0.9);
    count("the interval of estimates covers 93 to 97 %", &|_| true, &|figures| {
        (0.93..=0.97).contains(&figures.estimate_coverage)
    });
}

/// How much unrelated load changes what functions are charged for the same work, relative to their truth.
fn print_movement(cells: &[Cell], done: &BTreeMap<usize, Figures>) {
    for variant in VARIANTS {
        let mut moved: Vec<(f64, &Cell)> = Vec::new();
        for (index, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.variant == variant && cell.host > 0) {
            let same =
                |other: &Cell| (other.length, other.at_once, other.variant) == (cell.length, cell.at_once, variant);
            let alone = cells.iter().position(|other| same(other) && other.host == 0);
            let Some((with, alone)) = done.get(&index).zip(alone.and_then(|alone| done.get(&alone))) else { continue };
            for function in 0..FUNCTIONS.len() {
                let ratio = (1.0 + with.bias[function]) / (1.0 + alone.bias[function]);
                moved.push(((ratio - 1.0).abs(), cell));
            }
        }
        moved.sort_by(|a, b| a.0.total_cmp(&b.0));
        let below = moved.iter().filter(|(moved, _)| *moved < 0.02).count();
        if let (Some((most, cell)), Some((median, _))) = (moved.last(), moved.get(moved.len() / 2)) {
            let (length, at_once) = (LENGTHS[cell.length].0, AT_ONCE[cell.at_once]);
            println!(
                "unrelated load moves a function, {variant:?}: median {:.1} %, below 2 % in {below} of {}, at most {:.1} % \
                 ({length:?}, {at_once} at once)",
                median * 100.0,
                moved.len(),
                most * 100.0,
            );
        }
    }
}
