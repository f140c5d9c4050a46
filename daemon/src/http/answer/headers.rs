//! Header names that the daemon sets. Whoever sets, announces or exposes one takes it from here.

use std::sync::LazyLock;

use hyper::header::{ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};

pub const ENERGY_JOULES: HeaderName = HeaderName::from_static("nebula-energy-joules");
pub const ENERGY_SOURCE: HeaderName = HeaderName::from_static("nebula-energy-source");
pub const ENERGY_STATE: HeaderName = HeaderName::from_static("nebula-energy-state");
pub const CARBON_GRAMS: HeaderName = HeaderName::from_static("nebula-carbon-grams");
pub const INVOCATION_ID: HeaderName = HeaderName::from_static("nebula-invocation-id");
pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// For [`CROSS_ORIGIN_OPENER_POLICY`]: documents without it that open the page, or are opened by it, have no access to its window.
pub const SAME_ORIGIN_OPENERS: HeaderValue = HeaderValue::from_static("same-origin");
pub const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Headers about a call.
const OF_CALLS: [HeaderName; 6] =
    [ENERGY_JOULES, ENERGY_SOURCE, ENERGY_STATE, CARBON_GRAMS, INVOCATION_ID, SERVER_TIMING];

/// Other headers that scripts have a use for, and that browsers hide from pages of other origins.
const OTHERS: [HeaderName; 6] = [ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE, REQUEST_ID, TRACEPARENT];

/// What `access-control-expose-headers` lists. Source: WHATWG Fetch, "CORS-safelisted response-header name".
pub static EXPOSED: LazyLock<HeaderValue> = LazyLock::new(|| list(OF_CALLS.iter().chain(&OTHERS)));

/// The headers that follow the body of a call which had not ended when its answer began.
pub static TRAILERS: LazyLock<HeaderValue> = LazyLock::new(|| list(&[ENERGY_JOULES, CARBON_GRAMS, SERVER_TIMING]));

fn list<'a>(names: impl IntoIterator<Item = &'a HeaderName>) -> HeaderValue {
    let names: Vec<_> = names.into_iter().map(HeaderName::as_str).collect();
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}
