//! Nebula runs WebAssembly functions over HTTP and reports how many joules each call took.
//!
//! The way of a call: [`http`] reads the request and finds the function in [`functions`]; [`invocation`] admits it and
//! brackets it with [`meter`]; [`nebula_runtime`] runs it in a fresh instance; its estimate goes into the answer, its settled
//! charge into [`telemetry`]. [`carbon`] says what joules mean in grams and money, and [`quota`] what a function or a
//! caller may use of all that. [`cli`] and [`config`] read what the user asks for.

pub mod admission;
pub mod calibrating;
pub mod carbon;
pub mod causes;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod functions;
pub mod http;
pub mod invocation;
pub mod knowledge;
pub mod meter;
pub mod outcome;
pub mod quota;
pub mod regular_file;
pub mod reload;
pub mod settings;
pub mod settling;
pub mod state;
pub mod telemetry;
pub mod thread_priority;
pub mod trace_context;
pub mod units;
pub mod usage;
