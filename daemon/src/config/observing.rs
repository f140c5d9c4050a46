//! Who else is told of requests and calls: collectors of traces, an access log, those who listen to events.

use std::path::PathBuf;

use super::{Checker, one_of};
use crate::telemetry::{AccessFormat, AccessTarget, EventBounds, Ratio};

/// The variables by which OpenTelemetry's own libraries are told where to export to, the more special one first.
///
/// Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter".
const ENDPOINT_OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Where traces go below an endpoint for everything. Source: OTLP specification, "OTLP/HTTP Request".
const PATH_OF_TRACES: &str = "/v1/traces";

/// Who else is told of requests and calls.
#[derive(Clone, Debug)]
pub struct Observing {
    /// Where traces go, as a whole URL; `None` for nowhere.
    pub traces: Option<String>,
    /// How many of the traces that begin here are recorded.
    pub ratio: Ratio,
    /// Calls that wait for the export of their spans.
    pub trace_queue: usize,
    /// Where requests are logged; `None` for nowhere.
    pub access: Option<AccessTarget>,
    /// How.
    pub access_format: AccessFormat,
    /// How many may listen to events, and how far behind they may be.
    pub events: EventBounds,
}

impl Observing {
    pub(super) fn check(check: &mut Checker<'_>) -> Self {
        let formats = [("combined", AccessFormat::Combined), ("json", AccessFormat::Json)];
        let given = check.optional("traces.otlp", endpoint);
        Self {
            traces: given.unwrap_or_else(|| endpoint_of(|name| std::env::var(name).ok())),
            ratio: check.parse("traces.sample", ratio),
            trace_queue: check.number("traces.queue", 1..=1 << 20),
            access: check.parse("log.access", target),
            access_format: check.parse("log.access-format", one_of(&formats)),
            events: EventBounds {
                queue: check.number("events.queue", 1..=1 << 20),
                clients: check.number("events.clients", 0..=100_000),
            },
        }
    }
}

/// `off`, or the base below which a collector takes traces.
fn endpoint(text: &str) -> Result<Option<String>, String> {
    if text == "off" {
        return Ok(None);
    }
    let wrong = || "it is `off` or the address of a collector, such as http://127.0.0.1:4318".to_owned();
    let uri: hyper::Uri = text.parse().map_err(|_| wrong())?;
    let good = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty());
    if !good || uri.query().is_some() {
        return Err(wrong());
    }
    let base = text.trim_end_matches('/');
    Ok(Some(if base.ends_with(PATH_OF_TRACES) { base.to_owned() } else { format!("{base}{PATH_OF_TRACES}") }))
}

/// What the variables of OpenTelemetry say where no option does.
fn endpoint_of(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    set(ENDPOINT_OF_TRACES).or_else(|| endpoint(&set(ENDPOINT)?).ok().flatten())
}

fn ratio(text: &str) -> Result<Ratio, String> {
    let ratio = text.trim().parse().ok().and_then(Ratio::new);
    ratio.ok_or_else(|| "it must be a number from 0 to 1, such as 0.01".into())
}

fn target(text: &str) -> Result<Option<AccessTarget>, String> {
    match text {
        "" => Err("it is `off`, `stderr` or a file".into()),
        "off" => Ok(None),
        "stderr" => Ok(Some(AccessTarget::Stderr)),
        file => Ok(Some(AccessTarget::File(PathBuf::from(file)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_base_or_the_whole_address() {
        let whole = Ok(Some("http://c:4318/v1/traces".to_owned()));
        for text in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
            assert_eq!(endpoint(text), whole, "{text}");
        }
        assert_eq!(endpoint("https://c/otlp").unwrap().unwrap(), "https://c/otlp/v1/traces");
        assert_eq!(endpoint("off"), Ok(None));
        for bad in ["", "c:4318", "/v1/traces", "grpc://c:4317", "http://", "http://c/?key=1"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_variable_for_traces_goes_before_the_one_for_everything() {
        let variables = |pairs: &'static [(&str, &str)]| {
            endpoint_of(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(variables(&[]), None);
        assert_eq!(variables(&[(ENDPOINT, "http://c:4318")]).unwrap(), "http://c:4318/v1/traces");
        assert_eq!(variables(&[(ENDPOINT, "http://c"), (ENDPOINT_OF_TRACES, "http://d/x")]).unwrap(), "http://d/x");
        assert_eq!(variables(&[(ENDPOINT, ""), (ENDPOINT_OF_TRACES, "")]), None);
    }

    #[test]
    fn a_ratio_is_from_none_to_all() {
        assert_eq!(
            (ratio("0.5"), ratio("1"), ratio("0")),
            (Ok(Ratio::new(0.5).unwrap()), Ok(Ratio::new(1.0).unwrap()), Ok(Ratio::new(0.0).unwrap()))
        );
        for bad in ["", "half", "1.01", "-1", "NaN", "inf"] {
            assert!(ratio(bad).is_err(), "{bad}");
        }
    }
}
