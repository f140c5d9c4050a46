//! Finds and opens the energy and power sensors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::error::{OpenHwmonError, SkippedSensor};
use super::parse::{Quantity, parse_accuracy, parse_device, parse_label, parse_sensor_file};
use super::parts::{Measured, Traits};
use crate::source::ReadError;
use crate::source::counter_file::CounterFile;
use crate::sysfs::attribute::read_attribute;

/// Maximum number of devices. A server with a card in every slot has some dozens.
const DEVICES_MAX: usize = 256;

/// Maximum number of files of a device. `amd_energy` has two per core and socket.
const FILES_MAX: usize = 4096;

/// The identity of a sensor across disappearance and return. The numbers of the class change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SensorId {
    /// The device behind the class entry. It may have several entries with different names.
    device: PathBuf,
    driver: String,
    quantity: Quantity,
    channel: u32,
}

/// The open files of a sensor.
#[derive(Debug)]
pub(super) enum Input {
    /// Microjoules.
    Energy(CounterFile),
    /// Microwatts.
    Power(CounterFile),
    /// Millivolts and milliamperes; their product is microwatts.
    VoltsAmps(CounterFile, CounterFile),
}

/// A sensor that can be read.
#[derive(Debug)]
pub(super) struct FoundSensor {
    pub(super) id: SensorId,
    pub(super) ordinal: u32,
    pub(super) label: Option<String>,
    pub(super) part: Measured,
    pub(super) input: Input,
    /// Accuracy that the sensor states, as a fraction.
    pub(super) accuracy: Option<f64>,
}

impl FoundSensor {
    pub(super) fn traits(&self) -> Traits<'_> {
        let label = self.label.as_deref();
        Traits {
            driver: &self.id.driver,
            ordinal: self.ordinal,
            quantity: self.id.quantity,
            channel: self.id.channel,
            label,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Discovery {
    /// Energy before power, otherwise in the order of the class.
    pub(super) sensors: Vec<FoundSensor>,
    pub(super) problems: Vec<SkippedSensor>,
}

pub(super) fn class(sysfs_root: &Path) -> PathBuf {
    sysfs_root.join("class/hwmon")
}

/// Looks at every device of the class below `sysfs_root`.
pub(super) fn discover(sysfs_root: &Path) -> Result<Discovery, OpenHwmonError> {
    let path = class(sysfs_root);
    let entries = fs::read_dir(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => OpenHwmonError::NoClass { path: path.clone() },
        _ => OpenHwmonError::ListClass { path: path.clone(), source },
    })?;
    let names = entries.take(DEVICES_MAX).filter_map(Result::ok).map(|entry| entry.file_name());
    let mut devices: Vec<_> = names.filter_map(|name| parse_device(name.to_str()?)).collect();
    devices.sort_unstable();
    let mut discovery = Discovery::default();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for device in devices {
        let entry = path.join(format!("hwmon{device}"));
        let Some((directory, driver)) = find_name(&entry) else { continue };
        let ordinal = *seen.entry(driver.clone()).and_modify(|count| *count += 1).or_insert(0);
        discovery.look_at(&entry, &directory, &driver, ordinal);
    }
    discovery.sensors.sort_by_key(|sensor| sensor.id.quantity);
    Ok(discovery)
}

/// The directory of the attributes, and the name. Old drivers keep them in the device that the class entry points to.
fn find_name(entry: &Path) -> Option<(PathBuf, String)> {
    let places = [entry.to_owned(), entry.join("device")];
    places.into_iter().find_map(|place| {
        let text = read_attribute(&place.join("name")).ok()?;
        Some((place, parse_label(&text)?.to_owned()))
    })
}

impl Discovery {
    fn look_at(&mut self, entry: &Path, directory: &Path, driver: &str, ordinal: u32) {
        let device = fs::canonicalize(entry.join("device")).unwrap_or_else(|_| entry.to_owned());
        for (channel, quantity) in readings(directory) {
            let label = label(directory, quantity, channel);
            let traits = Traits { driver, ordinal, quantity, channel, label: label.as_deref() };
            let Some(part) = Measured::of(traits) else { continue };
            match open(directory, quantity, channel) {
                Ok(input) => {
                    let accuracy = read_attribute(&directory.join(format!("power{channel}_accuracy")));
                    self.sensors.push(FoundSensor {
                        id: SensorId { device: device.clone(), driver: driver.to_owned(), quantity, channel },
                        ordinal,
                        label,
                        part,
                        input,
                        accuracy: accuracy.ok().and_then(|text| parse_accuracy(&text)),
                    });
                }
                Err(problem) => self.problems.push(problem),
            }
        }
    }
}

/// The readings of a device: its energy if it has any, since its power would repeat it; else its power, each channel
/// once; else its currents.
fn readings(directory: &Path) -> BTreeMap<u32, Quantity> {
    let files = fs::read_dir(directory).into_iter().flatten().take(FILES_MAX).filter_map(Result::ok);
    let found: Vec<_> = files.filter_map(|file| parse_sensor_file(file.file_name().to_str()?)).collect();
    let has = |wanted| found.iter().any(|&(quantity, _)| quantity == wanted);
    let is_best = |quantity: Quantity| match quantity {
        Quantity::Energy => true,
        Quantity::Power | Quantity::AveragePower => !has(Quantity::Energy),
        Quantity::Current => ![Quantity::Energy, Quantity::Power, Quantity::AveragePower].into_iter().any(has),
    };
    let mut readings: BTreeMap<u32, Quantity> = BTreeMap::new();
    for &(quantity, channel) in found.iter().filter(|&&(quantity, _)| is_best(quantity)) {
        readings.entry(channel).and_modify(|known| *known = quantity.min(*known)).or_insert(quantity);
    }
    readings
}

fn label(directory: &Path, quantity: Quantity, channel: u32) -> Option<String> {
    let kinds: &[&str] = match quantity {
        Quantity::Energy => &["energy"],
        Quantity::Power | Quantity::AveragePower => &["power"],
        Quantity::Current => &["in", "curr"],
    };
    kinds.iter().find_map(|kind| {
        let text = read_attribute(&directory.join(format!("{kind}{channel}_label"))).ok()?;
        parse_label(&text).map(str::to_owned)
    })
}

/// Opens a sensor and reads it once: opening alone proves little.
fn open(directory: &Path, quantity: Quantity, channel: u32) -> Result<Input, SkippedSensor> {
    let file = |name: String| {
        let path = directory.join(name);
        CounterFile::open(path.clone()).map_err(|source| SkippedSensor { path, source })
    };
    let (input, path) = match quantity {
        Quantity::Energy => {
            let file = file(format!("energy{channel}_input"))?;
            (Input::Energy(file), format!("energy{channel}_input"))
        }
        Quantity::Power => {
            let name = format!("power{channel}_input");
            (Input::Power(file(name.clone())?), name)
        }
        Quantity::AveragePower => {
            let name = format!("power{channel}_average");
            (Input::Power(file(name.clone())?), name)
        }
        Quantity::Current => {
            let name = format!("curr{channel}_input");
            (Input::VoltsAmps(file(format!("in{channel}_input"))?, file(name.clone())?), name)
        }
    };
    match input.read() {
        Ok(_) => Ok(input),
        Err(error) => Err(SkippedSensor { path: directory.join(path), source: cause(error) }),
    }
}

/// The cause of a failed reading.
fn cause(error: ReadError) -> io::Error {
    match error {
        ReadError::ReadCounter { source, .. } | ReadError::ReadEvent { source, .. } => source,
        ReadError::ZoneGone => io::ErrorKind::NotFound.into(),
        error @ (ReadError::ParseCounter { .. } | ReadError::Standby) => {
            io::Error::new(io::ErrorKind::InvalidData, error)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Microjoules(u64),
    Microwatts(u64),
}

impl Input {
    pub(super) fn read(&self) -> Result<Shown, ReadError> {
        match self {
            Self::Energy(file) => file.read().map(|energy| Shown::Microjoules(energy.0)),
            Self::Power(file) => file.read_number("microwatts").map(Shown::Microwatts),
            Self::VoltsAmps(volts, amps) => {
                let (millivolts, milliamperes) = (volts.read_number("millivolts")?, amps.read_number("milliamperes")?);
                Ok(Shown::Microwatts(millivolts.saturating_mul(milliamperes)))
            }
        }
    }
}
