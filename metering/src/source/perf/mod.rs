//! The energy counters of the processor (RAPL), read as perf events of the `power` PMU.
//!
//! These are the registers that the [powercap](super::powercap) class shows, with other permissions: instead of a file
//! that only root may read, `perf_event_open` for the whole machine, which requires `kernel.perf_event_paranoid` of 0
//! or less, or `CAP_PERFMON`. The directory of the PMU describes it:
//!
//! ```text
//! bus/event_source/devices/power/type                       the number to open it by
//!                                cpumask                     one processor a package, to open events on
//!                                format/event                where in `config` the event is written
//!                                events/energy-pkg           event=0x02
//!                                events/energy-pkg.scale     2.3283064365386962890625e-10
//!                                events/energy-pkg.unit      Joules
//! ```
//!
//! An event counts in 64 bits from the moment it is opened. The register behind it has 32, so the kernel reads it at
//! each of our readings and by a timer. The timer fires after the time in which 200 W fill half the register, so a
//! package that draws more than 400 W can wrap twice between two ticks. Then our own readings must come in time: see
//! [`longest_interval`].
//!
//! When the last processor of a package goes offline, its events stop counting without an error: only their enabled
//! time stands still. Such an event is treated as gone and opened again when the package is back. It then starts at
//! zero; the consumer decides what a falling counter means.
//!
//! Source: Linux `arch/x86/events/rapl.c` (`rapl_event_update`, `rapl_check_hw_unit`), `kernel/events/core.c`
//! (`perf_event_exit_cpu_context`), `perf_event_open(2)`.

mod discover;
mod error;
mod event;
pub mod parse;
pub mod scale;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::{EventObstacle, OpenPerfError, SkippedEvent};

use discover::{FoundEvent, Pmu, discover};
use event::{Kernel, OpenEvent, Opener};
use parse::parse_paranoid;
use scale::Scale;

use super::{ReadError, Source, SourceKind};
use crate::source::CounterSpec;
use crate::sysfs::attribute::read_attribute;
use crate::units::{Microjoules, Watts};
use crate::work::Moment;
use crate::zone::{Domain, Zone};

/// Minimum time between two searches for missing events. A search opens some twenty files at 6 to 9 µs each.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// An event is gone if its enabled time stands still for this long. The clock of events and ours differ by less.
const STANDSTILL_MIN: Duration = Duration::from_millis(5);

/// The PMU does not state the step of its registers. 2^-14 J is the coarsest in wide use.
const QUANTUM: Microjoules = Microjoules(62);

/// Range of the smallest register in wide use, in joules: 2^32 times 2^-16 J.
///
/// Source: Intel SDM volume 3, "RAPL Interfaces": the energy unit is 2^-16 J by default, and fixed at 15.3 µJ for the
/// memory of servers; the PPR for AMD family 17h states the same default.
const REGISTER_JOULES_MIN: f64 = 65_536.0;

/// Maximum power of a zone. The largest packages are specified at about 500 W. Twice that accepts every honest reading,
/// and no register wraps within the longest window.
fn watts_max(domain: &Domain) -> Watts {
    Watts(match domain {
        // The platform contains all packages. It is only shown, and its register counts whole joules on servers.
        Domain::Psys => 10_000.0,
        _ => 1000.0,
    })
}

/// Longest time between readings: after it, a register of the smallest kind may have wrapped unnoticed at `watts_max`.
#[must_use]
pub fn longest_interval(watts_max: Watts) -> Duration {
    Duration::try_from_secs_f64(REGISTER_JOULES_MIN / watts_max.0).unwrap_or(Duration::MAX)
}

struct Running {
    event: Box<dyn OpenEvent>,
    scale: Scale,
    last: Option<Seen>,
}

/// Enabled time of an event, and when it was read.
#[derive(Clone, Copy)]
struct Seen {
    enabled: Duration,
    at: Duration,
}

/// The energy events of one machine.
///
/// Gives raw readings. The consumer decides what a falling value means.
pub struct Perf {
    sysfs_root: PathBuf,
    opener: Box<dyn Opener>,
    specs: Vec<CounterSpec>,
    names: Vec<&'static str>,
    /// Parallel to `specs`; `None` if the zone has disappeared.
    running: Vec<Option<Running>>,
    problems: Vec<SkippedEvent>,
    /// The earliest `Moment::monotonic` at which events that have gone may be searched for.
    next_search: Duration,
}

impl Perf {
    /// Finds the PMU below `sysfs_root`, as a rule `/sys`, and opens its events. `procfs_root` is asked for
    /// `perf_event_paranoid` when that is refused.
    ///
    /// # Errors
    ///
    /// [`OpenPerfError`] where no event that may be added, that is of no package and no memory, can be opened and read.
    pub fn open(sysfs_root: &Path, procfs_root: &Path) -> Result<Self, OpenPerfError> {
        Self::open_with(Box::new(Kernel), sysfs_root, procfs_root)
    }

    fn open_with(opener: Box<dyn Opener>, sysfs_root: &Path, procfs_root: &Path) -> Result<Self, OpenPerfError> {
        let pmu = discover(sysfs_root)?;
        let path = pmu.path.clone();
        let mut source = Self {
            sysfs_root: sysfs_root.to_owned(),
            opener,
            specs: Vec::new(),
            names: Vec::new(),
            running: Vec::new(),
            problems: Vec::new(),
            next_search: Duration::ZERO,
        };
        source.adopt(pmu);
        if source.specs.iter().any(|spec| spec.zone.is_additive()) {
            return Ok(source);
        }
        let mut problems = source.problems.into_iter();
        let first = problems.find(|problem| matches!(&*problem.event, "energy-pkg" | "energy-ram"));
        Err(match first {
            Some(SkippedEvent { event, obstacle: EventObstacle::Open { source, .. } }) if is_forbidden(&source) => {
                let paranoid = read_attribute(&procfs_root.join("sys/kernel/perf_event_paranoid"));
                let paranoid = paranoid.ok().and_then(|text| parse_paranoid(&text));
                OpenPerfError::Forbidden { event, paranoid, source }
            }
            Some(SkippedEvent { event, obstacle: source }) => OpenPerfError::UseEvents { event, source },
            None => OpenPerfError::NoAdditiveEvent { path },
        })
    }

    /// The events that exist and are not reported, each with the reason, as the last search found them.
    #[must_use]
    pub fn problems(&self) -> &[SkippedEvent] {
        &self.problems
    }

    /// The longest time between two readings after which nothing is lost, whatever the packages draw: that in which the
    /// most that is believed of a zone fills the smallest register, 65.5 s. At 400 W, where the kernel's own timer
    /// ceases to be enough, it would be 2.7 minutes.
    #[must_use]
    pub fn longest_interval(&self) -> Duration {
        let additive = self.specs.iter().filter(|spec| spec.zone.is_additive());
        additive.map(|spec| longest_interval(spec.watts_max)).min().unwrap_or(Duration::MAX)
    }

    /// Opens every event that is not open yet and gives it its place: where the same zone was before, or at the end.
    fn adopt(&mut self, pmu: Pmu) {
        self.problems = pmu.problems;
        for found in &pmu.events {
            for place in &pmu.places {
                let zone = place.zone(&found.domain);
                let known = self.specs.iter().position(|spec| spec.zone == zone);
                if known.is_some_and(|known| self.running[known].is_some()) {
                    continue;
                }
                match self.start(found, place.cpu) {
                    Ok(running) => self.place(known, zone, found, running),
                    Err(source) => {
                        let obstacle = EventObstacle::Open { cpu: place.cpu, source };
                        self.problems.push(SkippedEvent { event: found.name.into(), obstacle });
                    }
                }
            }
        }
        assert_eq!(self.specs.len(), self.running.len(), "every counter has a place for its event");
    }

    /// Opens an event and reads it once: only a count shows that it works.
    fn start(&mut self, found: &FoundEvent, cpu: u32) -> io::Result<Running> {
        let mut event = self.opener.open(found.event, cpu)?;
        event.read()?;
        Ok(Running { event, scale: found.scale, last: None })
    }

    fn place(&mut self, known: Option<usize>, zone: Zone, found: &FoundEvent, running: Running) {
        if let Some(known) = known {
            self.running[known] = Some(running);
            return;
        }
        let watts_max = watts_max(&zone.domain);
        self.specs.push(CounterSpec {
            source: SourceKind::Perf,
            zone,
            range: None,
            watts_max,
            quantum: QUANTUM,
            relative_error: 0.0,
            base: None,
            stated: None,
        });
        self.names.push(found.name);
        self.running.push(Some(running));
    }

    /// Looks for events that have gone, unless that was done less than [`SEARCH_INTERVAL`] ago.
    fn search(&mut self, moment: &Moment) {
        if self.running.iter().all(Option::is_some) || moment.monotonic < self.next_search {
            return;
        }
        self.next_search = moment.monotonic.saturating_add(SEARCH_INTERVAL);
        if let Ok(pmu) = discover(&self.sysfs_root) {
            self.adopt(pmu);
        }
    }

    fn zones(&self, additive: bool) -> String {
        let named = self.specs.iter().filter(|spec| spec.zone.is_additive() == additive);
        named.map(|spec| spec.zone.to_string()).collect::<Vec<_>>().join(", ")
    }
}

impl Running {
    fn read(&mut self, name: &str, moment: &Moment) -> Result<Microjoules, ReadError> {
        let read = self.event.read().map_err(|source| match source.raw_os_error() {
            Some(NO_DEVICE) => ReadError::ZoneGone,
            _ => ReadError::ReadEvent { event: name.into(), source },
        })?;
        match self.last {
            Some(last) if read.enabled <= last.enabled => {
                if moment.monotonic.saturating_sub(last.at) >= STANDSTILL_MIN {
                    return Err(ReadError::ZoneGone);
                }
            }
            _ => self.last = Some(Seen { enabled: read.enabled, at: moment.monotonic }),
        }
        Ok(self.scale.energy(read.count))
    }
}

impl Source for Perf {
    fn kind(&self) -> SourceKind {
        SourceKind::Perf
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.specs
    }

    fn read(&mut self, moment: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        readings.clear();
        self.search(moment);
        for (running, name) in self.running.iter_mut().zip(&self.names) {
            let reading = running.as_mut().map_or(Err(ReadError::ZoneGone), |running| running.read(name, moment));
            if reading.is_err() {
                *running = None;
            }
            readings.push(reading);
        }
        assert_eq!(readings.len(), self.specs.len(), "every counter has one reading");
    }

    fn describe(&self) -> String {
        let (added, shown) = (self.zones(true), self.zones(false));
        if shown.is_empty() {
            format!("perf: {added} (added)")
        } else {
            format!("perf: {added} (added); {shown} (shown only)")
        }
    }
}

/// `ENODEV`: the event's processor is not online.
const NO_DEVICE: i32 = rustix::io::Errno::NODEV.raw_os_error();

/// `EACCES` and `EPERM`, of which the kernel gives one or the other.
fn is_forbidden(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}
