//! What a caller is told of a call: its output, its energy, its times, its work.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nebula_metering::{Estimate, Joules};
use serde::Serialize;
use uuid::Uuid;

use crate::config::Policy;
use crate::invocation::Finished;
use crate::meter::NotEstimated;

/// The answer to a call that came to its end.
#[derive(Debug, Serialize)]
pub struct Envelope<'a> {
    pub function: &'a str,
    pub invocation_id: Uuid,
    #[serde(flatten)]
    pub output: Output<'a>,
    pub exit_code: Option<i32>,
    #[serde(flatten)]
    pub cost: Cost,
}

/// Output as text, or in base64 where it is no text.
#[derive(Debug, Serialize)]
pub enum Output<'a> {
    #[serde(rename = "output")]
    Text(&'a str),
    #[serde(rename = "output_base64")]
    Base64(String),
}

impl<'a> Output<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Base64(STANDARD.encode(bytes)), Self::Text)
    }
}

/// What a call cost, however it ended.
#[derive(Debug, Serialize)]
pub struct Cost {
    pub energy_joules: Option<f64>,
    pub energy: Energy,
    pub timing: Timing,
    pub work: Work,
}

#[derive(Debug, Serialize)]
pub struct Energy {
    pub state: State,
    pub source: &'static str,
    pub policy: &'static str,
    pub uncertainty_joules: Option<f64>,
    pub active_joules: Option<f64>,
    pub base_joules: Option<f64>,
    pub zones: BTreeMap<String, f64>,
    /// Why a figure is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Estimated,
    Unknown,
}

#[derive(Debug, Serialize)]
pub struct Timing {
    pub cold_start: bool,
    pub startup_us: u64,
    pub execution_us: u64,
    pub total_us: u64,
    pub cpu_us: Option<u64>,
    /// Why a time is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Work {
    pub cpu_ns: Option<u64>,
    pub instructions: Option<u64>,
    pub cycles: Option<u64>,
    pub cache_misses: Option<u64>,
    /// Why a count is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Cost {
    /// The cost of a finished call. `no_events` says why hardware events were not counted.
    pub fn new(finished: &Finished, source: &'static str, policy: Policy, no_events: Option<&str>) -> Self {
        let Finished { completion, work, estimate, cold_start, total, .. } = finished;
        let (known, off) = (work.ok(), work.err().map(|off| off.to_string()));
        let events = known.and_then(|work| work.events);
        Self {
            energy_joules: estimate.as_ref().ok().map(|estimate| charged(estimate, policy)).map(rounded),
            energy: Energy::new(estimate, source, policy),
            timing: Timing {
                cold_start: *cold_start,
                startup_us: micros(completion.startup),
                execution_us: micros(completion.execution),
                total_us: micros(*total),
                cpu_us: known.map(|work| micros(work.cpu)),
                reason: off.clone(),
            },
            work: Work {
                cpu_ns: known.map(|work| u64::try_from(work.cpu.as_nanos()).unwrap_or(u64::MAX)),
                instructions: events.map(|events| events.instructions),
                cycles: events.map(|events| events.cycles),
                cache_misses: events.map(|events| events.cache_misses),
                reason: off.or_else(|| no_events.filter(|_| events.is_none()).map(str::to_owned)),
            },
        }
    }
}

impl Energy {
    fn new(estimate: &Result<Estimate, NotEstimated>, source: &'static str, policy: Policy) -> Self {
        let policy = policy.as_str();
        match estimate {
            Ok(estimate) => Self {
                state: State::Estimated,
                source,
                policy,
                uncertainty_joules: Some(rounded(estimate.uncertainty)),
                active_joules: Some(rounded(estimate.active)),
                base_joules: estimate.base.map(rounded),
                zones: estimate.zones.iter().map(|(zone, joules)| (zone.to_string(), rounded(*joules))).collect(),
                reason: estimate.base.is_none().then(|| {
                    "the machine has not been quiet yet: the base power is not known, and part of the active energy"
                        .to_owned()
                }),
            },
            Err(why) => Self {
                state: State::Unknown,
                source,
                policy,
                uncertainty_joules: None,
                active_joules: None,
                base_joules: None,
                zones: BTreeMap::new(),
                reason: Some(why.to_string()),
            },
        }
    }
}

/// What the policy makes of an estimate. Where the base is not known it is in the active energy.
fn charged(estimate: &Estimate, policy: Policy) -> Joules {
    match (policy, estimate.base) {
        (Policy::Usage, Some(base)) => Joules(estimate.active.0 + base.0),
        (Policy::Active, _) | (Policy::Usage, None) => estimate.active,
    }
}

/// To the nanojoule, which no counter resolves; the digits beyond it are noise.
fn rounded(joules: Joules) -> f64 {
    (joules.0 * 1e9).round() / 1e9
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nebula_metering::{Domain, NoEstimate};

    fn estimate(base: Option<f64>) -> Estimate {
        Estimate {
            active: Joules(0.002),
            base: base.map(Joules),
            uncertainty: Joules(0.0005),
            zones: vec![(Domain::Package, Joules(0.002))],
        }
    }

    #[test]
    fn what_is_not_known_is_null_with_a_reason() {
        let energy = Energy::new(&Err(NoEstimate::NoWindow.into()), "powercap", Policy::Active);
        let energy = serde_json::to_value(&energy).unwrap();
        assert_eq!(energy["state"], "unknown");
        for figure in ["uncertainty_joules", "active_joules", "base_joules"] {
            assert!(energy[figure].is_null(), "{figure}");
        }
        assert_eq!(energy["reason"], "no window with readings from the energy source has closed yet");
        let energy = serde_json::to_value(Energy::new(&Ok(estimate(None)), "powercap", Policy::Active)).unwrap();
        assert!(energy["base_joules"].is_null() && energy["reason"].is_string());
    }

    #[test]
    fn the_policy_usage_adds_the_share_of_base_energy() {
        let charge = |base, policy| charged(&estimate(base), policy).0;
        assert_eq!(charge(Some(0.5), Policy::Active), 0.002);
        assert_eq!(charge(Some(0.5), Policy::Usage), 0.502);
        assert_eq!(charge(None, Policy::Usage), 0.002);
    }

    #[test]
    fn output_that_is_no_text_comes_in_base64() {
        let shown = |bytes: &'static [u8]| serde_json::to_string(&Output::new(bytes)).unwrap();
        assert_eq!(shown("[0, 1]\n".as_bytes()), r#"{"output":"[0, 1]\n"}"#);
        assert_eq!(shown(&[0xff, 0x00]), r#"{"output_base64":"/wA="}"#);
    }
}
