//! What is read of a request.

pub mod body;
pub mod incoming;
pub mod negotiate;
pub mod query;
