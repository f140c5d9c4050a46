//! Speaks HTTP: listens, routes, reads requests, writes answers. Knows nothing of wasmtime.

mod access;
mod answer;
mod app;
mod call;
mod host;
mod page;
mod read;
mod record;
mod request;
mod role;
mod route;
mod sending;
mod server;
mod settings;

pub use access::{
    Access, Listener, Token, Tokens, TokensError, Visitor, check_name as check_token_name, read_tokens, secret,
};
pub use answer::exposure::Exposure;
pub use app::{App, Parts};
pub use read::usage::UsageFile;
pub use role::Role;
pub use sending::backlog::Backlog;
pub use server::tls::{Tls, TlsError};
pub use server::{ServeError, Server};
pub use settings::{
    AccessMode, AccessSettings, ConnectionSettings, Expose, FormBounds, Origins, Resolution, Settings, TlsFiles,
};

pub(crate) use answer::body::Response;
pub(crate) use request::incoming::Request;
