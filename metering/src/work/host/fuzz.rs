//! Any bytes in the place of what the kernel says of the machine's work and of its processors.

use std::time::Duration;

use super::busy::Busy;
use super::{parse_cpu_count, parse_machine, parse_packages, parse_usage_ns, parse_usage_usec};
use crate::source::PACKAGES_MAX;
use crate::work::pmu::parse_pmu_type;
use crate::work::topology::{Topology, parse_cpu_name, parse_package_id};

/// Takes the bytes for `/proc/stat`, once and line by line for its first line at one reading after another; for the
/// usage of a cgroup; and for what describes processors.
pub fn parsers(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let lines = text.lines().count();
    assert!(parse_cpu_count(text) <= lines, "a processor has a line");
    let topology = Topology::new(&text.lines().filter_map(parse_package_id).collect::<Vec<_>>());
    let packages = parse_packages(text, &topology);
    let beyond = packages.iter().skip(topology.packages().len());
    assert!(
        beyond.eq(&[Duration::ZERO; PACKAGES_MAX][topology.packages().len().min(PACKAGES_MAX)..]),
        "no package, no work"
    );

    let usages = [parse_usage_usec(text), parse_usage_ns(text)];
    assert!(usages.iter().flatten().count() <= 1, "{text:?} is of two kinds");
    assert!(parse_cpu_name(text).is_none_or(|cpu| format!("cpu{cpu}").len() <= text.len()));
    assert_ne!(parse_pmu_type(text), Some(0), "zero is no PMU's type");

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
