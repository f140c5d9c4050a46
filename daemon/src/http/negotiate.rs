//! Whether a client would rather have HTML than JSON.

use hyper::HeaderMap;
use hyper::header::ACCEPT;

/// Whether `Accept` prefers HTML. JSON where both are equally welcome.
///
/// Source: RFC 9110, section 12.5.1.
pub fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<_> = accept.flat_map(|value| value.split(',')).filter_map(range).collect();
    quality(&ranges, "text", "html") > quality(&ranges, "application", "json")
}

/// The type, subtype and quality of one media range.
fn range(text: &str) -> Option<(&str, &str, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let quality = parts.find_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")));
    Some((kind, subtype, quality.map_or(Some(1.0), |quality| quality.parse().ok())?))
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
    use super::*;

    fn prefers(accept: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        prefers_html(&headers)
    }

    #[test]
    fn browsers_get_html_and_programs_json() {
        assert!(prefers("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(prefers("application/json;q=0.5, text/html"));
        assert!(prefers("text/*"));
        for program in ["*/*", "application/json", "text/html, application/json", "text/html;q=0", "nonsense", ""] {
            assert!(!prefers(program), "{program}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }
}
