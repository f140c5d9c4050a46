//! What calls cost, as a client may see it: in envelopes, and in the headers of answers that are the function's own.

use std::fmt::{self, Write as _};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use nebula_api::call::Cost;
use nebula_api::energy::EnergyState;

use super::energy::{EnergyView, Known};
use super::envelope::cost;
use super::exposure::Exposure;
use super::headers::{CARBON_GRAMS, ENERGY_JOULES, ENERGY_SOURCE, ENERGY_STATE, INVOCATION_ID, SERVER_TIMING};
use crate::carbon::Carbon;
use crate::invocation::Finished;
use crate::meter::{Metering, OFF};
use crate::units::Policy;

#[derive(Clone)]
pub struct Costs {
    pub metering: Metering,
    pub policy: Policy,
    pub carbon: Carbon,
}

impl Costs {
    /// How clients with this exposure see the energy of calls.
    pub fn view(&self, exposure: Exposure) -> EnergyView<'_> {
        let (source, base_known, no_events) = match self.metering.meter() {
            Ok(meter) => {
                let calibration = meter.calibration();
                let base_known = calibration.zones.iter().all(|zone| zone.base.is_some());
                (calibration.source.as_str(), base_known, meter.no_events_word())
            }
            Err(_) => (OFF, false, None),
        };
        EnergyView { source, base_known, no_events, policy: self.policy, carbon: &self.carbon, exposure }
    }

    /// The estimate, or the settled charge if the caller waits for it.
    pub async fn of(&self, finished: &mut Finished, exposure: Exposure) -> Cost {
        let settled = match finished.settlement.take() {
            Some(settlement) => Some(settlement.wait().await),
            None => None,
        };
        let known = match &settled {
            Some(charge) => Known::Settled(&finished.ended, charge.as_ref().map_err(|why| *why)),
            None => Known::Ended(&finished.ended),
        };
        cost(finished, known, &self.view(exposure))
    }

    /// Adds the estimate to headers or trailers.
    pub fn add_to(&self, headers: &mut HeaderMap, finished: &Finished, exposure: Exposure) {
        add_headers(headers, finished, &cost(finished, Known::Ended(&finished.ended), &self.view(exposure)));
    }
}

/// Adds energy and times of a call whose body is its own.
pub fn add_headers(headers: &mut HeaderMap, finished: &Finished, cost: &Cost) {
    let (startup, execution) = (finished.completion.startup, finished.completion.execution);
    let (queue, startup, execution) = (Milliseconds(finished.queued), Milliseconds(startup), Milliseconds(execution));
    let mut timing = format!("queue;dur={queue}, startup;dur={startup}, execution;dur={execution}");
    if let Ok(work) = finished.work {
        let _ = write!(timing, ", cpu;dur={}", Milliseconds(work.cpu));
    }
    let energy = &cost.energy;
    let shown = Some(energy).filter(|energy| energy.state != EnergyState::Withheld);
    let fields = [
        (ENERGY_JOULES, cost.energy_joules.map(|joules| joules.to_string())),
        (CARBON_GRAMS, energy.carbon.as_ref().and_then(|carbon| carbon.grams).map(|grams| grams.to_string())),
        (ENERGY_SOURCE, shown.map(|energy| energy.source.to_string())),
        (ENERGY_STATE, shown.map(|energy| energy.state.as_str().to_owned())),
        (INVOCATION_ID, Some(finished.id.to_string())),
        (SERVER_TIMING, Some(timing)),
    ];
    headers.reserve(fields.len());
    for (name, value) in fields {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
}

/// To the microsecond, in whole numbers: printing a float would add a microsecond to every call.
struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = (self.0.as_nanos() + 500) / 1000;
        write!(formatter, "{}.{:03}", micros / 1000, micros % 1000)
    }
}
