//! What calls cost, as a client may see it: in envelopes, and in the headers of answers that are the function's own.

use std::fmt::{self, Write as _};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use nebula_api::call::{Cost, Times, Timing, Work};
use nebula_api::energy::EnergyState;

use super::energy::{EnergyView, Known};
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

/// The cost of a finished call, of whose energy `known` is known.
fn cost(finished: &Finished, known: Known<'_>, view: &EnergyView<'_>) -> Cost {
    let Finished { completion, work, ended, queued, cold_start, .. } = finished;
    let (known_work, off) = (work.ok(), work.err().map(|off| off.to_string().into()));
    let events = known_work.and_then(|work| work.all_events());
    let (energy_joules, energy) = view.show(known);
    Cost {
        energy_joules,
        energy,
        timing: Timing {
            cold_start: *cold_start,
            times: Times {
                queue_us: micros(*queued),
                startup_us: micros(completion.startup),
                execution_us: micros(completion.execution),
                total_us: micros(ended.duration),
                cpu_us: known_work.map(|work| micros(work.cpu)),
            },
            reason: off.clone(),
        },
        work: Work {
            cpu_ns: known_work.map(|work| u64::try_from(work.cpu.as_nanos()).unwrap_or(u64::MAX)),
            instructions: events.map(|events| events.instructions),
            cycles: events.map(|events| events.cycles),
            cache_misses: events.map(|events| events.cache_misses),
            reason: off.or_else(|| view.no_events.filter(|_| events.is_none()).map(Into::into)),
        },
    }
}

/// Whole microseconds.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
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
