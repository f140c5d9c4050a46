//! Every body that a Nebula daemon sends or reads, as Rust types: what the server writes is what clients parse, and
//! `openapi.json` is generated from the same types.
//!
//! Three rules hold for all of them:
//! - A figure that is not known is `null`, never 0, and a `reason` beside it says why.
//! - A member that may be null is always present. A member that does not apply is left out, and is never null.
//! - Clients ignore members they do not know: the daemon may be newer.
//!
//! Energies that must add up are whole microjoules; beside each stands the same energy in joules, for people and for
//! programs that have no 64-bit integers.
//!
//! ```
//! let answer = r#"{"invocations": []}"#;
//! let calls: nebula_api::invocations::Invocations = serde_json::from_str(answer)?;
//! assert!(calls.invocations.is_empty());
//! # Ok::<(), serde_json::Error>(())
//! ```

#![warn(missing_docs)]

pub mod call;
pub mod energy;
pub mod events;
pub mod form;
pub mod functions;
pub mod invocations;
pub mod ledger;
pub mod openapi;
pub mod problem;
mod timestamp;
pub mod usage;

pub use timestamp::Timestamp;
