//! Counters in files of sysfs: what an answer of the kernel means for an energy counter.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use super::ReadError;
use crate::sysfs::number_file::{NumberFile, ReadNumberError};
use crate::units::Microjoules;

/// An open energy counter.
#[derive(Debug)]
pub(crate) struct CounterFile(pub(crate) NumberFile);

impl CounterFile {
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        NumberFile::open(path).map(Self)
    }

    pub(crate) fn read(&self) -> Result<Microjoules, ReadError> {
        self.0.read().map(Microjoules).map_err(|error| match error {
            ReadNumberError::Refused(errno) => self.refused(errno),
            ReadNumberError::Nonsense(text) => ReadError::ParseCounter { path: self.0.path.clone(), text },
        })
    }

    /// Reads a number in another unit than microjoules.
    pub(crate) fn read_number(&self, unit: &'static str) -> Result<u64, ReadError> {
        self.0.read().map_err(|error| match error {
            ReadNumberError::Refused(errno) => self.refused(errno),
            ReadNumberError::Nonsense(text) => {
                let nonsense = format!("it reads `{text}`, which is not a number of {unit}");
                let source = io::Error::new(io::ErrorKind::InvalidData, nonsense);
                ReadError::ReadCounter { path: self.0.path.clone(), source }
            }
        })
    }

    /// An open file answers `ENODEV` once the kernel has removed its zone. `ENOENT`, `ENXIO` and `EBADF` are as final.
    /// Any other error may be over at the next reading.
    fn refused(&self, errno: Errno) -> ReadError {
        match errno {
            Errno::NODEV | Errno::NOENT | Errno::NXIO | Errno::BADF => ReadError::ZoneGone,
            errno => ReadError::ReadCounter { path: self.0.path.clone(), source: errno.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_zone_that_is_gone_is_called_gone() {
        let null = CounterFile::open("/dev/null".into()).expect("a file");
        for errno in [Errno::NODEV, Errno::NOENT, Errno::NXIO, Errno::BADF] {
            assert!(matches!(null.refused(errno), ReadError::ZoneGone), "{errno}");
        }
        for errno in [Errno::IO, Errno::ACCESS, Errno::PERM, Errno::NODATA, Errno::INTR, Errno::INVAL] {
            assert!(matches!(null.refused(errno), ReadError::ReadCounter { .. }), "{errno}");
        }
    }
}
