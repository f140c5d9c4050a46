//! What the resources of a component take of the host's memory: header lists, messages, bodies, streams. A guest makes the host
//! hold them, so they count as the guest's memory.
//!
//! What a resource holds in plain sight is counted; what it may hide counts as the most that fits.

use std::any::Any;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, ReaddirIterator};
use wasmtime_wasi_http::{FieldMap, p2, p3};

/// What every call may make the host hold without its being counted. A request, its answer, their bodies and the standard
/// streams come to about a mebibyte, as they are counted here.
pub const FREE: usize = 2 << 20;

/// Bytes of a guest's body that wait to be read by the host. wasmtime queues two such pieces.
pub const PIECE: usize = 64 << 10;

/// The most that one list of headers takes. Source: wasmtime-wasi-http, `DEFAULT_FIELD_SIZE_LIMIT`.
const HEADERS_MAX: usize = 128 << 10;

/// A message of a guest: trailers and pieces of its body are hidden in it.
const SENT: usize = HEADERS_MAX + 2 * PIECE;

/// A message for a guest, of which the connection has read a piece ahead.
const RECEIVED: usize = HEADERS_MAX;

/// Source: wasmtime-wasi, `MAX_READ_SIZE_ALLOC`.
const STREAM: usize = 64 << 10;

/// The names of a directory, which are read at once: a few thousand.
const LISTING: usize = 256 << 10;

/// Anything else, with its place in the table.
const ENTRY: usize = 512;

/// A header with its place in the map, beside the bytes of its value. Source: the crate `http`, `HeaderMap`.
const HEADER: usize = 128;

/// A task, stream or future of WASI 0.3. The buffer of a stream is shared among its three entries.
const CONCURRENT: usize = STREAM / 4;

/// Bytes that the host holds for the resources in `table`. Stops counting beyond `max`.
pub fn held(table: &mut ResourceTable, max: usize) -> usize {
    let mut sum = 0_usize;
    for entry in table.iter_mut() {
        sum = sum.saturating_add(of(entry));
        if sum > max {
            break;
        }
    }
    sum
}

/// Bytes that the host holds for the tasks, streams and futures in `table`.
pub fn held_concurrently(table: &mut ResourceTable) -> usize {
    table.iter_mut().count().saturating_mul(CONCURRENT)
}

fn of(entry: &(dyn Any + Send)) -> usize {
    if let Some(fields) = entry.downcast_ref::<FieldMap>() {
        headers(fields)
    } else if let Some(request) = entry.downcast_ref::<p2::types::HostOutgoingRequest>() {
        SENT + headers(&request.headers) + text(request.path_with_query.as_ref()) + text(request.authority.as_ref())
    } else if let Some(response) = entry.downcast_ref::<p2::types::HostOutgoingResponse>() {
        SENT + headers(&response.headers)
    } else if let Some(request) = entry.downcast_ref::<p3::Request>() {
        SENT + headers(&request.headers) + request.path_with_query.as_ref().map_or(0, |path| path.as_str().len())
    } else if let Some(response) = entry.downcast_ref::<p3::Response>() {
        SENT + headers(&response.headers)
    } else if let Some(response) = entry.downcast_ref::<p2::types::HostIncomingResponse>() {
        RECEIVED + headers(&response.headers)
    } else if entry.is::<p2::types::HostFutureIncomingResponse>()
        || entry.is::<p2::body::HostIncomingBody>()
        || entry.is::<p2::body::HostFutureTrailers>()
    {
        RECEIVED
    } else if entry.is::<DynInputStream>() || entry.is::<DynOutputStream>() {
        STREAM
    } else if entry.is::<ReaddirIterator>() {
        LISTING
    } else {
        ENTRY
    }
}

fn headers(fields: &FieldMap) -> usize {
    let each = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        HEADER + name.as_str().len() + value.len()
    };
    ENTRY + fields.iter().map(each).sum::<usize>()
}

fn text(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}
