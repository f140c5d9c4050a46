//! Why no sensor can be used.

use std::path::PathBuf;
use std::{fmt, io};

use thiserror::Error;

/// Why no energy can be read at all. Each variant has another remedy.
#[derive(Debug, Error)]
pub enum OpenHwmonError {
    /// There is no hardware monitoring class.
    #[error("there is no hardware monitoring class `{}`", path.display())]
    NoClass {
        /// Where it would be.
        path: PathBuf,
    },
    /// The class is there and cannot be listed.
    #[error("cannot list the hardware monitoring class `{}`", path.display())]
    ListClass {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// No device has a sensor of energy or power: the driver is not loaded, or the board has none.
    #[error("no device in `{}` senses energy or power", path.display())]
    NoSensor {
        /// The directory.
        path: PathBuf,
    },
    /// There are sensors, and this process may read none of them. Energy is for root alone, as in powercap.
    ///
    /// Source: CVE-2020-12912, for the `amd_energy` driver.
    #[error("may not read any sensor, the first being `{}`", path.display())]
    Forbidden {
        /// The first such sensor's file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// There are sensors, and none can be read.
    #[error("cannot read any sensor, the first being `{}`", path.display())]
    ReadSensors {
        /// The first such sensor's file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// There are several sensors that may be of the machine. Whether one contains the other cannot be told, so that
    /// they may not be added.
    #[error("cannot tell which of these sensors is of the whole machine: {}", Quoted(sensors))]
    Ambiguous {
        /// Their names.
        sensors: Vec<String>,
    },
    /// There are sensors, and all are of devices of their own, such as graphics cards.
    #[error("none of these sensors is of the machine or its processors: {}", Quoted(sensors))]
    NoAdditiveSensor {
        /// Their names.
        sensors: Vec<String>,
    },
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

/// A sensor that exists and cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the sensor `{}`", path.display())]
pub struct SkippedSensor {
    /// Its file.
    pub path: PathBuf,
    /// What the kernel said.
    pub source: io::Error,
}
