//! Content negotiation: HTML or JSON, the format of metrics, and gzip.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING};

/// Whether `Accept` prefers HTML to JSON. A tie goes to JSON.
///
/// Source: RFC 9110, section 12.5.1.
pub fn prefers_html(headers: &HeaderMap) -> bool {
    let ranges = ranges(headers);
    quality(&ranges, "text", "html") > quality(&ranges, "application", "json")
}

/// Whether `Accept` names `OpenMetrics` and ranks it no lower than Prometheus' own text format. `*/*` gets the latter, which
/// is easier to read.
pub fn prefers_open_metrics(headers: &HeaderMap) -> bool {
    let ranges = ranges(headers);
    let named: Vec<_> = ranges.iter().copied().filter(|(kind, subtype, _)| (*kind, *subtype) != ("*", "*")).collect();
    let wanted = quality(&named, "application", "openmetrics-text");
    wanted > 0.0 && wanted >= quality(&ranges, "text", "plain")
}

/// Whether `Accept-Encoding` allows gzip.
///
/// Source: RFC 9110, section 12.5.3.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let codings = values.flat_map(|value| value.split(',')).filter_map(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        Some((parts.next()?, parts.find_map(weight).map_or(Some(1.0), |weight| weight.parse().ok())?))
    });
    let codings: Vec<(&str, f32)> = codings.collect();
    let named = |name: &str| codings.iter().find(|(coding, _)| coding.eq_ignore_ascii_case(name));
    named("gzip").or_else(|| named("x-gzip")).or_else(|| named("*")).is_some_and(|(_, weight)| *weight > 0.0)
}

fn ranges(headers: &HeaderMap) -> Vec<(&str, &str, f32)> {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accept.flat_map(|value| value.split(',')).filter_map(range).collect()
}

fn weight(parameter: &str) -> Option<&str> {
    parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))
}

/// The type, subtype and quality of one media range.
fn range(text: &str) -> Option<(&str, &str, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    Some((kind, subtype, parts.find_map(weight).map_or(Some(1.0), |quality| quality.parse().ok())?))
}

/// The quality that the most specific range gives a media type.
fn quality(ranges: &[(&str, &str, f32)], kind: &str, subtype: &str) -> f32 {
    let specificity = |range: &(&str, &str, f32)| match *range {
        (k, s, _) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => Some(3),
        (k, "*", _) if k.eq_ignore_ascii_case(kind) => Some(2),
        ("*", "*", _) => Some(1),
        _ => None,
    };
    let best = ranges.iter().filter_map(|range| Some((specificity(range)?, range.2))).max_by_key(|(rank, _)| *rank);
    best.map_or(0.0, |(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn browsers_get_html_and_programs_json() {
        let prefers = |accept| prefers_html(&with(ACCEPT, accept));
        assert!(prefers("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(prefers("application/json;q=0.5, text/html"));
        assert!(prefers("text/*"));
        for program in ["*/*", "application/json", "text/html, application/json", "text/html;q=0", "nonsense", ""] {
            assert!(!prefers(program), "{program}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn prometheus_gets_open_metrics_and_people_do_not() {
        let prefers = |accept| prefers_open_metrics(&with(ACCEPT, accept));
        assert!(prefers(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        ));
        assert!(prefers("application/openmetrics-text"));
        for other in ["*/*", "text/plain", "", "application/openmetrics-text;q=0"] {
            assert!(!prefers(other), "{other}");
        }
        assert!(!prefers("application/openmetrics-text;q=0.4,text/plain"));
    }

    #[test]
    fn gzip_is_for_clients_that_accept_it() {
        let accepts = |coding: &&'static str| accepts_gzip(&with(ACCEPT_ENCODING, coding));
        assert!(["gzip", "deflate, gzip;q=0.5", "*", "X-GZIP"].iter().all(accepts));
        assert!(!["", "identity", "gzip;q=0", "gzip;q=0, *", "br"].iter().any(accepts));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
