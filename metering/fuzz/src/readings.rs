//! Counters and their readings, made from any bytes: mostly such as there are, so that fuzzing gets beyond the first
//! check.

use arbitrary::{Result, Unstructured};

use nebula_metering::source::{CounterSpec, ReadError, SourceKind};
use nebula_metering::{Microjoules, Watts, Zone};

/// More power than any machine has.
const WATTS_MAX: u32 = 1_000_000;

/// What the kernel states for units of 2^-14 J and of 2^-16 J.
const RANGES: [u64; 2] = [262_143_328_850, 65_532_610_987];

/// The counter of a zone.
pub(crate) fn spec(input: &mut Unstructured<'_>, zone: Zone) -> Result<CounterSpec> {
    let range = match input.int_in_range(0..=3)? {
        0 => None,
        unit @ (1 | 2) => Some(RANGES[unit - 1]),
        _ => Some(input.arbitrary::<u64>()?.max(1)),
    };
    Ok(CounterSpec {
        source: SourceKind::Powercap,
        zone,
        range: range.map(Microjoules),
        watts_max: Watts(input.int_in_range(1..=WATTS_MAX)?.into()),
        quantum: Microjoules(input.arbitrary::<u16>()?.into()),
        relative_error: f64::from(input.arbitrary::<u8>()?) / 100.0,
        base: input.arbitrary::<Option<u16>>()?.map(|watts| Watts(watts.into())),
        stated: None,
    })
}

/// What a counter shows that showed `raw` last: as a rule a little more, at times less or anything, or nothing.
pub(crate) fn reading(
    input: &mut Unstructured<'_>,
    raw: &mut u64,
) -> Result<std::result::Result<Microjoules, ReadError>> {
    *raw = match input.int_in_range(0..=7)? {
        0 => return Ok(Err(if input.arbitrary()? { ReadError::Standby } else { ReadError::ZoneGone })),
        1 => input.arbitrary()?,
        2 => RANGES[0] - u64::from(input.arbitrary::<u16>()?),
        3 => input.arbitrary::<u16>()?.into(),
        _ => raw.wrapping_add(input.arbitrary::<u32>()?.into()),
    };
    Ok(Ok(Microjoules(*raw)))
}
