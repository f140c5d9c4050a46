//! Lists all zones for people: the search of [`super::Powercap`], but with nothing left out and no counter required.

use std::fmt;
use std::path::{Path, PathBuf};

use super::discover::discover;
use super::error::ZoneObstacle;
use super::mirror::same_register;
use super::walk::ClassState;
use crate::zone::Zone;

/// One zone, and whether its counter can be read.
#[derive(Debug)]
pub struct SurveyedZone {
    /// Its directory.
    pub path: PathBuf,
    /// What it counts, where its name could be read.
    pub zone: Option<Zone>,
    /// Why it is not used; `None` if it is.
    pub obstacle: Option<ZoneObstacle>,
}

impl fmt::Display for SurveyedZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.path.display())?;
        if let Some(zone) = &self.zone {
            write!(f, " ({zone})")?;
        }
        match &self.obstacle {
            None => f.write_str(": there"),
            Some(obstacle) => write!(f, ": {obstacle}"),
        }
    }
}

/// All zones and the state of the class.
#[derive(Debug)]
pub struct Survey {
    /// The directory searched last, which holds the zones if there are any.
    pub looked_in: PathBuf,
    /// Whether the class exists and shows zones.
    pub class: ClassState,
    /// The zones, parents before their children.
    pub zones: Vec<SurveyedZone>,
}

/// Searches for zones below `sysfs_root`, usually `/sys`, and tries to read each once. Finding nothing is a valid
/// answer, so this never fails.
#[must_use]
pub fn survey(sysfs_root: &Path) -> Survey {
    let discovery = discover(sysfs_root);
    let mut zones: Vec<SurveyedZone> = Vec::new();
    for found in discovery.zones {
        let obstacle = found.counter.err().or_else(|| {
            let reported =
                zones.iter().filter(|known| known.obstacle.is_none()).filter_map(|known| known.zone.as_ref());
            let mut repeated =
                reported.filter(|known| found.zone.as_ref().is_some_and(|zone| same_register(known, zone)));
            repeated.next().map(|of| ZoneObstacle::SuspectedMirror { of: of.clone() })
        });
        zones.push(SurveyedZone { path: found.path, zone: found.zone, obstacle });
    }
    Survey { looked_in: discovery.looked_in, class: discovery.class, zones }
}
