//! How much of outbound requests there may be, and how long they may take where the guest does not say.

use std::time::Duration;

use wasmtime_wasi_http::RequestOptions;

/// Requests that one call may have under way. Browsers open six connections to a host; a call that fans out to several
/// has some more.
pub const CONNECTIONS_MAX: usize = 16;

/// Names that the process looks up at a time. Each takes a thread of the blocking pool (tokio's has 512) until the
/// resolver gives up, also when nobody waits for it any more.
pub const LOOKUPS_MAX: usize = 64;

/// The status line and the headers of a response. Common servers send at most 8 to 16 KiB.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 65_536;

/// What a connection may hold of a message at once, each way.
pub const BUFFER_BYTES_MAX: usize = 65_536;

/// For a connection, from the name to the end of the TLS handshake. Two lost SYN packets are repeated after 1 and 3 s.
const CONNECT: Duration = Duration::from_secs(10);

/// From the request to the head of the response, while the guest may still be writing the request's body.
const FIRST_BYTE: Duration = Duration::from_secs(60);

/// Between two pieces of the response's body.
const BETWEEN_BYTES: Duration = Duration::from_secs(60);

/// How long a request may take. A call's own limits end it, too.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection, from the name to the end of the TLS handshake.
    pub connect: Duration,
    /// From the request to the head of the response.
    pub first_byte: Duration,
    /// Between two pieces of the response's body, while somebody waits for one.
    pub between_bytes: Duration,
}

impl Patience {
    /// As the guest wants it.
    pub fn new(options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        Self {
            connect: options.connect_timeout.unwrap_or(CONNECT),
            first_byte: options.first_byte_timeout.unwrap_or(FIRST_BYTE),
            between_bytes: options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES),
        }
    }
}
