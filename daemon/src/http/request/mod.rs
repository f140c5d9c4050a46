//! What is read of a request.

pub mod body;
pub mod incoming;
pub mod negotiate;
pub mod peers;
pub mod query;
