//! What a [`Compiler`](crate::Compiler) starts.

use super::compiler::{WorkerError, work};
use super::engine::compiling_engine;

/// Compiles the module on stdin within its bounds, and writes its code to stdout. The arguments are those that a
/// [`Compiler`](crate::Compiler) gives it, in a process that does nothing else.
///
/// # Errors
/// If there is no answer. That the module cannot be compiled is one.
pub fn compile_worker<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<(), WorkerError> {
    work(arguments, compiling_engine)
}
