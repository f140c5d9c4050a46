//! The options of metering: which source, how often it is read, and what `energy_joules` means.

use std::path::PathBuf;
use std::time::Duration;

use super::ended::OFF;
use super::sources::Choice;
use crate::settings::{Checker, Setting, defaulted, one_of};
use crate::units::Policy;

pub const OPTIONS: &[Setting] = &[
    defaulted(
        "source",
        "SOURCE",
        "auto",
        "Read energy from this source: `auto` (the best that works, and the next best if it fails), powercap, perf or hwmon \
         (measured), model (estimated), simulated (made up, for demonstrations), rapl-energy (in builds that have it), or \
         `off` (calls have no joules)",
    ),
    defaulted("window", "DURATION", "100ms", "Read the energy source this often"),
    defaulted(
        "policy",
        "POLICY",
        "active",
        "What energy_joules means: `active`, or `usage` (adds a share of the base energy by CPU time)",
    ),
    defaulted("sysfs-root", "DIR", "/sys", "Where sysfs is mounted"),
    defaulted("procfs-root", "DIR", "/proc", "Where procfs is mounted"),
    defaulted("meter.postings", "COUNT", "16384", "Slices of calls that each worker can report within a window"),
    defaulted("meter.calls", "COUNT", "65536", "Calls that may wait to be settled"),
];

#[derive(Clone, Debug)]
pub struct Settings {
    /// `None` if nothing is to be measured.
    pub source: Option<Choice>,
    pub window: Duration,
    pub policy: Policy,
    pub sysfs_root: PathBuf,
    pub procfs_root: PathBuf,
    pub postings: usize,
    pub calls: usize,
}

impl Settings {
    pub fn check(check: &mut Checker<'_>) -> Self {
        Self {
            source: check.parse("source", source),
            window: check.duration("window", &(Duration::from_millis(10)..=Duration::from_secs(60))),
            policy: check.parse("policy", one_of(&[("active", Policy::Active), ("usage", Policy::Usage)])),
            sysfs_root: check.parse("sysfs-root", directory),
            procfs_root: check.parse("procfs-root", directory),
            postings: check.number("meter.postings", 16..=1 << 24),
            calls: check.number("meter.calls", 16..=1 << 24),
        }
    }
}

fn source(text: &str) -> Result<Option<Choice>, String> {
    let choices = Choice::all().map(|(name, choice)| (name, Some(choice))).chain([(OFF, None)]);
    one_of(&choices.collect::<Vec<_>>())(text)
}

fn directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err("there is no such directory".into()) }
}

#[cfg(test)]
impl Settings {
    /// Windows of 100 ms on a machine without a sysfs or procfs.
    pub fn made_up() -> Self {
        Self {
            source: None,
            window: Duration::from_millis(100),
            policy: Policy::Active,
            sysfs_root: "/nonexistent".into(),
            procfs_root: "/nonexistent".into(),
            postings: 16,
            calls: 16,
        }
    }
}
