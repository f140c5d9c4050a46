//! `GET /metrics`: in the format that the scraper prefers, compressed if it accepts that.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, HeaderValue, VARY};

use crate::http::answer::answer;
use crate::http::answer::exposure::Exposure;
use crate::http::answer::problem::Problem;
use crate::http::request::negotiate::{accepts_gzip, prefers_open_metrics};
use crate::http::{Request, Response};
use crate::telemetry::{Metrics, MetricsFormat};

/// With a thousand functions these are megabytes, so they are written on a thread that may block.
pub async fn metrics(metrics: &Arc<Metrics>, request: &Request, exposure: Exposure) -> Result<Response, Problem> {
    exposure.check_totals()?;
    let headers = request.headers();
    let format = if prefers_open_metrics(headers) { MetricsFormat::OpenMetrics } else { MetricsFormat::Prometheus };
    let compressed = accepts_gzip(headers);
    let metrics = metrics.clone();
    let rendering = tokio::task::spawn_blocking(move || {
        if compressed { metrics.render_compressed(format) } else { metrics.render(format) }
    });
    let unhealthy = |error: &dyn ToString| Problem::Unhealthy(error.to_string());
    let text = rendering.await.map_err(|error| unhealthy(&error))?.map_err(|error| unhealthy(&error))?;
    let mut response = answer(StatusCode::OK, HeaderValue::from_static(format.media_type()), text);
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if compressed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
