//! Speaks HTTP: listens, routes, reads requests, writes answers. Knows nothing of wasmtime.

mod access;
mod answer;
mod app;
mod body;
mod carbon;
mod cgi;
mod conversation;
mod door;
mod energy;
mod envelope;
mod events;
mod form;
mod function;
mod functions;
mod gateway;
mod invocations;
mod invoke;
mod ledger;
mod metrics;
mod negotiate;
mod openapi;
mod page;
mod problem;
mod query;
mod quota;
mod reload;
mod reply;
mod router;
mod same_origin;
mod server;
mod tls;
mod trail;
mod unread;
mod upload;
mod usage;

pub use access::{
    Access, Gate, Role, Token, Tokens, TokensError, Visitor, check_name as check_token_name, read_tokens, secret,
};
pub use app::App;
pub use door::Door;
pub use form::FormBounds;
pub use reload::{Watched, keep_fresh};
pub use server::{ServeError, Server};
pub use tls::{Tls, TlsError};
pub use usage::UsageFile;

/// What every answer is.
pub(crate) type Response = hyper::Response<reply::Reply>;

/// What every request is.
pub(crate) type Request = hyper::Request<unread::RequestBody>;
