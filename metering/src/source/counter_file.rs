//! One file with a number, such as `energy_uj`, opened once and read at its beginning again and again.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use rustix::io::{Errno, pread};

use super::ReadError;
use super::attribute::parse_number;
use crate::units::Microjoules;

/// Room for a counter's text: 20 digits of 64 bits, a line feed, and more, so that a full buffer means that the text
/// goes on and is no number.
const TEXT_BYTES: usize = 32;

/// An open energy counter.
#[derive(Debug)]
pub(crate) struct CounterFile {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
}

impl CounterFile {
    /// Opens the counter at `path`.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self { file: File::open(&path)?, path })
    }

    /// Reads the counter. Every read at offset zero makes the kernel read the register anew.
    pub(crate) fn read(&self) -> Result<Microjoules, ReadError> {
        let mut buffer = [0; TEXT_BYTES];
        let text = self.text(&mut buffer)?;
        parse(text)
            .map(Microjoules)
            .ok_or_else(|| ReadError::ParseCounter { path: self.path.clone(), text: shown(text) })
    }

    /// Reads a number of something else than microjoules.
    pub(crate) fn read_number(&self, of: &'static str) -> Result<u64, ReadError> {
        let mut buffer = [0; TEXT_BYTES];
        let text = self.text(&mut buffer)?;
        parse(text).ok_or_else(|| {
            let nonsense = format!("it reads `{}`, which is not a number of {of}", shown(text));
            ReadError::ReadCounter {
                path: self.path.clone(),
                source: io::Error::new(io::ErrorKind::InvalidData, nonsense),
            }
        })
    }

    fn text<'a>(&self, buffer: &'a mut [u8; TEXT_BYTES]) -> Result<&'a [u8], ReadError> {
        let length = pread(&self.file, &mut *buffer, 0).map_err(|errno| self.refused(errno))?;
        Ok(&buffer[..length])
    }

    /// A file kept open answers `ENODEV` once the kernel has taken its zone away; `ENOENT`, `ENXIO` and `EBADF` leave
    /// as little hope. Anything else may be over at the next reading.
    fn refused(&self, errno: Errno) -> ReadError {
        match errno {
            Errno::NODEV | Errno::NOENT | Errno::NXIO | Errno::BADF => ReadError::ZoneGone,
            errno => ReadError::ReadCounter { path: self.path.clone(), source: errno.into() },
        }
    }
}

/// Parses what a file with a number holds.
pub(super) fn parse(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok().filter(|text| text.len() < TEXT_BYTES)?;
    parse_number(text)
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    #[test]
    fn a_text_that_fills_the_buffer_is_no_number() {
        let cut_short = format!("7{}", " ".repeat(TEXT_BYTES - 1));
        assert_eq!(parse(cut_short.as_bytes()), None);
        assert_eq!(parse(b"7\n"), Some(7));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..=TEXT_BYTES)) {
            let _ = parse(&bytes);
        }
    }
}
