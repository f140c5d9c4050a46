//! Energy and power sensors of the hardware monitoring class.
//!
//! Each `class/hwmon/hwmonN` is a device with a `name` and a file per reading: `energyN_input` in microjoules,
//! `powerN_input` or `powerN_average` in microwatts. Some count energy. Most only report the current power, which is
//! summed up over time (`integral`). A burst between two readings is missed, so such a counter states a relative error.
//!
//! sysfs does not say what a sensor measures either. [`parts`] decides which ones may be added.
//!
//! Source: Linux `Documentation/hwmon/sysfs-interface.rst`.

mod discover;
mod error;
mod integral;
pub mod parse;
pub mod parts;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::{OpenHwmonError, SkippedSensor};

use discover::{Discovery, FoundSensor, Input, SensorId, Shown, class, discover};
use integral::Integral;
use parts::{Choice, Measured, choose};

use super::{ReadError, Source, SourceKind};
use crate::source::CounterSpec;
use crate::units::{Microjoules, Watts};
use crate::work::Moment;
use crate::zone::{Domain, Zone};

/// Minimum time between two searches for missing sensors.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of sensors that are shown but not added. `amd_energy` has one per core, and every reading interrupts
/// that core.
const SHOWN_MAX: usize = 32;

/// Step of an energy sensor: 2^-16 J, as in `amd_energy`, in whole microjoules.
///
/// Source: Linux v5.8 `Documentation/hwmon/amd_energy.rst`.
const QUANTUM_ENERGY: Microjoules = Microjoules(16);

/// Error of a power sensor that states none. An assumption: sysfs says nothing. Shunt resistors come with 1 % and
/// amplifiers with less, but boards are not calibrated.
const ACCURACY_UNSTATED: f64 = 0.05;

/// Additional error of the sum because power changes between readings. Also an assumption: it depends on load and
/// window.
const SAMPLING_ERROR: f64 = 0.05;

/// Maximum power of a zone: four times 500 W for packages, as for powercap, and some kilowatts for machines of one
/// board.
fn watts_max(domain: &Domain) -> Watts {
    Watts(if *domain == Domain::Package { 2000.0 } else { 10_000.0 })
}

/// A sensor in use.
#[derive(Debug)]
struct Sensor {
    id: SensorId,
    /// `None` where it has gone.
    input: Option<Input>,
    integral: Integral,
}

/// The sensors of one machine.
///
/// Gives raw readings. The consumer decides what a falling value means.
#[derive(Debug)]
pub struct Hwmon {
    root: PathBuf,
    specs: Vec<CounterSpec>,
    /// Parallel to `specs`.
    sensors: Vec<Sensor>,
    problems: Vec<SkippedSensor>,
    /// Earliest `Moment::monotonic` of the next search.
    next_search: Duration,
}

impl Hwmon {
    /// Finds the sensors below `sysfs_root`, usually `/sys`, and decides which are added.
    ///
    /// # Errors
    ///
    /// [`OpenHwmonError`] if none can be read, or none may be added.
    pub fn open(sysfs_root: &Path) -> Result<Self, OpenHwmonError> {
        let Discovery { sensors, problems } = discover(sysfs_root)?;
        if sensors.is_empty() {
            return Err(nothing_to_read(problems, class(sysfs_root)));
        }
        let (choice, zones) =
            choose(&sensors.iter().map(|found| (found.traits(), found.part.clone())).collect::<Vec<_>>());
        let names = || zones.iter().map(ToString::to_string).collect();
        match choice {
            Choice::Packages | Choice::Platform => {}
            Choice::Ambiguous => return Err(OpenHwmonError::Ambiguous { sensors: names() }),
            Choice::Nothing => return Err(OpenHwmonError::NoAdditiveSensor { sensors: names() }),
        }
        let mut source = Self {
            root: sysfs_root.to_owned(),
            specs: Vec::new(),
            sensors: Vec::new(),
            problems,
            next_search: Duration::ZERO,
        };
        let mut room = SHOWN_MAX;
        for (found, zone) in sensors.into_iter().zip(zones) {
            if !zone.is_additive() {
                let Some(left) = room.checked_sub(1) else { continue };
                room = left;
            }
            source.specs.push(spec(&found, zone));
            source.sensors.push(Sensor { id: found.id, input: Some(found.input), integral: Integral::default() });
        }
        Ok(source)
    }

    /// Sensors that exist but could not be read in the last search.
    #[must_use]
    pub fn problems(&self) -> &[SkippedSensor] {
        &self.problems
    }

    /// Searches for missing sensors, unless the last search was less than [`SEARCH_INTERVAL`] ago. A sensor that was
    /// not there at first stays out: it might contain one that is added.
    fn search(&mut self, moment: &Moment) {
        if self.sensors.iter().all(|sensor| sensor.input.is_some()) || moment.monotonic < self.next_search {
            return;
        }
        self.next_search = moment.monotonic.saturating_add(SEARCH_INTERVAL);
        let Ok(Discovery { sensors, problems }) = discover(&self.root) else { return };
        self.problems = problems;
        for found in sensors {
            let gone = self.sensors.iter_mut().find(|sensor| sensor.input.is_none() && sensor.id == found.id);
            if let Some(sensor) = gone {
                sensor.input = Some(found.input);
            }
        }
    }

    fn zones(&self, additive: bool) -> String {
        let named = self.specs.iter().filter(|spec| spec.zone.is_additive() == additive);
        named.map(|spec| spec.zone.to_string()).collect::<Vec<_>>().join(", ")
    }
}

impl Sensor {
    fn read(&mut self, moment: &Moment) -> Result<Microjoules, ReadError> {
        let input = self.input.as_ref().ok_or(ReadError::ZoneGone)?;
        let shown = input.read();
        if shown.is_err() {
            self.integral.interrupt();
        }
        if matches!(shown, Err(ReadError::ZoneGone)) {
            self.input = None;
        }
        Ok(match shown? {
            Shown::Microjoules(energy) => Microjoules(energy),
            Shown::Microwatts(power) => self.integral.add(moment.monotonic, power),
        })
    }
}

impl Source for Hwmon {
    fn kind(&self) -> SourceKind {
        SourceKind::Hwmon
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.specs
    }

    fn read(&mut self, moment: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        readings.clear();
        self.search(moment);
        readings.extend(self.sensors.iter_mut().map(|sensor| sensor.read(moment)));
        assert_eq!(readings.len(), self.specs.len(), "every counter has one reading");
    }

    fn describe(&self) -> String {
        let added = self.specs.iter().find(|spec| spec.zone.is_additive());
        let error = added.map_or(0.0, |spec| spec.relative_error);
        let how = if error > 0.0 { format!(", ±{:.0} %", error * 100.0) } else { String::new() };
        let (added, shown) = (self.zones(true), self.zones(false));
        if shown.is_empty() {
            format!("hwmon: {added} (added{how})")
        } else {
            format!("hwmon: {added} (added{how}); {shown} (shown only)")
        }
    }
}

fn spec(found: &FoundSensor, zone: Zone) -> CounterSpec {
    let accuracy = found.accuracy.unwrap_or(ACCURACY_UNSTATED);
    let (quantum, relative_error) = match found.input {
        // Processor sensors read RAPL registers, for which nobody states an error.
        Input::Energy(_) if matches!(found.part, Measured::Package(_) | Measured::Within) => (QUANTUM_ENERGY, 0.0),
        Input::Energy(_) => (QUANTUM_ENERGY, accuracy),
        Input::Power(_) | Input::VoltsAmps(..) => (Microjoules(1), accuracy + SAMPLING_ERROR),
    };
    let watts_max = watts_max(&zone.domain);
    CounterSpec {
        source: SourceKind::Hwmon,
        zone,
        range: None,
        watts_max,
        quantum,
        relative_error,
        base: None,
        stated: None,
    }
}

fn nothing_to_read(problems: Vec<SkippedSensor>, class: PathBuf) -> OpenHwmonError {
    match problems.into_iter().next() {
        Some(SkippedSensor { path, source }) if source.kind() == std::io::ErrorKind::PermissionDenied => {
            OpenHwmonError::Forbidden { path, source }
        }
        Some(SkippedSensor { path, source }) => OpenHwmonError::ReadSensors { path, source },
        None => OpenHwmonError::NoSensor { path: class },
    }
}
