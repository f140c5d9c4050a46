//! Finds the zones' directories, whatever shape sysfs has here: links side by side, directories nested, or links that
//! lead nowhere.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::zone_id::{ZoneId, parse_control, parse_zone_id};

/// What became of the powercap class as a whole.
#[derive(Debug)]
pub enum ClassState {
    /// There are RAPL zones. Whether they can be read is another question.
    Present,
    /// There is a class without a RAPL zone.
    Empty,
    /// There is no class.
    Missing,
    /// A container runtime hides what the class leads to.
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

/// Zones that are looked at. The largest machines have some 32 packages with 3 zones each, shown by two drivers.
const ZONES_MAX: usize = 1024;

/// Entries of one directory that are looked at: all zones side by side, and as much again.
const ENTRIES_MAX: usize = 2 * ZONES_MAX;

/// One zone's directory.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// The path is a link that leads nowhere.
    pub(super) dangling: bool,
}

/// All zones' directories, parents before their children.
#[derive(Debug)]
pub(super) struct Walk {
    /// The directory they were found in, or would have been.
    pub(super) looked_in: PathBuf,
    pub(super) class: ClassState,
    pub(super) zones: BTreeMap<ZoneId, Place>,
}

/// Looks for zones in `<root>/class/powercap` and, if that leads to none, in `<root>/devices/virtual/powercap`, where
/// an operator may have mounted what the container runtime hides.
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
    // The kernel makes `devices/virtual/powercap` with the first device in it and removes it with the last, so that
    // only a mask can be empty.
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

/// What one directory and those below it hold.
#[derive(Debug, Default)]
struct Found {
    zones: BTreeMap<ZoneId, Place>,
    /// Entries of the topmost directory, of any kind.
    entries: usize,
    /// A control type or a zone is a link that leads nowhere.
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
    /// Adds the zones among `names` and tells which of them were new. A zone already there keeps its path, so that
    /// the one in the class is preferred; and none is descended into twice, whatever links go in circles.
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

    /// Adds the zones in `directory` and below. One that cannot be listed has none that could be used.
    fn descend(&mut self, directory: &Path) {
        let names = entries(directory).unwrap_or_default();
        for zone in self.add_zones(directory, &names) {
            self.descend(&zone);
        }
    }
}

/// The names in a directory, in order, so that two looks at one tree find the same.
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
