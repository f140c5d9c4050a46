//! What a caller is told of a call: its output, its energy, its times, its work.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use uuid::Uuid;

use crate::http::answer::energy::{Energy, Known, Teller};
use crate::invocation::Finished;

/// The answer to a call that came to its end.
#[derive(Debug, Serialize)]
pub struct Envelope<'a> {
    pub function: &'a str,
    pub invocation_id: Uuid,
    #[serde(flatten)]
    pub output: Output<'a>,
    pub exit_code: Option<i32>,
    /// What a function that speaks HTTP answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
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
pub struct Timing {
    pub cold_start: bool,
    pub queue_us: u64,
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
    /// The cost of a finished call, of whose energy `known` is known. `no_events` says why hardware events were not
    /// counted.
    pub fn new(finished: &Finished, known: Known<'_>, teller: &Teller<'_>, no_events: Option<&str>) -> Self {
        let Finished { completion, work, ended, queued, cold_start, .. } = finished;
        let (known_work, off) = (work.ok(), work.err().map(|off| off.to_string()));
        let events = known_work.and_then(|work| work.all_events());
        let (energy_joules, energy) = teller.tell(known);
        Self {
            energy_joules,
            energy,
            timing: Timing {
                cold_start: *cold_start,
                queue_us: micros(*queued),
                startup_us: micros(completion.startup),
                execution_us: micros(completion.execution),
                total_us: micros(ended.duration),
                cpu_us: known_work.map(|work| micros(work.cpu)),
                reason: off.clone(),
            },
            work: Work {
                cpu_ns: known_work.map(|work| u64::try_from(work.cpu.as_nanos()).unwrap_or(u64::MAX)),
                instructions: events.map(|events| events.instructions),
                cycles: events.map(|events| events.cycles),
                cache_misses: events.map(|events| events.cache_misses),
                reason: off.or_else(|| no_events.filter(|_| events.is_none()).map(str::to_owned)),
            },
        }
    }
}

/// Whole microseconds.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn output_that_is_no_text_comes_in_base64() {
        let shown = |bytes: &'static [u8]| serde_json::to_string(&Output::new(bytes)).unwrap();
        assert_eq!(shown("[0, 1]\n".as_bytes()), r#"{"output":"[0, 1]\n"}"#);
        assert_eq!(shown(&[0xff, 0x00]), r#"{"output_base64":"/wA="}"#);
    }
}
