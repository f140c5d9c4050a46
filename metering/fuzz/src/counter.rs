//! Any counter, any readings of it, at any time.

use std::time::Duration;

use arbitrary::{Result, Unstructured};

use crate::readings::{reading, spec};
use nebula_metering::source::ReadError;
use nebula_metering::work::Moment;
use nebula_metering::{Counter, Domain, GapReason, Microjoules, Observation, Zone};

/// One update of the counter more than the time it is given for, as `counter` allows it.
const SLACK: Duration = Duration::from_millis(2);

pub(crate) fn counter(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    // Bytes that end early describe fewer readings.
    let _ = observe(&mut input);
}

fn observe(input: &mut Unstructured<'_>) -> Result<()> {
    let spec = spec(input, Zone::new(Domain::Package, "0"))?;
    let (watts_max, quantum) = (spec.watts_max, spec.quantum);
    let mut counter = Counter::new(spec);
    let (mut now, mut booked, mut most) = (Moment::default(), 0_u128, 0_u128);
    let mut raw = 0_u64;
    let (mut first, mut stood_by) = (true, false);
    while !input.is_empty() {
        let time = Duration::from_millis(input.arbitrary::<u32>()?.into());
        let asleep =
            if input.ratio(1, 16)? { Duration::from_secs(input.arbitrary::<u16>()?.into()) } else { Duration::ZERO };
        now.monotonic += time;
        now.boottime += time + asleep;
        most += u128::from(watts_max.during(time + SLACK).0) + u128::from(quantum.0) + 1;
        let reading = reading(input, &mut raw)?;
        match counter.observe(&reading, &now) {
            Observation::Baseline => {
                let expected = std::mem::take(&mut first) | std::mem::take(&mut stood_by);
                assert!(reading.is_ok() && expected, "there is one baseline, and one after standing by");
            }
            Observation::Window(energy) => {
                assert!(reading.is_ok() && !first, "what was not read is not booked");
                booked += u128::from(energy.0);
            }
            Observation::Gap { reason, time: gap, found } => {
                assert!(gap <= time + asleep, "no gap is longer than the time");
                let lost = reason == GapReason::Lost && found == Microjoules::ZERO;
                assert!(reading.is_ok() || lost, "what was not read is lost");
                booked += u128::from(found.0);
            }
            Observation::Standby => {
                stood_by = true;
                assert!(matches!(reading, Err(ReadError::Standby)), "who is read does not stand by");
            }
        }
        assert!(booked <= most, "{booked} µJ were booked of a zone that can have drawn {most} µJ");
    }
    Ok(())
}
