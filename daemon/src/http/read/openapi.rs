//! `GET /openapi.json`: the description of this API, for programs.

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::Value;

use crate::http::Response;
use crate::http::answer::{JSON, answer};

/// With the version of this program.
static VERSIONED: LazyLock<Bytes> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(nebula_api::openapi::JSON).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document.to_string().into()
});

pub fn openapi() -> Response {
    answer(StatusCode::OK, JSON, VERSIONED.clone())
}
