//! What calls cost, as a client may see it: in envelopes, and in the headers of answers that are the function's own.

use std::borrow::Cow;
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
        let (policy, carbon) = (self.policy, &self.carbon);
        match self.metering.meter() {
            Ok(meter) => {
                let calibration = meter.calibration();
                let base_known = calibration.zones.iter().all(|zone| zone.base.is_some());
                let no_events = meter.no_events_word();
                EnergyView { source: calibration.source.as_str(), base_known, no_events, policy, carbon, exposure }
            }
            Err(_) => EnergyView { source: OFF, base_known: false, no_events: None, policy, carbon, exposure },
        }
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
    headers.reserve(6);
    let mut insert = |name, value: HeaderValue| drop(headers.insert(name, value));
    let made = |value: String| HeaderValue::try_from(value).ok();
    if let Some(joules) = cost.energy_joules.and_then(|joules| made(joules.to_string())) {
        insert(ENERGY_JOULES, joules);
    }
    if let Some(grams) = cost.energy.carbon.as_ref().and_then(|carbon| made(carbon.grams?.to_string())) {
        insert(CARBON_GRAMS, grams);
    }
    if cost.energy.state != EnergyState::Withheld {
        match &cost.energy.source {
            Cow::Borrowed(source) => insert(ENERGY_SOURCE, HeaderValue::from_static(source)),
            Cow::Owned(source) => made(source.clone()).into_iter().for_each(|source| insert(ENERGY_SOURCE, source)),
        }
        insert(ENERGY_STATE, HeaderValue::from_static(cost.energy.state.as_str()));
    }
    let (startup, execution) = (finished.completion.startup, finished.completion.execution);
    let (queue, startup, execution) = (Milliseconds(finished.queued), Milliseconds(startup), Milliseconds(execution));
    let mut timing = format!("queue;dur={queue}, startup;dur={startup}, execution;dur={execution}");
    if let Ok(work) = finished.work {
        let _ = write!(timing, ", cpu;dur={}", Milliseconds(work.cpu));
    }
    for (name, value) in [(INVOCATION_ID, made(finished.id.to_string())), (SERVER_TIMING, made(timing))] {
        if let Some(value) = value {
            insert(name, value);
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
