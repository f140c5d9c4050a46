//! What a call costs in the meter: its estimate when it ends, and its part of a window that is settled.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark ends where something is wrong, and has no readers")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nebula_metering::source::{CounterSpec, ReadError, Source, SourceKind};
use nebula_metering::work::topology::Topology;
use nebula_metering::work::{Moment, Work};
use nebula_metering::{CallId, Domain, FunctionId, Meter, Microjoules, PostBox, Purpose, Slice, Watts, Zone};

const CPUS: u32 = 16;
const WINDOW: Duration = Duration::from_millis(100);
const FUNCTIONS: u32 = 8;

/// A package and its memory that draw 100 and 20 W.
struct Steady([CounterSpec; 2]);

impl Steady {
    fn new() -> Self {
        let spec = |domain| CounterSpec {
            source: SourceKind::Powercap,
            zone: Zone::new(domain, "0"),
            range: None,
            watts_max: Watts(500.0),
            quantum: Microjoules(61),
            relative_error: 0.0,
            base: None,
            stated: None,
        };
        Self([spec(Domain::Package), spec(Domain::Dram)])
    }
}

impl Source for Steady {
    fn kind(&self) -> SourceKind {
        SourceKind::Powercap
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.0
    }

    fn read(&mut self, moment: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        readings.clear();
        readings.extend([100, 20].map(|watts| Ok(Microjoules(moment.monotonic.as_micros() as u64 * watts))));
    }

    fn describe(&self) -> String {
        "steady power".into()
    }
}

/// A meter, its post box and the time of its last window.
struct Running {
    meter: Meter<()>,
    posts: PostBox<()>,
    now: Moment,
    calls: u128,
}

impl Running {
    /// A meter that has seen a minute of calls.
    fn new() -> Self {
        let meter = Meter::new(Box::new(Steady::new()), Topology::one_package(CPUS as usize), 1 << 16);
        let mut running = Self { meter, posts: PostBox::new(1, 1 << 16), now: Moment::default(), calls: 0 };
        (0..600).for_each(|window| running.window(window % 7 * 50));
        running
    }

    /// A window of calls of 1 ms each.
    fn window(&mut self, calls: u32) {
        let start = self.now.monotonic;
        let busy = Duration::from_millis(1) * calls;
        self.now.monotonic += WINDOW;
        self.now.boottime += WINDOW;
        self.now.busy += busy;
        self.now.packages[0] += busy;
        for call in 0..calls {
            self.calls += 1;
            let work = Work::of_cpu(Duration::from_millis(1));
            let end = start + Duration::from_millis(2) + WINDOW * call / (calls * 2);
            let (id, function, cpu) = (CallId(self.calls), FunctionId(call % FUNCTIONS), call % CPUS);
            let slice = Slice { call: id, function, purpose: Purpose::Call, end, cpu, work };
            self.posts.whole(slice, ()).expect("there is room");
        }
        let mut settled = Vec::new();
        self.meter.close_window(&self.now, &self.posts, &mut settled);
        black_box(settled);
    }
}

fn calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("estimate");
    let running = Running::new();
    let calibration = running.meter.calibration();
    let work = Work::of_cpu(Duration::from_micros(50));
    group.bench_function("of a call that ends", |bench| bench.iter(|| calibration.estimate(FunctionId(1), &work)));
    group.bench_function("what all calls until the next window need", |bench| {
        bench.iter(|| running.meter.calibration());
    });
    group.finish();

    let mut group = criterion.benchmark_group("window");
    let mut running = Running::new();
    for calls in [0, 1, 100, 1000] {
        group.throughput(Throughput::Elements(u64::from(calls)));
        group.bench_function(format!("with {calls} calls"), |bench| {
            bench.iter_batched(|| (), |()| running.window(calls), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
