//! What is read of the daemon, and how its functions are changed.

pub mod events;
pub mod functions;
pub mod invocations;
pub mod ledger;
pub mod metrics;
pub mod quota;
pub mod upload;
pub mod usage;

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::Value;

use crate::http::Response;
use crate::http::answer::{JSON, answer};

/// The description of the API, with the version of this program.
static VERSIONED: LazyLock<Bytes> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(nebula_api::openapi::JSON).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document.to_string().into()
});

/// Answers `GET /openapi.json`.
pub fn openapi() -> Response {
    answer(StatusCode::OK, JSON, VERSIONED.clone())
}
