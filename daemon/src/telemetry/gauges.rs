//! Metrics that are read only when somebody asks for them.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::families::Family;

/// A metric whose values are read when it is asked for: each with the value of the label, if it has one.
pub struct ReadWhenAsked<F> {
    family: Family,
    rises: bool,
    /// By which a registry tells collectors apart.
    desc: Desc,
    read: F,
}

impl<F: Fn() -> Vec<(String, f64)> + Send + Sync> ReadWhenAsked<F> {
    /// A gauge whose values are what `read` gives.
    ///
    /// # Errors
    /// When `family` has a name that no metric can have.
    pub fn gauge(family: Family, read: F) -> prometheus::Result<Self> {
        Ok(Self { family, rises: false, desc: family.desc()?, read })
    }

    /// The same of a counter.
    ///
    /// # Errors
    /// As for a gauge.
    pub fn counter(family: Family, read: F) -> prometheus::Result<Self> {
        Ok(Self { family, rises: true, desc: family.desc()?, read })
    }
}

impl<F: Fn() -> Vec<(String, f64)> + Send + Sync> Collector for ReadWhenAsked<F> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let values = (self.read)();
        let values = values.iter().map(|(label, value)| ([label.as_str()], *value));
        vec![if self.rises { self.family.counters(values) } else { self.family.gauges(values) }]
    }
}
