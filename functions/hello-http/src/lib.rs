//! Answers every request with a greeting. This is the `wasi:http` component that the benchmarks
//! call: whatever it does beyond one write would be measured with it.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

const GREETING: &[u8] = b"Hello, World!\n";

struct Hello;

wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(_: IncomingRequest, out: ResponseOutparam) {
        let fields = Fields::new();
        // A length saves the answer from being sent in chunks.
        let length = GREETING.len().to_string();
        for (name, value) in [("content-type", "text/plain"), ("content-length", length.as_str())] {
            fields.append(name, value.as_bytes()).expect("these fields are allowed");
        }
        let response = OutgoingResponse::new(fields);
        let body = response.body().expect("nobody has taken the body yet");
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("nobody has taken the stream yet");
        let sent = stream.blocking_write_and_flush(GREETING);
        drop(stream);
        // Where the caller has gone away, nobody is left to tell.
        if sent.is_ok() {
            let _ = OutgoingBody::finish(body, None);
        }
    }
}
