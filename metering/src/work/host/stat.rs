//! `/proc/stat`: CPU time of the processors, in ticks.
//!
//! It starts with a line for all processors, followed by one for each that is online:
//!
//! ```text
//! cpu  user nice system idle iowait irq softirq steal guest guest_nice
//! cpu0 user nice system …
//! ```
//!
//! Work is `user + nice + system + irq + softirq`. It excludes `idle` and `iowait`, two names for doing nothing that
//! may run backwards; `steal`, when the hypervisor ran someone else; and `guest` and `guest_nice`, which are already in
//! `user` and `nice`.
//!
//! Source: `proc_stat(5)`; `show_stat` in Linux `fs/proc/stat.c`; `account_guest_time` in `kernel/sched/cputime.c`.

use std::time::Duration;

use crate::work::PACKAGES_MAX;
use crate::work::topology::Topology;

/// Length of a tick in `/proc/stat`: one hundredth of a second, whatever the kernel's own `HZ` is.
///
/// `USER_HZ` is part of the ABI: 100 in Linux `include/asm-generic/param.h`, and otherwise only on alpha (1024) and on
/// ia64 until its removal, for neither of which Rust has a Linux target.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Longest line of processor times: a name, ten numbers of up to 20 digits with a space each, and another space.
pub(super) const LINE_LENGTH_MAX: usize = 256;

/// Work of all processors together, from the first line. `None` if it has another format or its sum overflows.
#[must_use]
pub fn parse_machine(stat: &str) -> Option<Duration> {
    work(stat.lines().next()?.strip_prefix("cpu ")?)
}

/// Work of each package of `topology`, from the lines of its processors. Covers the first [`PACKAGES_MAX`] packages.
#[must_use]
pub fn parse_packages(stat: &str, topology: &Topology) -> [Duration; PACKAGES_MAX] {
    let mut packages = [Duration::ZERO; PACKAGES_MAX];
    for (cpu, times) in stat.lines().filter_map(processor) {
        let package = packages.get_mut(topology.package_of(cpu));
        if let Some((package, work)) = package.zip(work(times)) {
            *package = package.saturating_add(work);
        }
    }
    packages
}

/// Number of processors online: the `cpuN` lines of a `stat` file.
#[must_use]
pub fn parse_cpu_count(stat: &str) -> usize {
    stat.lines().filter_map(processor).count()
}

/// The number and the times of a processor's line.
fn processor(line: &str) -> Option<(u32, &str)> {
    let line = line.strip_prefix("cpu")?;
    let (number, times) = line.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((line, ""));
    Some((number.parse().ok()?, times))
}

fn work(times: &str) -> Option<Duration> {
    let mut fields = times.split_ascii_whitespace().map(str::parse::<u64>);
    let mut field = || fields.next()?.ok();
    let [user, nice, system, _idle, _iowait, irq, softirq] =
        [field()?, field()?, field()?, field()?, field()?, field()?, field()?];
    let ticks = [user, nice, system, irq, softirq].into_iter().try_fold(0_u64, u64::checked_add)?;
    Some(Duration::from_millis(ticks.checked_mul(TICK.as_millis() as u64)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn work_is_all_but_idling_stealing_and_guests() {
        let line = "cpu  1000 200 30 777777 888888 4 5 999999 1000 200";
        assert_eq!(parse_machine(line), Some(Duration::from_millis(12_390)));
    }

    #[test]
    fn kernels_without_steal_and_guests_are_understood() {
        assert_eq!(parse_machine("cpu  1 2 3 4 5 6 7"), Some(Duration::from_millis(190)));
    }

    #[test]
    fn other_lines_are_refused() {
        for line in ["", "cpu", "cpu0 1 2 3 4 5 6 7", "cpu  1 2 3 4 5 6", "cpu  1 2 3 -4 5 6 7", "intr 1 2 3 4 5 6 7"] {
            assert_eq!(parse_machine(line), None, "{line}");
        }
    }

    #[test]
    fn processors_are_counted_without_their_sum() {
        assert_eq!(parse_cpu_count("cpu  9 9\ncpu0 1 2\ncpu1 1 2\ncpu17 3 4\ncpufreq 1\nintr 3\n"), 3);
        assert_eq!(parse_cpu_count(""), 0);
    }

    #[test]
    fn work_goes_to_the_package_of_its_processor() {
        let stat =
            "cpu  600 0 0 0 0 0 0\ncpu0 100 0 0 7 7 0 0 9\ncpu1 200 0 0 7 7 0 0 9\ncpu3 300 0 0 0 0 0 0\nintr 5\n";
        let packages = parse_packages(stat, &Topology::new(&[0, 1, 0, 1]));
        assert_eq!(packages[..3], [Duration::from_secs(1), Duration::from_secs(5), Duration::ZERO]);
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parsers(text in "(cpu[0-9 ]{0,30}|\\PC{0,20}|\n){0,10}", packages: Vec<u32>) {
            let _ = (parse_machine(&text), parse_cpu_count(&text), parse_packages(&text, &Topology::new(&packages)));
        }

        #[test]
        fn no_number_is_too_large(fields: [u64; 10]) {
            let line = fields.iter().fold(String::from("cpu "), |line, field| format!("{line} {field}"));
            prop_assert!(line.len() < LINE_LENGTH_MAX);
            let _ = parse_machine(&line);
            let lines = line.replace("cpu ", "cpu0 ") + "\n" + &line.replace("cpu ", "cpu1 ");
            let _ = parse_packages(&lines, &Topology::one_package(2));
        }

        #[test]
        fn packages_add_up_to_the_machine(times in prop::collection::vec(0_u64..1 << 50, 1..64), sockets in 1_u32..8) {
            let cpus: Vec<u32> = (0..times.len()).map(|cpu| cpu as u32 % sockets).collect();
            let line = |(cpu, time)| format!("cpu{cpu} {time} 0 0 9 9 0 0\n");
            let lines: Vec<String> = times.iter().enumerate().map(line).collect();
            let machine = format!("cpu  {} 0 0 9 9 0 0\n{}", times.iter().sum::<u64>(), lines.concat());
            let packages = parse_packages(&machine, &Topology::new(&cpus));
            prop_assert_eq!(Some(packages.iter().sum()), parse_machine(&machine));
        }
    }
}
