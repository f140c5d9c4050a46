//! The energy counters of the processor (RAPL), read through the powercap class in sysfs.
//!
//! A processor keeps the energy of each of its power domains in a 32-bit register that advances about once a
//! millisecond. The kernel shows each register as a *zone*: a directory with a `name`, a counter `energy_uj` in
//! microjoules, and limits. `/sys/class/powercap` links to all zones; in `/sys/devices/virtual/powercap` they nest:
//!
//! ```text
//! class/powercap/intel-rapl:0:0 -> ../../devices/virtual/powercap/intel-rapl/intel-rapl:0/intel-rapl:0:0
//!                                                                 control    package-0    core
//! ```
//!
//! This is less simple than it looks, for four reasons, each handled in a file of its own:
//!
//! - The number in the directory name says nothing about what the zone counts: `zone_id` and `zone_name`.
//! - One register may appear under several names, so adding all zones would count energy twice: `discover` drops zones
//!   with equal names, and `mirror` waits for proof that the dies of a package have counters of their own.
//! - Zones disappear when their processor goes offline, and come back: [`Powercap`] searches for them.
//! - Container runtimes hide the zones but leave the links: `walk` distinguishes this from a machine without counters.
//!
//! Reading an open file takes less than a microsecond. Since Linux 5.10 only root may open `energy_uj` (CVE-2020-8694).
//! Reading an open file needs no privilege, but finding a zone again does.
//!
//! Source: Linux `Documentation/power/powercap/powercap.rst`, `drivers/powercap/powercap_sys.c` and
//! `drivers/powercap/intel_rapl_common.c`.

mod discover;
mod error;
pub(super) mod limits;
pub(super) mod mirror;
mod survey;
#[cfg(test)]
mod tests;
mod walk;
mod zone_id;
pub(super) mod zone_name;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::{OpenPowercapError, SkippedZone, ZoneObstacle};
pub use survey::{Survey, SurveyedZone, survey};
pub use walk::ClassState;

use super::counter_file::CounterFile;
use discover::{Counter, FoundZone, discover};
use mirror::{Span, Suspect, same_register};

use super::{ReadError, Source, SourceKind};
use crate::source::CounterSpec;
use crate::units::Microjoules;
use crate::work::Moment;

/// Minimum time between two searches for missing zones. A search opens some twenty files per zone at 6 to 9 µs each, so
/// once a second costs a ten-thousandth of one processor.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// The RAPL zones of one machine.
///
/// Gives raw readings. The consumer decides what a falling value means.
#[derive(Debug)]
pub struct Powercap {
    root: PathBuf,
    specs: Vec<CounterSpec>,
    /// Parallel to `specs`; `None` if the zone has disappeared.
    files: Vec<Option<CounterFile>>,
    /// Counters held back because they may repeat one in `specs`.
    suspects: Vec<Suspect>,
    problems: Vec<SkippedZone>,
    /// Earliest `Moment::monotonic` of the next search.
    next_search: Duration,
}

impl Powercap {
    /// Finds the zones below `sysfs_root`, usually `/sys`, and opens their counters.
    ///
    /// # Errors
    ///
    /// [`OpenPowercapError`] if no counter of a package or memory can be read. A zone that fails while others work is
    /// not an error: see [`Powercap::problems`].
    pub fn open(sysfs_root: &Path) -> Result<Self, OpenPowercapError> {
        let zones = discover(sysfs_root).into_readable()?;
        let mut source = Self {
            root: sysfs_root.to_owned(),
            specs: Vec::new(),
            files: Vec::new(),
            suspects: Vec::new(),
            problems: Vec::new(),
            next_search: Duration::ZERO,
        };
        source.adopt(zones);
        Ok(source)
    }

    /// Zones that exist but are not used, with the reason, as of the last search. They include zones that only repeat
    /// another one: see [`ZoneObstacle::is_repetition`].
    #[must_use]
    pub fn problems(&self) -> &[SkippedZone] {
        &self.problems
    }

    /// Puts every found counter where the same zone was before, or at the end.
    fn adopt(&mut self, zones: Vec<FoundZone>) {
        self.problems.clear();
        for FoundZone { path, zone, counter } in zones {
            match counter {
                Ok(counter) => self.place(path, counter),
                Err(obstacle) => self.problems.push(SkippedZone { path, zone, obstacle }),
            }
        }
        assert_eq!(self.specs.len(), self.files.len(), "every counter has a place for its file");
    }

    fn place(&mut self, path: PathBuf, Counter { spec, file }: Counter) {
        if let Some(place) = self.specs.iter().position(|known| known.zone == spec.zone) {
            if self.files[place].is_some() {
                return;
            }
            if self.specs[place].range == spec.range {
                self.files[place] = Some(file);
            } else {
                self.problems.push(SkippedZone { path, zone: Some(spec.zone), obstacle: ZoneObstacle::RangeChanged });
            }
        } else if let Some(known) = self.specs.iter().find(|known| same_register(&known.zone, &spec.zone)) {
            let obstacle = ZoneObstacle::SuspectedMirror { of: known.zone.clone() };
            self.problems.push(SkippedZone { path, zone: Some(spec.zone.clone()), obstacle });
            match self.suspects.iter_mut().find(|suspect| suspect.spec.zone == spec.zone) {
                Some(suspect) => suspect.continue_with(file),
                None => self.suspects.push(Suspect::new(spec, file)),
            }
        } else {
            self.specs.push(spec);
            self.files.push(Some(file));
        }
    }

    /// Searches for missing zones, unless the last search was less than [`SEARCH_INTERVAL`] ago.
    fn search(&mut self, moment: &Moment) {
        let all_there = self.files.iter().all(Option::is_some) && self.suspects.iter().all(Suspect::is_there);
        if all_there || moment.monotonic < self.next_search {
            return;
        }
        self.next_search = moment.monotonic.saturating_add(SEARCH_INTERVAL);
        let zones = discover(&self.root).zones;
        self.adopt(zones);
    }

    /// Compares each suspect with the counters it may repeat, and moves those that proved distinct to the counters. At
    /// most one per package at a time: the others must also differ from that one.
    fn weigh_suspects(&mut self, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        let mut index = 0;
        while index < self.suspects.len() {
            let suspect = &mut self.suspects[index];
            let reading = suspect.read();
            let repeated = self.specs.iter().zip(&self.files).zip(readings.iter());
            let repeated = repeated.filter(|((spec, _), _)| same_register(&spec.zone, &suspect.spec.zone));
            let spans = repeated.map(|((_, file), before)| Span::around(before.as_ref().ok().copied(), file.as_ref()));
            let spans: Vec<_> = spans.collect();
            match reading {
                Some(reading) if suspect.proves_distinct(reading, &spans) => {
                    readings.push(Ok(reading));
                    self.report(index);
                }
                _ => index += 1,
            }
        }
    }

    fn report(&mut self, index: usize) {
        let Suspect { spec, file, .. } = self.suspects.remove(index);
        for other in self.suspects.iter_mut().filter(|other| same_register(&other.spec.zone, &spec.zone)) {
            other.start_over();
        }
        self.problems.retain(|problem| problem.zone.as_ref() != Some(&spec.zone) || !problem.obstacle.is_suspicion());
        self.specs.push(spec);
        self.files.push(file);
    }

    fn names(&self, additive: bool) -> String {
        let named = self.specs.iter().filter(|spec| spec.zone.is_additive() == additive);
        named.map(|spec| spec.zone.to_string()).collect::<Vec<_>>().join(", ")
    }
}

impl Source for Powercap {
    fn kind(&self) -> SourceKind {
        SourceKind::Powercap
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.specs
    }

    fn read(&mut self, moment: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        readings.clear();
        self.search(moment);
        for file in &mut self.files {
            let reading = file.as_ref().map_or(Err(ReadError::ZoneGone), CounterFile::read);
            if matches!(reading, Err(ReadError::ZoneGone)) {
                *file = None;
            }
            readings.push(reading);
        }
        self.weigh_suspects(readings);
        assert_eq!(readings.len(), self.specs.len(), "every counter has one reading");
    }

    fn describe(&self) -> String {
        let (added, shown) = (self.names(true), self.names(false));
        if shown.is_empty() {
            format!("powercap: {added} (added)")
        } else {
            format!("powercap: {added} (added); {shown} (shown only)")
        }
    }
}
