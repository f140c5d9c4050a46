//! Speaks HTTP: listens, routes, reads requests, writes answers. Knows nothing of wasmtime.

mod access;
mod answer;
mod app;
mod call;
mod page;
mod read;
mod record;
mod request;
mod route;
mod server;
mod settings;

pub use access::{
    Access, AccessMode, AccessSettings, Listener, Origins, Role, TlsFiles, Token, Tokens, TokensError, Visitor,
    check_name as check_token_name, read_tokens, secret,
};
pub use answer::exposure::Exposure;
pub use app::{App, Parts};
pub use read::usage::UsageFile;
pub use server::tls::{Tls, TlsError};
pub use server::{ServeError, Server};
pub use settings::{ConnectionSettings, Expose, FormBounds, OPTIONS, Resolution, Settings};

/// What every answer is.
pub(crate) type Response = hyper::Response<answer::body::Reply>;
/// What every request is.
pub(crate) type Request = hyper::Request<request::incoming::RequestBody>;
