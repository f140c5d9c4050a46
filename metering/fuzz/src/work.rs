//! Any bytes as what the kernel says about the machine's work and its processors.

use std::path::Path;
use std::time::Duration;

use nebula_metering::work::PACKAGES_MAX;
use nebula_metering::work::host::{
    HostClock, parse_cpu_count, parse_cpu_stat, parse_machine, parse_packages, parse_usage_ns,
};
use nebula_metering::work::pmu::parse_pmu_type;
use nebula_metering::work::topology::{Topology, parse_cpu_name, parse_package_id};

use crate::tree::{with_files, write};

/// The bytes are `/proc/stat` as a whole, and each line is its first line at another reading; they are also the usage of
/// a control group and the files that describe processors.
pub(crate) fn work(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let lines = text.lines().count();
    assert!(parse_cpu_count(text) <= lines, "a processor has a line");
    let topology = Topology::new(&text.lines().filter_map(parse_package_id).collect::<Vec<_>>());
    let packages = parse_packages(text, &topology);
    let known = topology.packages().len().min(PACKAGES_MAX);
    assert!(packages[known..].iter().all(Duration::is_zero), "no package, no work");

    let usages = [parse_cpu_stat(text), parse_usage_ns(text)];
    assert!(usages.iter().flatten().count() <= 1, "{text:?} is of two kinds");
    assert!(parse_cpu_name(text).is_none_or(|cpu| format!("cpu{cpu}").len() <= text.len()));
    assert_ne!(parse_pmu_type(text), Some(0), "zero is no PMU's type");
    clock(text, topology);
}

fn clock(text: &str, topology: Topology) {
    let mut readings = text.lines().filter(|line| parse_machine(line).is_some());
    let Some(first) = readings.next() else { return };
    with_files(&[("stat", first.as_bytes())], |root| {
        let stat = root.join("stat");
        let Ok(mut clock) = HostClock::open(root, Path::new("/nowhere"), topology) else { return };
        let mut last = Duration::ZERO;
        for line in readings.take(16) {
            write(&stat, line.as_bytes());
            let Ok(now) = clock.now() else { continue };
            assert!(now.busy >= last, "work only grows");
            last = now.busy;
        }
    });
}
