//! The best of several sources that answers: another takes over when it dies, and it returns when it is back.
//!
//! Every source keeps its own counters, with their own accounts, so that what one has measured is never mixed with
//! what another has modelled. Of all of them only one source's counters are read; those of the others read
//! [`ReadError::Standby`]: nothing is missing there, as the other counts.
//!
//! ```text
//! powercap   1 2 3 4 x x x - - - - - - - 9 10        x  does not answer: lost
//! model      - - - - - - 0 1 2 3 4 5 6 7 8 -         -  stands by
//! ```
//!
//! In the window of a switch both are read: what the one still says ends its last window, and the first reading of the
//! other is where it begins, which charges nobody.

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

/// A source that has not answered in so many windows in a row is given up. One or two failed readings happen, as when a
/// processor is taken offline, and their energy is found by the next; each further one loses a window.
pub const DEAD_WINDOWS: u32 = 3;

/// How long after a switch, or the last try, better sources are tried again. To open one costs some hundred system calls,
/// so that this is far below a thousandth of one processor, and few people miss measurements for longer.
pub const RETRY: Duration = Duration::from_secs(5);

/// A better source returns when it has answered so many tries in a row: one that comes and goes must not take
/// the other's place each time, as every switch leaves calls without a charge.
pub const ANSWERS: u32 = 2;

/// Why the first source is read.
const BEST: &str = "it is the best source, and answers";

/// None of the sources answers.
#[derive(Debug, thiserror::Error)]
#[error("no energy source can be used: {0}")]
pub struct NoSource(String);

/// Opens a source of these roots as often as it is asked to.
fn opener<S, E>(sysfs: &Path, procfs: &Path, open: fn(&Path, &Path) -> Result<S, E>) -> Opener
where
    S: Source + 'static,
    E: Error + Send + Sync + 'static,
{
    let (sysfs, procfs) = (sysfs.to_owned(), procfs.to_owned());
    Box::new(move || Ok(Box::new(open(&sysfs, &procfs)?)))
}

/// A ranked list of sources of which one is read.
pub struct Fallback {
    /// The best first.
    candidates: Vec<Candidate>,
    active: usize,
    /// Of all sources that were ever read, in the order in which they came.
    counters: Vec<CounterSpec>,
    /// To which candidate each counter belongs.
    owners: Vec<usize>,
    /// For how many windows the active source has not answered, since others were last looked for.
    dead: u32,
    /// When better sources are tried next, by `Moment::monotonic`.
    next_try: Duration,
    switch: Option<Switch>,
}

impl Fallback {
    /// Opens the best source of this machine: powercap, else perf, else hwmon, else the model.
    ///
    /// # Errors
    /// When even the model cannot be opened.
    pub fn of_machine(sysfs_root: &Path, procfs_root: &Path, now: &Moment) -> Result<Self, NoSource> {
        let (sysfs, procfs) = (sysfs_root, procfs_root);
        let open: [(SourceKind, Opener); 4] = [
            (SourceKind::Powercap, opener(sysfs, procfs, |sysfs, _| Powercap::open(sysfs))),
            (SourceKind::Perf, opener(sysfs, procfs, Perf::open)),
            (SourceKind::Hwmon, opener(sysfs, procfs, |sysfs, _| Hwmon::open(sysfs))),
            (SourceKind::Model, opener(sysfs, procfs, |sysfs, procfs| Model::open(procfs, sysfs))),
        ];
        Self::open(open.into_iter().map(|(kind, open)| Candidate::new(kind, open)).collect(), now)
    }

    /// Reads the first of `candidates` that can be opened and answers `now`.
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

    /// Looks for a source in place of the active one, which has died: the first that answers, and be it the same, opened
    /// anew.
    fn replace(&mut self, now: &Moment) {
        let dead = &mut self.candidates[self.active];
        let cause = format!("no reading in {DEAD_WINDOWS} windows: {}", dead.failure());
        let Some(next) = self.candidates.iter_mut().position(|candidate| candidate.probe(now)) else { return };
        if next != self.active {
            self.candidates[self.active].refusal = Some(cause.clone());
            self.switch_to(next, cause, now);
        }
    }

    /// Tries the sources that are better than the active one, if it is time to.
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
            self.switch_to(next, "it answers again".into(), now);
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

/// Why each of these was not taken.
fn refusals(candidates: &[Candidate]) -> String {
    let refusal = |candidate: &Candidate| {
        let why = candidate.refusal.as_deref().unwrap_or("it answers again, and is tried once more");
        format!("`{}`: {why}", candidate.kind())
    };
    candidates.iter().map(refusal).collect::<Vec<_>>().join("; ")
}
