//! Compares settled charges with the truth on simulated machines where the true energy of every call is known.
//!
//! `cargo bench -p nebula-metering --bench accuracy` prints the table in `metering/README.md`; `-- --quick` prints a
//! part of it, `-- --help` lists machines and starts. Deterministic: the same on every machine.

#![allow(missing_docs, reason = "a benchmark has no readers of its documentation")]

mod cell;
mod figures;
mod machines;
mod options;
mod parallel;
mod start;
mod summary;
mod table;
mod watch;

use std::process::ExitCode;

use crate::cell::{Variant, cells};
use crate::figures::{Figures, examine};
use crate::options::{HELP, Options};

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
            compare(&options);
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("{reason}\n\n{HELP}");
            ExitCode::from(64)
        }
    }
}

fn compare(options: &Options) {
    let mut rows = Vec::new();
    for &host in &options.hosts {
        let variants = Variant::of_machine(host.has_pmu());
        let cells = cells(options.extent, variants);
        for &start in &options.starts {
            let title = format!("{}, {}", host.name(), start.name());
            let done: Vec<Figures> = parallel::map(&title, &cells, |cell| examine(host, start, cell, options.seeds));
            if options.cells {
                println!("{title}\n");
                table::print_table(variants, &cells, &done);
                println!();
            }
            rows.push(summary::row(host.name(), start.name(), &cells, &done));
        }
    }
    println!("{}", summary::HEADING);
    for row in rows {
        println!("{row}");
    }
}
