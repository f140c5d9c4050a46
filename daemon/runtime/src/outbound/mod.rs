//! HTTP requests of guests, to the hosts that the function's manifest lists.
//!
//! A request is sent by the daemon: it connects, speaks TLS and copies the bodies. That work is done in the call's
//! [`Background`], which is polled together with the guest, so that it is measured as the guest's. Waiting for a host is
//! no work. Two things are done elsewhere and are the runtime's: a name is looked up by a thread of the blocking pool, and
//! a response's head passes through a task of wasmtime's (`p2`), which does nothing but hand it on.
//!
//! Every request has a connection of its own, HTTP/1.1, without redirects and without proxies.

mod background;
mod connect;
mod destination;
mod exchange;
mod failure;
mod limits;
mod policy;
mod response;
#[cfg(test)]
mod tests;
mod tls;

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use hyper::{HeaderMap, Method, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

pub use background::Background;
pub use policy::{Policy, PolicyError};
pub use tls::{RootsError, set_extra_roots, tls_configuration, trusting};

use destination::Destination;
use exchange::{Answer, Transmission, exchange};
use limits::Patience;

/// Something that every request of a guest carries, such as the place of its call in a distributed trace.
pub trait Propagate: fmt::Debug + Send + Sync {
    /// Adds its headers to those of a request that is about to be sent.
    fn inject(&self, headers: &mut HeaderMap);
}

/// What one instance may send.
pub struct Outbound {
    policy: Policy,
    background: Background,
    function: Arc<str>,
    /// Carried by requests that carry no other.
    trace: Option<Arc<dyn Propagate>>,
    /// One permit for a request that is under way; made for the first.
    connections: Option<Arc<Semaphore>>,
    /// Whether the log has a refusal of this call.
    told: bool,
}

impl Outbound {
    /// What `policy` allows, done in `background`. The function's name is for the log.
    pub fn new(policy: Policy, background: Background, function: Arc<str>, trace: Option<Arc<dyn Propagate>>) -> Self {
        Self { policy, background, function, trace, connections: None, told: false }
    }

    /// Where the request may go, and its place among the call's.
    fn admit(&mut self, request: &Request<WasiBody>) -> Result<(Destination, OwnedSemaphorePermit), Error> {
        let uri = request.uri();
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::HttpRequestUriInvalid);
        };
        // What is no host may have a password in it, and is not repeated anywhere.
        let destination = Destination::of(scheme, authority).ok_or(Error::HttpRequestUriInvalid)?;
        if !self.policy.covers(&destination) {
            self.tell(&destination);
            return Err(Error::HttpRequestDenied);
        }
        // It asks for a tunnel, through which a guest could reach whomever the listed host reaches.
        if request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let connections = self.connections.get_or_insert_with(|| Arc::new(Semaphore::new(self.policy.connections())));
        let connection = connections.clone().try_acquire_owned().map_err(|_| Error::ConnectionLimitReached)?;
        Ok((destination, connection))
    }

    /// Once for a call: a guest that keeps trying must not fill the log.
    fn tell(&mut self, destination: &Destination) {
        if !std::mem::replace(&mut self.told, true) {
            let function = &*self.function;
            tracing::warn!(
                function,
                "refused a request to `{destination}`: `outbound` in the manifest does not list it"
            );
        }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("function", &self.function)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _received: Transmission,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let (destination, connection) = match self.admit(&request) {
            Ok(admitted) => admitted,
            Err(error) => return Box::new(ready(Err(error))),
        };
        if let Some(trace) = &self.trace {
            trace.inject(request.headers_mut());
        }
        let (answer, answered) = oneshot::channel();
        let patience = Patience::new(options);
        self.background.push(async move {
            let _connection = connection;
            exchange(request, destination, patience, answer).await;
        });
        // Without an answer the call has ended.
        Box::new(async { answered.await.unwrap_or(Err(Error::ConnectionTerminated)) })
    }
}
