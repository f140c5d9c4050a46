//! The directory name of a zone, such as `intel-rapl:0:a`: its place in the tree. The file `name` says what it counts.

/// Deepest nesting that is followed. The kernel's RAPL drivers use two levels: packages and their parts.
const LEVELS_MAX: usize = 4;

/// The drivers that show RAPL registers, in order of preference.
///
/// `intel-rapl` shows the processor's own registers, including those of AMD since Zen and the TPMI registers of newer
/// servers. `intel-rapl-mmio` shows the copy in the memory controller of some client processors.
///
/// Source: Linux `drivers/powercap/intel_rapl_{msr,tpmi}.c`,
/// `drivers/thermal/intel/int340x_thermal/processor_thermal_rapl.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Control {
    Rapl,
    RaplMmio,
}

pub(super) fn parse_control(text: &str) -> Option<Control> {
    match text {
        "intel-rapl" => Some(Control::Rapl),
        "intel-rapl-mmio" => Some(Control::RaplMmio),
        _ => None,
    }
}

/// The place of a zone in the tree. Parents sort before their children, and `9` before `a`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ZoneId {
    control: Control,
    indices: Vec<u32>,
}

impl ZoneId {
    /// The parent zone; `None` at the top.
    pub(super) fn parent(&self) -> Option<Self> {
        match self.indices.as_slice() {
            [] | [_] => None,
            [around @ .., _] => Some(Self { control: self.control, indices: around.to_vec() }),
        }
    }
}

/// Parses the directory name of a zone. The indices are hexadecimal: `powercap_sys.c` prints them with `%x`.
pub(super) fn parse_zone_id(text: &str) -> Option<ZoneId> {
    let mut parts = text.split(':');
    let control = parse_control(parts.next()?)?;
    let indices = parts.map(parse_index).collect::<Option<Vec<u32>>>()?;
    (1..=LEVELS_MAX).contains(&indices.len()).then_some(ZoneId { control, indices })
}

/// `from_str_radix` alone would take a sign.
fn parse_index(text: &str) -> Option<u32> {
    let all_digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    all_digits.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn indices_are_hexadecimal() {
        let ids: Vec<_> = ["intel-rapl:9", "intel-rapl:a", "intel-rapl:10"].map(parse_zone_id).into();
        assert!(ids.is_sorted());
        assert_eq!(ids[1], Some(ZoneId { control: Control::Rapl, indices: vec![10] }));
        assert_eq!(ids[2], Some(ZoneId { control: Control::Rapl, indices: vec![16] }));
    }

    #[test]
    fn the_parent_is_the_id_without_its_last_index() {
        let id = |text| parse_zone_id(text).expect("an id");
        assert_eq!(id("intel-rapl:a:1").parent(), Some(id("intel-rapl:a")));
        assert_eq!(id("intel-rapl-mmio:0").parent(), None);
    }

    #[test]
    fn what_is_no_rapl_zone_is_no_id() {
        for text in ["", "intel-rapl", "intel-rapl:", "intel-rapl:+1", "intel-rapl:g", "dtpm:0", "subsystem", "power"] {
            assert_eq!(parse_zone_id(text), None, "{text}");
        }
        assert_eq!(parse_zone_id("intel-rapl:0:0:0:0:0"), None, "deeper than is followed");
        assert_eq!(parse_zone_id("intel-rapl:100000000"), None, "more than 32 bits");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in any::<String>(), indices in "(intel-rapl(-mmio)?)?[:0-9a-f+]{0,24}") {
            let _ = (parse_zone_id(&text), parse_zone_id(&indices));
        }
    }
}
