//! Metrics as text, in the format that the scraper asked for.

use std::fmt::{self, Write};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use uuid::Uuid;

use super::exemplars::{ByBucket, Exemplar};

/// Formats that scrapers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Prometheus,
    /// `OpenMetrics` 1.0: with exemplars.
    OpenMetrics,
}

impl Format {
    /// Its media type. Source: Prometheus, "Exposition formats"; `OpenMetrics` 1.0, "Content Type".
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes the families. `exemplars` knows those of a family's name and the value of its first label.
pub fn write(
    families: &[MetricFamily],
    format: Format,
    exemplars: impl Fn(&str, &str) -> Option<ByBucket>,
) -> prometheus::Result<Vec<u8>> {
    match format {
        Format::Prometheus => {
            let mut text = Vec::new();
            TextEncoder::new().encode(families, &mut text)?;
            Ok(text)
        }
        Format::OpenMetrics => {
            let mut text = String::new();
            let written = families.iter().try_for_each(|family| write_family(&mut text, family, &exemplars));
            written.map_err(|error| prometheus::Error::Msg(error.to_string()))?;
            text.push_str("# EOF\n");
            Ok(text.into_bytes())
        }
    }
}

/// The same in a tenth of the bytes.
///
/// # Errors
/// Never, as far as is known: it is written to memory.
pub fn compressed(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    io::Write::write_all(&mut encoder, text)?;
    encoder.finish()
}

fn write_family(
    text: &mut String,
    family: &MetricFamily,
    exemplars: &impl Fn(&str, &str) -> Option<ByBucket>,
) -> fmt::Result {
    let name = family.name();
    let kind = family.get_field_type();
    // A family of counters is called without the end of its samples' names.
    let (described, kind_name) = match kind {
        MetricType::COUNTER => (name.strip_suffix("_total").unwrap_or(name), "counter"),
        MetricType::HISTOGRAM => (name, "histogram"),
        _ => (name, "gauge"),
    };
    write!(text, "# HELP {described} ")?;
    write_escaped(text, family.help());
    writeln!(text, "\n# TYPE {described} {kind_name}")?;
    family.get_metric().iter().try_for_each(|metric| match kind {
        MetricType::COUNTER => write_sample(text, name, "", metric.get_label(), metric.get_counter().get_value()),
        MetricType::HISTOGRAM => {
            let first = metric.get_label().first().map_or("", LabelPair::value);
            write_histogram(text, name, metric, exemplars(name, first))
        }
        _ => write_sample(text, name, "", metric.get_label(), metric.get_gauge().get_value()),
    })
}

fn write_histogram(text: &mut String, name: &str, metric: &Metric, exemplars: Option<ByBucket>) -> fmt::Result {
    let histogram = metric.get_histogram();
    let labels = metric.get_label();
    let bounds = histogram.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    let infinite = (f64::INFINITY, histogram.get_sample_count());
    let mut exemplars = exemplars.into_iter().flatten();
    for (bound, count) in bounds.filter(|(bound, _)| bound.is_finite()).chain([infinite]) {
        write_series(text, name, "_bucket", labels, Some(bound))?;
        write!(text, " {count}")?;
        if let Some(Some(exemplar)) = exemplars.next() {
            write_exemplar(text, &exemplar)?;
        }
        text.push('\n');
    }
    write_sample(text, name, "_sum", labels, histogram.get_sample_sum())?;
    write_series(text, name, "_count", labels, None)?;
    writeln!(text, " {}", histogram.get_sample_count())
}

fn write_exemplar(text: &mut String, exemplar: &Exemplar) -> fmt::Result {
    let Exemplar { invocation, trace, joules, at } = *exemplar;
    write!(text, " # {{invocation_id=\"{}\"", Uuid::from_u128(invocation))?;
    if let Some(trace) = trace {
        write!(text, ",trace_id=\"{trace:032x}\"")?;
    }
    write!(text, "}} {joules} {:.3}", seconds(at))
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn write_sample(text: &mut String, name: &str, suffix: &str, labels: &[LabelPair], value: f64) -> fmt::Result {
    write_series(text, name, suffix, labels, None)?;
    writeln!(text, " {value}")
}

fn write_series(text: &mut String, name: &str, suffix: &str, labels: &[LabelPair], bound: Option<f64>) -> fmt::Result {
    text.push_str(name);
    text.push_str(suffix);
    let mut open = '{';
    for label in labels {
        text.push(open);
        text.push_str(label.name());
        text.push_str("=\"");
        write_escaped(text, label.value());
        text.push('"');
        open = ',';
    }
    match bound {
        Some(f64::INFINITY) => write!(text, "{open}le=\"+Inf\"}}"),
        // As `Prometheus` writes it, so that both formats have the same series.
        Some(bound) => write!(text, "{open}le=\"{bound}\"}}"),
        None => {
            if open == ',' {
                text.push('}');
            }
            Ok(())
        }
    }
}

fn write_escaped(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

    use super::*;

    fn families() -> Vec<MetricFamily> {
        let registry = Registry::new();
        let calls = IntCounterVec::new(Opts::new("calls_total", "Calls, \"as\nthey\" end."), &["function"]).unwrap();
        registry.register(Box::new(calls.clone())).unwrap();
        calls.with_label_values(&["a\\b\"c"]).inc_by(7);
        let options = HistogramOpts::new("joules", "Joules.").buckets(vec![0.5, 1.0]);
        let joules = HistogramVec::new(options, &["function"]).unwrap();
        registry.register(Box::new(joules.clone())).unwrap();
        joules.with_label_values(&["f"]).observe(0.25);
        joules.with_label_values(&["f"]).observe(2.0);
        registry.gather()
    }

    fn with_exemplar(family: &str, label: &str) -> Option<ByBucket> {
        let mut kept = ByBucket::default();
        let at = UNIX_EPOCH + Duration::from_millis(1_500);
        kept[0] = Some(Exemplar { invocation: 1, trace: Some(2), joules: 0.25, at });
        (family == "joules" && label == "f").then_some(kept)
    }

    #[test]
    fn open_metrics_has_exemplars_and_an_end() {
        let text = String::from_utf8(write(&families(), Format::OpenMetrics, with_exemplar).unwrap()).unwrap();
        let expected = concat!(
            "# HELP calls Calls, \\\"as\\nthey\\\" end.\n",
            "# TYPE calls counter\n",
            "calls_total{function=\"a\\\\b\\\"c\"} 7\n",
            "# HELP joules Joules.\n",
            "# TYPE joules histogram\n",
            "joules_bucket{function=\"f\",le=\"0.5\"} 1 # {invocation_id=\"00000000-0000-0000-0000-000000000001\",",
            "trace_id=\"00000000000000000000000000000002\"} 0.25 1.500\n",
            "joules_bucket{function=\"f\",le=\"1\"} 1\n",
            "joules_bucket{function=\"f\",le=\"+Inf\"} 2\n",
            "joules_sum{function=\"f\"} 2.25\n",
            "joules_count{function=\"f\"} 2\n",
            "# EOF\n",
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn both_formats_have_the_same_series() {
        let series = |format| {
            let text = String::from_utf8(write(&families(), format, |_, _| None).unwrap()).unwrap();
            let samples = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned);
            samples.collect::<Vec<_>>()
        };
        assert_eq!(series(Format::Prometheus), series(Format::OpenMetrics));
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let text = "nebula_functions 22\n".repeat(100);
        let small = compressed(text.as_bytes()).unwrap();
        let mut back = String::new();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*small), &mut back).unwrap();
        assert!(back == text && small.len() * 10 < text.len());
    }
}
