//! The program `nebula`: parses, runs, and turns an error into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match nebula::cli::run(std::env::args_os()) {
        Ok(code) => code,
        Err(failure) => {
            if let Some(error) = failure.error {
                eprintln!("nebula: {error:#}");
            }
            ExitCode::from(failure.code)
        }
    }
}
