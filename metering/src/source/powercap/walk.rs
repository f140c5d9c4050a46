//! Finds the directories of zones, whatever shape sysfs has: links side by side, nested directories, or dangling links.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::zone_id::{ZoneId, parse_control, parse_zone_id};

/// State of the powercap class.
#[derive(Debug)]
pub enum ClassState {
    /// There are RAPL zones. They may be unreadable.
    Present,
    /// The class exists but has no RAPL zone.
    Empty,
    /// There is no class.
    Missing,
    /// A container runtime hides the target of the class.
    Masked,
    /// The class cannot be listed.
    Unlisted(io::Error),
}

impl fmt::Display for ClassState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present => f.write_str("there"),
            Self::Empty => f.write_str("there, without a RAPL zone"),
            Self::Missing => f.write_str("missing"),
            Self::Masked => f.write_str("masked by the container runtime"),
            Self::Unlisted(error) => write!(f, "cannot be listed: {error}"),
        }
    }
}

/// Maximum number of zones. The largest machines have about 32 packages with 3 zones each, shown by two drivers.
const ZONES_MAX: usize = 1024;

/// Maximum number of entries of a directory: all zones side by side, and as many again.
const ENTRIES_MAX: usize = 2 * ZONES_MAX;

#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// The path is a dangling link.
    pub(super) dangling: bool,
}

/// The directories of all zones, parents before children.
#[derive(Debug)]
pub(super) struct Walk {
    /// The directory that was searched last.
    pub(super) looked_in: PathBuf,
    pub(super) class: ClassState,
    pub(super) zones: BTreeMap<ZoneId, Place>,
}

/// Searches for zones in `<root>/class/powercap` and, if there are none, in `<root>/devices/virtual/powercap`, where an
/// operator may have mounted what the container runtime hides.
pub(super) fn walk(root: &Path) -> Walk {
    let class = root.join("class/powercap");
    let devices = root.join("devices/virtual/powercap");
    let through_class = match list(&class) {
        Ok(found) if found.zones.values().any(|place| !place.dangling) => return Walk::present(class, found),
        other => other,
    };
    let through_devices = match list(&devices) {
        Ok(found) if !found.zones.is_empty() => return Walk::present(devices, found),
        other => other,
    };
    let dangling = is_dangling(&class) || through_class.as_ref().is_ok_and(|found| found.dangling);
    // The kernel creates `devices/virtual/powercap` with its first device and removes it with the last, so only a mask
    // can be empty.
    let empty_mask = through_devices.as_ref().is_ok_and(|found| found.entries == 0);
    if dangling || empty_mask {
        let zones = through_class.map(|found| found.zones).unwrap_or_default();
        return Walk { looked_in: class, class: ClassState::Masked, zones };
    }
    let (looked_in, state) = match (through_class, through_devices) {
        (Err(error), _) if !is_missing(&error) => (class, ClassState::Unlisted(error)),
        (Err(_), Err(error)) if !is_missing(&error) => (devices, ClassState::Unlisted(error)),
        (Err(_), Err(_)) => (class, ClassState::Missing),
        (Err(_), Ok(_)) => (devices, ClassState::Empty),
        (Ok(_), _) => (class, ClassState::Empty),
    };
    Walk { looked_in, class: state, zones: BTreeMap::new() }
}

impl Walk {
    fn present(looked_in: PathBuf, found: Found) -> Self {
        Self { looked_in, class: ClassState::Present, zones: found.zones }
    }
}

/// Contents of one directory and those below.
#[derive(Debug, Default)]
struct Found {
    zones: BTreeMap<ZoneId, Place>,
    /// Entries of the top directory, of any kind.
    entries: usize,
    /// A control type or zone is a dangling link.
    dangling: bool,
}

fn list(directory: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let names = entries(directory)?;
    found.entries = names.len();
    let below = found.add_zones(directory, &names);
    let controls = names.iter().filter(|name| name.to_str().and_then(parse_control).is_some());
    for control in controls.map(|name| directory.join(name)) {
        found.dangling |= is_dangling(&control);
        found.descend(&control);
    }
    for zone in below {
        found.descend(&zone);
    }
    Ok(found)
}

impl Found {
    /// Adds the zones among `names` and returns the new ones. A known zone keeps its path, so the class is preferred
    /// and circular links end.
    fn add_zones(&mut self, directory: &Path, names: &[OsString]) -> Vec<PathBuf> {
        let mut new = Vec::new();
        for name in names {
            let Some(id) = name.to_str().and_then(parse_zone_id) else { continue };
            if self.zones.contains_key(&id) || self.zones.len() >= ZONES_MAX {
                continue;
            }
            let path = directory.join(name);
            let dangling = is_dangling(&path);
            self.dangling |= dangling;
            self.zones.insert(id, Place { path: path.clone(), dangling });
            new.push(path);
        }
        new
    }

    /// Adds the zones in `directory` and below. A directory that cannot be listed has none that could be used.
    fn descend(&mut self, directory: &Path) {
        let names = entries(directory).unwrap_or_default();
        for zone in self.add_zones(directory, &names) {
            self.descend(&zone);
        }
    }
}

/// The sorted names in a directory.
fn entries(directory: &Path) -> io::Result<Vec<OsString>> {
    let entries = fs::read_dir(directory)?.take(ENTRIES_MAX).filter_map(Result::ok);
    let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    names.sort();
    Ok(names)
}

fn is_dangling(path: &Path) -> bool {
    path.is_symlink() && path.metadata().is_err_and(|error| is_missing(&error))
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
