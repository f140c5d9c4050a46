//! Any bytes in the place of what a PMU's directory says.

use nebula_metering::source::perf::parse::{parse_event, parse_format, parse_paranoid, parse_topology_id};
use nebula_metering::source::perf::scale::parse_scale;
use nebula_metering::sysfs::cpu_list::parse_cpu_list;

pub(crate) fn perf(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let event = parse_event(text);
    if let Some(field) = parse_format(text) {
        let placed = [0, 1, u64::MAX].map(|value| field.place(value));
        assert!(placed[0] == Some(0) && placed[1].is_some_and(u64::is_power_of_two), "{field:?} has no room for a one");
        assert!(placed[2].is_none_or(|placed| placed == u64::MAX), "{field:?} has lost bits");
        assert_eq!(event, None, "{text:?} is of two kinds");
    }
    if let Some(scale) = parse_scale(text) {
        let energies = [0, 1, 1 << 32, u64::MAX - 1, u64::MAX].map(|count| scale.energy(count));
        assert!(energies.is_sorted() && energies[0].0 == 0, "{scale:?} is not monotonic");
    }
    if let Some(cpus) = parse_cpu_list(text) {
        assert!(!cpus.is_empty() && cpus.is_sorted_by(|one, next| one < next), "{cpus:?} is no list of processors");
        assert!(cpus.last() < Some(&8192), "more processors than Linux knows");
    }
    let _ = (parse_topology_id(text), parse_paranoid(text));
}
