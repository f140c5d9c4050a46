//! Reads bodies, queries and preferences of requests.

pub mod body;
pub mod incoming;
pub mod negotiate;
pub mod peers;
pub mod query;
