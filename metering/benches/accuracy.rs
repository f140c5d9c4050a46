//! How far settled charges lie from the truth, on a simulated machine where the truth of every call is known.
//!
//! `cargo bench -p nebula-metering --bench accuracy` prints the table that is in the README; with `-- --quick` a part of
//! it. Deterministic: the same on every machine.

#![allow(missing_docs, reason = "a benchmark has no readers of its documentation")]

use std::collections::BTreeMap;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nebula_metering::simulator::{EndedCall, Function, HostLoad, Length, Machine, Settings, Simulation, Task};
use nebula_metering::{FunctionId, Meter, PostBox, Settled};

const WINDOW: Duration = Duration::from_millis(100);

/// CPU time of a call, and for how long calls of this length are watched, in simulated seconds.
const LENGTHS: [(Duration, u64); 4] = [
    (Duration::from_micros(10), 4),
    (Duration::from_millis(1), 12),
    (Duration::from_millis(100), 40),
    (Duration::from_secs(10), 240),
];

/// Slots of each function: so many calls of it at once, at most.
const AT_ONCE: [usize; 3] = [1, 8, 64];

const HOST_LOADS: [f64; 3] = [0.0, 0.5, 0.95];

const SEEDS: [u64; 3] = [1, 2, 3];

/// The functions that are compared.
const FUNCTIONS: [FunctionId; 2] = [FunctionId(0), FunctionId(1)];

/// What is compared, in the order of the table's columns.
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

const LIGHT: Task = Task { ipc: 0.5, misses_per_kilo_instruction: 1.0, factor: 1.0 };
const HEAVY: Task = Task { ipc: 3.0, misses_per_kilo_instruction: 0.5, factor: 1.0 };
const MIDDLE: Task = Task { ipc: 1.5, misses_per_kilo_instruction: 1.0, factor: 1.0 };

/// One cell of the table.
#[derive(Clone, Copy, Debug)]
struct Cell {
    length: usize,
    at_once: usize,
    host: usize,
    variant: Variant,
}

/// What a settled call says: truth, settled charge, and whether the two intervals cover the truth.
#[derive(Clone, Copy, Debug)]
struct Sample {
    function: FunctionId,
    truth: f64,
    settled: f64,
    settled_covers: bool,
    estimate_covers: bool,
}

/// What is remembered of a call from its end to its settlement.
struct Remembered {
    truth: f64,
    started: Duration,
    /// The estimate and half the width of its interval.
    estimate: Option<(f64, f64)>,
}

/// A cell's figures over all seeds.
#[derive(Clone, Debug, Default)]
struct Figures {
    calls: usize,
    unknown: usize,
    median: f64,
    p95: f64,
    /// Of each function: charged over true, less one.
    bias: [f64; 2],
    settled_coverage: f64,
    estimate_coverage: f64,
    /// True power of each function, in watts of CPU time, for the heading.
    power: [f64; 2],
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test` runs benches without this flag, to see that they start.
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
        machine.watch(cell, length, Duration::from_secs(seconds));
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

    /// What a daemon has seen before it is asked: quiet, and a minute of traffic that comes and goes.
    fn live_through_a_morning(&mut self) {
        self.run(Duration::from_secs(10));
        let [a, b] = self.variant.tasks();
        let mixtures =
            [(2, 0, 0.0), (0, 3, 0.1), (6, 1, 0.3), (1, 8, 0.0), (0, 0, 0.5), (4, 4, 0.8), (1, 0, 0.0), (0, 1, 0.2)];
        for (at_once_a, at_once_b, host) in mixtures {
            let function = |id, task, concurrency| Function {
                concurrency,
                call_length: Length::around(Duration::from_millis(20), 0.9),
                gap: Length::around(Duration::from_millis(30), 0.9),
                ..Function::new(id, task, WINDOW)
            };
            self.simulation.set_functions(&[function(0, a, at_once_a), function(1, b, at_once_b)]);
            self.simulation.set_host(host_load(host));
            self.run(Duration::from_secs(8));
        }
        self.simulation.set_functions(&[]);
        self.simulation.set_host(HostLoad::none());
        self.run(Duration::from_secs(2));
    }

    /// Runs the cell's calls, and looks at those that began and ended under its load.
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

/// Unrelated load whose power wanders by a twentieth, and which comes and goes.
fn host_load(utilisation: f64) -> HostLoad {
    HostLoad { wander: 0.05, burstiness: 0.2, ..HostLoad::steady(utilisation) }
}

fn print_table(cells: &[Cell], done: &BTreeMap<usize, Figures>) {
    println!(
        "| call | at once | host load | 2:1, events: median, p95, bias, coverage | 2:1, CPU time alone | equal power, CPU time alone |"
    );
    println!("|---|---|---|---|---|---|");
    for (rows, chunk) in cells.chunks(VARIANTS.len()).enumerate() {
        let Cell { length, at_once, host, .. } = chunk[0];
        print!("| {:?} | {} | {:.0} % |", LENGTHS[length].0, AT_ONCE[at_once], HOST_LOADS[host] * 100.0);
        for column in 0..chunk.len() {
            let Some(figures) = done.get(&(rows * VARIANTS.len() + column)) else { continue };
            let percent = |part: f64| part * 100.0;
            print!(
                " {:.1} {:.1} {:+.1} {:+.1} {:.0} {:.0} |",
                percent(figures.median),
                percent(figures.p95),
                percent(figures.bias[0]),
                percent(figures.bias[1]),
                percent(figures.settled_coverage),
                percent(figures.estimate_coverage),
            );
        }
        println!();
    }
    let calls: usize = done.values().map(|figures| figures.calls).sum();
    let unknown: usize = done.values().map(|figures| figures.unknown).sum();
    println!("{calls} calls, {unknown} of them not fully known");
    for (index, figures) in done.iter().take(3) {
        println!("{:?}: {:.2} and {:.2} W", cells[*index].variant, figures.power[0], figures.power[1]);
    }
}

/// How far unrelated load moves what functions are charged for the same work.
fn print_movement(cells: &[Cell], done: &BTreeMap<usize, Figures>) {
    let mut most = BTreeMap::<Variant, (f64, Option<Cell>)>::new();
    for (index, cell) in cells.iter().enumerate() {
        let alone = cells.iter().position(|other| {
            (other.length, other.at_once, other.variant, other.host) == (cell.length, cell.at_once, cell.variant, 0)
        });
        let Some((with, alone)) = done.get(&index).zip(alone.and_then(|alone| done.get(&alone))) else { continue };
        for function in 0..FUNCTIONS.len() {
            let moved = ((1.0 + with.bias[function]) / (1.0 + alone.bias[function]) - 1.0).abs();
            let entry = most.entry(cell.variant).or_default();
            if moved > entry.0 {
                *entry = (moved, Some(*cell));
            }
        }
    }
    println!("unrelated load moves a function's charge, against its truth, by at most:");
    for (variant, (moved, cell)) in most {
        println!("  {variant:?}: {:.2} % ({cell:?})", moved * 100.0);
    }
}
