//! A RAPL register: true energy goes in, readings come out.
//!
//! The hardware adds up energy continuously and shows a new value about every millisecond. The kernel takes the low 32
//! bits, multiplies them by the unit in nanojoules, and rounds down to microjoules.
//!
//! Source: Linux `drivers/powercap/intel_rapl_common.c`, `rapl_unit_xlate`; Intel SDM vol. 3B on the RAPL interfaces.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use crate::machine::EnergyUnit;
use crate::random::Random;
use nebula_metering::Microjoules;
use nebula_metering::source::ReadError;

/// Time between two updates of the registers, in nanoseconds: about 0.976 ms on the parts that people have looked at.
pub(crate) const UPDATE: u64 = 976_000;

/// Jitter of an update, in both directions, in nanoseconds.
pub(crate) const UPDATE_JITTER: u64 = 20_000;

/// Maximum number of readings for which a zone disappears at random.
const UNPLUGGED_READINGS_MAX: u64 = 20;

/// A fault of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Firmware sets the register to this value, in its own unit, and it continues from there.
    Reset(u32),
    /// This one reading is nonsense.
    Spike(Microjoules),
    /// The reading fails.
    Error,
    /// The zone disappears for this many readings, including this one. The register keeps counting.
    Unplug(u32),
}

/// Probability of each fault per reading.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Of [`Fault::Reset`], to any value.
    pub reset: f64,
    /// Of [`Fault::Spike`], to any reading.
    pub spike: f64,
    /// Of [`Fault::Error`].
    pub error: f64,
    /// Of [`Fault::Unplug`], for up to 20 readings.
    pub unplug: f64,
}

impl Faults {
    fn draw(&self, random: &mut Random) -> Option<Fault> {
        if random.happens(self.reset) {
            Some(Fault::Reset(random.bits() as u32))
        } else if random.happens(self.spike) {
            Some(Fault::Spike(Microjoules(random.bits() >> random.below(40))))
        } else if random.happens(self.error) {
            Some(Fault::Error)
        } else if random.happens(self.unplug) {
            Some(Fault::Unplug(1 + random.below(UNPLUGGED_READINGS_MAX) as u32))
        } else {
            None
        }
    }
}

/// One register, exact in nanojoules.
#[derive(Clone, Debug)]
pub struct Register {
    name: Box<str>,
    unit_nj: u64,
    /// Value of the register, as if it had more than 32 bits. Resets change it.
    position_nj: u128,
    /// Value at the last update, which software sees.
    shown_nj: u128,
    /// Energy since the start, and until the last update. Only energy changes them.
    total_nj: u128,
    total_shown_nj: u128,
    faults: Faults,
    script: VecDeque<Fault>,
    unplugged: u32,
}

impl Register {
    /// A register that starts at `start`, in its own unit.
    #[must_use]
    pub fn new(name: &str, unit: EnergyUnit, start: u32, faults: Faults) -> Self {
        let position_nj = u128::from(start) * u128::from(unit.nanojoules());
        Self {
            name: name.into(),
            unit_nj: unit.nanojoules(),
            position_nj,
            shown_nj: position_nj,
            total_nj: 0,
            total_shown_nj: 0,
            faults,
            script: VecDeque::new(),
            unplugged: 0,
        }
    }

    /// Adds energy. It shows after the next update.
    pub fn add(&mut self, nanojoules: u64) {
        self.position_nj += u128::from(nanojoules);
        self.total_nj += u128::from(nanojoules);
    }

    /// Updates what the register shows.
    pub fn update(&mut self) {
        self.shown_nj = self.position_nj;
        self.total_shown_nj = self.total_nj;
    }

    /// The next readings have these faults before any random ones.
    pub fn script(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.script.extend(faults);
    }

    /// Changes the random faults.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// True energy since the beginning, in nanojoules.
    #[must_use]
    pub fn total_nj(&self) -> u128 {
        self.total_nj
    }

    /// True energy from the beginning until the last update, in nanojoules.
    #[must_use]
    pub fn total_shown_nj(&self) -> u128 {
        self.total_shown_nj
    }

    /// The value without faults and wraps: whole units, in microjoules rounded down.
    #[must_use]
    pub fn position(&self) -> u128 {
        self.units() * u128::from(self.unit_nj) / 1000
    }

    /// Reads the register as the kernel does.
    ///
    /// # Errors
    /// When a fault makes the reading fail.
    pub fn read(&mut self, random: &mut Random) -> Result<Microjoules, ReadError> {
        if self.unplugged > 0 {
            self.unplugged -= 1;
            return Err(ReadError::ZoneGone);
        }
        match self.script.pop_front().or_else(|| self.faults.draw(random)) {
            None => {}
            Some(Fault::Reset(value)) => {
                self.position_nj = u128::from(value) * u128::from(self.unit_nj);
                self.shown_nj = self.position_nj;
            }
            Some(Fault::Spike(value)) => return Ok(value),
            Some(Fault::Error) => {
                let path = PathBuf::from(format!("simulated/{}/energy_uj", self.name));
                let source = io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error());
                return Err(ReadError::ReadCounter { path, source });
            }
            Some(Fault::Unplug(readings)) => {
                self.unplugged = readings.saturating_sub(1);
                return Err(ReadError::ZoneGone);
            }
        }
        // At most 2^32 units of 61035 nJ.
        let raw = (self.units() % (1 << 32)) as u64;
        Ok(Microjoules(raw * self.unit_nj / 1000))
    }

    fn units(&self) -> u128 {
        self.shown_nj / u128::from(self.unit_nj)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use nebula_metering::source::{CounterSpec, SourceKind};
    use nebula_metering::work::Moment;
    use nebula_metering::{Counter, Domain, Observation, Watts, Zone};

    fn counter(unit: EnergyUnit) -> Counter {
        Counter::new(CounterSpec {
            source: SourceKind::Simulated,
            zone: Zone::new(Domain::Package, "0"),
            range: Some(unit.range()),
            watts_max: Watts(1e9),
            quantum: unit.quantum(),
            relative_error: 0.0,
            base: None,
            stated: None,
        })
    }

    fn at(second: u64) -> Moment {
        let time = Duration::from_secs(second);
        Moment { monotonic: time, boottime: time, ..Moment::default() }
    }

    #[test]
    fn what_a_counter_makes_of_the_readings_is_the_truth_through_thousands_of_wraps() {
        for unit in [EnergyUnit::Power14, EnergyUnit::Power16] {
            let mut random = Random::new(7);
            let mut register = Register::new("package-0", unit, u32::MAX - 5, Faults::default());
            let (mut counter, mut sum) = (counter(unit), 0);
            let first = register.position();
            counter.observe(&register.read(&mut random), &at(0));
            for second in 1..6000 {
                register.add(random.below(900 * unit.range().0));
                register.update();
                match counter.observe(&register.read(&mut random), &at(second * 3600)) {
                    Observation::Window(energy) => sum += u128::from(energy.0),
                    other => panic!("{other:?}"),
                }
                assert!((register.position() - first).abs_diff(sum) <= 1);
                assert!(register.total_shown_nj().abs_diff(sum * 1000) <= u128::from(unit.nanojoules()) + 2000);
            }
            assert!(register.position() > 1000 * u128::from(unit.range().0));
        }
    }

    #[test]
    fn a_reading_shows_the_last_update() {
        let mut random = Random::new(1);
        let mut register = Register::new("package-0", EnergyUnit::Power14, 0, Faults::default());
        register.add(1_000_000_000);
        assert_eq!(register.read(&mut random).unwrap(), Microjoules(0));
        register.update();
        // 16384 units of 61035 nJ are 1 J less 2.6 µJ.
        assert_eq!(register.read(&mut random).unwrap(), Microjoules(999_997));
    }

    #[test]
    fn scripted_faults_come_in_order_and_then_the_truth_again() {
        let mut random = Random::new(1);
        let mut register = Register::new("dram-0", EnergyUnit::Power16, 1_000_000, Faults::default());
        register.script([Fault::Spike(Microjoules(5)), Fault::Error, Fault::Unplug(2), Fault::Reset(1000)]);
        assert_eq!(register.read(&mut random).unwrap(), Microjoules(5));
        let failure = register.read(&mut random).unwrap_err().to_string();
        assert_eq!(failure, "cannot read the energy counter `simulated/dram-0/energy_uj`");
        assert!(matches!(register.read(&mut random), Err(ReadError::ZoneGone)));
        assert!(matches!(register.read(&mut random), Err(ReadError::ZoneGone)));
        assert_eq!(register.read(&mut random).unwrap(), Microjoules(15_258));
        assert_eq!(register.total_nj(), 0);
    }
}
