//! The command line: one file a command.

mod arguments;
mod bill;
mod client;
mod completions;
mod deploy;
mod doctor;
mod invoke;
mod list;
mod report;
mod run;
mod serve;
mod stdout;
mod token;
mod top;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;

pub use arguments::command;

/// The command line or the configuration is wrong. Source: `sysexits.h`, `EX_USAGE`.
pub const EXIT_USAGE: u8 = 64;

/// Something failed on the way.
const EXIT_FAILURE: u8 = 1;

/// Why the program ends without having done what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// What the parent process is told.
    pub code: u8,
    /// What the person is told, if it has not been said.
    pub error: Option<anyhow::Error>,
}

impl Failure {
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: EXIT_USAGE, error: Some(error.into()) }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: EXIT_FAILURE, error: Some(error.into()) }
    }
}

/// Says a line on stderr. Nobody being there to hear it is no error.
pub fn tell(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// What a command comes to.
pub type Result = std::result::Result<ExitCode, Failure>;

/// Does what the arguments say.
///
/// # Errors
/// When it cannot be done; the failure says which code the process should exit with.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and versions are asked for; everything else is a mistake. A closed terminal is neither's fault.
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
        Some(("doctor", matches)) => doctor::doctor(matches),
        Some(("completions", matches)) => completions::completions(matches),
        _ => Ok(ExitCode::from(EXIT_USAGE)),
    }
}
