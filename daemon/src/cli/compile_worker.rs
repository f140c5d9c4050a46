//! `nebula compile-worker`: the process in which a daemon compiles one function. Only daemons start it.

use std::process::ExitCode;

use clap::ArgMatches;

pub fn compile_worker(matches: &ArgMatches) -> super::Result {
    let arguments = matches.get_many::<String>("arguments").into_iter().flatten().map(String::as_str);
    nebula_runtime::compile_worker(arguments)?;
    Ok(ExitCode::SUCCESS)
}
