//! Writing to stdout and stderr.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Writes to stdout. A reader that closes its end, as `head` does, is no error.
pub fn print(bytes: &[u8]) -> io::Result<()> {
    offer(bytes).map(drop)
}

/// The same; returns `false` once the reader is gone.
pub fn offer(bytes: &[u8]) -> io::Result<bool> {
    offer_to(&mut io::stdout().lock(), bytes)
}

fn offer_to(stdout: &mut impl Write, bytes: &[u8]) -> io::Result<bool> {
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}

/// Prints a line on stderr. It is no error if nobody reads it.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_not_an_error_and_a_full_disk_is() {
        assert!(!offer_to(&mut Failing(ErrorKind::BrokenPipe), b"x").unwrap());
        assert!(offer_to(&mut Failing(ErrorKind::StorageFull), b"x").is_err());
        assert!(offer_to(&mut Vec::new(), b"x").unwrap());
    }
}
