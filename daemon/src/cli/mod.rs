//! The command line: one file a command.

mod arguments;
mod bill;
mod calibrate;
mod client;
mod compile_worker;
mod completions;
mod deploy;
mod doctor;
mod failure;
mod invoke;
mod list;
mod output;
mod report;
mod run;
mod serve;
mod token;
mod top;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::functions::COMPILE_WORKER;
pub use arguments::command;
pub use failure::EXIT_USAGE;
use failure::{EXIT_FAILURE, Failure, Result};
pub use output::note;

/// Runs the command that the arguments name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are no mistakes. A closed terminal is nobody's fault.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return Ok(ExitCode::from(if asked { 0 } else { EXIT_USAGE }));
        }
    };
    match matches.subcommand() {
        Some(("serve", matches)) => serve::serve(matches),
        Some(("run", matches)) => run::run(matches),
        Some(("invoke", matches)) => invoke::invoke(matches),
        Some(("deploy", matches)) => deploy::deploy(matches),
        Some(("rollback", matches)) => deploy::roll_back(matches),
        Some(("remove", matches)) => deploy::remove(matches),
        Some(("list", matches)) => list::list(matches),
        Some(("token", matches)) => token::token(matches),
        Some(("top", matches)) => top::top(matches),
        Some(("report", matches)) => report::report(matches),
        Some(("calibrate", matches)) => calibrate::calibrate(matches),
        Some(("doctor", matches)) => doctor::doctor(matches),
        Some((COMPILE_WORKER, matches)) => compile_worker::compile_worker(matches),
        Some(("completions", matches)) => completions::completions(matches),
        _ => Ok(ExitCode::from(EXIT_USAGE)),
    }
}
