//! Runs WebAssembly: compiles a module once, and gives every call a fresh instance of it. Knows nothing of HTTP or of
//! joules.

mod call;
mod capture;
mod completion;
mod engine;
mod epoch;
mod guest;
mod numeric;
pub mod outbound;
mod program;

pub use call::{Directory, Invocation, Stdio};
pub use completion::{Completion, Ending};
pub use engine::{EngineError, Limits, Pool, Runtime};
pub use program::{CompileError, Kind, Program};
