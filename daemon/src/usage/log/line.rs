//! One line of the usage log.

use std::sync::Arc;

use humantime::format_rfc3339_micros;
use nebula_metering::{CallId, Charge, Settled};
use serde::Serialize;
use uuid::Uuid;

use crate::functions::Revision;
use crate::meter::{CallEnd, Ended, NoCharge};

pub struct UsageLogEntry {
    function: Arc<Revision>,
    call: CallId,
    ended: Arc<Ended>,
    charge: Result<Charge, NoCharge>,
}

/// What is not known is `null`, and `reason` says why.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    invocation_id: Uuid,
    function: &'a str,
    version: String,
    outcome: &'static str,
    duration_us: u128,
    source: Option<&'static str>,
    active_microjoules: Option<u64>,
    base_microjoules: Option<u64>,
    uncertainty_joules: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl UsageLogEntry {
    /// `None` for what is no call, such as preparing a function.
    pub fn of(settled: &Settled<CallEnd>, function: &Arc<Revision>) -> Option<Self> {
        let CallEnd::Call { ended, .. } = &settled.end else { return None };
        Some(Self {
            function: function.clone(),
            call: settled.call,
            ended: ended.clone(),
            charge: settled.charge.clone().ok_or(NoCharge::Incomplete),
        })
    }

    /// Its JSON and the end of the line.
    pub(super) fn line(&self) -> Vec<u8> {
        let charge = self.charge.as_ref().ok();
        let line = Line {
            time: format_rfc3339_micros(self.ended.at).to_string(),
            invocation_id: Uuid::from_u128(self.call.0),
            function: self.function.name.as_str(),
            version: self.function.version.to_string(),
            outcome: self.ended.outcome.as_str(),
            duration_us: self.ended.duration.as_micros(),
            source: charge.map(|charge| charge.source.as_str()),
            active_microjoules: charge.map(|charge| charge.active.0),
            base_microjoules: charge.map(|charge| charge.base.0),
            uncertainty_joules: charge.map(|charge| charge.uncertainty.total().0),
            reason: self.charge.as_ref().err().map(ToString::to_string),
        };
        // Nothing in it can fail to be serialized.
        let mut json = serde_json::to_vec(&line).unwrap_or_default();
        json.push(b'\n');
        json
    }
}
