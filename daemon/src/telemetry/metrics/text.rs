//! Metrics as text, in the format that the scraper asked for.

use std::fmt::{self, Write};
use std::io;
use std::time::UNIX_EPOCH;

use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus::proto::{Bucket, Histogram, LabelPair, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use uuid::Uuid;

use super::exemplars::{ByBucket, Exemplar};

/// Bytes that the metrics of a hundred functions fit into.
const TEXT_TYPICAL: usize = 512 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsFormat {
    /// Prometheus' text format 0.0.4.
    Prometheus,
    /// `OpenMetrics` 1.0: with exemplars.
    OpenMetrics,
}

impl MetricsFormat {
    /// Source: Prometheus, "Exposition formats"; `OpenMetrics` 1.0, "Content Type".
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes the families. `exemplars` finds exemplars by the name of a family and the value of its first label.
pub fn write(
    families: &[MetricFamily],
    format: MetricsFormat,
    exemplars: impl Fn(&str, &str) -> Option<ByBucket>,
) -> prometheus::Result<Vec<u8>> {
    match format {
        MetricsFormat::Prometheus => {
            let mut text = Vec::new();
            TextEncoder::new().encode(families, &mut text)?;
            Ok(text)
        }
        MetricsFormat::OpenMetrics => {
            let mut text = String::with_capacity(TEXT_TYPICAL);
            let written = families.iter().try_for_each(|family| write_family(&mut text, family, &exemplars));
            written.map_err(|error| prometheus::Error::Msg(error.to_string()))?;
            text.push_str("# EOF\n");
            Ok(text.into_bytes())
        }
    }
}

/// Compresses the text to about a tenth.
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
    // The family of a counter has the name of its samples without their suffix.
    let (described, kind_name) = match kind {
        MetricType::COUNTER => (name.strip_suffix("_total").unwrap_or(name), "counter"),
        MetricType::HISTOGRAM => (name, "histogram"),
        _ => (name, "gauge"),
    };
    write!(text, "# HELP {described} ")?;
    write_escaped(text, family.help());
    writeln!(text, "\n# TYPE {described} {kind_name}")?;
    let mut labels = String::new();
    // The same for all of a family, and slower to format than to copy.
    let mut bounds = Vec::new();
    for metric in family.get_metric() {
        labels.clear();
        write_labels(&mut labels, metric.get_label());
        match kind {
            MetricType::COUNTER => write_sample(text, [name, ""], &labels, metric.get_counter().get_value())?,
            MetricType::HISTOGRAM => {
                let histogram = metric.get_histogram();
                if bounds.is_empty() {
                    bounds = histogram.get_bucket().iter().map(|bucket| bucket.upper_bound().to_string()).collect();
                }
                let first = metric.get_label().first().map_or("", LabelPair::value);
                write_histogram(text, name, &labels, &bounds, histogram, exemplars(name, first).as_ref())?;
            }
            _ => write_sample(text, [name, ""], &labels, metric.get_gauge().get_value())?,
        }
    }
    Ok(())
}

fn write_histogram(
    text: &mut String,
    name: &str,
    labels: &str,
    bounds: &[String],
    histogram: &Histogram,
    exemplars: Option<&ByBucket>,
) -> fmt::Result {
    let buckets = bounds.iter().map(String::as_str).zip(histogram.get_bucket().iter().map(Bucket::cumulative_count));
    let all = histogram.get_sample_count();
    let mut exemplars = exemplars.into_iter().flatten();
    for (bound, count) in buckets.chain([("+Inf", all)]) {
        push(text, &[name, "_bucket{", labels]);
        push(text, &[if labels.is_empty() { "le=\"" } else { ",le=\"" }, bound, "\"} "]);
        write!(text, "{count}")?;
        if let Some(Some(exemplar)) = exemplars.next() {
            write_exemplar(text, exemplar)?;
        }
        text.push('\n');
    }
    write_sample(text, [name, "_sum"], labels, histogram.get_sample_sum())?;
    write_series(text, [name, "_count"], labels);
    writeln!(text, " {all}")
}

fn write_exemplar(text: &mut String, exemplar: &Exemplar) -> fmt::Result {
    let Exemplar { invocation, trace, joules, at } = *exemplar;
    write!(text, " # {{invocation_id=\"{}\"", Uuid::from_u128(invocation))?;
    if let Some(trace) = trace {
        write!(text, ",trace_id=\"{trace:032x}\"")?;
    }
    let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    write!(text, "}} {joules} {}.{:03}", at.as_secs(), at.subsec_millis())
}

fn write_sample(text: &mut String, name: [&str; 2], labels: &str, value: f64) -> fmt::Result {
    write_series(text, name, labels);
    writeln!(text, " {value}")
}

fn write_series(text: &mut String, [name, suffix]: [&str; 2], labels: &str) {
    push(text, &[name, suffix]);
    if !labels.is_empty() {
        push(text, &["{", labels, "}"]);
    }
}

/// Writes labels as they stand between braces.
fn write_labels(text: &mut String, labels: &[LabelPair]) {
    for (index, label) in labels.iter().enumerate() {
        push(text, &[if index == 0 { "" } else { "," }, label.name(), "=\""]);
        write_escaped(text, label.value());
        text.push('"');
    }
}

fn push(text: &mut String, parts: &[&str]) {
    for part in parts {
        text.push_str(part);
    }
}

fn write_escaped(text: &mut String, value: &str) {
    if !value.contains(['\\', '"', '\n']) {
        return text.push_str(value);
    }
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
        let text = String::from_utf8(write(&families(), MetricsFormat::OpenMetrics, with_exemplar).unwrap()).unwrap();
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
        assert_eq!(series(MetricsFormat::Prometheus), series(MetricsFormat::OpenMetrics));
    }

    #[test]
    fn compressed_text_can_be_read_back() {
        let text = "nebula_functions 22\n".repeat(100);
        let small = compressed(text.as_bytes()).unwrap();
        let mut back = String::new();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*small), &mut back).unwrap();
        assert!(back == text && small.len() * 10 < text.len());
    }
}
