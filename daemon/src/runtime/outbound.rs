//! Requests that guests send: to the hosts that they were granted, and to nobody else.

use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

/// Hosts that a function may send requests to.
#[derive(Clone, Debug, Default)]
pub struct Policy;

impl Policy {
    /// Nothing can be granted yet.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> std::result::Result<Self, Vec<PolicyError>> {
        match entries.into_iter().next() {
            None => Ok(Self),
            Some(_) => Err(vec![PolicyError]),
        }
    }

    /// No host at all.
    #[must_use]
    pub fn nobody() -> Self {
        Self
    }
}

/// Work of a call beside its guest.
#[derive(Clone)]
pub struct Background;

impl Background {
    /// None yet.
    pub fn new() -> Self {
        Self
    }

    /// Drives `guest`.
    pub async fn beside<F: Future>(self, guest: F) -> F::Output {
        guest.await
    }
}

/// What one instance may send.
pub struct Outbound;

impl Outbound {
    /// Sends nothing.
    pub fn new(_: Policy, _: Background, _: std::sync::Arc<str>) -> Self {
        Self
    }
}

type Sent = (hyper::Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>);

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        _: hyper::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

/// An entry cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("not yet")]
pub struct PolicyError;
