//! The options of metrics, logs, traces and events.

use std::path::PathBuf;
use std::str::FromStr;

use tracing::level_filters::LevelFilter;

use super::access_log::{AccessFormat, AccessLogSettings, AccessTarget};
use super::events::EventBounds;
use super::logging::{LogFormat, LogLevel};
use super::traces::{Ratio, TraceSettings};
use crate::settings::{Checker, Setting, defaulted, one_of, optional};

pub const OPTIONS: &[Setting] = &[
    defaulted(
        "metrics.functions",
        "COUNT",
        "1000",
        "Give this many functions a label of their own in /metrics; the rest share `other`",
    ),
    defaulted(
        "meter.recent",
        "COUNT",
        "16384",
        "Remember this many ended calls for /invocations, at up to 500 bytes each",
    ),
    defaulted("events.queue", "COUNT", "256", "Drop a client of /events that falls this many events behind"),
    defaulted("events.clients", "COUNT", "64", "Clients of /events at once"),
    defaulted("log.format", "FORMAT", "text", "Write log lines as `text` or `json`"),
    defaulted(
        "log.level",
        "LEVEL",
        "info",
        "Write log lines of this level and above: error, warn, info, debug, trace or off",
    ),
    defaulted(
        "log.access",
        "WHERE",
        "off",
        "Log every answer to `stderr` or a file, which is reopened at SIGHUP; `off` logs none",
    ),
    defaulted(
        "log.access-format",
        "FORMAT",
        "combined",
        "Format of the access log: `combined` (Apache's, extended) or `json`",
    ),
    optional(
        "traces.otlp",
        "URL",
        "Send traces of calls to this collector by OTLP over HTTP, such as http://127.0.0.1:4318, or `off`; by default to \
         OTEL_EXPORTER_OTLP_ENDPOINT, if that is set",
    ),
    defaulted("traces.sample", "RATIO", "1", "Record this part of the traces that begin here, from 0 to 1"),
    defaulted("traces.queue", "COUNT", "2048", "Calls whose traces wait to be exported"),
];

/// The variables that OpenTelemetry's own libraries read their endpoint from, the more specific one first.
///
/// Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter".
const ENDPOINT_OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Where traces go below an endpoint for everything. Source: OTLP specification, "OTLP/HTTP Request".
const PATH_OF_TRACES: &str = "/v1/traces";

#[derive(Clone, Debug)]
pub struct Settings {
    /// Functions with labels of their own in metrics.
    pub labels_max: usize,
    /// Ended calls that are remembered.
    pub calls_recent: usize,
    pub events: EventBounds,
    pub log_format: LogFormat,
    pub log_level: LogLevel,
    pub access_log: Option<AccessLogSettings>,
    pub traces: Option<TraceSettings>,
}

impl Settings {
    pub fn check(check: &mut Checker<'_>) -> Self {
        let target = check.parse("log.access", target);
        let formats = [("combined", AccessFormat::Combined), ("json", AccessFormat::Json)];
        let format = check.parse("log.access-format", one_of(&formats));
        let endpoint = check.optional("traces.otlp", endpoint);
        let endpoint = endpoint.unwrap_or_else(|| endpoint_of(|name| std::env::var(name).ok()));
        let ratio = check.parse("traces.sample", ratio);
        let queue = check.number("traces.queue", 1..=1 << 20);
        Self {
            labels_max: check.number("metrics.functions", 0..=100_000),
            calls_recent: check.number("meter.recent", 0..=1 << 20),
            events: EventBounds {
                queue: check.number("events.queue", 1..=1 << 20),
                clients: check.number("events.clients", 0..=100_000),
            },
            log_format: check.parse("log.format", one_of(&[("text", LogFormat::Text), ("json", LogFormat::Json)])),
            log_level: check.parse("log.level", level),
            access_log: target.map(|target| AccessLogSettings { target, format }),
            traces: endpoint.map(|endpoint| TraceSettings { endpoint, ratio, queue }),
        }
    }
}

#[cfg(test)]
impl Default for Settings {
    fn default() -> Self {
        crate::settings::checked(OPTIONS, &[], Self::check).expect("the defaults are valid")
    }
}

fn level(text: &str) -> Result<LogLevel, String> {
    let level = LevelFilter::from_str(text).map(LogLevel);
    level.map_err(|_| "it must be one of error, warn, info, debug, trace, off".into())
}

/// `off`, or the base below which a collector takes traces.
fn endpoint(text: &str) -> Result<Option<String>, String> {
    if text == "off" {
        return Ok(None);
    }
    let wrong = || "it must be `off` or the address of a collector, such as http://127.0.0.1:4318".to_owned();
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
        "" => Err("it must be `off`, `stderr` or a file".into()),
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
    fn the_variable_for_traces_wins_over_the_general_one() {
        let variables = |pairs: &'static [(&str, &str)]| {
            endpoint_of(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(variables(&[]), None);
        assert_eq!(variables(&[(ENDPOINT, "http://c:4318")]).unwrap(), "http://c:4318/v1/traces");
        assert_eq!(variables(&[(ENDPOINT, "http://c"), (ENDPOINT_OF_TRACES, "http://d/x")]).unwrap(), "http://d/x");
        assert_eq!(variables(&[(ENDPOINT, ""), (ENDPOINT_OF_TRACES, "")]), None);
    }

    #[test]
    fn a_ratio_is_from_0_to_1() {
        assert_eq!(
            (ratio("0.5"), ratio("1"), ratio("0")),
            (Ok(Ratio::new(0.5).unwrap()), Ok(Ratio::new(1.0).unwrap()), Ok(Ratio::new(0.0).unwrap()))
        );
        for bad in ["", "half", "1.01", "-1", "NaN", "inf"] {
            assert!(ratio(bad).is_err(), "{bad}");
        }
    }
}
