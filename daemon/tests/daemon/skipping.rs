//! Tests that cannot run on this machine.

use std::io::Write;

/// Tells why. Straight to stdout, since the test harness keeps what `println!` writes in a test that passes.
pub fn skipped(why: &str) {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "SKIPPED: {why}").unwrap();
}
