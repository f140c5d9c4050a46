//! Power of memory beyond what the processor figure includes.
//!
//! The servers behind most [coefficients](super::coefficients) were measured with memory, so adding all of it would
//! count most of it twice. Like Cloud Carbon Footprint, this adds only memory beyond theirs. Where the coefficients
//! were held against RAPL's packages, which hold no memory, all of it is added. Its power is constant: `/proc` does
//! not show how busy memory is.
//!
//! Source: Cloud Carbon Footprint, `microsite/docs/Methodology.md`, "Memory: applying the coefficient".

/// Power of a GiB of memory: the mean of Crucial's "3 watts for every 8 GB" and Micron's 408 mW.
///
/// Source: Cloud Carbon Footprint, `microsite/docs/Methodology.md`, "Memory: chosen coefficient", 0.392 W/GB.
const MILLIWATTS_PER_GIB: u64 = 392;

/// Memory that the coefficients include per hardware thread. The servers since 2017 in the table behind them,
/// `SPECpower-2026-03-09.csv`, have 0.5 to 4 GB, most of them 0.75 to 2 GB, and 1 GB is the most common.
const GIB_PER_THREAD_HELD: u64 = 1;

/// Half the width of the 95 % band. The figure is for busy memory: RAPL told 0.13 to 0.39 W/GiB on ten recorded servers at
/// rest, 0.26 to 0.43 at half load, and up to three times the figure when all threads worked on memory
/// (`tests/turbostress.rs`); on an eleventh, a tenth of that. Besides, of five results for one server and processor (rows
/// 847 to 851 of that table), the one with 384 GB more drew nothing more when idle, and 0.1 to 0.3 W/GB more at full
/// load.
pub const RELATIVE_ERROR: f64 = 0.9;

const KIB_PER_GIB: u64 = 1024 * 1024;

/// The memory of the machine, divided into what the processor figure includes and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All memory that the kernel manages.
    pub total_kib: u64,
    /// Memory beyond what the processor figure includes.
    pub beyond_kib: u64,
}

impl Memory {
    /// Divides the memory of a machine. The processor figure includes that of this many hardware threads.
    #[must_use]
    pub fn new(total_kib: u64, threads_held: u32) -> Self {
        let held_kib = u64::from(threads_held) * GIB_PER_THREAD_HELD * KIB_PER_GIB;
        Self { total_kib, beyond_kib: total_kib.saturating_sub(held_kib) }
    }

    /// Power of memory beyond the processor figure.
    #[must_use]
    pub fn milliwatts(self) -> u64 {
        self.beyond_kib.saturating_mul(MILLIWATTS_PER_GIB) / KIB_PER_GIB
    }

    /// Total in GiB, for people.
    #[must_use]
    pub fn total_gib(self) -> f64 {
        self.total_kib as f64 / KIB_PER_GIB as f64
    }

    /// `beyond_kib` in GiB, for people.
    #[must_use]
    pub fn beyond_gib(self) -> f64 {
        self.beyond_kib as f64 / KIB_PER_GIB as f64
    }
}

/// `MemTotal` of a `meminfo` file, in KiB (which the file calls `kB`): installed memory minus 1 to 3 % for firmware and
/// kernel.
///
/// Source: `proc_meminfo(5)`.
#[must_use]
pub fn parse_meminfo(text: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    value.trim().strip_suffix("kB")?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn total_memory_is_read_in_kib() {
        assert_eq!(parse_meminfo("MemTotal:       24684084 kB\nMemFree:        20526384 kB\n"), Some(24_684_084));
        assert_eq!(parse_meminfo("MemFree:  1 kB\nMemTotal: 2 kB"), Some(2));
        for text in ["", "MemTotal: plenty", "MemTotal: 12", "MemTotal: -1 kB", "MemFree: 3 kB"] {
            assert_eq!(parse_meminfo(text), None, "{text}");
        }
    }

    #[test]
    fn only_memory_beyond_the_servers_share_is_added() {
        let guest = Memory::new(24 * KIB_PER_GIB, 2);
        assert_eq!((guest.beyond_kib, guest.milliwatts()), (22 * KIB_PER_GIB, 8624));
        assert_eq!(Memory::new(2 * KIB_PER_GIB, 2).milliwatts(), 0);
        assert_eq!(Memory::new(0, 64).milliwatts(), 0);
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parser(text in "(MemTotal: *[0-9]{0,25} ?(kB)?|\\PC{0,9}|\n){0,8}") {
            let _ = parse_meminfo(&text);
        }

        #[test]
        fn no_memory_is_too_large(total: u64, threads: u32) {
            let memory = Memory::new(total, threads);
            prop_assert!(memory.beyond_kib <= memory.total_kib && memory.milliwatts() < u64::MAX);
        }
    }
}
