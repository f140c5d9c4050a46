//! Runs WebAssembly functions: compiles a module or component once, and gives every call a fresh instance, limits, captured
//! output and a bounded view of the host.
//!
//! The crate is a library around wasmtime. It serves nothing, measures nothing and reads no configuration: those who embed
//! it decide where calls come from and what they cost.
//!
//! # A call
//!
//! ```
//! use std::time::Duration;
//! use nebula_runtime::{Grants, Invocation, Limits, Pool, Program, Recorder, Runtime};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let limits = Limits {
//!     wall: Duration::from_secs(1),
//!     memory: 16 << 20,
//!     table_elements: 10_000,
//!     stdout: 1 << 20,
//!     stderr: 64 << 10,
//!     files: 64,
//! };
//! let runtime = Runtime::new(limits, Pool::OnDemand, Duration::from_millis(5))?;
//! let wasm = br#"(module (func (export "run") (result i32) i32.const 42))"#;
//! let answer = Program::compile(&runtime, wasm, Grants::of(limits))?;
//! let completion = answer.call(Invocation::default(), Recorder::new(&limits)).await;
//! assert_eq!(completion.output, b"42\n");
//! # Ok(())
//! # }
//! ```
//!
//! [`Runtime`] holds the engines; a process needs one. [`Program::compile`] recognises the [`Kind`] of the function from its
//! binary. [`Grants`] say what the function may use: by default nothing but CPU time and memory.
//!
//! # What a guest can and cannot do
//!
//! - It sees its arguments, its environment, its input, the [`Directory`]s it was granted, the hosts that its [`Policy`]
//!   lists, and the sockets of its [`SocketPolicy`].
//! - Every call has a fresh instance, unless [`Grants::reused`] asks for reuse.
//! - Its [`Limits`] end it: wall time, memory (what the host holds for it included), tables, output. They also bound the files
//!   that it has open, which are regular ones and directories unless its grant says otherwise. [`Completion`] says how it ended, and has its output and log.
//! - It yields at every tick, so that a guest that computes cannot block the executor. [`take_yielded`] tells whether it did.
//!
//! # Measuring a call
//!
//! A call is one future, and all of its work happens inside the polls of that future: the guest, file access, and its HTTP
//! requests with TLS and the copying of bodies. Two things do not: a name is looked up on a thread of tokio's blocking pool,
//! and wasmtime passes the head of a response through a task of its own. So whoever wraps the polls of the future, as
//! `nebula_metering::Bracket` does, measures the call; the example `measured` shows how. A function is compiled on the thread
//! that calls [`Program::compile`], and on no other.
//!
//! # Compiled code
//!
//! A [`CodeCache`] keeps compiled code in a directory that any number of processes can share. Its entries are trusted by
//! their owner and verified by digest; a damaged one is compiled again.
//!
//! A [`Compiler`] compiles in child processes, with [`CompileBounds`] on their memory and time, for functions whose authors
//! are not trusted.

#![warn(missing_docs)]

mod call;
mod capture;
mod code_cache;
mod compile_error;
mod compiler;
mod ending;
mod engine;
mod epoch;
mod errors;
mod exchange;
mod files;
mod grants;
mod held;
mod kinds;
mod limiter;
mod outbound;
mod pool_use;
mod program;
mod reuse;
mod sandbox;
mod shortened;
mod sockets;
mod state;
mod worker;

pub use call::{Input, Invocation};
pub use capture::Recorder;
pub use code_cache::{CacheError, Code, CodeCache, Found};
pub use compile_error::{Bound, CompileError};
pub use compiler::{CompileBounds, Compiler, WorkerError};
pub use ending::{Completion, Ending};
pub use engine::{EngineError, Pool, Runtime};
pub use epoch::take_yielded;
pub use exchange::{Answer, AnswerBody, Exchange};
pub use grants::{Directory, Grants, Limits};
pub use kinds::Kind;
pub use outbound::{
    Networks, NetworksError, Policy, PolicyError, Propagate, RootsError, set_extra_roots, tls_configuration, trusting,
};
pub use pool_use::PoolUse;
pub use program::Program;
pub use shortened::{QUOTED_MAX, shortened};
pub use sockets::{SocketPolicy, SocketPolicyError};
pub use wasmtime_wasi_http::{Error as HttpError, WasiBody};
pub use worker::compile_worker;
