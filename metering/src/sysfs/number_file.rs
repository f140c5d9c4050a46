//! One file with a number, such as `energy_uj`, opened once and read again and again from its beginning.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use rustix::io::{Errno, pread};

use super::attribute::parse_number;

/// Room for the text of a number: 20 digits of 64 bits, a line feed, and some more. A full buffer means that the text
/// goes on, so it is not a number.
const TEXT_BYTES: usize = 32;

#[derive(Debug)]
pub(crate) struct NumberFile {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
}

/// Why a file gave no number.
#[derive(Debug)]
pub(crate) enum ReadNumberError {
    /// What the kernel answered.
    Refused(Errno),
    /// The text that is not a number.
    Nonsense(String),
}

impl NumberFile {
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self { file: File::open(&path)?, path })
    }

    /// Reads the number. Every read at offset zero makes the kernel ask the hardware anew.
    pub(crate) fn read(&self) -> Result<u64, ReadNumberError> {
        let mut buffer = [0; TEXT_BYTES];
        let length = pread(&self.file, &mut buffer, 0).map_err(ReadNumberError::Refused)?;
        let text = &buffer[..length];
        parse(text).ok_or_else(|| ReadNumberError::Nonsense(String::from_utf8_lossy(text).trim().to_owned()))
    }
}

fn parse(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok().filter(|text| text.len() < TEXT_BYTES)?;
    parse_number(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_that_fills_the_buffer_is_not_a_number() {
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
