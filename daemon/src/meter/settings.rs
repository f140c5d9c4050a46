//! The options of metering: which source, how often it is read, and what `energy_joules` means.

use std::path::PathBuf;
use std::time::Duration;

use super::ended::OFF;
use super::sources::Choice;
use crate::settings::{duration_in, number_in, one_of, options};
use crate::units::Policy;

options! {
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// Read energy from this source: `auto` (the best that works, and the next best if it fails), powercap, perf or
        /// hwmon (measured), model (estimated), simulated (made up, for demonstrations), rapl-energy (in builds that have
        /// it), or `off` (calls have no joules)
        source: Option<Choice> => "source", SOURCE = "auto", source;
        /// Read the energy source this often
        window: Duration => "window", DURATION = "100ms",
            duration_in(Duration::from_millis(10)..=Duration::from_secs(60));
        /// Calibrate this machine before the daemon listens: `auto` takes half a minute, and only if nothing is known of
        /// this machine yet and it is quiet; `off` leaves that to `nebula calibrate`
        calibrate: bool => "calibrate", WHEN = "off", one_of(&[("auto", true), ("off", false)]);
        /// What energy_joules means: `active`, or `usage` (adds a share of the base energy by CPU time)
        policy: Policy => "policy", POLICY = "active",
            one_of(&[("active", Policy::Active), ("usage", Policy::Usage)]);
        /// Where sysfs is mounted
        sysfs_root: PathBuf => "sysfs-root", DIR = "/sys", directory;
        /// Where procfs is mounted
        procfs_root: PathBuf => "procfs-root", DIR = "/proc", directory;
        /// Slices of calls that each worker can report within a window
        postings: usize => "meter.postings", COUNT = "16384", number_in(16..=1 << 24);
        /// Calls that may wait to be settled
        calls: usize => "meter.calls", COUNT = "65536", number_in(16..=1 << 24);
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
            calibrate: false,
            policy: Policy::Active,
            sysfs_root: "/nonexistent".into(),
            procfs_root: "/nonexistent".into(),
            postings: 16,
            calls: 16,
        }
    }
}
