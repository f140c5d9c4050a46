//! Checks the sources besides powercap.

use std::io;
use std::path::Path;

use nebula_metering::source::model::Model;
use nebula_metering::source::model::cpu::Processor;
use nebula_metering::source::{Source, hwmon, perf};

use super::finding::{FILTERED, Finding, NO_PROCFS, Verdict, is_x86, program};
use crate::causes::chain;

/// The highest value of `perf_event_paranoid` that lets everyone count events of the whole machine.
///
/// Source: Linux `Documentation/admin-guide/sysctl/kernel.rst`.
const PARANOID_MAX: i32 = 0;

pub fn model(sysfs_root: &Path, procfs_root: &Path) -> Finding {
    match Model::of_machine(sysfs_root, procfs_root) {
        Ok(model) => Finding::new(Verdict::Ok, "model", model.describe()),
        Err(error) => Finding::new(Verdict::Missing, "model", chain(&error)).with_remedy(NO_PROCFS),
    }
}

/// The energy events of the `power` PMU.
pub fn perf(sysfs_root: &Path, procfs_root: &Path, processor: &Processor) -> Finding {
    judge_perf(perf::Perf::open(sysfs_root, procfs_root).map(|source| source.describe()), processor)
}

fn judge_perf(opened: Result<String, perf::OpenPerfError>, processor: &Processor) -> Finding {
    use perf::OpenPerfError;
    let error = match opened {
        Ok(fact) => return Finding::new(Verdict::Ok, "perf", fact),
        Err(error) => error,
    };
    let finding = |status| Finding::new(status, "perf", chain(&error));
    match &error {
        OpenPerfError::NoPmu { .. } if !is_x86(processor) => {
            finding(Verdict::Missing).with_remedy("none: only Intel and AMD processors have this PMU")
        }
        OpenPerfError::NoPmu { .. } if processor.is_guest => finding(Verdict::Missing)
            .with_remedy("hypervisors do not expose this PMU to virtual machines: run nebula on the host"),
        OpenPerfError::NoPmu { .. } => finding(Verdict::Missing).with_remedies([
            "sudo modprobe rapl   (in a container: on the host)",
            "if there is no such module, use a kernel built with CONFIG_PERF_EVENTS_INTEL_RAPL",
        ]),
        OpenPerfError::Forbidden { paranoid, .. } => finding(Verdict::Forbidden)
            .with_remedies(perf_forbidden(paranoid.is_some_and(|level| level <= PARANOID_MAX))),
        OpenPerfError::DescribePmu { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            finding(Verdict::Forbidden)
                .with_remedy("usually everyone may read it: look for a sandbox or a security module that forbids it")
        }
        OpenPerfError::NoEvent { .. } | OpenPerfError::NoAdditiveEvent { .. } => finding(Verdict::Missing)
            .with_remedy("the driver knows neither package nor memory of this processor: a newer kernel may"),
        OpenPerfError::DescribePmu { .. } | OpenPerfError::UseEvents { .. } => {
            finding(Verdict::Broken).with_remedy("the kernel log may say why: sudo dmesg | grep -i rapl")
        }
    }
}

/// Source: `perf_event_open(2)`, `capabilities(7)`; moby's default seccomp profile.
fn perf_forbidden(allowed_by_setting: bool) -> Vec<String> {
    if allowed_by_setting {
        return vec![FILTERED.into()];
    }
    vec![
        format!(
            "sudo setcap cap_perfmon,cap_dac_read_search+ep {}   (setcap replaces earlier capabilities; the second \
             one is for powercap)",
            program()
        ),
        "or as a systemd service: AmbientCapabilities=CAP_PERFMON under [Service]".into(),
        format!("or for everyone: sudo sysctl kernel.perf_event_paranoid={PARANOID_MAX}"),
    ]
}

/// The sensors of the hardware monitoring class.
pub fn hwmon(sysfs_root: &Path) -> Finding {
    judge_hwmon(hwmon::Hwmon::open(sysfs_root).map(|source| source.describe()))
}

fn judge_hwmon(opened: Result<String, hwmon::OpenHwmonError>) -> Finding {
    use hwmon::OpenHwmonError;
    let error = match opened {
        Ok(fact) => return Finding::new(Verdict::Ok, "hwmon", fact),
        Err(error) => error,
    };
    let finding = |status| Finding::new(status, "hwmon", chain(&error));
    match &error {
        OpenHwmonError::NoClass { .. } => finding(Verdict::Missing)
            .with_remedy("use a kernel built with CONFIG_HWMON; in a container, mount the host's sysfs"),
        OpenHwmonError::NoSensor { .. } => finding(Verdict::Missing).with_remedies([
            "sudo sensors-detect   (package lm-sensors; finds the drivers of this board)",
            "if the firmware has a power meter (ACPI000D): sudo modprobe acpi_power_meter",
        ]),
        OpenHwmonError::Forbidden { path, .. } => finding(Verdict::Forbidden).with_remedies([
            format!("sudo setcap cap_dac_read_search+ep {}", program()),
            format!(
                "or until the next boot, for a group `nebula`: sudo chgrp nebula {0} && sudo chmod g+r {0}",
                path.display()
            ),
        ]),
        OpenHwmonError::ListClass { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            finding(Verdict::Forbidden)
                .with_remedy("usually everyone may list it: look for a sandbox or a security module that forbids it")
        }
        OpenHwmonError::ListClass { .. } | OpenHwmonError::ReadSensors { .. } => {
            finding(Verdict::Broken).with_remedy("the kernel log may say why: sudo dmesg | grep -i hwmon")
        }
        OpenHwmonError::Ambiguous { .. } | OpenHwmonError::NoAdditiveSensor { .. } => {
            finding(Verdict::Missing).with_remedy("none: energy of parts of the machine must not be added up")
        }
    }
}

#[cfg(feature = "rapl-energy")]
pub fn rapl_energy() -> Finding {
    match nebula_metering::source::rapl_energy::RaplEnergy::open() {
        Ok(source) => Finding::new(Verdict::Ok, "rapl-energy", source.describe()),
        Err(error) => Finding::new(Verdict::Missing, "rapl-energy", chain(&error))
            .with_remedy("what fixes powercap fixes this too; it always reads /sys"),
    }
}

#[cfg(not(feature = "rapl-energy"))]
pub fn rapl_energy() -> Finding {
    Finding::new(Verdict::Missing, "rapl-energy", "not in this build; powercap reads the same counters")
        .with_remedy("cargo build --release --features rapl-energy")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use nebula_metering::source::model::cpu::parse_cpuinfo;

    use super::super::finding::processors::{ARM, INTEL};
    use super::*;

    fn server() -> Processor {
        parse_cpuinfo(INTEL)
    }

    fn refused() -> io::Error {
        io::ErrorKind::PermissionDenied.into()
    }

    #[test]
    fn without_permission_for_perf_the_capability_is_named() {
        let judged = |paranoid| {
            let error = perf::OpenPerfError::Forbidden { event: "energy-pkg".into(), paranoid, source: refused() };
            judge_perf(Err(error), &server())
        };
        let finding = judged(Some(2));
        assert_eq!(finding.status, Verdict::Forbidden);
        assert!(finding.fact.contains("`kernel.perf_event_paranoid` is 2"), "{finding:?}");
        assert!(finding.remedies[0].starts_with("sudo setcap cap_perfmon,"), "{finding:?}");
        let remedies = judged(Some(0)).remedies;
        assert!(remedies.len() == 1 && remedies[0].contains("--cap-add PERFMON"), "{remedies:?}");
    }

    #[test]
    fn the_remedy_for_a_missing_pmu_depends_on_the_machine() {
        let judged = |processor: &Processor| {
            judge_perf(Err(perf::OpenPerfError::NoPmu { path: PathBuf::from("/sys/x") }), processor).remedies.join("\n")
        };
        assert!(judged(&server()).contains("sudo modprobe rapl"));
        assert!(judged(&Processor { is_guest: true, ..server() }).contains("run nebula on the host"));
        let arm = parse_cpuinfo(ARM);
        assert!(judged(&arm).contains("none: only Intel"));
    }

    #[test]
    fn every_obstacle_of_a_sensor_has_a_status_and_a_remedy() {
        use hwmon::OpenHwmonError;
        let path = || PathBuf::from("/sys/x");
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        let cases = [
            (OpenHwmonError::NoClass { path: path() }, Verdict::Missing),
            (OpenHwmonError::NoSensor { path: path() }, Verdict::Missing),
            (OpenHwmonError::Forbidden { path: path(), source: refused() }, Verdict::Forbidden),
            (OpenHwmonError::ListClass { path: path(), source: refused() }, Verdict::Forbidden),
            (OpenHwmonError::ListClass { path: path(), source: broken() }, Verdict::Broken),
            (OpenHwmonError::ReadSensors { path: path(), source: broken() }, Verdict::Broken),
            (OpenHwmonError::Ambiguous { sensors: vec!["a".into(), "b".into()] }, Verdict::Missing),
        ];
        for (error, status) in cases {
            let finding = judge_hwmon(Err(error));
            assert_eq!(finding.status, status, "{finding:?}");
            assert!(!finding.remedies.is_empty(), "{finding:?}");
        }
    }
}
