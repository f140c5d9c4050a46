//! Answers on their way to clients: how many bytes wait to be sent, and which clients are too slow to keep.
//!
//! Over HTTP/1 a connection has one answer at a time, and the writer sees how fast the client reads. Over HTTP/2 each stream
//! has a window of its own, so a client can let one answer wait while others pass; there every stream is looked at.

pub mod backlog;
pub mod outgoing;
pub mod outlet;
mod pace;
pub mod streams;
pub mod writer;
