//! Answers every request with a greeting, as a service of WASI 0.3: its handler is an async
//! function, and the runtime may let one instance answer several requests at a time.

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

const GREETING: &[u8] = b"Hello, World!\n";

struct Hello;

wasip3::http::service::export!(Hello);

impl Guest for Hello {
    async fn handle(_: Request) -> Result<Response, ErrorCode> {
        let fields = Fields::new();
        // A length saves the answer from being sent in chunks.
        let length = GREETING.len().to_string();
        for (name, value) in [("content-type", "text/plain"), ("content-length", length.as_str())] {
            fields.append(name, value.as_bytes()).expect("these fields are allowed");
        }
        let (mut body, contents) = wit_stream::new();
        // The writer is dropped at once, and the reader then gets the default: no trailers.
        let (_, trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(fields, Some(contents), trailers);
        // The body is read only after the response was returned.
        wit_bindgen::spawn_local(async move {
            // Where the caller has gone away, nobody is left to tell.
            let _ = body.write_all(GREETING.to_vec()).await;
        });
        Ok(response)
    }
}
