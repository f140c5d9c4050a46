//! Reads the best of several sources that works. If it fails, the next one takes over; it returns when it works again.
//!
//! Every source keeps its own counters with their own accounts, so measured and modelled energy never mix. Only the
//! counters of one source are read. Those of the others read [`ReadError::Standby`], which means that nothing is
//! missing.
//!
//! ```text
//! powercap   1 2 3 4 x x x - - - - - - - 9 10        x  fails: lost
//! model      - - - - - - 0 1 2 3 4 5 6 7 8 -         -  on standby
//! ```
//!
//! In the window of a switch both are read. The last reading of the old source ends its last window. The first reading
//! of the new one is its baseline and charges nobody.

mod candidate;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

pub use candidate::{Candidate, Opener};

use super::hwmon::Hwmon;
use super::model::Model;
use super::perf::Perf;
use super::powercap::Powercap;
use super::{ReadError, Source, SourceKind, Switch};
use crate::source::CounterSpec;
use crate::units::Microjoules;
use crate::work::Moment;

/// A source is given up after this many failed windows in a row. One or two failed readings are normal, such as when a
/// processor goes offline, and the next reading finds their energy. Each further one loses a window.
pub const DEAD_WINDOWS: u32 = 3;

/// Time from a switch, or from the last try, to the next try of better sources. Opening one takes about a hundred
/// system calls, so this costs far below a thousandth of one processor.
pub const RETRY: Duration = Duration::from_secs(5);

/// A better source returns after this many successful tries in a row. A source that comes and goes must not take over
/// each time, because every switch leaves calls without a charge.
pub const ANSWERS: u32 = 2;

const BEST: &str = "it is the best source and works";

/// No source can be used; the text lists why not, for each.
#[derive(Debug, thiserror::Error)]
#[error("no energy source can be used: {0}")]
pub struct NoSource(String);

/// Opens a source of the machine whose sysfs and procfs are mounted at these roots.
pub type OpenAt = fn(&Path, &Path) -> Result<Box<dyn Source>, Box<dyn Error + Send + Sync>>;

/// The sources of a machine, best first.
///
/// `powercap` needs nothing but files that may be read, works in containers, and its zones are the best documented. `perf`
/// reads the same registers, but needs `CAP_PERFMON`, or a kernel that lets everyone count the whole machine. `hwmon` is
/// coarser: many of its sensors report power a few times a second, or of the whole board. The model measures nothing.
/// `rapl-energy` is not here because it reads what `powercap` reads.
pub const RANKED: [(SourceKind, OpenAt); 4] = [
    (SourceKind::Powercap, |sysfs, _| boxed(Powercap::open(sysfs))),
    (SourceKind::Perf, |sysfs, procfs| boxed(Perf::open(sysfs, procfs))),
    (SourceKind::Hwmon, |sysfs, _| boxed(Hwmon::open(sysfs))),
    (SourceKind::Model, |sysfs, procfs| boxed(Model::of_machine(sysfs, procfs))),
];

fn boxed<S: Source + 'static, E: Error + Send + Sync + 'static>(
    opened: Result<S, E>,
) -> Result<Box<dyn Source>, Box<dyn Error + Send + Sync>> {
    Ok(Box::new(opened?))
}

/// A ranked list of sources, one of which is read.
pub struct Fallback {
    /// Best first.
    candidates: Vec<Candidate>,
    active: usize,
    /// Counters of all sources that were ever read, in the order of their first reading.
    counters: Vec<CounterSpec>,
    /// The candidate of each counter.
    owners: Vec<usize>,
    /// Windows in a row in which the active source failed, since others were last tried.
    dead: u32,
    /// Earliest `Moment::monotonic` of the next try of better sources.
    next_try: Duration,
    switch: Option<Switch>,
}

impl Fallback {
    /// Opens the best source of this machine by the order of [`RANKED`].
    ///
    /// # Errors
    /// When even the model cannot be opened.
    pub fn of_machine(sysfs_root: &Path, procfs_root: &Path, now: &Moment) -> Result<Self, NoSource> {
        let candidate = |(kind, open): (SourceKind, OpenAt)| {
            let (sysfs, procfs) = (sysfs_root.to_owned(), procfs_root.to_owned());
            Candidate::new(kind, Box::new(move || open(&sysfs, &procfs)))
        };
        Self::open(RANKED.map(candidate).into(), now)
    }

    /// Reads the first of `candidates` that opens and gives a reading.
    ///
    /// # Errors
    /// When none does.
    pub fn open(candidates: Vec<Candidate>, now: &Moment) -> Result<Self, NoSource> {
        let mut fallback = Self {
            candidates,
            active: 0,
            counters: Vec::new(),
            owners: Vec::new(),
            dead: 0,
            next_try: now.monotonic.saturating_add(RETRY),
            switch: None,
        };
        let Some(active) = fallback.candidates.iter_mut().position(|candidate| candidate.probe(now)) else {
            return Err(NoSource(refusals(&fallback.candidates)));
        };
        fallback.active = active;
        fallback.enlist(active);
        Ok(fallback)
    }

    /// Replaces the active source, which failed, by the first one that works, which may be the same one opened again.
    fn replace(&mut self, now: &Moment) {
        let dead = &mut self.candidates[self.active];
        let cause = format!("no reading in {DEAD_WINDOWS} windows: {}", dead.failure());
        let Some(next) = self.candidates.iter_mut().position(|candidate| candidate.probe(now)) else { return };
        if next != self.active {
            self.candidates[self.active].refusal = Some(cause.clone());
            self.switch_to(next, cause, now);
        }
    }

    /// Tries better sources if it is time to.
    fn try_better(&mut self, now: &Moment) {
        if now.monotonic < self.next_try {
            return;
        }
        self.next_try = now.monotonic.saturating_add(RETRY);
        for candidate in &mut self.candidates[..self.active] {
            if candidate.probe(now) {
                candidate.answers += 1;
            }
        }
        let better = &self.candidates[..self.active];
        if let Some(next) = better.iter().position(|candidate| candidate.answers >= ANSWERS) {
            self.switch_to(next, "it works again".into(), now);
        }
    }

    fn switch_to(&mut self, next: usize, cause: String, now: &Moment) {
        let [from, to] = [self.active, next].map(|index| self.candidates[index].kind());
        let number = self.switch.as_ref().map_or(0, |last| last.number) + 1;
        self.switch = Some(Switch { number, from, to, is_better: next < self.active, cause });
        self.active = next;
        self.dead = 0;
        self.next_try = now.monotonic.saturating_add(RETRY);
        self.candidates.iter_mut().for_each(|candidate| candidate.answers = 0);
    }

    fn enlist(&mut self, index: usize) {
        self.candidates[index].enlist(index, &mut self.counters, &mut self.owners);
    }
}

impl Source for Fallback {
    fn kind(&self) -> SourceKind {
        self.candidates[self.active].kind()
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.counters
    }

    fn read(&mut self, moment: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        let before = self.active;
        if self.candidates[before].read(moment) {
            self.dead = 0;
            self.try_better(moment);
        } else {
            self.dead += 1;
            if self.dead == DEAD_WINDOWS {
                self.dead = 0;
                self.replace(moment);
            }
        }
        readings.clear();
        let read = [before, self.active];
        for index in read {
            self.enlist(index);
        }
        readings.extend(self.counters.iter().map(|_| Err(ReadError::Standby)));
        for index in read {
            self.candidates[index].hand_over(readings);
        }
        assert_eq!(readings.len(), self.counters.len(), "every counter has one reading");
    }

    fn describe(&self) -> String {
        self.candidates[self.active].describe().unwrap_or_default()
    }

    fn reason(&self) -> Option<String> {
        let better = &self.candidates[..self.active];
        Some(if better.is_empty() { BEST.into() } else { refusals(better) })
    }

    fn last_switch(&self) -> Option<&Switch> {
        self.switch.as_ref()
    }
}

fn refusals(candidates: &[Candidate]) -> String {
    let refusal = |candidate: &Candidate| {
        let why = candidate.refusal.as_deref().unwrap_or("it works again and is being tried once more");
        format!("`{}`: {why}", candidate.kind())
    };
    candidates.iter().map(refusal).collect::<Vec<_>>().join("; ")
}
