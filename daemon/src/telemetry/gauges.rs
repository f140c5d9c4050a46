//! Gauges that are read only when somebody asks for them.

use std::collections::HashMap;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, GaugeVec, Opts};

/// What a metric is called, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Its one label, if it has any.
    pub label: Option<&'static str>,
    /// Whether it only rises.
    pub rises: bool,
}

/// A metric whose values are read when it is asked for: each with the value of the label.
pub struct ReadWhenAsked<F> {
    described: Described,
    /// By which a registry tells collectors apart.
    desc: Desc,
    read: F,
}

impl<F: Fn() -> Vec<(String, f64)> + Send + Sync> ReadWhenAsked<F> {
    /// The values are what `read` gives.
    ///
    /// # Errors
    /// When `described` has a name that no metric can have.
    pub fn new(described: Described, read: F) -> prometheus::Result<Self> {
        let Described { name, help, label, .. } = described;
        let labels = label.iter().map(ToString::to_string).collect();
        Ok(Self { described, desc: Desc::new(name.into(), help.into(), labels, HashMap::new())?, read })
    }
}

impl<F: Fn() -> Vec<(String, f64)> + Send + Sync> Collector for ReadWhenAsked<F> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Described { name, help, label, rises } = self.described;
        let options = Opts::new(name, help);
        let labels = label.as_slice();
        let values = (self.read)();
        let values = values.iter().map(|(value, number)| (label.map(|_| value.as_str()), *number));
        let families = if rises {
            CounterVec::new(options, labels).map(|counters| {
                values.for_each(|(label, value)| counters.with_label_values(label.as_slice()).inc_by(value));
                counters.collect()
            })
        } else {
            GaugeVec::new(options, labels).map(|gauges| {
                values.for_each(|(label, value)| gauges.with_label_values(label.as_slice()).set(value));
                gauges.collect()
            })
        };
        // The name was good when this was made.
        families.unwrap_or_default()
    }
}
