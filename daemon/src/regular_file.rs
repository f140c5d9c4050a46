//! Opens files to be read whole. A FIFO would keep the thread waiting until somebody writes, and a device may never end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file, or a link to one.
///
/// # Errors
/// Also if it is anything else.
pub fn open(path: &Path) -> io::Result<File> {
    // What is opened for reading without waiting is there at once, whatever it is.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
    }
}

/// Reads a regular file whole.
///
/// # Errors
/// Also if it is anything else.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        assert_eq!(read(&at("link")).unwrap(), b"text");
        assert!(std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        for other in [&at("fifo"), folder.path(), Path::new("/dev/zero")] {
            assert_eq!(open(other).unwrap_err().to_string(), "it is not a regular file", "{other:?}");
        }
    }
}
