//! Checks what measures the work of calls: the processor's event counters, and the machine's clocks.

use std::io;
use std::path::Path;

use nebula_metering::source::model::cpu::Processor;
use nebula_metering::work::reader::WorkReader;

use super::finding::{FILTERED, Finding, NO_PROCFS, Verdict, program};
use crate::causes::chain;
use crate::meter::open_clock;

/// The strictest value of `perf_event_paranoid` that lets everyone count events of their own threads in user mode, which
/// is all that Nebula needs. Source: Linux `Documentation/admin-guide/sysctl/kernel.rst`; 3 and 4 are additions of
/// Debian and Ubuntu.
const PARANOID_MAX: i32 = 2;

/// `ENODEV`, for which the standard library has no name.
const NO_DEVICE: i32 = 19;

/// Instructions, cycles and cache misses.
pub fn counters(sysfs_root: &Path, procfs_root: &Path, processor: &Processor) -> Finding {
    let paranoid = std::fs::read_to_string(procfs_root.join("sys/kernel/perf_event_paranoid"));
    let paranoid = paranoid.ok().and_then(|text| text.trim().parse().ok());
    let (reader, error) = WorkReader::probe(sysfs_root);
    judge_counters(error.as_ref(), &reader.describe(), paranoid, processor.is_guest)
}

fn judge_counters(error: Option<&io::Error>, read: &str, paranoid: Option<i32>, is_guest: bool) -> Finding {
    let setting = paranoid.map_or_else(|| "is not known".to_owned(), |value| format!("is {value}"));
    let finding = |status, what: &str| Finding::new(status, "work counters", what);
    let Some(error) = error else {
        return finding(Verdict::Ok, &format!("{read} (perf_event_paranoid {setting})"));
    };
    let fact = format!("no hardware events: {error} (perf_event_paranoid {setting}); using {read}");
    match error.kind() {
        io::ErrorKind::PermissionDenied => finding(Verdict::Forbidden, &fact)
            .with_remedies(forbidden(paranoid.is_some_and(|value| value <= PARANOID_MAX))),
        io::ErrorKind::NotFound | io::ErrorKind::Unsupported => {
            finding(Verdict::Missing, &fact).with_remedy(missing(is_guest))
        }
        _ if error.raw_os_error() == Some(NO_DEVICE) => finding(Verdict::Missing, &fact).with_remedy(missing(is_guest)),
        _ => finding(Verdict::Broken, &fact),
    }
}

fn missing(is_guest: bool) -> &'static str {
    if is_guest {
        "this virtual machine has no PMU: enable it (QEMU: -cpu host,pmu=on; libvirt: <pmu state='on'/>), or in a cloud use a \
         bare-metal instance"
    } else {
        "the kernel offers no PMU: a container sandbox may hide it, or the firmware may have disabled it"
    }
}

/// If the kernel's setting allows it, something else forbids it, usually a container's system call filter.
///
/// Source: `perf_event_open(2)`, `capabilities(7)`; moby's default seccomp profile.
fn forbidden(allowed_by_setting: bool) -> Vec<String> {
    if allowed_by_setting {
        return vec![FILTERED.into()];
    }
    vec![
        format!("sudo sysctl kernel.perf_event_paranoid={PARANOID_MAX}"),
        format!(
            "at every boot: echo kernel.perf_event_paranoid={PARANOID_MAX} | sudo tee /etc/sysctl.d/60-nebula.conf"
        ),
        format!(
            "or for nebula alone: sudo setcap cap_perfmon,cap_dac_read_search+ep {}   (setcap replaces earlier \
             capabilities; the second one is for powercap)",
            program()
        ),
    ]
}

/// The CPU time of everything else on the machine, needed to attribute energy.
pub fn clock(sysfs_root: &Path, procfs_root: &Path) -> Finding {
    let stat = procfs_root.join("stat");
    let finding = |status, fact: String| Finding::new(status, "host clock", fact);
    match open_clock(procfs_root, sysfs_root) {
        Ok(clock) => finding(Verdict::Ok, format!("CPU time of the whole machine: {}", clock.describe())),
        Err(error) => {
            let status = match std::fs::File::open(&stat).map_err(|error| error.kind()) {
                Err(io::ErrorKind::PermissionDenied) => Verdict::Forbidden,
                Err(_) => Verdict::Missing,
                Ok(_) => Verdict::Broken,
            };
            finding(status, chain(&error)).with_remedy(NO_PROCFS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOENT: i32 = 2;
    const EACCES: i32 = 13;
    const ENOSYS: i32 = 38;

    fn judged(errno: Option<i32>, paranoid: Option<i32>, is_guest: bool) -> (Verdict, String) {
        let error = errno.map(io::Error::from_raw_os_error);
        let finding = judge_counters(error.as_ref(), "CPU time by thread clock", paranoid, is_guest);
        (finding.status, format!("{}\n{}", finding.fact, finding.remedies.join("\n")))
    }

    #[test]
    fn a_strict_setting_is_named_with_the_command_that_loosens_it() {
        let (status, text) = judged(Some(EACCES), Some(4), false);
        assert_eq!(status, Verdict::Forbidden);
        assert!(text.contains("perf_event_paranoid is 4"), "{text}");
        assert!(text.contains("sudo sysctl kernel.perf_event_paranoid=2"), "{text}");
    }

    #[test]
    fn a_filter_is_suspected_where_the_setting_allows_it() {
        let (status, text) = judged(Some(EACCES), Some(2), false);
        assert_eq!(status, Verdict::Forbidden);
        assert!(text.contains("--cap-add PERFMON") && !text.contains("sysctl kernel"), "{text}");
    }

    #[test]
    fn a_machine_without_a_pmu_differs_from_one_that_forbids_it() {
        for errno in [ENOENT, ENOSYS, NO_DEVICE] {
            let (status, text) = judged(Some(errno), Some(2), true);
            assert_eq!(status, Verdict::Missing, "{text}");
            assert!(text.contains("virtual machine has no PMU"), "{text}");
        }
        assert!(judged(Some(ENOENT), None, false).1.contains("perf_event_paranoid is not known"));
    }

    #[test]
    fn counters_that_answer_need_no_remedy() {
        let (status, text) = judged(None, Some(2), true);
        assert_eq!(status, Verdict::Ok);
        assert!(text.ends_with('\n'), "{text}");
    }
}
