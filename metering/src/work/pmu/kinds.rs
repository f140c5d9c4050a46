//! The kinds of cores of the machine.
//!
//! A hybrid machine shows a PMU for each kind in `<sysfs_root>/bus/event_source/devices`: `cpu_core` and `cpu_atom`.
//! The `type` of a PMU, in the upper half of the configuration of a hardware event, selects that kind (Linux 5.13 and
//! later, which also introduced these PMUs). Arm names its PMUs after the design of the core, without an order; there
//! the kernel picks one, and the counts cover only that.
//!
//! Source: `PERF_PMU_TYPE_SHIFT` in Linux `include/uapi/linux/perf_event.h`; `init_hw_perf_events` in
//! `arch/x86/events/intel/core.c`.

use std::path::Path;

/// Position of the PMU type in the configuration of a hardware event.
pub(super) const PMU_TYPE_SHIFT: u32 = 32;

/// The kinds of cores of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreKinds {
    /// All cores are alike.
    One,
    /// Performance and efficiency cores, with the types of their PMUs.
    Hybrid {
        /// PMU type of the performance cores.
        performance: u32,
        /// PMU type of the efficiency cores.
        efficient: u32,
    },
}

impl CoreKinds {
    /// Reads the PMUs below `sysfs_root`. A machine that does not show both kinds has one.
    #[must_use]
    pub fn read(sysfs_root: &Path) -> Self {
        let devices = sysfs_root.join("bus/event_source/devices");
        let pmu = |name: &str| parse_pmu_type(&std::fs::read_to_string(devices.join(name).join("type")).ok()?);
        match (pmu("cpu_core"), pmu("cpu_atom")) {
            (Some(performance), Some(efficient)) => Self::Hybrid { performance, efficient },
            _ => Self::One,
        }
    }

    /// PMU types for the performance (or only) cores and for the efficiency cores. Zero selects whichever PMU the
    /// processor has.
    pub(super) fn pmus(self) -> (u32, Option<u32>) {
        match self {
            Self::One => (0, None),
            Self::Hybrid { performance, efficient } => (performance, Some(efficient)),
        }
    }
}

/// Parses the file `type` of a PMU. Zero is the type of generic hardware events and belongs to no PMU.
#[must_use]
pub fn parse_pmu_type(text: &str) -> Option<u32> {
    text.trim_end().parse().ok().filter(|&number| number != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn machine(pmus: &[(&str, &str)]) -> CoreKinds {
        let root = tempfile::tempdir().expect("a directory can be made");
        for (name, number) in pmus {
            let device = root.path().join("bus/event_source/devices").join(name);
            std::fs::create_dir_all(&device).expect("a directory can be made");
            std::fs::write(device.join("type"), number).expect("a file can be written");
        }
        CoreKinds::read(root.path())
    }

    #[test]
    fn two_kinds_of_cores_are_told_apart() {
        let hybrid = machine(&[("cpu_core", "4\n"), ("cpu_atom", "10\n"), ("software", "1\n")]);
        assert_eq!(hybrid, CoreKinds::Hybrid { performance: 4, efficient: 10 });
        assert_eq!(hybrid.pmus(), (4, Some(10)));
    }

    #[test]
    fn a_machine_that_does_not_show_both_has_one() {
        assert_eq!(machine(&[]), CoreKinds::One);
        assert_eq!(machine(&[("cpu", "4\n")]), CoreKinds::One);
        // As when all efficiency cores are switched off.
        assert_eq!(machine(&[("cpu_core", "4\n")]), CoreKinds::One);
        assert_eq!(machine(&[("cpu_core", "4\n"), ("cpu_atom", "\n")]), CoreKinds::One);
    }

    proptest! {
        #[test]
        fn types_are_numbers_and_not_zero(text in "\\PC{0,12}|[0-9]{1,12}\n?") {
            let number = parse_pmu_type(&text);
            prop_assert!(number.is_none_or(|number| number > 0 && text.trim_end().ends_with(&number.to_string())));
        }
    }
}
