//! One `energy_uj` file, opened once and read at its beginning again and again.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use rustix::io::{Errno, pread};

use super::attribute::parse_number;
use crate::source::ReadError;
use crate::units::Microjoules;

/// Room for a counter's text: 20 digits of 64 bits, a line feed, and more, so that a full buffer means that the text
/// goes on and is no number.
const TEXT_BYTES: usize = 32;

/// An open energy counter.
#[derive(Debug)]
pub(super) struct CounterFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl CounterFile {
    /// Opens the counter at `path`.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self { file: File::open(&path)?, path })
    }

    /// Reads the counter. Every read at offset zero makes the kernel read the register anew.
    pub(super) fn read(&self) -> Result<Microjoules, ReadError> {
        let mut text = [0; TEXT_BYTES];
        let length = pread(&self.file, &mut text, 0).map_err(|errno| self.refused(errno))?;
        let text = &text[..length];
        parse_microjoules(text).ok_or_else(|| ReadError::ParseCounter {
            path: self.path.clone(),
            text: String::from_utf8_lossy(text).trim().to_owned(),
        })
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

/// Parses what `energy_uj` holds.
pub(super) fn parse_microjoules(text: &[u8]) -> Option<Microjoules> {
    let text = str::from_utf8(text).ok().filter(|text| text.len() < TEXT_BYTES)?;
    parse_number(text).map(Microjoules)
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
        assert_eq!(parse_microjoules(cut_short.as_bytes()), None);
        assert_eq!(parse_microjoules(b"7\n"), Some(Microjoules(7)));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..=TEXT_BYTES)) {
            let _ = parse_microjoules(&bytes);
        }
    }
}
