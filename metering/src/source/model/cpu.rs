//! The kind of processor, from `/proc/cpuinfo`.
//!
//! The file has a block of `key : value` lines for each hardware thread online. Keys differ by architecture: on x86
//! `vendor_id`, `cpu family`, `model` and `stepping`, decimal, from CPUID; on ARM `CPU implementer` and `CPU part`,
//! hexadecimal, from `MIDR_EL1`. A hypervisor may show anything, and often shows a model number that matches no real
//! processor. Then there is no row for it, or in the worst case a wrong one.
//!
//! Source: `proc_cpuinfo(5)`; Linux `arch/x86/kernel/cpu/proc.c` and `arch/arm64/kernel/cpuinfo.c`.

use std::collections::BTreeSet;

/// Longest processor name that is kept. CPUID has 48 bytes for it.
const NAME_LENGTH_MAX: usize = 64;

/// Identifies a kind of processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// x86, from CPUID.
    X86 {
        /// `GenuineIntel`, `AuthenticAMD` and the like.
        vendor: String,
        /// Family, including the extended one.
        family: u32,
        /// Model, including the extended one.
        model: u32,
        /// Revision of the model.
        stepping: u32,
    },
    /// ARM, from `MIDR_EL1`.
    Arm {
        /// Manufacturer.
        implementer: u32,
        /// Part number of the manufacturer.
        part: u32,
    },
}

/// What `/proc/cpuinfo` says about the processors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processor {
    /// The kind, if known. If kinds are mixed, that of the first.
    pub signature: Option<Signature>,
    /// Name of the processor.
    pub name: Option<String>,
    /// Hardware threads online; zero if the file does not list them.
    pub threads: u32,
    /// Processor packages, at least one. Only x86 tells.
    pub packages: u32,
    /// Whether a hypervisor announces itself. Only x86 has a bit for this.
    pub is_guest: bool,
}

impl Default for Processor {
    fn default() -> Self {
        Self { signature: None, name: None, threads: 0, packages: 1, is_guest: false }
    }
}

impl Processor {
    /// Nominal frequency, which Intel puts into the name of most of its processors: `… CPU @ 2.50GHz`.
    #[must_use]
    pub fn nominal_mhz(&self) -> Option<u32> {
        let (_, speed) = self.name.as_ref()?.rsplit_once('@')?;
        let ghz: f64 = speed.trim().strip_suffix("GHz")?.parse().ok()?;
        (0.1..10.0).contains(&ghz).then_some((ghz * 1000.0).round() as u32)
    }

    /// Whether this is a whole machine: an x86 on which no hypervisor announces itself.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        matches!(self.signature, Some(Signature::X86 { .. })) && !self.is_guest
    }

    /// Whether Intel made it.
    #[must_use]
    pub fn is_intel(&self) -> bool {
        matches!(&self.signature, Some(Signature::X86 { vendor, .. }) if vendor == "GenuineIntel")
    }
}

/// Parses what there is. Missing or meaningless values are left out.
#[must_use]
pub fn parse_cpuinfo(text: &str) -> Processor {
    let pairs = || text.lines().filter_map(|line| line.split_once(':')).map(|(key, value)| (key.trim(), value.trim()));
    let first = |wanted: &str| pairs().find(|(key, _)| *key == wanted).map(|(_, value)| value);
    let decimal = |key: &str| first(key)?.parse().ok();
    let hexadecimal = |key: &str| u32::from_str_radix(first(key)?.strip_prefix("0x")?, 16).ok();
    let x86 = || {
        Some(Signature::X86 {
            vendor: first("vendor_id")?.to_owned(),
            family: decimal("cpu family")?,
            model: decimal("model")?,
            stepping: decimal("stepping")?,
        })
    };
    let arm = || Some(Signature::Arm { implementer: hexadecimal("CPU implementer")?, part: hexadecimal("CPU part")? });
    let packages: BTreeSet<_> = pairs().filter(|(key, _)| *key == "physical id").map(|(_, package)| package).collect();
    let threads = pairs().filter(|(key, value)| *key == "processor" && value.parse::<u32>().is_ok()).count();
    Processor {
        signature: x86().or_else(arm),
        name: first("model name")
            .filter(|name| !name.is_empty())
            .map(|name| name.chars().take(NAME_LENGTH_MAX).collect()),
        threads: u32::try_from(threads).unwrap_or(u32::MAX),
        packages: u32::try_from(packages.len().max(1)).unwrap_or(u32::MAX),
        is_guest: first("flags").is_some_and(|flags| flags.split_ascii_whitespace().any(|flag| flag == "hypervisor")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn x86(vendor: &str, family: u32, model: u32, stepping: u32) -> Signature {
        Signature::X86 { vendor: vendor.to_owned(), family, model, stepping }
    }

    #[test]
    fn an_x86_is_known_by_its_cpuid() {
        let guest = parse_cpuinfo(include_str!("../../../tests/fixtures/proc/masked-guest/cpuinfo"));
        assert_eq!(guest.signature, Some(x86("GenuineIntel", 6, 167, 8)));
        assert_eq!(guest.name.as_deref(), Some("Intel(R) Xeon(R) Processor"));
        assert_eq!((guest.threads, guest.is_guest), (2, true));
        let server = parse_cpuinfo(include_str!("../../../tests/fixtures/proc/skylake-sp/cpuinfo"));
        assert_eq!(server.signature, Some(x86("GenuineIntel", 6, 85, 4)));
        assert_eq!((server.threads, server.is_guest), (4, false));
    }

    #[test]
    fn an_arm_is_known_by_its_midr() {
        let server = parse_cpuinfo(include_str!("../../../tests/fixtures/proc/neoverse-n1/cpuinfo"));
        assert_eq!(server.signature, Some(Signature::Arm { implementer: 0x41, part: 0xd0c }));
        assert_eq!((server.threads, server.name, server.is_guest), (2, None, false));
    }

    #[test]
    fn what_is_missing_is_left_out() {
        assert_eq!(parse_cpuinfo(""), Processor::default());
        let half = parse_cpuinfo("processor : 0\nvendor_id : GenuineIntel\nmodel : x\nmodel name :\n");
        assert_eq!(half, Processor { threads: 1, ..Processor::default() });
    }

    #[test]
    fn a_name_instead_of_a_number_is_no_thread() {
        assert_eq!(parse_cpuinfo("Processor : ARMv7\nprocessor : ARMv6 rev 7\nprocessor : 0\n").threads, 1);
    }

    #[test]
    fn packages_are_counted_by_their_numbers() {
        assert_eq!(parse_cpuinfo("physical id : 0\nphysical id : 1\nphysical id : 0\n").packages, 2);
        assert_eq!(parse_cpuinfo("processor : 0\n").packages, 1);
    }

    #[test]
    fn the_nominal_frequency_is_in_the_name() {
        let nominal = |name: &str| Processor { name: Some(name.to_owned()), ..Processor::default() }.nominal_mhz();
        assert_eq!(nominal("Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz"), Some(2500));
        assert_eq!(nominal("Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz"), Some(2300));
        for name in ["AMD EPYC 9655 96-Core Processor", "a @ b", "x @ 900MHz", "x @ -2GHz", "x @ nanGHz", "x @ 99GHz"] {
            assert_eq!(nominal(name), None, "{name}");
        }
        assert_eq!(Processor::default().nominal_mhz(), None);
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parser(
            text in "((processor|model|stepping|CPU part|flags)\t: [0-9a-fx]{0,12}\n|\\PC{0,9}|:|\n){0,20}",
        ) {
            let processor = parse_cpuinfo(&text);
            let _ = processor.nominal_mhz();
            prop_assert!(processor.threads as usize <= text.lines().count());
        }
    }
}
