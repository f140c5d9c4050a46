//! Speaks HTTP: listens, routes, reads requests, writes answers. Knows nothing of wasmtime.

mod access;
mod answer;
mod app;
mod body;
mod cgi;
mod conversation;
mod door;
mod energy;
mod envelope;
mod function;
mod functions;
mod invocations;
mod invoke;
mod ledger;
mod negotiate;
mod page;
mod problem;
mod query;
mod quota;
mod reload;
mod reply;
mod router;
mod server;
mod tls;
mod upload;

pub use access::{
    Access, Gate, Role, Token, Tokens, TokensError, Visitor, check_name as check_token_name, read_tokens, secret,
};
pub use app::App;
pub use door::Door;
pub use reload::{Watched, keep_fresh};
pub use server::{ServeError, Server};
pub use tls::{Tls, TlsError};

/// What every answer is.
pub(crate) type Response = hyper::Response<reply::Reply>;

/// What every request is.
pub(crate) type Request = hyper::Request<hyper::body::Incoming>;
