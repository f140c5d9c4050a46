//! Turns directories into counters: names and opens them, and keeps one of each name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{OpenPowercapError, ZoneObstacle};
use super::limits::{quantum, read_range, read_stated_powers, watts_max};
use super::walk::{ClassState, Place, walk};
use super::zone_id::ZoneId;
use super::zone_name::parse_zone_name;
use crate::source::counter_file::CounterFile;
use crate::source::{CounterSpec, ReadError, SourceKind};
use crate::sysfs::attribute::read_attribute;
use crate::zone::Zone;

/// Characters of a file that an error quotes.
const SHOWN_CHARS_MAX: usize = 32;

#[derive(Debug)]
pub(super) struct Counter {
    pub(super) spec: CounterSpec,
    pub(super) file: CounterFile,
}

#[derive(Debug)]
pub(super) struct FoundZone {
    pub(super) path: PathBuf,
    pub(super) zone: Option<Zone>,
    pub(super) counter: Result<Counter, ZoneObstacle>,
}

#[derive(Debug)]
pub(super) struct Discovery {
    pub(super) looked_in: PathBuf,
    pub(super) class: ClassState,
    pub(super) zones: Vec<FoundZone>,
}

/// Finds the zones below `root` and opens their counters. No two of the counters have the same zone.
pub(super) fn discover(root: &Path) -> Discovery {
    let walk = walk(root);
    let mut known = BTreeMap::new();
    let mut zones = Vec::new();
    for (id, place) in walk.zones {
        let (zone, counter) = match read_zone(&id, &place, &known) {
            Ok(zone) => (Some(zone.clone()), open_counter(&place.path, zone)),
            Err(obstacle) => (None, Err(obstacle)),
        };
        known.extend(zone.clone().map(|zone| (id, zone)));
        zones.push(FoundZone { path: place.path, zone, counter });
    }
    drop_duplicates(&mut zones);
    Discovery { looked_in: walk.looked_in, class: walk.class, zones }
}

/// Reads what the zone counts. Its parent must be among `known`.
fn read_zone(id: &ZoneId, place: &Place, known: &BTreeMap<ZoneId, Zone>) -> Result<Zone, ZoneObstacle> {
    if place.dangling {
        return Err(ZoneObstacle::Masked);
    }
    let around = match id.parent() {
        Some(parent) => Some(known.get(&parent).ok_or(ZoneObstacle::Orphan)?),
        None => None,
    };
    let text = read_attribute(&place.path.join("name")).map_err(|error| ZoneObstacle::from_io("name", error))?;
    parse_zone_name(&text, around)
        .ok_or_else(|| ZoneObstacle::ParseName { text: text.trim().chars().take(SHOWN_CHARS_MAX).collect() })
}

/// Opens the counter and reads it once: opening alone proves little.
fn open_counter(directory: &Path, zone: Zone) -> Result<Counter, ZoneObstacle> {
    let unread = |error| ZoneObstacle::from_io("energy_uj", error);
    let file = CounterFile::open(directory.join("energy_uj")).map_err(unread)?;
    file.read().map_err(|error| match error {
        ReadError::ReadCounter { source, .. } => unread(source),
        ReadError::ParseCounter { text, .. } => ZoneObstacle::ParseCounter { text },
        ReadError::ZoneGone | ReadError::Standby | ReadError::ReadEvent { .. } => {
            ZoneObstacle::Missing { file: "energy_uj" }
        }
    })?;
    let range = read_range(directory);
    let watts_max = watts_max(&zone.domain, &read_stated_powers(directory));
    let spec = CounterSpec {
        source: SourceKind::Powercap,
        zone,
        range,
        watts_max,
        quantum: quantum(range),
        relative_error: 0.0,
        base: None,
        stated: None,
    };
    Ok(Counter { spec, file })
}

/// Of zones with the same name in the same package, the first readable one stays. `intel-rapl` precedes
/// `intel-rapl-mmio`.
fn drop_duplicates(zones: &mut [FoundZone]) {
    let mut kept: BTreeMap<Zone, PathBuf> = BTreeMap::new();
    for found in zones {
        let Ok(counter) = &found.counter else { continue };
        if let Some(of) = kept.get(&counter.spec.zone) {
            found.counter = Err(ZoneObstacle::Duplicate { of: of.clone() });
        } else {
            kept.insert(counter.spec.zone.clone(), found.path.clone());
        }
    }
}

impl Discovery {
    /// The zones, if at least one that may be added can be read.
    pub(super) fn into_readable(self) -> Result<Vec<FoundZone>, OpenPowercapError> {
        let path = self.looked_in;
        match self.class {
            ClassState::Present => {}
            ClassState::Missing => return Err(OpenPowercapError::NoClass { path }),
            ClassState::Masked => return Err(OpenPowercapError::Masked { path }),
            ClassState::Empty => return Err(OpenPowercapError::NoZone { path }),
            ClassState::Unlisted(source) => return Err(OpenPowercapError::ListClass { path, source }),
        }
        let readable = |found: &FoundZone| found.counter.as_ref().is_ok_and(|counter| counter.spec.zone.is_additive());
        if self.zones.iter().any(readable) {
            return Ok(self.zones);
        }
        // A zone without a name might have been a package, so it can be the reason if nothing else is.
        let may_be_added = |found: &FoundZone| found.zone.as_ref().is_none_or(Zone::is_additive);
        let obstacles = self.zones.into_iter().filter(may_be_added);
        let mut obstacles = obstacles.filter_map(|found| found.counter.err().map(|obstacle| (found.path, obstacle)));
        Err(match obstacles.next() {
            Some((path, source @ ZoneObstacle::Forbidden { .. })) => OpenPowercapError::Forbidden { path, source },
            Some((path, source)) => OpenPowercapError::ReadZones { path, source },
            None => OpenPowercapError::NoAdditiveZone { path },
        })
    }
}
