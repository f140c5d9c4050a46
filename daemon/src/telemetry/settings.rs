//! The options of metrics, logs, traces and events.

use std::path::PathBuf;
use std::str::FromStr;

use tracing::level_filters::LevelFilter;

use super::access_log::{AccessFormat, AccessLogSettings, AccessTarget};
use super::events::EventBounds;
use super::logging::{LogFormat, LogLevel};
use super::traces::{Ratio, TraceSettings};
use crate::settings::{number_in, one_of, options};

options! {
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// Give this many functions a label of their own in /metrics; the rest share `other`
        labels_max: usize => "metrics.functions", COUNT = "1000", number_in(0..=100_000);
        /// Remember this many ended calls for /invocations, at up to 550 bytes each
        calls_recent: usize => "meter.recent", COUNT = "16384", number_in(0..=1 << 20);
        /// Write log lines as `text` or `json`
        log_format: LogFormat => "log.format", FORMAT = "text",
            one_of(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);
        /// Write log lines of this level and above: error, warn, info, debug, trace or off
        log_level: LogLevel => "log.level", LEVEL = "info", level;
        /// Log every answer to `stderr` or a file, which is reopened at SIGHUP; `off` logs none
        access_target: Option<AccessTarget> => "log.access", WHERE = "off", target;
        /// Format of the access log: `combined` (Apache's, extended) or `json`
        access_format: AccessFormat => "log.access-format", FORMAT = "combined",
            one_of(&[("combined", AccessFormat::Combined), ("json", AccessFormat::Json)]);
        /// Send traces of calls to this collector by OTLP over HTTP, such as http://127.0.0.1:4318, or `off`; by default to
        /// OTEL_EXPORTER_OTLP_ENDPOINT, if that is set
        trace_endpoint: Option<String> => "traces.otlp", URL, endpoint, or endpoint_of(|name| std::env::var(name).ok());
        /// Record this part of the traces that begin here, from 0 to 1
        trace_ratio: Ratio => "traces.sample", RATIO = "1", ratio;
        /// Calls whose traces wait to be exported
        trace_queue: usize => "traces.queue", COUNT = "2048", number_in(1..=1 << 20);
        ..events: EventBounds;
    }
}

impl Settings {
    /// The access log, if one is to be written.
    pub fn access_log(&self) -> Option<AccessLogSettings> {
        Some(AccessLogSettings { target: self.access_target.clone()?, format: self.access_format })
    }

    /// Where traces go, if anywhere.
    pub fn traces(&self) -> Option<TraceSettings> {
        let endpoint = self.trace_endpoint.clone()?;
        Some(TraceSettings { endpoint, ratio: self.trace_ratio, queue: self.trace_queue })
    }
}

/// The variables that OpenTelemetry's own libraries read their endpoint from, the more specific one first.
///
/// Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter".
const ENDPOINT_OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Where traces go below an endpoint for everything. Source: OTLP specification, "OTLP/HTTP Request".
const PATH_OF_TRACES: &str = "/v1/traces";

#[cfg(test)]
impl Default for Settings {
    fn default() -> Self {
        crate::settings::checked(Self::options(), &[], Self::read).expect("the defaults are valid")
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
