//! How many outbound requests there may be, and how long they may take.

use std::time::Duration;

use wasmtime_wasi_http::RequestOptions;

/// Requests that one call may have under way. Browsers open six connections to a host; this leaves room for several hosts.
pub const CONNECTIONS_MAX: usize = 16;

/// Names that the process looks up at once. Each occupies a thread of the blocking pool (tokio has 512) until the resolver
/// gives up, even if nobody waits for it any more.
pub const LOOKUPS_MAX: usize = 64;

/// Status line and headers of a response, in bytes. Common servers send at most 8 to 16 KiB.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 65_536;

/// What a connection buffers of a message, each way.
pub const BUFFER_BYTES_MAX: usize = 65_536;

/// Leaves time to repeat two lost SYN packets, after 1 and 3 s.
const CONNECT: Duration = Duration::from_secs(10);

/// The guest may still be writing the body of its request meanwhile.
const FIRST_BYTE: Duration = Duration::from_secs(60);

const BETWEEN_BYTES: Duration = Duration::from_secs(60);

/// How long a request may take. The limits of its call end it too.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From looking up the name to the end of the TLS handshake.
    pub connect: Duration,
    /// From the request to the head of the response.
    pub first_byte: Duration,
    /// Between two pieces of the response's body, while the guest waits for one.
    pub between_bytes: Duration,
}

impl Timeouts {
    /// What the guest asks for, or defaults.
    pub fn new(options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        Self {
            connect: options.connect_timeout.unwrap_or(CONNECT),
            first_byte: options.first_byte_timeout.unwrap_or(FIRST_BYTE),
            between_bytes: options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES),
        }
    }
}
