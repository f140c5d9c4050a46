//! What a guest makes the host hold counts as its memory.

use std::fs;
use std::thread;

use crate::prelude::*;

/// The most memory that a process ever had, in MiB.
pub fn peak_mebibytes(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

#[test]
fn lists_of_headers_count_as_the_memory_of_the_call_that_hoards_them() {
    let guest = guests::source("hoard-headers");
    let daemon = Daemon::with_files(&[("hoard.wat", &guest)], &["--limits-memory 32MiB --limits-wall 20s"]);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| daemon.get("/invoke/hoard").expect_problem(500, "out-of-memory"));
        }
    });
    assert_eq!(daemon.output("hello-world"), daemon.output("hello-world"), "the others are served");
    // Without a bound each call holds 1.1 GiB. A tick of overshoot each, and the daemon itself.
    let peak = peak_mebibytes(&daemon);
    assert!(peak < 700, "{peak} MiB");
    println!("three hoarders of headers at once: a peak of {peak} MiB");
}

#[test]
fn the_heap_of_a_guest_with_exceptions_or_garbage_counts_as_its_memory() {
    let daemon = Daemon::with_guests(&["--limits-memory 16MiB"]);
    assert_eq!(daemon.output("exceptions?input=1000000"), "1000000\n", "what nobody holds any more is collected");
    assert_eq!(daemon.output("garbage?input=4"), "4194304\n");
    daemon.get("/invoke/garbage?input=64").expect_problem(500, "out-of-memory");
}
