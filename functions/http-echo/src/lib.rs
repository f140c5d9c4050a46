//! A `wasi:http` component that streams both ways: what a request brings goes back as it comes,
//! whatever its length. With `?url=URL` it is the answer of that server which goes back.

mod echo;
mod fetch;
mod response;
mod url;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Echo;

wasip2::http::proxy::export!(Echo);

impl Guest for Echo {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        // A body that cannot be sent to its end is left unfinished, by which the caller sees that it is not whole.
        let _ = match url::parameter(&path, "url") {
            Some(url) => fetch::answer(&url, out),
            None => echo::answer(&request, &path, out),
        };
    }
}
