//! The text of `/metrics`, parsed.

use std::collections::BTreeMap;

use crate::daemon::Daemon;

/// Energy in joules: what zones used, what accounts were charged, and each function's account.
pub const ZONE_ENERGY: &str = "nebula_zone_energy_joules_total";
pub const ACCOUNT_ENERGY: &str = "nebula_account_energy_joules_total";
pub const FUNCTION_ENERGY: &str = "nebula_function_energy_joules_total";

#[derive(Clone, Debug)]
pub struct Exposition {
    pub text: String,
    series: Vec<Series>,
}

#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
    digits: String,
}

impl Daemon {
    pub fn metrics(&self) -> Exposition {
        let response = self.get("/metrics");
        assert_eq!(response.status, 200);
        Exposition::parse(response.text())
    }

    /// The sum of all series of a name that have these labels among theirs.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.metrics().sum(name, labels)
    }

    /// How many calls of a function have ended like this.
    pub fn calls(&self, function: &str, outcome: &str) -> f64 {
        self.metric("nebula_invocations_total", &[("function", function), ("outcome", outcome)])
    }

    pub fn in_flight(&self) -> f64 {
        self.metric("nebula_in_flight_invocations", &[])
    }

    /// What the calls of a function were charged, in joules.
    pub fn active_joules(&self, function: &str) -> f64 {
        self.metric(FUNCTION_ENERGY, &[("function", function), ("component", "active")])
    }
}

impl Exposition {
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        Self { text: text.into(), series: samples.map(Series::parse).collect() }
    }

    pub fn series(&self) -> impl Iterator<Item = &Series> {
        self.series.iter()
    }

    /// All series of a name that have these labels among theirs.
    pub fn find<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Series> {
        let has = |series: &Series| {
            labels.iter().all(|(label, value)| series.labels.get(*label).is_some_and(|known| known == value))
        };
        self.series().filter(move |series| series.name == name && has(series))
    }

    /// Their sum, or 0 if there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).map(|series| series.value).sum()
    }

    /// The one series that has these labels, in microjoules: read from its digits, without rounding to a float.
    pub fn exact_microjoules(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let found: Vec<_> = self.find(name, labels).collect();
        let [series] = found[..] else { panic!("there are {} series {name} {labels:?}", found.len()) };
        let (joules, rest) = series.digits.split_once('.').unwrap_or((&series.digits, ""));
        assert!(rest.len() <= 6, "{} is finer than a microjoule", series.digits);
        format!("{joules}{rest:0<6}").parse().unwrap()
    }

    /// What functions with these labels were charged for calls and for preparing, in microjoules.
    pub fn charged_to_functions(&self, labels: &[(&str, &str)]) -> u64 {
        let of = |component| {
            let labels = [labels, &[("component", component)]].concat();
            self.microjoules(FUNCTION_ENERGY, &labels)
        };
        of("active") + of("preparing")
    }

    /// The sum of these series of joules in microjoules. Each of them is rounded to a whole number first.
    pub fn microjoules(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.find(name, labels).map(|series| (series.value * 1e6).round() as u64).sum()
    }
}

impl Series {
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let pairs = labels.trim_end_matches('}').split("\",");
        let pair = |pair: &str| pair.split_once("=\"").map(|(label, value)| (label.to_owned(), value.to_owned()));
        let labels = pairs.filter_map(|text| pair(text.trim_end_matches('"'))).collect();
        Self { name: name.into(), labels, value: value.parse().unwrap(), digits: value.into() }
    }

    pub fn is_cumulative(&self) -> bool {
        ["_total", "_count", "_sum", "_bucket"].iter().any(|suffix| self.name.ends_with(suffix))
    }
}
