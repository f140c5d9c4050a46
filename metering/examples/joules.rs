//! Runs work of two functions and prints the joules of each: `cargo run -p nebula-metering --example joules`

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use nebula_metering::source::{Source, fallback::Fallback};
use nebula_metering::work::{host::HostClock, reader::WorkReader, topology::Topology};
use nebula_metering::{CallId, FunctionId, Meter, PostBox, Tally};

fn main() -> Result<(), Box<dyn Error>> {
    let (sysfs, procfs) = (Path::new("/sys"), Path::new("/proc"));
    let topology = Topology::read(sysfs)?;
    let mut clock = HostClock::open(procfs, sysfs, topology.clone())?;
    let source = Fallback::of_machine(sysfs, procfs, &clock.now()?)?;
    println!("{}: {}", source.kind(), source.describe());

    let (reader, _) = WorkReader::probe(sysfs);
    let posts = Arc::new(PostBox::new(1, 1024));
    let mut meter = Meter::new(Box::new(source), topology, 1024);
    let mut settled = Vec::new();
    for window in 0..20 {
        // The first reading is where the counters start. Every further one closes a window.
        meter.close_window(&clock.now()?, &posts, &mut settled);
        for (function, rounds) in [(FunctionId(0), 10_000_000_u64), (FunctionId(1), 30_000_000)] {
            let call = CallId(window * 2 + u128::from(function.0));
            let mut tally = Tally::new(call, function, reader, posts.clone());
            tally.measure(|| (0..rounds).for_each(|round| _ = black_box(round)));
            tally.end(())?;
        }
    }
    meter.close_window(&clock.now()?, &posts, &mut settled);
    meter.finish(&mut settled);
    for (function, energy) in meter.energy_by_function().iter().enumerate() {
        println!("function {function}: {:.3} J active, {:.3} J base", energy.active.joules().0, energy.base.joules().0);
    }
    println!("{} calls settled", settled.len());
    Ok(())
}
