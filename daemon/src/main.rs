//! The program `nebula`: parses, runs, and turns an error into an exit code.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A call makes some eighty allocations of all sizes and frees them at once; glibc's allocator took a tenth of a short
/// call's time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match nebula::cli::run(std::env::args_os()) {
        Ok(code) => code,
        Err(failure) => {
            if let Some(error) = failure.error {
                nebula::cli::tell(format_args!("nebula: {error:#}"));
            }
            ExitCode::from(failure.code)
        }
    }
}
