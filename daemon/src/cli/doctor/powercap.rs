//! The powercap zones, and how to get access to them.

use std::path::Path;

use nebula_metering::Zone;
use nebula_metering::source::model::cpu::Processor;
use nebula_metering::source::powercap::{ClassState, Survey, SurveyedZone, ZoneObstacle};

use super::finding::{Finding, Verdict, is_x86, program};
use crate::causes::chain;

const ITEM: &str = "powercap";

pub fn finding(survey: &Survey, sysfs_root: &Path, processor: &Processor) -> Finding {
    let looked_in = survey.looked_in.display();
    let absent = |fact| Finding::new(Verdict::Missing, ITEM, fact).with_remedies(without_zones(sysfs_root, processor));
    match &survey.class {
        ClassState::Present => present(survey),
        ClassState::Missing => absent(format!("there is no `{looked_in}`")),
        ClassState::Empty => absent(format!("`{looked_in}` has no RAPL zone")),
        ClassState::Masked => {
            let fact = format!("a container runtime hides the zones of `{looked_in}`");
            let mut finding = Finding::new(Verdict::Masked, ITEM, fact).with_remedies(masked());
            finding.parts = survey.zones.iter().map(part).collect();
            finding
        }
        ClassState::Unlisted(error) => {
            let forbidden = error.kind() == std::io::ErrorKind::PermissionDenied;
            let status = if forbidden { Verdict::Forbidden } else { Verdict::Broken };
            Finding::new(status, ITEM, format!("`{looked_in}` cannot be listed: {error}"))
                .with_remedy("usually everyone may list it: look for a sandbox or a security module that forbids it")
        }
    }
}

/// Each zone is a part; each kind of obstacle adds its remedies once.
fn present(survey: &Survey) -> Finding {
    let added = |zone: &&SurveyedZone| zone.zone.as_ref().is_some_and(Zone::is_additive);
    let lost = |zone: &&SurveyedZone| zone.obstacle.as_ref().is_some_and(|obstacle| !obstacle.is_repetition());
    // A zone without a name might have been a package.
    let decisive = |zone: &&SurveyedZone| lost(zone) && zone.zone.as_ref().is_none_or(Zone::is_additive);
    let readable = survey.zones.iter().filter(added).filter(|zone| zone.obstacle.is_none()).count();
    let status = match (readable, survey.zones.iter().find(decisive)) {
        (1.., _) => Verdict::Ok,
        (0, Some(zone)) => status(zone),
        (0, None) => Verdict::Missing,
    };
    let looked_in = survey.looked_in.display();
    let fact = match status {
        Verdict::Ok if readable == 1 => format!("`{looked_in}`: 1 zone is measured and added"),
        Verdict::Ok => format!("`{looked_in}`: {readable} zones are measured and added"),
        Verdict::Missing => {
            format!("`{looked_in}`: no zone is a package or memory, and other zones must not be added up")
        }
        _ => format!("`{looked_in}`: neither a package nor memory can be read"),
    };
    let mut finding = Finding::new(status, ITEM, fact);
    finding.parts = survey.zones.iter().map(part).collect();
    let obstacles: Vec<_> = survey.zones.iter().filter(lost).filter_map(|zone| zone.obstacle.as_ref()).collect();
    let any = |kind: fn(&ZoneObstacle) -> bool| obstacles.iter().any(|obstacle| kind(obstacle));
    if any(|obstacle| matches!(obstacle, ZoneObstacle::Forbidden { .. })) {
        finding.remedies.extend(forbidden());
    }
    if any(|obstacle| matches!(obstacle, ZoneObstacle::Masked)) {
        finding.remedies.extend(masked());
    }
    if any(|obstacle| matches!(obstacle, ZoneObstacle::Read { .. } | ZoneObstacle::ParseCounter { .. })) {
        finding.remedies.push("the kernel log may say why: sudo dmesg | grep -i rapl".into());
    }
    finding
}

fn status(zone: &SurveyedZone) -> Verdict {
    match &zone.obstacle {
        None => Verdict::Ok,
        Some(obstacle) if obstacle.is_repetition() => Verdict::Ok,
        Some(ZoneObstacle::Masked) => Verdict::Masked,
        Some(ZoneObstacle::Missing { .. }) => Verdict::Missing,
        Some(ZoneObstacle::Forbidden { .. }) => Verdict::Forbidden,
        Some(_) => Verdict::Broken,
    }
}

/// A zone, and what is done with its energy.
fn part(zone: &SurveyedZone) -> Finding {
    let name = zone.zone.as_ref().map_or_else(|| "zone".to_owned(), Zone::to_string);
    let path = zone.path.display();
    let fact = match &zone.obstacle {
        Some(obstacle) if obstacle.is_repetition() => format!("`{path}`: left out, {}", chain(obstacle)),
        Some(obstacle) => format!("`{path}`: {}", chain(obstacle)),
        None if zone.zone.as_ref().is_some_and(Zone::is_additive) => format!("`{path}`: added"),
        None => format!("`{path}`: shown, not added"),
    };
    Finding::new(status(zone), name, fact)
}

/// There is no zone: the driver is missing, or the processor has no counters.
///
/// Source: Linux `drivers/powercap/Kconfig` (`INTEL_RAPL`, for AMD's processors too) and
/// `drivers/powercap/intel_rapl_msr.c`; QEMU `docs/specs/rapl-msr.rst`.
fn without_zones(sysfs_root: &Path, processor: &Processor) -> Vec<String> {
    if !sysfs_root.join("class").is_dir() {
        return vec![format!(
            "`{}` is no sysfs: mount it there, or pass its location with --sysfs-root",
            sysfs_root.display()
        )];
    }
    if !is_x86(processor) {
        return vec!["none: only Intel and AMD processors have these counters. Nebula uses its model instead".into()];
    }
    if processor.is_guest {
        return vec![
            "the hypervisor of this virtual machine does not expose RAPL: run nebula on the host".into(),
            "or let QEMU on the host (9.1 or later, Intel) expose it: -accel kvm,rapl=true,path=SOCKET of \
             qemu-vmsr-helper; then here: sudo modprobe intel_rapl_msr"
                .into(),
        ];
    }
    if sysfs_root.join("module/intel_rapl_msr").is_dir() {
        return vec!["the driver is loaded but does not know this processor: a newer kernel may".into()];
    }
    vec![
        "sudo modprobe intel_rapl_msr   (in a container: on the host)".into(),
        "at every boot: echo intel_rapl_msr | sudo tee /etc/modules-load.d/nebula.conf".into(),
        "if there is no such module, use a kernel built with CONFIG_POWERCAP and CONFIG_INTEL_RAPL".into(),
    ]
}

/// Since Linux 5.10 only root may read `energy_uj`. Source: CVE-2020-8694.
///
/// None of these opens the counters to everyone: they reveal secrets of other users (PLATYPUS).
fn forbidden() -> Vec<String> {
    vec![
        format!("sudo setcap cap_dac_read_search+ep {}", program()),
        "or as a systemd service: AmbientCapabilities=CAP_DAC_READ_SEARCH under [Service]".into(),
        "or for a group `nebula`, at every boot: echo 'SUBSYSTEM==\"powercap\", ACTION==\"add\", \
         RUN+=\"/usr/bin/chgrp nebula /sys%p/energy_uj\", RUN+=\"/usr/bin/chmod g+r /sys%p/energy_uj\"' | sudo tee \
         /etc/udev/rules.d/60-nebula.rules"
            .into(),
        "and to apply that now: sudo udevadm control --reload && sudo udevadm trigger --action=add \
         --subsystem-match=powercap"
            .into(),
    ]
}

/// Source: GHSA-jq35-85cj-fj4p.
fn masked() -> Vec<String> {
    vec![
        "mount the host's sysfs into the container: docker run -v /sys:/host/sys:ro …".into(),
        "and pass its location: --sysfs-root /host/sys, or NEBULA_SYSFS_ROOT=/host/sys".into(),
    ]
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use nebula_metering::Domain;
    use nebula_metering::source::model::cpu::parse_cpuinfo;

    use super::super::finding::processors::{ARM, INTEL};
    use super::*;

    fn zone(domain: Domain, obstacle: Option<ZoneObstacle>) -> SurveyedZone {
        SurveyedZone { path: PathBuf::from("/sys/x"), zone: Some(Zone::new(domain, "0")), obstacle }
    }

    fn present_with(zones: Vec<SurveyedZone>) -> Finding {
        present(&Survey { looked_in: PathBuf::from("/sys/class/powercap"), class: ClassState::Present, zones })
    }

    fn denied() -> ZoneObstacle {
        ZoneObstacle::Forbidden { file: "energy_uj", source: io::ErrorKind::PermissionDenied.into() }
    }

    #[test]
    fn one_readable_package_is_enough_and_lost_zones_are_still_listed() {
        let finding = present_with(vec![zone(Domain::Package, None), zone(Domain::Dram, Some(denied()))]);
        assert_eq!(finding.status, Verdict::Ok);
        assert_eq!(finding.parts[1].status, Verdict::Forbidden);
        assert!(finding.remedies[0].starts_with("sudo setcap cap_dac_read_search+ep "), "{:?}", finding.remedies);
    }

    #[test]
    fn without_a_readable_package_the_verdict_is_that_of_the_first_lost_one() {
        let core = || zone(Domain::Core, None);
        assert_eq!(present_with(vec![zone(Domain::Package, Some(denied())), core()]).status, Verdict::Forbidden);
        assert_eq!(present_with(vec![zone(Domain::Package, Some(ZoneObstacle::Masked))]).status, Verdict::Masked);
        let text = || "n/a".to_owned();
        let broken = present_with(vec![zone(Domain::Package, Some(ZoneObstacle::ParseCounter { text: text() }))]);
        assert_eq!(broken.status, Verdict::Broken);
        assert!(broken.remedies[0].contains("dmesg"));
        let neither = present_with(vec![core()]);
        assert_eq!(neither.status, Verdict::Missing);
        assert!(neither.remedies.is_empty());
    }

    #[test]
    fn a_duplicate_zone_needs_no_remedy() {
        let repeated = ZoneObstacle::Duplicate { of: PathBuf::from("/sys/y") };
        let finding = present_with(vec![zone(Domain::Package, None), zone(Domain::Package, Some(repeated))]);
        assert_eq!(finding.status, Verdict::Ok);
        assert!(finding.remedies.is_empty());
        assert!(finding.parts[1].fact.contains("left out"));
    }

    #[test]
    fn the_remedy_for_missing_zones_depends_on_the_machine() {
        let sysfs = tempfile::tempdir().unwrap();
        let remedy = |processor: &Processor| without_zones(sysfs.path(), processor).join("\n");
        let bare = Processor { signature: None, ..Processor::default() };
        assert!(remedy(&bare).contains("is no sysfs"));
        std::fs::create_dir(sysfs.path().join("class")).unwrap();
        let intel = parse_cpuinfo(INTEL);
        assert!(remedy(&intel).contains("modprobe intel_rapl_msr"));
        let guest = Processor { is_guest: true, ..intel.clone() };
        assert!(remedy(&guest).contains("hypervisor"));
        let arm = parse_cpuinfo(ARM);
        assert!(remedy(&arm).contains("its model instead"));
        std::fs::create_dir_all(sysfs.path().join("module/intel_rapl_msr")).unwrap();
        assert!(remedy(&intel).contains("newer kernel"));
    }
}
