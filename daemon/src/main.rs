//! The program `nebula`: parses, runs, and turns an error into an exit code.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A call allocates a lot of small things and frees them at once; in a profile of `/invoke/hello-world` glibc's
/// allocator took about a tenth of the samples.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match nebula::cli::run(std::env::args_os()) {
        Ok(code) => code,
        Err(failure) => {
            if let Some(error) = failure.error {
                nebula::cli::note(format_args!("nebula: {error:#}"));
            }
            ExitCode::from(failure.code)
        }
    }
}
