//! The energy counters of the processor, as the kernel shows them in sysfs: RAPL through the powercap class.
//!
//! A processor adds up what each of its power domains has used and keeps the sum in a register of 32 bits, moved
//! about once a millisecond. The kernel shows each register as a *zone*: a directory that holds a `name`, a counter
//! `energy_uj` in microjoules, and what is known of the zone's limits. `/sys/class/powercap` lists all zones side by
//! side, as links into `/sys/devices/virtual/powercap`, where they nest:
//!
//! ```text
//! class/powercap/intel-rapl:0:0 -> ../../devices/virtual/powercap/intel-rapl/intel-rapl:0/intel-rapl:0:0
//!                                                                 control    package-0    core
//! ```
//!
//! Four things make this less simple than it looks, and each has a file here:
//!
//! - the number in a directory's name says nothing about what the zone counts: `zone_id` and `zone_name`;
//! - one register may be shown under several names, so that adding all zones counts energy twice: `discover` drops
//!   what has the same name, `mirror` waits for proof that the dies of one package are counters of their own;
//! - zones go away when their processor is taken offline, and come back: [`Powercap`] looks for them again;
//! - a container runtime hides the zones and leaves the links: `walk` tells this from a machine without counters.
//!
//! A kept file costs less than a microsecond a reading. Since Linux 5.10 only root may open `energy_uj`
//! (CVE-2020-8694); reading a file already open needs no privilege, but finding a zone again does.
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

/// How long after a search for zones that have gone the next one may follow. A search opens some twenty files a zone
/// at 6 to 9 µs each, so that once a second costs a ten-thousandth of one processor; a processor that is taken online
/// is not missed for longer than that.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// The RAPL zones of one machine.
///
/// Raw readings only: what a reading below the last one means is for the consumer to say.
#[derive(Debug)]
pub struct Powercap {
    root: PathBuf,
    specs: Vec<CounterSpec>,
    /// Parallel to `specs`; `None` where the zone has gone.
    files: Vec<Option<CounterFile>>,
    /// Counters held back, because they may show a register that one in `specs` already shows.
    suspects: Vec<Suspect>,
    problems: Vec<SkippedZone>,
    /// The earliest `Moment::monotonic` at which zones that have gone may be searched for.
    next_search: Duration,
}

impl Powercap {
    /// Finds the zones below `sysfs_root`, as a rule `/sys`, and opens their counters.
    ///
    /// # Errors
    ///
    /// [`OpenPowercapError`] where no counter that may be added, that is no package and no memory, can be read. Zones that
    /// fail while others can be read are no error: see [`Powercap::problems`].
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

    /// The zones that exist and are not reported, each with the reason, as the last search found them. Those that
    /// only show again what another zone shows are among them: see [`ZoneObstacle::is_repetition`].
    #[must_use]
    pub fn problems(&self) -> &[SkippedZone] {
        &self.problems
    }

    /// Gives every found counter its place: where the same zone was before, or at the end.
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

    /// Looks for zones that have gone, unless that was done less than [`SEARCH_INTERVAL`] ago.
    fn search(&mut self, moment: &Moment) {
        let all_there = self.files.iter().all(Option::is_some) && self.suspects.iter().all(Suspect::is_there);
        if all_there || moment.monotonic < self.next_search {
            return;
        }
        self.next_search = moment.monotonic.saturating_add(SEARCH_INTERVAL);
        let zones = discover(&self.root).zones;
        self.adopt(zones);
    }

    /// Compares each suspect with the counters that it may repeat, and reports those that are proven distinct. At most
    /// one of a package at a time, since the others might repeat that one: they have to differ from it too.
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

    /// Moves a suspect to the counters.
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
