//! How long a scrape of `/metrics` takes with a thousand functions, and how many bytes come.
//!
//! `cargo bench --bench scrape` prints it.

mod contest;

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use contest::{Connection, Effort, Functions, Goal, Sample, Server, artefact, distinct};

const FUNCTIONS: usize = 1000;

/// Every tenth of them is called in one case, all of them in another.
const SOME: usize = 10;

const SCRAPES: usize = 100;

/// The headers that a scraper sends. Source: the requests of Prometheus 2.42.
const PROMETHEUS: &str = "accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\
                          accept-encoding: gzip\r\n";
const PLAIN: &str = "accept: text/plain\r\n";

const MILLISECONDS: Goal = Goal::AtMost(50.0);
const MEGABYTES: Goal = Goal::AtMost(2.0);

fn main() -> ExitCode {
    contest::main("scrape", scrape)
}

fn scrape(effort: Effort) -> anyhow::Result<()> {
    let hello = fs::read(artefact("hello-world"))?;
    let functions = Functions::new()?;
    for index in 0..FUNCTIONS {
        functions.add(&format!("f{index:04}.wasm"), distinct(&hello, index))?;
    }
    let nebula = Server::nebula(&functions.options()?)?;
    println!("\n/metrics of {FUNCTIONS} functions besides those that come with it");
    measure(&nebula, "none called", effort)?;
    for (case, step) in [("a tenth called", SOME), ("all called", 1)] {
        for index in (0..FUNCTIONS).step_by(step) {
            nebula.get(&format!("/invoke/f{index:04}"))?;
        }
        measure(&nebula, case, effort)?;
    }
    Ok(())
}

fn measure(nebula: &Server, case: &str, effort: Effort) -> anyhow::Result<()> {
    for (format, headers) in [("as Prometheus asks", PROMETHEUS), ("as plain text", PLAIN)] {
        let mut connection = Connection::open_with(nebula.address, "/metrics", headers)?;
        let (mut times, cpu) = (Vec::new(), nebula.cpu()?);
        let scrapes = effort.of(SCRAPES, SCRAPES / 10);
        for _ in 0..scrapes {
            let began = Instant::now();
            connection.ask()?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        let cpu = (nebula.cpu()? - cpu) / scrapes as f64 * 1e3;
        let times = Sample::new(times);
        let (median, tail) = (times.median(), times.at(0.95));
        let bytes = connection.body_length() as f64 / 1e6;
        println!(
            "  {case:<14} {format:<18} {median:>7.1} ms (95 %: {tail:.1}; CPU {cpu:.1}), {}",
            MILLISECONDS.verdict(median)
        );
        println!("  {:<33} {bytes:>7.2} MB, {}", "", MEGABYTES.verdict(bytes));
    }
    Ok(())
}
