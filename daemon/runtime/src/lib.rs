//! Runs WebAssembly: compiles a module or component once, and gives every call a fresh instance of it. Knows nothing of
//! joules.

#![warn(missing_docs)]

mod call;
mod capture;
mod code_cache;
mod completion;
mod component;
mod engine;
mod epoch;
mod exchange;
mod guest;
mod host;
mod module;
mod numeric;
mod outbound;
mod pools;
mod program;
mod proxy;
mod service;
mod warm;

pub use call::{Directory, Input, Invocation};
pub use capture::Recorder;
pub use code_cache::{CacheError, Code, CodeCache, Found};
pub use completion::{Completion, Ending};
pub use engine::{EngineError, Limits, Pool, Runtime};
pub use epoch::take_yielded;
pub use exchange::{Answer, AnswerBody, Exchange};
pub use outbound::{Policy, PolicyError, Propagate, RootsError, set_extra_roots, tls_configuration, trusting};
pub use pools::PoolUse;
pub use program::{CompileError, Grants, Kind, Program};
pub use wasmtime_wasi_http::{Error as HttpError, WasiBody};
