//! HTTP requests of guests, to the hosts that the function's manifest lists.
//!
//! wasmtime would send them from tasks of its own. Here connecting, TLS and the copying of bodies are the call's
//! [`Background`], which is polled together with the guest, so that whoever measures the call measures them too. Two
//! things happen elsewhere: a thread of the blocking pool looks up names, and wasmtime passes the head of a response
//! through a task (`p2`) that does nothing else.
//!
//! Every request has its own connection, speaks HTTP/1.1, follows no redirects and uses no proxy.

mod background;
mod connect;
mod destination;
mod failure;
mod hosts;
mod limits;
mod networks;
mod policy;
mod response;
mod send;
#[cfg(test)]
mod tests;
mod tls;

use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hyper::{HeaderMap, Method, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

pub use background::Background;
pub use connect::look_up;
pub use destination::{HostName, parse_port, split};
pub use hosts::Hosts;
pub use networks::{Networks, NetworksError};
pub use policy::{Policy, PolicyError};
pub use tls::{RootsError, set_extra_roots, tls_configuration, trusting};

use crate::files::{FilesOfCall, OpenFiles};
use crate::held::PIECE;
use connect::Reach;
use destination::Destination;
use limits::Timeouts;
use send::{Received, Transmission, send};

/// Headers that every request of a guest carries, such as those of a distributed trace.
pub trait Propagate: fmt::Debug + Send + Sync {
    /// Adds the headers to a request that is about to be sent.
    fn inject(&self, headers: &mut HeaderMap);
}

/// The requests of one call: what it may send, and what is under way.
pub struct Outbound {
    policy: Policy,
    background: Background,
    function: Arc<str>,
    trace: Option<Arc<dyn Propagate>>,
    /// One permit for each request under way. Made for the first request.
    connections: Option<Arc<Semaphore>>,
    /// Whether the log has a refusal of this call already. Made for the first request.
    has_logged: Option<Arc<AtomicBool>>,
    /// What all calls have open, their connections included.
    files: Arc<OpenFiles>,
}

/// What a request under way takes of the call's connections and of all calls' open files.
type Connection = (OwnedSemaphorePermit, FilesOfCall);

impl Outbound {
    /// Sends what `policy` allows and `files` have room for, in `background`. The log names `function`.
    pub fn new(
        policy: Policy,
        background: Background,
        function: Arc<str>,
        trace: Option<Arc<dyn Propagate>>,
        files: Arc<OpenFiles>,
    ) -> Self {
        Self { policy, background, function, trace, connections: None, has_logged: None, files }
    }

    /// Where the request goes, how it gets there, and its permit.
    fn admit(&mut self, request: &Request<WasiBody>) -> Result<(Destination, Reach, Connection), Error> {
        let uri = request.uri();
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::HttpRequestUriInvalid);
        };
        // An authority that is not just a host and a port may hold a password: it is neither used nor shown.
        let destination = Destination::of(scheme, authority).ok_or(Error::HttpRequestUriInvalid)?;
        let has_logged = self.has_logged.get_or_insert_default().clone();
        let reach = Reach { networks: self.policy.networks().clone(), function: self.function.clone(), has_logged };
        if !self.policy.covers(&destination) {
            reach.log_refusal(&destination, "the function's manifest does not list it in `outbound`");
            return Err(Error::HttpRequestDenied);
        }
        // A tunnel would take the guest to any host that the listed host can reach.
        if request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let connections = self.connections.get_or_insert_with(|| Arc::new(Semaphore::new(self.policy.connections())));
        let connection = connections.clone().try_acquire_owned().map_err(|_| Error::ConnectionLimitReached)?;
        let file = FilesOfCall::new(&self.files, 1, usize::MAX, false).ok_or(Error::ConnectionLimitReached)?;
        Ok((destination, reach, (connection, file)))
    }
}

impl WasiHttpHooks for Outbound {
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        PIECE
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        PIECE
    }

    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _received: Transmission,
    ) -> Box<dyn Future<Output = Received> + Send> {
        let (destination, reach, connection) = match self.admit(&request) {
            Ok(admitted) => admitted,
            Err(error) => return Box::new(ready(Err(error))),
        };
        if let Some(trace) = &self.trace {
            trace.inject(request.headers_mut());
        }
        let (answer, answered) = oneshot::channel();
        let timeouts = Timeouts::new(options);
        self.background.push(async move {
            let _connection = connection;
            send(request, destination, reach, timeouts, answer).await;
        });
        // If the sender is gone, so is the call.
        Box::new(async { answered.await.unwrap_or(Err(Error::ConnectionTerminated)) })
    }
}
