//! Reads the PMU's directory: which events exist, and on which processors to open them.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{EventObstacle, OpenPerfError, SkippedEvent};
use super::event::Event;
use super::parse::{BitField, parse_event, parse_format, parse_topology_id};
use super::scale::{Scale, parse_scale};
use crate::sysfs::attribute::{parse_number, read_attribute};
use crate::sysfs::cpu_list::parse_cpu_list;
use crate::zone::{Domain, Zone};

/// Characters of a file that an error quotes.
const SHOWN_CHARS_MAX: usize = 32;

/// The energy events that the kernel may offer, and what they count.
///
/// Source: Linux `arch/x86/events/rapl.c`.
const EVENTS: [(&str, Domain); 5] = [
    ("energy-pkg", Domain::Package),
    ("energy-ram", Domain::Dram),
    ("energy-cores", Domain::Core),
    ("energy-gpu", Domain::Uncore),
    ("energy-psys", Domain::Psys),
];

#[derive(Debug)]
pub(super) struct FoundEvent {
    pub(super) name: &'static str,
    pub(super) domain: Domain,
    pub(super) event: Event,
    pub(super) scale: Scale,
}

/// A processor on which to open the events of its package or die.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) cpu: u32,
    package: Box<str>,
    /// Another processor of the same package comes first.
    further: bool,
}

impl Place {
    /// The zone of an event of this domain.
    ///
    /// If the list has several processors of one package, each stands for a die. On some Intel servers dies have their
    /// own counters. AMD has one per package, which some kernels show per die. Counting twice is worse than counting
    /// too little, so only the first die is added.
    pub(super) fn zone(&self, domain: &Domain) -> Zone {
        let domain = match domain {
            Domain::Package if self.further => Domain::Other("die".into()),
            Domain::Dram if self.further => Domain::Other("die-dram".into()),
            domain => domain.clone(),
        };
        Zone::new(domain, &self.package)
    }
}

#[derive(Debug)]
pub(super) struct Pmu {
    pub(super) path: PathBuf,
    pub(super) places: Vec<Place>,
    pub(super) events: Vec<FoundEvent>,
    pub(super) problems: Vec<SkippedEvent>,
}

/// Reads the `power` PMU below `sysfs_root`.
pub(super) fn discover(sysfs_root: &Path) -> Result<Pmu, OpenPerfError> {
    let path = sysfs_root.join("bus/event_source/devices/power");
    if !path.is_dir() {
        return Err(OpenPerfError::NoPmu { path });
    }
    let number = describe(&path.join("type"), |text| u32::try_from(parse_number(text)?).ok())?;
    let cpus = describe(&path.join("cpumask"), parse_cpu_list)?;
    let places = places(sysfs_root, &cpus);
    let (mut events, mut problems) = (Vec::new(), Vec::new());
    for (name, domain) in EVENTS {
        if !path.join("events").join(name).exists() {
            continue;
        }
        match find_event(&path, name) {
            Ok((config, scale)) => {
                events.push(FoundEvent { name, domain, event: Event { pmu: number, config }, scale });
            }
            Err(obstacle) => problems.push(SkippedEvent { event: name.into(), obstacle }),
        }
    }
    if events.is_empty() && problems.is_empty() {
        return Err(OpenPerfError::NoEvent { path });
    }
    Ok(Pmu { path, places, events, problems })
}

fn describe<T>(path: &Path, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, OpenPerfError> {
    let nonsense = |text: &str| io::Error::new(io::ErrorKind::InvalidData, format!("it reads `{}`", shown(text)));
    let parsed = read_attribute(path).and_then(|text| parse(&text).ok_or_else(|| nonsense(&text)));
    parsed.map_err(|source| OpenPerfError::DescribePmu { path: path.to_owned(), source })
}

fn find_event(pmu: &Path, name: &str) -> Result<(u64, Scale), EventObstacle> {
    let field: BitField = understand(pmu, "format/event".into(), parse_format)?;
    let config = understand(pmu, format!("events/{name}"), |text| field.place(parse_event(text)?))?;
    understand(pmu, format!("events/{name}.unit"), |text| (text.trim_ascii() == "Joules").then_some(()))?;
    let scale = understand(pmu, format!("events/{name}.scale"), parse_scale)?;
    Ok((config, scale))
}

fn understand<T>(pmu: &Path, file: String, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, EventObstacle> {
    match read_attribute(&pmu.join(&file)) {
        Ok(text) => parse(&text).ok_or_else(|| EventObstacle::Parse { file, text: shown(&text) }),
        Err(source) => Err(EventObstacle::Read { file, source }),
    }
}

fn shown(text: &str) -> String {
    text.trim().chars().take(SHOWN_CHARS_MAX).collect()
}

/// Finds the package of each processor. Without a package number it is the index in the list.
fn places(sysfs_root: &Path, cpus: &[u32]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::with_capacity(cpus.len());
    for (&cpu, index) in cpus.iter().zip(0_u32..) {
        let topology = sysfs_root.join(format!("devices/system/cpu/cpu{cpu}/topology"));
        let read = |file| parse_topology_id(&read_attribute(&topology.join(file)).ok()?);
        let package = read("physical_package_id").unwrap_or(index).to_string();
        let further = places.iter().any(|place| *place.package == package);
        let package = if further { format!("{package}-die-{}", read("die_id").unwrap_or(index)) } else { package };
        places.push(Place { cpu, package: package.into(), further });
    }
    places
}
