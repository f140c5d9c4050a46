//! The ways in which a request calls a function.

pub mod cgi;
pub mod conversation;
pub mod form;
pub mod function;
pub mod gateway;
pub mod invoke;
