//! Any bytes in the place of what the powercap class shows.

use std::iter::successors;

use super::limits::{StatedPowers, quantum, watts_max};
use super::zone_id::{ZoneId, parse_zone_id};
use super::zone_name::parse_zone_name;
use crate::source::attribute::parse_number;
use crate::source::counter_file::parse;
use crate::units::Microjoules;
use crate::zone::{Domain, Zone};

/// Takes the bytes for the name of a directory, a `name`, a number, and line by line for the constraints of a zone.
pub fn parsers(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    if let Some(id) = parse_zone_id(text) {
        assert!(successors(Some(id), ZoneId::parent).count() <= 4, "no deeper than is followed");
    }
    let package = Zone::new(Domain::Package, "0-die-1");
    for around in [None, Some(&package)] {
        let Some(zone) = parse_zone_name(text, around) else { continue };
        let label = format!("{}{}", zone.domain, zone.package);
        assert!(!label.chars().any(char::is_control) && label.len() <= 80, "a zone is fit for a label: {label:?}");
    }
    let number = parse_number(text);
    if let Some(number) = number {
        let digits = text.trim_ascii().trim_start_matches('0');
        assert!(digits == number.to_string() || (digits.is_empty() && number == 0), "{number} is not {text:?}");
    }
    if let Some(shown) = parse(bytes) {
        assert_eq!(number, Some(shown), "a counter is a number");
    }

    let numbers = || text.lines().map(|line| parse_number(line).unwrap_or_default());
    let stated = StatedPowers::of(numbers().step_by(2), numbers().skip(1).step_by(2));
    for domain in [Domain::Package, Domain::Dram, Domain::Psys, Domain::Other("npu".into())] {
        let bound = watts_max(&domain, &stated).0;
        assert!((100.0..=10_000.0).contains(&bound), "{domain} draws {bound} W at most");
    }
    for range in numbers().filter(|&range| range > 0) {
        assert!((1..=range).contains(&quantum(Some(Microjoules(range))).0), "a step is within the range {range}");
    }
}
