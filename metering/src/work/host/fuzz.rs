//! Any bytes in the place of `/proc/stat`, once and again and again.

use std::time::Duration;

use super::busy::Busy;
use super::{parse_cpu_count, parse_machine};

/// Takes the bytes for one file, and line by line for what its first line was at one reading after another.
pub fn parsers(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    assert!(parse_cpu_count(text) <= text.lines().count(), "a processor has a line");

    let mut readings = text.lines().filter_map(parse_machine);
    let Some(first) = readings.next() else { return };
    let (mut busy, mut process, mut last) = (Busy::new(first, Duration::ZERO), Duration::ZERO, Duration::ZERO);
    for machine in readings {
        process += Duration::from_millis(machine.as_millis() as u64 % 1000);
        let now = busy.advance(machine, process);
        assert!(now >= last && now >= process, "time only grows, and holds the process's own");
        last = now;
    }
}
