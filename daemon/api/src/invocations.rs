//! Calls that run, and the last that have ended.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Timestamp;
use crate::energy::Energy;

/// Calls, the latest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Invocations {
    /// The calls.
    pub invocations: Vec<Invocation>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Invocation {
    /// The call's identity.
    #[serde(rename = "invocation_id")]
    pub id: Uuid,
    /// The function that was called.
    pub function: Option<String>,
    /// The version of the function that was called.
    pub version: Option<String>,
    /// How the call ended; null while it runs.
    #[schema(pattern = "^(ok|error|trap|timeout|over_budget|cancelled|rejected)$")]
    pub outcome: Option<Cow<'static, str>>,
    /// When the call was admitted.
    pub started: Timestamp,
    /// When the call ended; null while it runs.
    pub ended: Option<Timestamp>,
    /// How long the call took, or has run so far.
    #[schema(minimum = 0)]
    pub duration_seconds: f64,
    /// The call's energy as the policy counts it.
    pub energy_joules: Option<f64>,
    /// How `energy_joules` came about, and how well it is known.
    pub energy: Energy,
}
