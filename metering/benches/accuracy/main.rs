//! Compares settled charges with the truth on simulated machines where the true energy of every call is known.
//!
//! `cargo bench -p nebula-metering --bench accuracy` prints the table in `metering/README.md`; `-- --quick` prints a
//! part of it, `-- --help` lists machines and starts. Deterministic: the same on every machine.

#![allow(missing_docs, reason = "a benchmark has no readers of its documentation")]

mod ablation;
mod cell;
mod designed;
mod figures;
mod machines;
mod options;
mod parallel;
mod parts;
mod start;
mod step;
mod summary;
mod table;
mod watch;

use std::process::ExitCode;

use nebula_metering::ablation::{Part, leave_out};

use crate::cell::{Variant, cells};
use crate::figures::{Figures, examine};
use crate::options::{HELP, Mode, Options};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    // `cargo test` runs benches without this flag, only to see that they start.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    match Options::parse(arguments.into_iter()) {
        Ok(options) => {
            match options.mode {
                Mode::Cells => compare(&options),
                Mode::Step => step(&options),
                Mode::Ablate => ablation::print(&options),
            }
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("{reason}\n\n{HELP}");
            ExitCode::from(64)
        }
    }
}

fn compare(options: &Options) {
    let left_out: Vec<Part> = options.left_out.iter().flat_map(|left| left.parts).copied().collect();
    if !options.cells {
        println!("{}", summary::HEADING);
    }
    for &host in &options.hosts {
        let variants = Variant::of_machine(host.has_pmu());
        let cells = cells(options.extent, variants);
        let machine = host.title(options.changes);
        for &start in &options.starts {
            let title = format!("{machine}, {}", start.name());
            let done: Vec<Figures> = parallel::map(&title, &cells, |cell| {
                leave_out(&left_out, || examine(host, options.changes, start, cell, options.seeds))
            });
            let row = summary::row(&machine, start.name(), &cells, &done);
            if options.cells {
                println!("{title}\n");
                table::print_table(variants, &cells, &done);
                println!("\n{}", summary::HEADING);
            }
            println!("{row}");
        }
    }
}

fn step(options: &Options) {
    for &host in &options.hosts {
        for &start in &options.starts {
            step::print(host, options.changes, start);
        }
    }
}
