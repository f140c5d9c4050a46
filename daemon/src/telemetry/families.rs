//! Families of metrics that are made when they are asked for, of values that somebody else keeps.

use std::collections::HashMap;

use prometheus::core::Desc;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// What a metric is called, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it means, and in which unit.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
}

impl Family {
    /// What a registry wants to know of it.
    ///
    /// # Errors
    /// When it has a name that no metric can have.
    pub fn desc(&self) -> prometheus::Result<Desc> {
        let labels = self.labels.iter().map(ToString::to_string).collect();
        Desc::new(self.name.into(), self.help.into(), labels, HashMap::new())
    }

    /// Counters that stand at the given values: each with those of its labels.
    pub fn counters<'a, L: AsRef<[&'a str]>>(&self, values: impl IntoIterator<Item = (L, f64)>) -> MetricFamily {
        self.of(MetricType::COUNTER, values, |metric, value| {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        })
    }

    /// Gauges that stand at the given values.
    pub fn gauges<'a, L: AsRef<[&'a str]>>(&self, values: impl IntoIterator<Item = (L, f64)>) -> MetricFamily {
        self.of(MetricType::GAUGE, values, |metric, value| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        })
    }

    fn of<'a, L: AsRef<[&'a str]>>(
        &self,
        kind: MetricType,
        values: impl IntoIterator<Item = (L, f64)>,
        set: impl Fn(&mut Metric, f64),
    ) -> MetricFamily {
        let metric = |(labels, value): (L, f64)| {
            let mut pairs: Vec<_> =
                self.labels.iter().zip(labels.as_ref()).map(|(name, value)| pair(name, value)).collect();
            // In the order that everything else is shown in.
            pairs.sort_unstable_by(|a, b| a.name().cmp(b.name()));
            let mut metric = Metric::from_label(pairs);
            set(&mut metric, value);
            metric
        };
        let mut family = MetricFamily::default();
        family.set_name(self.name.into());
        family.set_help(self.help.into());
        family.set_field_type(kind);
        family.set_metric(values.into_iter().map(metric).collect());
        family
    }
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.into());
    pair.set_value(value.into());
    pair
}
