//! `nebula completions`: the completion script of a shell.

use std::process::ExitCode;

use clap::ArgMatches;
use clap_complete::Shell;

pub fn completions(matches: &ArgMatches) -> super::Result {
    let Some(&shell) = matches.get_one::<Shell>("shell") else { return Ok(ExitCode::from(super::EXIT_USAGE)) };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "nebula", &mut script);
    super::output::print(&script)?;
    Ok(ExitCode::SUCCESS)
}
