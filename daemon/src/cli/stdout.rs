//! Our stdout, whose reader may have seen enough and gone.

use std::io::{self, ErrorKind, Write};

/// Writes all of it, or as much as is wanted: a reader that closes its end, as `head` does, is no error.
///
/// # Errors
/// When writing fails for any other reason.
pub fn print(bytes: &[u8]) -> io::Result<()> {
    offer(bytes).map(drop)
}

/// Writes all of it, and tells whether there is still somebody to read more.
///
/// # Errors
/// When writing fails for any other reason than that there is not.
pub fn offer(bytes: &[u8]) -> io::Result<bool> {
    offer_to(&mut io::stdout().lock(), bytes)
}

fn offer_to(stdout: &mut impl Write, bytes: &[u8]) -> io::Result<bool> {
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
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
    fn a_reader_that_has_gone_is_no_error_and_a_full_disk_is() {
        assert!(!offer_to(&mut Failing(ErrorKind::BrokenPipe), b"x").unwrap());
        assert!(offer_to(&mut Failing(ErrorKind::StorageFull), b"x").is_err());
        assert!(offer_to(&mut Vec::new(), b"x").unwrap());
    }
}
