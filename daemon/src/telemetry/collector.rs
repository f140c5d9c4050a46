//! Metrics that somebody else keeps, read when a scraper asks for them. A room declares its metrics as a table; one
//! collector reads them all.

use std::collections::HashMap;

use nebula_metering::Microjoules;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric as Sample, MetricFamily, MetricType};

/// A metric of a room whose figures are a `T`.
pub struct Metric<T> {
    kind: MetricType,
    name: &'static str,
    /// What it means, and in which unit.
    help: &'static str,
    labels: &'static [&'static str],
    read: fn(&T, &mut Samples),
}

impl<T> Metric<T> {
    /// A counter. `read` adds its samples; without any, the metric is not shown.
    pub const fn counter(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        read: fn(&T, &mut Samples),
    ) -> Self {
        Self { kind: MetricType::COUNTER, name, help, labels, read }
    }

    /// The same for a gauge.
    pub const fn gauge(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        read: fn(&T, &mut Samples),
    ) -> Self {
        Self { kind: MetricType::GAUGE, name, help, labels, read }
    }

    fn desc(&self) -> prometheus::Result<Desc> {
        let labels = self.labels.iter().map(ToString::to_string).collect();
        Desc::new(self.name.into(), self.help.into(), labels, HashMap::new())
    }

    fn family(&self, figures: &T) -> MetricFamily {
        let mut samples = Samples { kind: self.kind, labels: self.labels, made: Vec::new() };
        (self.read)(figures, &mut samples);
        let mut family = MetricFamily::default();
        family.set_name(self.name.into());
        family.set_help(self.help.into());
        family.set_field_type(self.kind);
        family.set_metric(samples.made);
        family
    }
}

pub struct Samples {
    kind: MetricType,
    labels: &'static [&'static str],
    made: Vec<Sample>,
}

impl Samples {
    /// Adds the only sample of a metric without labels.
    pub fn set(&mut self, value: f64) {
        self.add::<&str>(&[], value);
    }

    /// Adds a sample with these values of the labels, in the order of their declaration.
    pub fn add<L: AsRef<str>>(&mut self, labels: &[L], value: f64) {
        let mut pairs: Vec<_> =
            self.labels.iter().zip(labels).map(|(name, value)| pair(name, value.as_ref())).collect();
        // The library shows labels in this order.
        pairs.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        let mut sample = Sample::from_label(pairs);
        if self.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            sample.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            sample.set_gauge(gauge);
        }
        self.made.push(sample);
    }

    /// Adds a sample of energy for each set of labels.
    pub fn add_joules<'a, const N: usize>(
        &mut self,
        energies: impl IntoIterator<Item = (&'a [Box<str>; N], &'a Microjoules)>,
    ) {
        energies.into_iter().for_each(|(labels, energy)| self.add(labels, energy.joules().0));
    }
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.into());
    pair.set_value(value.into());
    pair
}

/// Collects a table of metrics. The figures are taken once for all of them, so that they are of one moment.
pub struct TableCollector<T: 'static, F> {
    metrics: &'static [Metric<T>],
    take: F,
    descs: Vec<Desc>,
}

impl<T, F: Fn() -> Option<T>> TableCollector<T, F> {
    pub fn new(metrics: &'static [Metric<T>], take: F) -> prometheus::Result<Self> {
        let descs = metrics.iter().map(Metric::desc).collect::<prometheus::Result<_>>()?;
        Ok(Self { metrics, take, descs })
    }
}

impl<T, F: Fn() -> Option<T> + Send + Sync> Collector for TableCollector<T, F> {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let figures = (self.take)();
        figures.iter().flat_map(|figures| self.metrics.iter().map(|metric| metric.family(figures))).collect()
    }
}
