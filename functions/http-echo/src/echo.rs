//! Sends a request back to where it came from.

use std::io;

use wasip2::http::types::{Fields, IncomingRequest, Method, ResponseOutparam};

use crate::response;

/// The trailer that tells how many bytes the body had.
const LENGTH: &str = "echo-length";

/// Answers with the method and the path in fields of their own, with the content type and all
/// fields that begin with `x-` as they came, with the body, and after it with the trailers that
/// came and one that tells its length.
pub fn answer(request: &IncomingRequest, path: &str, out: ResponseOutparam) -> io::Result<()> {
    let fields = Fields::new();
    let method = request.method();
    // What a host lets in it may still not let out; the rest goes back all the same.
    let _ = fields.append("echo-method", name(&method).as_bytes());
    let _ = fields.append("echo-path", path.as_bytes());
    // HTTP/1.1 sends only the trailers that were announced.
    let _ = fields.append("trailer", LENGTH.as_bytes());
    for (name, value) in request.headers().entries() {
        if name == "content-type" || name == "trailer" || name.starts_with("x-") {
            let _ = fields.append(&name, &value);
        }
    }
    let body = request.consume().map_err(|()| io::Error::other("the body was taken before"))?;
    response::begin(out, 200, fields)?.copy(body, |trailers, length| {
        let _ = trailers.append(LENGTH, length.to_string().as_bytes());
    })
}

fn name(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    }
}
