//! Dies that may show the same counter.
//!
//! If a package has several dies, the kernel shows a zone for each: `package-0-die-0`, `package-0-die-1`. On some Intel
//! servers each has its own counter, and their sum is the package. On AMD all dies show the one counter of the package,
//! and their sum is a multiple of the truth. Nothing in sysfs distinguishes the two, so the readings have to.
//!
//! Counting energy twice is worse than counting some of it late. So the first die of a package is used, and the others
//! are suspects until their readings prove them distinct. The proof is causal: a suspect is read between two readings
//! of the known counter. If both show the same register, the suspect cannot read less than the first or more than the
//! second, however long the thread was delayed. One reading outside might be a glitch, so several in a row are
//! required. Agreement never proves anything: two counters may start equal, and two that stand still always agree.

use std::time::Duration;

use crate::source::counter_file::CounterFile;
use crate::source::{CounterSpec, ReadError};
use crate::units::Microjoules;
use crate::zone::Zone;

/// Readings in a row that must differ. One may be a glitch, which these counters are known for.
const PROOF_READINGS: u32 = 8;

/// Copies of one register may be updated one after the other, so one may lag by up to two periods. The register
/// advances about every millisecond.
const COPY_LAG: Duration = Duration::from_millis(2);

/// Whether two zones may show the same register: same domain, same package, any dies.
pub(in crate::source) fn same_register(one: &Zone, other: &Zone) -> bool {
    one.domain == other.domain && without_die(&one.package) == without_die(&other.package)
}

fn without_die(package: &str) -> &str {
    package.split_once("-die-").map_or(package, |(package, _)| package)
}

/// What a reported counter read before and after a suspect was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    before: Microjoules,
    after: Microjoules,
}

impl Span {
    /// Reads the known counter again. `None` if either reading failed, or if the counter wrapped or was reset in
    /// between: then the two bound nothing.
    pub(super) fn around(before: Option<Microjoules>, file: Option<&CounterFile>) -> Option<Self> {
        let (before, after) = (before?, file?.read().ok()?);
        (before <= after).then_some(Self { before, after })
    }

    fn may_hold(self, reading: Microjoules, slack: Microjoules) -> bool {
        self.before.0.saturating_sub(slack.0) <= reading.0 && reading.0 <= self.after.0.saturating_add(slack.0)
    }
}

/// A counter that may repeat a known one.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) spec: CounterSpec,
    pub(super) file: Option<CounterFile>,
    /// The last reading. One that has not changed adds nothing to the proof.
    last: Option<Microjoules>,
    /// Readings in a row that differed from all known counters.
    differing: u32,
}

impl Suspect {
    pub(super) fn new(spec: CounterSpec, file: CounterFile) -> Self {
        Self { spec, file: Some(file), last: None, differing: 0 }
    }

    pub(super) fn is_there(&self) -> bool {
        self.file.is_some()
    }

    /// Continues with a newly found file, unless the old one still works.
    pub(super) fn continue_with(&mut self, file: CounterFile) {
        self.file.get_or_insert(file);
    }

    pub(super) fn start_over(&mut self) {
        self.last = None;
        self.differing = 0;
    }

    /// Reads the suspect. A failed reading starts the proof over.
    pub(super) fn read(&mut self) -> Option<Microjoules> {
        match self.file.as_ref()?.read() {
            Ok(reading) => Some(reading),
            Err(error) => {
                if matches!(error, ReadError::ZoneGone) {
                    self.file = None;
                }
                self.start_over();
                None
            }
        }
    }

    /// Adds a reading taken within `spans`, those of all counters it may repeat. Returns whether the proof is complete.
    pub(super) fn proves_distinct(&mut self, reading: Microjoules, spans: &[Option<Span>]) -> bool {
        let slack = self.spec.watts_max.during(COPY_LAG);
        let moved = self.last.replace(reading).is_some_and(|last| last != reading);
        let (mut equal, mut unknown) = (false, false);
        for span in spans {
            match span {
                Some(span) => equal |= span.may_hold(reading, slack),
                None => unknown = true,
            }
        }
        if equal {
            self.differing = 0;
        } else if moved && !unknown {
            self.differing += 1;
        }
        self.differing >= PROOF_READINGS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceKind;
    use crate::units::Watts;
    use crate::zone::Domain;

    const STEP: u64 = 1_000_000;

    fn suspect() -> Suspect {
        let zone = Zone::new(Domain::Package, "0-die-1");
        let spec = CounterSpec {
            source: SourceKind::Powercap,
            zone,
            range: None,
            watts_max: Watts(400.0),
            quantum: Microjoules(16),
            relative_error: 0.0,
            base: None,
            stated: None,
        };
        let file = CounterFile::open("/dev/null".into()).expect("a file");
        Suspect::new(spec, file)
    }

    fn span(before: u64, after: u64) -> Span {
        Span { before: Microjoules(before), after: Microjoules(after) }
    }

    /// After how many readings the suspect is proven distinct.
    fn proven_after<S>(readings: impl Iterator<Item = (u64, S)>) -> Option<usize>
    where
        S: Into<Option<Span>>,
    {
        let mut suspect = suspect();
        let mut verdicts =
            readings.map(|(reading, span)| suspect.proves_distinct(Microjoules(reading), &[span.into()]));
        verdicts.position(|distinct| distinct)
    }

    #[test]
    fn zones_of_one_package_and_domain_may_show_one_register() {
        let zone = |package| Zone::new(Domain::Package, package);
        assert!(same_register(&zone("0-die-0"), &zone("0-die-1")));
        assert!(!same_register(&zone("0-die-0"), &zone("1-die-0")));
        assert!(!same_register(&zone("0"), &zone("00")));
        assert!(!same_register(&zone("0-die-0"), &Zone::new(Domain::Dram, "0-die-1")));
    }

    #[test]
    fn a_reading_between_two_of_the_reported_counter_is_a_mirror_however_far_apart_they_are() {
        let held_up = (1..1000).map(|n| (n * STEP + STEP / 2, span(n * STEP, (n + 1) * STEP)));
        assert_eq!(proven_after(held_up), None);
    }

    #[test]
    fn a_copy_that_lags_by_one_update_is_a_mirror() {
        let lagging = (1..1000).map(|n| (n * STEP - 100_000, span(n * STEP, n * STEP)));
        assert_eq!(proven_after(lagging), None);
    }

    #[test]
    fn the_first_reading_and_eight_that_differ_are_the_proof() {
        let distinct = (1..1000).map(|n| (7_000 * STEP + n * STEP, span(n * STEP, n * STEP)));
        assert_eq!(proven_after(distinct), Some(8));
    }

    #[test]
    fn one_equal_reading_starts_the_proof_anew() {
        let offset = |n: u64| if n.is_multiple_of(8) { 0 } else { 7_000 * STEP };
        let glitching = (1..1000).map(|n| (offset(n) + n * STEP, span(n * STEP, n * STEP)));
        assert_eq!(proven_after(glitching), None);
    }

    #[test]
    fn counters_that_stand_still_prove_nothing() {
        assert_eq!(proven_after((0..1000).map(|_| (0, span(0, 0)))), None);
        assert_eq!(proven_after((1..1000).map(|n| (0, span(n * STEP, n * STEP)))), None, "the suspect does not count");
    }

    #[test]
    fn nothing_is_proven_against_a_counter_that_cannot_be_read() {
        assert_eq!(proven_after((1..1000).map(|n| (n * STEP, None::<Span>))), None);
    }
}
