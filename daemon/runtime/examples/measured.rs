//! Runs a function between two readings of an energy source, and prints what a call took:
//! `cargo run --release -p nebula-runtime --example measured -- functions/dist/fibonacci.wasm 50`
//!
//! The joules are the machine's: run it on an idle machine. To share them out among functions that run side by side is the
//! work of `nebula_metering::Meter`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nebula_metering::source::{Source, fallback::Fallback};
use nebula_metering::work::{host::HostClock, reader::WorkReader, topology::Topology};
use nebula_metering::{Bracket, CallId, Counter, FunctionId, Microjoules, Observation, PostBox, Tally};
use nebula_runtime::{Grants, Input, Invocation, Limits, Pool, Program, Recorder, Runtime};

type Error = Box<dyn std::error::Error>;

/// Long enough for the counters of any source.
const MEASURE: Duration = Duration::from_secs(2);

/// An energy source, its counters, and the clock that its readings are made by.
struct Meter {
    source: Fallback,
    counters: Vec<Counter>,
    clock: HostClock,
}

impl Meter {
    fn open() -> Result<Self, Error> {
        let (sys, proc) = (Path::new("/sys"), Path::new("/proc"));
        let mut clock = HostClock::open(proc, sys, Topology::read(sys)?)?;
        let source = Fallback::of_machine(sys, proc, &clock.now()?)?;
        let counters = source.counters().iter().cloned().map(Counter::new).collect();
        Ok(Self { source, counters, clock })
    }

    /// Energy since the last reading; nothing at the first.
    fn read(&mut self) -> Result<Microjoules, Error> {
        let (now, mut readings) = (self.clock.now()?, Vec::new());
        self.source.read(&now, &mut readings);
        let observed = self.counters.iter_mut().zip(&readings).map(|(counter, reading)| counter.observe(reading, &now));
        Ok(observed.map(|seen| if let Observation::Window(energy) = seen { energy } else { Microjoules::ZERO }).sum())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (file, input) = (arguments.next().ok_or("pass a WebAssembly file")?, arguments.next().unwrap_or_default());
    let wall = Duration::from_secs(10);
    let limits = Limits { wall, memory: 64 << 20, table_elements: 10_000, stdout: 1 << 20, stderr: 1 << 16, files: 64 };
    let runtime = Runtime::new(limits, Pool::Slots(1), Duration::from_millis(5))?;
    let program = Program::compile(&runtime, &std::fs::read(file)?, Grants::of(limits))?;

    let mut meter = Meter::open()?;
    let posts: Arc<PostBox<()>> = Arc::new(PostBox::new(1, 1 << 10));
    let (mut calls, mut cpu) = (0_u32, Duration::ZERO);
    meter.read()?;
    let started = Instant::now();
    while started.elapsed() < MEASURE {
        let invocation = Invocation { input: Input::Captured(input.clone().into()), ..Invocation::default() };
        let call = program.call(invocation, Recorder::new(&limits));
        let tally = Tally::new(CallId(calls.into()), FunctionId(0), WorkReader::cpu_time_only(), posts.clone());
        let (_, tally) = Bracket::new(call, tally).await;
        cpu += tally.total().cpu;
        calls += 1;
        drop(tally);
        posts.collect(drop);
    }
    let energy = meter.read()?;
    println!("{}", meter.source.describe());
    println!("{calls} calls: {:?} of CPU time and {:.9} J each", cpu / calls, energy.joules().0 / f64::from(calls));
    Ok(())
}
