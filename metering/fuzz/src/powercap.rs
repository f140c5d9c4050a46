//! Any bytes as what the powercap class shows of a zone.

use nebula_metering::source::Source;
use nebula_metering::source::powercap::{Powercap, survey};
use nebula_metering::sysfs::attribute::parse_number;
use nebula_metering::{Domain, Microjoules};

use crate::tree::{with_files, write};

/// The files of a zone, as lines of the input in this order.
const FILES: [&str; 7] = [
    "name",
    "energy_uj",
    "max_energy_range_uj",
    "constraint_0_max_power_uw",
    "constraint_0_power_limit_uw",
    "constraint_1_max_power_uw",
    "constraint_1_power_limit_uw",
];

/// The first line names the zone's directory, and the others are its files.
pub(crate) fn powercap(bytes: &[u8]) {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let directory = String::from_utf8_lossy(lines.next().unwrap_or_default()).replace(['/', '\0'], "");
    for line in bytes.split(|&byte| byte == b'\n') {
        check_number(&String::from_utf8_lossy(line));
    }
    // Linux allows names of 255 bytes.
    if directory.is_empty() || directory.starts_with('.') || directory.len() > 255 {
        return;
    }
    let package = "class/powercap/intel-rapl:0";
    let files = [(format!("{package}/name"), "package-0\n"), (format!("{package}/energy_uj"), "1\n")];
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    with_files(&files, |root| {
        for (file, line) in FILES.into_iter().zip(lines) {
            write(&root.join("class/powercap").join(&directory).join(file), line);
        }
        let found = survey(root);
        assert!(found.zones.len() <= 2, "{found:?}");
        for zone in found.zones.iter().filter_map(|zone| zone.zone.as_ref()) {
            let label = format!("{}{}", zone.domain, zone.package);
            assert!(!label.chars().any(char::is_control) && label.len() <= 80, "a zone is fit for a label: {label:?}");
        }
        let Ok(mut source) = Powercap::open(root) else { return };
        let mut readings = Vec::new();
        source.read(&nebula_metering::work::Moment::default(), &mut readings);
        assert!(readings.iter().all(Result::is_ok), "{readings:?}");
        for spec in source.counters() {
            let (watts, quantum, domain) = (spec.watts_max.0, spec.quantum, &spec.zone.domain);
            assert!((100.0..=10_000.0).contains(&watts), "{domain} draws {watts} W at most");
            let range = spec.range.unwrap_or(Microjoules(u64::MAX));
            assert!((1..=range.0).contains(&quantum.0), "a step is within the range {range}");
            assert!(!matches!(domain, Domain::Other(name) if name.is_empty()));
        }
    });
}

fn check_number(text: &str) {
    if let Some(number) = parse_number(text) {
        let digits = text.trim_ascii().trim_start_matches('0');
        assert!(digits == number.to_string() || (digits.is_empty() && number == 0), "{number} is not {text:?}");
    }
}
