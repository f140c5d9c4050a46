//! What a call cost, in answers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nebula_api::call::{Cost, Output, Times, Timing, Work};

use crate::http::answer::energy::{EnergyView, Known};
use crate::invocation::Finished;

/// Output as text if it is UTF-8, in base64 if not.
pub fn output(bytes: &[u8]) -> Output<'_> {
    std::str::from_utf8(bytes).map_or_else(|_| Output::Base64(STANDARD.encode(bytes)), |text| Output::Text(text.into()))
}

/// The cost of a finished call, of whose energy `known` is known.
pub fn cost(finished: &Finished, known: Known<'_>, view: &EnergyView<'_>) -> Cost {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_output_is_in_base64() {
        assert_eq!(output(b"[0, 1]\n"), Output::Text("[0, 1]\n".into()));
        assert_eq!(output(&[0xff, 0x00]), Output::Base64("/wA=".into()));
    }
}
