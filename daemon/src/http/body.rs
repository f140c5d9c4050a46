//! Reads a request's body, within its bounds.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};

use super::problem::Problem;

/// Reads all of `body`.
///
/// # Errors
/// When it has more than `bytes_max` bytes, takes longer than `time_max`, or breaks off.
pub async fn read(body: Incoming, bytes_max: usize, time_max: Duration) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Problem::BodyTooLarge { bytes_max });
    }
    match tokio::time::timeout(time_max, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::BodyTooLarge { bytes_max }),
        Ok(Err(error)) => Err(Problem::BadRequest(format!("the body broke off: {error}"))),
        Err(_) => Err(Problem::BodyTooSlow { time_max }),
    }
}
