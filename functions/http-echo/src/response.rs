//! The response: its head first, then a body that is copied as it comes.

use std::io::{self, Write};

use wasip2::http::types::{Fields, IncomingBody, OutgoingBody, OutgoingResponse, ResponseOutparam, Trailers};
use wasip2::io::streams::OutputStream;

/// A response whose head was sent. Dropped, it ends as one that is not whole.
pub struct Response {
    // The host wants the stream dropped before the body that it belongs to.
    stream: OutputStream,
    body: OutgoingBody,
}

/// Sends the head.
pub fn begin(out: ResponseOutparam, status: u16, fields: Fields) -> io::Result<Response> {
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).map_err(|()| io::Error::other("no such status"))?;
    let body = response.body().map_err(|()| io::Error::other("the body was taken before"))?;
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().map_err(|()| io::Error::other("the stream was taken before"))?;
    Ok(Response { stream, body })
}

/// Sends a whole response of plain text.
pub fn text(out: ResponseOutparam, status: u16, text: &str) -> io::Result<()> {
    let fields = Fields::new();
    let _ = fields.append("content-type", b"text/plain; charset=utf-8");
    let mut response = begin(out, status, fields)?;
    response.stream.write_all(text.as_bytes())?;
    response.finish(None)
}

impl Response {
    /// Sends what `source` brings, as it comes, and ends with its trailers and those that `more`
    /// adds, which is told the length in bytes.
    pub fn copy(mut self, source: IncomingBody, more: impl FnOnce(&Trailers, u64)) -> io::Result<()> {
        let mut stream = source.stream().map_err(|()| io::Error::other("the stream was taken before"))?;
        let length = io::copy(&mut stream, &mut self.stream)?;
        drop(stream);
        let trailers = trailers(source)?;
        more(&trailers, length);
        self.finish(Some(trailers))
    }

    fn finish(self, trailers: Option<Trailers>) -> io::Result<()> {
        let Self { stream, body } = self;
        stream.blocking_flush().map_err(io::Error::other)?;
        drop(stream);
        OutgoingBody::finish(body, trailers).map_err(io::Error::other)
    }
}

/// The trailers after a body that was read to its end; a copy, for those that came cannot be added to.
fn trailers(body: IncomingBody) -> io::Result<Trailers> {
    let trailers = IncomingBody::finish(body);
    trailers.subscribe().block();
    let came = trailers.get().expect("they are ready").expect("nobody has taken them yet");
    Ok(came.map_err(io::Error::other)?.map_or_else(Fields::new, |trailers| Fields::clone(&trailers)))
}
