//! The answer to a call: what the function wrote, and what the call cost.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::energy::Energy;

/// The answer to a call that came to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Envelope<'a> {
    /// The function that was called.
    pub function: Cow<'a, str>,
    /// The call's identity, a UUID of version 7: `/invocations/{id}` shows its settled charge.
    pub invocation_id: Uuid,
    /// What the function wrote to stdout, or the body of its HTTP answer.
    #[serde(flatten)]
    pub output: Output<'a>,
    /// The exit code of a command; null for functions that have none.
    pub exit_code: Option<i32>,
    /// The status of the function's own HTTP answer, for functions that speak HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<u16>,
    /// What the call cost.
    #[serde(flatten)]
    pub cost: Cost,
}

/// Output as text, or in base64 if it is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Output<'a> {
    /// Output that is UTF-8.
    #[serde(rename = "output")]
    Text(Cow<'a, str>),
    /// Output that is not.
    #[serde(rename = "output_base64")]
    Base64(String),
}

/// What a call cost, however it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cost {
    /// The call's energy as the policy counts it.
    pub energy_joules: Option<f64>,
    /// How `energy_joules` came about, and how well it is known.
    pub energy: Energy,
    /// Where the time went.
    pub timing: Timing,
    /// What the processor did for the call.
    pub work: Work,
}

/// Where the time of a call went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Timing {
    /// Whether this was the first call since the function was loaded.
    pub cold_start: bool,
    /// The times.
    #[serde(flatten)]
    pub times: Times,
    /// Why the CPU time is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Cow<'static, str>>,
}

/// Times in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Times {
    /// Waiting for a place.
    pub queue_us: u64,
    /// Making an instance.
    pub startup_us: u64,
    /// Running the guest, including what it waited for.
    pub execution_us: u64,
    /// From admission to the end.
    pub total_us: u64,
    /// CPU time; null where nothing measures it.
    pub cpu_us: Option<u64>,
}

/// What the processor did for a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Work {
    /// CPU time in nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Instructions retired.
    pub instructions: Option<u64>,
    /// Processor cycles.
    pub cycles: Option<u64>,
    /// Misses of the last-level cache.
    pub cache_misses: Option<u64>,
    /// Why a count is null. For hardware counters it is one word: `no_pmu` if the machine has none, `not_permitted` or
    /// `failed`; `/energy` says more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Cow<'static, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_has_the_name_of_its_form() {
        let written = |output: &Output<'_>| serde_json::to_string(output).unwrap();
        assert_eq!(written(&Output::Text("[0, 1]\n".into())), r#"{"output":"[0, 1]\n"}"#);
        assert_eq!(written(&Output::Base64("/wA=".into())), r#"{"output_base64":"/wA="}"#);
    }
}
