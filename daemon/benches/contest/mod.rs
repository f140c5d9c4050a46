//! Compares servers: same load generator, same processors, in turn within one run.
#![allow(dead_code, unused_imports, reason = "no benchmark uses all of it")]

mod bare;
mod client;
mod load;
mod sample;
mod server;
mod wasmtime;

use std::fs;
use std::process::ExitCode;

pub use client::Connection;
pub use load::{Contender, Pair, compare, require_wrk};
pub use sample::{Goal, Sample};
pub use server::{Functions, Resident, Server, distinct};
pub use wasmtime::{Wasmtime, artefact};

/// The call that most benchmarks measure.
pub const PATH: &str = "/invoke/hello-world";

/// Makes a benchmark short and coarse.
const QUICK: &str = "--quick";

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Effort {
    pub quick: bool,
}

impl Effort {
    pub fn of<T>(self, thorough: T, quick: T) -> T {
        if self.quick { quick } else { thorough }
    }
}

/// Runs a benchmark. It fails if it cannot measure, never because of what it measures.
pub fn main(name: &str, benchmark: fn(Effort) -> anyhow::Result<()>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_given = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let done = if let Some((bare::FLAG, answer)) = arguments.split_first().map(|(flag, rest)| (flag.as_str(), rest)) {
        bare::serve(answer)
    } else if is_given("--bench") {
        say_load().and_then(|()| benchmark(Effort { quick: is_given(QUICK) })).and_then(|()| say_load())
    } else {
        // `cargo test` runs benches without this flag, to see that they start.
        Ok(())
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Shows how busy the machine is: figures of a busy one say less.
fn say_load() -> anyhow::Result<()> {
    println!("load average {}", fs::read_to_string("/proc/loadavg")?.trim());
    Ok(())
}
