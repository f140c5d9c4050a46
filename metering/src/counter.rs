//! Turns readings of one energy counter into trustworthy differences.
//!
//! A counter starts anywhere, wraps at its range, is reset by firmware, jumps after a resume, fails to answer and comes
//! back. This file alone decides what two readings mean:
//!
//! * The first reading is a baseline and counts nothing.
//! * A lower reading is a wrap if the implied power is possible, and otherwise a reset.
//! * A difference that implies impossible power is held back for one reading. If the next reading fits the one before
//!   the jump, the jump was a glitch. If it fits the jump, the counter has moved for good.
//! * Energy that was counted while readings were missing is real but belongs to no window.
//! * While another source is read instead, nothing is missing.

use std::fmt;
use std::time::Duration;

use crate::source::{CounterSpec, ReadError};
use crate::units::Microjoules;
use crate::work::Moment;

/// RAPL counters are updated about every 0.976 ms, so a difference may contain one more update than its time.
/// Source: Intel SDM vol. 3B, on the RAPL interfaces (about 1 ms); doubled for its jitter.
const UPDATE_SLACK: Duration = Duration::from_millis(2);

/// If `CLOCK_BOOTTIME` advances by more than this against `CLOCK_MONOTONIC`, the machine slept. The two are read one
/// after the other, so a small difference is normal.
const SLEEP_SLACK: Duration = Duration::from_millis(500);

/// Why energy is missing for some time, or belongs to no window. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapReason {
    /// The counter could not be read.
    Lost,
    /// The counter fell without wrapping.
    Reset,
    /// The counter rose by more than the zone can draw.
    Implausible,
    /// The machine was suspended.
    Suspended,
    /// Readings were missing so long that the counter may have wrapped unnoticed.
    Ambiguous,
}

impl GapReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Lost, Self::Reset, Self::Implausible, Self::Suspended, Self::Ambiguous];

    /// The value of the metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Reset => "reset",
            Self::Implausible => "implausible",
            Self::Suspended => "suspended",
            Self::Ambiguous => "ambiguous",
        }
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a reading says about the time since the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The first reading: the time before is unknown.
    Baseline,
    /// The zone used this energy since the last reading.
    Window(Microjoules),
    /// The time since the last reading has no energy of its own.
    Gap {
        /// Why there is none.
        reason: GapReason,
        /// Length of the gap.
        time: Duration,
        /// Energy of this and earlier gaps that can be trusted but belongs to no window.
        found: Microjoules,
    },
    /// Another source is read instead of this one: nothing is missing.
    Standby,
}

/// A trusted or suspected reading: value and time.
#[derive(Clone, Copy, Debug)]
struct Mark {
    raw: u64,
    wraps: u64,
    at: Moment,
}

/// One energy counter over time.
#[derive(Debug)]
pub struct Counter {
    spec: CounterSpec,
    /// Modulus of the counter in nanojoules; `None` if it never wraps.
    modulus_nj: Option<u128>,
    believed: Option<Mark>,
    suspect: Option<(Mark, GapReason)>,
    /// Whether readings failed, or another source was read, since the trusted one.
    interrupted: bool,
    last_seen: Option<Moment>,
}

impl Counter {
    /// A counter without a reading yet.
    #[must_use]
    pub fn new(spec: CounterSpec) -> Self {
        let modulus_nj = spec.range.map(modulus_nj);
        Self { spec, modulus_nj, believed: None, suspect: None, interrupted: false, last_seen: None }
    }

    /// The description of the counter.
    #[must_use]
    pub fn spec(&self) -> &CounterSpec {
        &self.spec
    }

    /// Takes a reading made at `now` and returns what it means.
    pub fn observe(&mut self, reading: &Result<Microjoules, ReadError>, now: &Moment) -> Observation {
        let before = self.last_seen.replace(*now);
        let since = before.map_or(Duration::ZERO, |before| now.monotonic.saturating_sub(before.monotonic));
        let gap = |reason| Observation::Gap { reason, time: since, found: Microjoules::ZERO };
        let raw = match reading {
            Ok(raw) => raw.0,
            Err(ReadError::Standby) => {
                // From now on another source counts too. A counter that worked starts over when it returns; one that
                // failed finds what it counted until the other took over.
                if !self.interrupted {
                    self.believed = None;
                }
                self.suspect = None;
                return Observation::Standby;
            }
            Err(_) => {
                self.interrupted = true;
                self.suspect = None;
                return gap(GapReason::Lost);
            }
        };
        let Some(believed) = self.believed else {
            self.believe(Mark { raw, wraps: 0, at: *now });
            return Observation::Baseline;
        };
        if slept(&believed.at, now) {
            let asleep = before.map_or(Duration::ZERO, |before| now.boottime.saturating_sub(before.boottime));
            self.believe(Mark { raw, wraps: 0, at: *now });
            return Observation::Gap { reason: GapReason::Suspended, time: asleep, found: Microjoules::ZERO };
        }
        if let Some((suspect, reason)) = self.suspect {
            return self.settle_suspicion(believed, suspect, reason, raw, now, since);
        }
        if self.interrupted && self.may_have_wrapped_unseen(&believed.at, now) {
            self.believe(Mark { raw, wraps: 0, at: *now });
            return gap(GapReason::Ambiguous);
        }
        match self.difference(&believed, raw, now) {
            Some((energy, mark)) => {
                let observation = if self.interrupted {
                    Observation::Gap { reason: GapReason::Lost, time: since, found: energy }
                } else {
                    Observation::Window(energy)
                };
                self.believe(mark);
                observation
            }
            None => {
                let reason = if raw < believed.raw { GapReason::Reset } else { GapReason::Implausible };
                self.suspect = Some((Mark { raw, wraps: 0, at: *now }, reason));
                gap(reason)
            }
        }
    }

    /// Decides what the doubtful reading before this one was: a glitch, a move for good, or chaos.
    fn settle_suspicion(
        &mut self,
        believed: Mark,
        suspect: Mark,
        reason: GapReason,
        raw: u64,
        now: &Moment,
        since: Duration,
    ) -> Observation {
        if let Some((energy, mark)) = self.difference(&believed, raw, now) {
            self.believe(mark);
            Observation::Gap { reason, time: since, found: energy }
        } else if let Some((energy, mark)) = self.difference(&suspect, raw, now) {
            self.believe(mark);
            Observation::Window(energy)
        } else {
            let reason = if raw < suspect.raw { GapReason::Reset } else { GapReason::Implausible };
            self.believe(suspect);
            self.suspect = Some((Mark { raw, wraps: 0, at: *now }, reason));
            Observation::Gap { reason, time: since, found: Microjoules::ZERO }
        }
    }

    fn believe(&mut self, mark: Mark) {
        self.believed = Some(mark);
        self.suspect = None;
        self.interrupted = false;
    }

    /// The energy from `from` to `raw` at `now`, if the implied power is possible.
    fn difference(&self, from: &Mark, raw: u64, now: &Moment) -> Option<(Microjoules, Mark)> {
        let wraps = if raw >= from.raw { from.wraps } else { from.wraps + u64::from(self.modulus_nj.is_some()) };
        let mark = Mark { raw, wraps, at: *now };
        let energy = self.position(&mark).checked_sub(self.position(from))?;
        let energy = Microjoules(u64::try_from(energy).ok()?);
        (energy <= self.most_between(&from.at, now)).then_some((energy, mark))
    }

    /// The value of a counter that never wraps, in microjoules. Whole wraps are added in nanojoules and rounded down
    /// once, as the kernel rounds each reading, so errors do not add up.
    fn position(&self, mark: &Mark) -> u128 {
        let wrapped_nj = self.modulus_nj.unwrap_or(0) * u128::from(mark.wraps);
        wrapped_nj / 1000 + u128::from(mark.raw)
    }

    fn most_between(&self, from: &Moment, to: &Moment) -> Microjoules {
        let time = to.monotonic.saturating_sub(from.monotonic) + UPDATE_SLACK;
        Microjoules(self.spec.watts_max.during(time).0.saturating_add(self.spec.quantum.0))
    }

    fn may_have_wrapped_unseen(&self, from: &Moment, to: &Moment) -> bool {
        let most_nj = u128::from(self.most_between(from, to).0) * 1000;
        self.modulus_nj.is_some_and(|modulus_nj| most_nj >= modulus_nj)
    }
}

fn slept(from: &Moment, to: &Moment) -> bool {
    let awake = to.monotonic.saturating_sub(from.monotonic);
    to.boottime.saturating_sub(from.boottime) > awake + SLEEP_SLACK
}

/// Modulus in nanojoules of a counter whose highest value is `range`.
///
/// The hardware counts 2^32 units. The kernel shows `raw · unit` rounded down, and states the range for raw 2^32−1. The
/// unit is a whole number of nanojoules in newer kernels (61035 for 2^-14 J) and an exact power of two in older ones.
/// Both are recognized by their range; anything else is scaled by 2^32/(2^32−1).
///
/// Source: Linux `drivers/powercap/intel_rapl_common.c`, `rapl_unit_xlate` and `rapl_check_unit_core`.
pub(crate) fn modulus_nj(range: Microjoules) -> u128 {
    const RAW_MAX: u128 = (1 << 32) - 1;
    let range = u128::from(range.0);
    let unit_nj = (range * 1000 + RAW_MAX / 2) / RAW_MAX;
    if RAW_MAX * unit_nj / 1000 == range {
        return unit_nj << 32;
    }
    for exponent in 0..=20 {
        let joules_full = 1_000_000_000_u128 << (32 - exponent);
        if (RAW_MAX * 1_000_000) >> exponent == range {
            return joules_full;
        }
    }
    range * 1000 * (RAW_MAX + 1) / RAW_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceKind;
    use crate::units::Watts;
    use crate::zone::{Domain, Zone};

    const RANGE: Microjoules = Microjoules(262_143_328_850);

    fn counter(watts_max: f64) -> Counter {
        Counter::new(CounterSpec {
            source: SourceKind::Powercap,
            relative_error: 0.0,
            base: None,
            stated: None,
            zone: Zone::new(Domain::Package, "0"),
            range: Some(RANGE),
            watts_max: Watts(watts_max),
            quantum: Microjoules(62),
        })
    }

    fn at(seconds: f64) -> Moment {
        let time = Duration::from_secs_f64(seconds);
        Moment { monotonic: time, boottime: time, ..Moment::default() }
    }

    fn lost() -> Result<Microjoules, ReadError> {
        Err(ReadError::ZoneGone)
    }

    /// Feeds readings a tenth of a second apart.
    fn observe_all(counter: &mut Counter, readings: &[Option<u64>]) -> Vec<Observation> {
        let tenth = |index: usize| at(index as f64 / 10.0);
        let observe = |(index, reading): (usize, &Option<u64>)| {
            let reading = reading.map_or_else(lost, |raw| Ok(Microjoules(raw)));
            counter.observe(&reading, &tenth(index))
        };
        readings.iter().enumerate().map(observe).collect()
    }

    fn gap(reason: GapReason, found: u64) -> Observation {
        Observation::Gap { reason, time: Duration::from_millis(100), found: Microjoules(found) }
    }

    #[test]
    fn the_first_reading_books_nothing() {
        let seen = observe_all(&mut counter(400.0), &[Some(240_422_366_267), Some(240_422_366_267)]);
        assert_eq!(seen, [Observation::Baseline, Observation::Window(Microjoules(0))]);
    }

    #[test]
    fn a_wrap_goes_on_where_the_counter_left() {
        let seen = observe_all(&mut counter(400.0), &[Some(RANGE.0 - 1_000_000), Some(2_000_000)]);
        assert_eq!(seen[1], Observation::Window(Microjoules(3_000_061)));
    }

    #[test]
    fn a_thousand_wraps_lose_no_more_than_a_microjoule() {
        // Truth in raw units of 61035 nJ; the kernel shows raw · 61035 / 1000 rounded down, raw modulo 2^32.
        let mut counter = counter(1e9);
        let (mut raw, mut sum) = (123_u128, 0);
        let show = |raw: u128| Microjoules(((raw % (1 << 32)) * 61_035 / 1000) as u64);
        let first = raw * 61_035 / 1000;
        counter.observe(&Ok(show(raw)), &at(0.0));
        for step in 1..4000_u32 {
            raw += (1 << 30) + 12_345;
            match counter.observe(&Ok(show(raw)), &at(f64::from(step) * 10.0)) {
                Observation::Window(energy) => sum += u128::from(energy.0),
                other => panic!("step {step}: {other:?}"),
            }
        }
        assert!(raw >> 32 >= 999);
        // The kernel's reading and our whole wraps are each rounded down: one microjoule, however many wraps.
        assert!((first + sum).abs_diff(raw * 61_035 / 1000) <= 1);
    }

    #[test]
    fn a_reset_is_not_a_wrap() {
        let readings = [Some(100_000_000), Some(5_000), Some(9_000)];
        let seen = observe_all(&mut counter(400.0), &readings);
        assert_eq!(seen[1..], [gap(GapReason::Reset, 0), Observation::Window(Microjoules(4_000))]);
    }

    #[test]
    fn a_spike_that_goes_away_costs_its_window_and_no_energy() {
        let readings = [Some(1_000), Some(u64::MAX), Some(2_000_000), Some(3_000_000)];
        let seen = observe_all(&mut counter(400.0), &readings);
        let expected = [gap(GapReason::Implausible, 0), gap(GapReason::Implausible, 1_999_000)];
        assert_eq!(seen[1..3], expected);
        assert_eq!(seen[3], Observation::Window(Microjoules(1_000_000)));
    }

    #[test]
    fn a_zero_that_goes_away_costs_its_window_and_no_energy() {
        let readings = [Some(90_000_000), Some(0), Some(91_000_000)];
        let seen = observe_all(&mut counter(400.0), &readings);
        assert_eq!(seen[1..], [gap(GapReason::Reset, 0), gap(GapReason::Reset, 1_000_000)]);
    }

    #[test]
    fn a_jump_that_stays_is_a_new_beginning() {
        let readings = [Some(1_000), Some(10_000_000_000), Some(10_000_500_000)];
        let seen = observe_all(&mut counter(400.0), &readings);
        assert_eq!(seen[1..], [gap(GapReason::Implausible, 0), Observation::Window(Microjoules(500_000))]);
    }

    #[test]
    fn nonsense_is_never_booked() {
        let readings = [Some(0), Some(90_000_000_000), Some(200_000_000_000), Some(9_000_000_000), Some(7)];
        let seen = observe_all(&mut counter(400.0), &readings);
        for observation in &seen[1..] {
            assert!(matches!(observation, Observation::Gap { found: Microjoules(0), .. }), "{seen:?}");
        }
    }

    #[test]
    fn energy_of_missed_readings_is_found_and_placed_nowhere() {
        let seen = observe_all(&mut counter(400.0), &[Some(0), None, None, Some(600_000), Some(800_000)]);
        let expected = [gap(GapReason::Lost, 0), gap(GapReason::Lost, 0), gap(GapReason::Lost, 600_000)];
        assert_eq!(seen[1..4], expected);
        assert_eq!(seen[4], Observation::Window(Microjoules(200_000)));
    }

    #[test]
    fn a_loss_long_enough_to_hide_a_wrap_books_nothing() {
        let mut counter = counter(400.0);
        counter.observe(&Ok(Microjoules(5)), &at(0.0));
        counter.observe(&lost(), &at(1.0));
        let seen = counter.observe(&Ok(Microjoules(6)), &at(700.0));
        let expected =
            Observation::Gap { reason: GapReason::Ambiguous, time: Duration::from_secs(699), found: Microjoules::ZERO };
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_counter_that_has_died_finds_its_energy_when_it_no_longer_stands_by() {
        let mut counter = counter(400.0);
        let mut observe = |reading, seconds| counter.observe(&reading, &at(seconds));
        assert_eq!(observe(Err(ReadError::Standby), 0.0), Observation::Standby);
        assert_eq!(observe(Ok(Microjoules(5)), 0.1), Observation::Baseline);
        assert!(matches!(observe(lost(), 0.2), Observation::Gap { reason: GapReason::Lost, .. }));
        assert_eq!(observe(Err(ReadError::Standby), 60.0), Observation::Standby);
        let Observation::Gap { reason: GapReason::Lost, found, time } = observe(Ok(Microjoules(9_000_005)), 60.1)
        else {
            panic!("the energy in between belongs to no window")
        };
        assert_eq!((found, time.as_millis()), (Microjoules(9_000_000), 100));
        assert_eq!(observe(Ok(Microjoules(9_000_006)), 60.2), Observation::Window(Microjoules(1)));
        assert!(matches!(observe(lost(), 60.3), Observation::Gap { reason: GapReason::Lost, .. }));
        assert_eq!(observe(Err(ReadError::Standby), 60.4), Observation::Standby);
        let returned = observe(Ok(Microjoules(9_000_007)), 4000.0);
        assert!(matches!(returned, Observation::Gap { reason: GapReason::Ambiguous, found: Microjoules(0), .. }));
    }

    #[test]
    fn a_counter_in_good_health_begins_anew_when_it_no_longer_stands_by() {
        let mut counter = counter(400.0);
        let mut observe = |reading, seconds| counter.observe(&reading, &at(seconds));
        assert_eq!(observe(Ok(Microjoules(5)), 0.0), Observation::Baseline);
        assert_eq!(observe(Err(ReadError::Standby), 0.1), Observation::Standby);
        assert_eq!(observe(Ok(Microjoules(9_000_005)), 60.0), Observation::Baseline);
        assert_eq!(observe(Ok(Microjoules(9_000_006)), 60.1), Observation::Window(Microjoules(1)));
    }

    #[test]
    fn what_happened_during_a_suspend_is_not_booked() {
        let mut counter = counter(400.0);
        counter.observe(&Ok(Microjoules(5)), &at(0.0));
        let woken = Moment { boottime: Duration::from_secs(3600), ..at(0.1) };
        let seen = counter.observe(&Ok(Microjoules(9)), &woken);
        assert!(matches!(seen, Observation::Gap { reason: GapReason::Suspended, found: Microjoules(0), .. }));
    }

    #[test]
    fn without_a_range_a_lower_reading_is_a_reset() {
        let mut counter = Counter::new(CounterSpec { range: None, ..counter(400.0).spec.clone() });
        let seen = observe_all(&mut counter, &[Some(RANGE.0 - 10), Some(10), Some(20)]);
        assert_eq!(seen[1..], [gap(GapReason::Reset, 0), Observation::Window(Microjoules(10))]);
    }

    #[test]
    fn the_modulus_follows_from_the_range_the_kernel_states() {
        assert_eq!(modulus_nj(Microjoules(262_143_328_850)), 61_035 << 32);
        assert_eq!(modulus_nj(Microjoules(262_143_999_938)), 262_144_000_000_000);
        assert_eq!(modulus_nj(Microjoules(65_532_610_987)), 15_258 << 32);
        assert_eq!(modulus_nj(Microjoules(1_000_000)), 1_000_000_000);
    }
}
