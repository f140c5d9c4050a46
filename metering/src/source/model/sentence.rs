//! The model in one line: power of processors and memory, the error of both, what it ranks by, and what the figures are
//! for.

use super::cpu::Processor;
use super::memory::{self, Memory};
use crate::units::Watts;

/// What the sentence is made of.
pub(super) struct Sentence<'a> {
    pub processor: &'a Processor,
    /// `None` for the generic row.
    pub microarchitecture: Option<&'static str>,
    pub idle: Watts,
    pub full: Watts,
    pub relative_error: f64,
    /// `None` if unknown.
    pub memory: Option<Memory>,
    pub follows_clock: bool,
    pub counts_events: bool,
}

impl Sentence<'_> {
    pub fn write(&self) -> String {
        let (Watts(idle), Watts(full), error) = (self.idle, self.full, self.relative_error * 100.0);
        let clock = if self.follows_clock { " following the clock" } else { "" };
        let (memory, ranks, processors) = (self.memory(), self.ranks(), self.processors());
        format!("CPU {idle:.1}–{full:.1} W{clock} ±{error:.0} %; {memory}; {ranks} (estimated for {processors})")
    }

    fn memory(&self) -> String {
        match self.memory {
            Some(memory) if memory.milliwatts() > 0 => {
                let (total, beyond, watts) =
                    (memory.total_gib(), memory.beyond_gib(), memory.milliwatts() as f64 / 1e3);
                let part =
                    if memory.beyond_kib < memory.total_kib { format!("{beyond:.1} of ") } else { String::new() };
                format!("{part}{total:.1} GiB RAM: {watts:.1} W ±{:.0} %", memory::RELATIVE_ERROR * 100.0)
            }
            Some(memory) => format!("{:.1} GiB RAM included", memory.total_gib()),
            None => "RAM unknown".to_owned(),
        }
    }

    fn ranks(&self) -> &'static str {
        match (self.counts_events, self.processor.is_intel()) {
            (false, _) => "ranks by CPU time",
            (true, false) => "ranks by CPU time and instructions",
            (true, true) => "ranks by CPU time, instructions and cache misses",
        }
    }

    fn processors(&self) -> String {
        let Processor { is_guest, threads, name, .. } = self.processor;
        let kind = match (is_guest, threads) {
            (true, 1) => "virtual CPU",
            (true, _) => "virtual CPUs",
            (false, 1) => "thread",
            (false, _) => "threads",
        };
        let of = match (self.microarchitecture, name) {
            (Some(microarchitecture), _) => microarchitecture.to_owned(),
            (None, Some(name)) => format!("an average server, because `{name}` is not listed"),
            (None, None) => "an average server, because the processor is unknown".to_owned(),
        };
        format!("{threads} {kind} of {of}")
    }
}
