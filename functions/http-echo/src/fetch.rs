//! Asks another server, and passes its answer on.

use std::io;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{ErrorCode, Fields, IncomingResponse, OutgoingRequest, ResponseOutparam, Scheme};

use crate::response;
use crate::url::Url;

/// Answers with status, content type, body and trailers of what `url` gives; with 400 where it is
/// no URL, 403 where the host allows no such request, and 502 where the server gives nothing.
pub fn answer(url: &str, out: ResponseOutparam) -> io::Result<()> {
    let Some(parsed) = Url::parse(url) else {
        return response::text(out, 400, "expected `?url=` with an http or https URL\n");
    };
    let response = match fetch(&parsed) {
        Ok(response) => response,
        Err(cause) => {
            let status = if matches!(cause, ErrorCode::HttpRequestDenied) { 403 } else { 502 };
            return response::text(out, status, &format!("cannot fetch it: {cause}\n"));
        }
    };
    let fields = Fields::new();
    for name in ["content-type", "trailer"] {
        for value in response.headers().get(name) {
            let _ = fields.append(name, &value);
        }
    }
    let body = response.consume().map_err(|()| io::Error::other("the body was taken before"))?;
    response::begin(out, response.status(), fields)?.copy(body, |_, _| ())
}

fn fetch(url: &Url<'_>) -> Result<IncomingResponse, ErrorCode> {
    let request = OutgoingRequest::new(Fields::new());
    let scheme = if url.secure { Scheme::Https } else { Scheme::Http };
    let refused = |()| ErrorCode::HttpRequestUriInvalid;
    request.set_scheme(Some(&scheme)).map_err(refused)?;
    request.set_authority(Some(url.authority)).map_err(refused)?;
    request.set_path_with_query(Some(&url.path)).map_err(refused)?;
    let response = outgoing_handler::handle(request, None)?;
    response.subscribe().block();
    let response = response.get().expect("it is ready");
    response.expect("nobody has taken it yet")
}
