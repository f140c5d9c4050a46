//! Copies its input to its output, byte for byte and piece by piece: the input may be any
//! bytes, and longer than memory.

use std::io::{self, Read, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match copy(io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            // Where stderr is closed too, the exit code is all that is left to say it with.
            let _ = writeln!(io::stderr(), "error: cannot copy the input: {cause}");
            ExitCode::FAILURE
        }
    }
}

/// The flush is explicit because the one at exit would drop its error.
fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    io::copy(&mut from, &mut to)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_as_it_was() {
        let all: Vec<u8> = (0..=255).cycle().take(100_001).collect();
        let mut copied = Vec::new();
        copy(&all[..], &mut copied).unwrap();
        assert_eq!(copied, all);
    }

    #[test]
    fn an_output_that_refuses_bytes_is_an_error() {
        let mut full = [0_u8; 2];
        assert!(copy(&b"abc"[..], &mut full[..]).is_err());
    }
}
