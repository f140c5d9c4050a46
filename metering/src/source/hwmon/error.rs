//! Errors of the hwmon source.

use std::path::PathBuf;
use std::{fmt, io};

use thiserror::Error;

/// Why no sensor can be used. Each variant has its own remedy.
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
#[derive(Debug, Error)]
pub enum OpenHwmonError {
    /// There is no hardware monitoring class.
    #[error("there is no hardware monitoring class `{}`", path.display())]
    NoClass { path: PathBuf },
    /// The class exists but cannot be listed.
    #[error("cannot list the hardware monitoring class `{}`", path.display())]
    ListClass { path: PathBuf, source: io::Error },
    /// No device measures energy or power: the driver is not loaded, or the board has no sensor.
    #[error("no device in `{}` measures energy or power", path.display())]
    NoSensor { path: PathBuf },
    /// Sensors exist, but this process may not read any. Only root may read energy, as with powercap.
    ///
    /// Source: CVE-2020-12912, for the `amd_energy` driver.
    #[error("no permission to read any sensor, the first being `{}`", path.display())]
    Forbidden { path: PathBuf, source: io::Error },
    /// Sensors exist, but none can be read.
    #[error("cannot read any sensor, the first being `{}`", path.display())]
    ReadSensors { path: PathBuf, source: io::Error },
    /// Several sensors may measure the whole machine. Whether one contains another is unknown, so they cannot be added.
    #[error("cannot tell which of these sensors measures the whole machine: {}", Quoted(sensors))]
    Ambiguous { sensors: Vec<String> },
    /// All sensors belong to single devices, such as graphics cards.
    #[error("none of these sensors measures the machine or its processors: {}", Quoted(sensors))]
    NoAdditiveSensor { sensors: Vec<String> },
}

struct Quoted<'a>(&'a [String]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}`{name}`")?;
        }
        Ok(())
    }
}

/// A sensor that exists but cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the sensor `{}`", path.display())]
pub struct SkippedSensor {
    /// Its file.
    pub path: PathBuf,
    /// What the kernel said.
    pub source: io::Error,
}
