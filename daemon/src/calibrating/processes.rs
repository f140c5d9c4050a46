//! Who else uses the processors.
//!
//! Source: `proc_pid_stat(5)`: the second field is the name, in brackets; the 14th and 15th are user and system time, in
//! ticks.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// So many processes are named, and none that uses less of a processor.
const NAMED: usize = 5;
const SHARE_MIN: f64 = 0.02;

/// CPU time of every process that can be seen, with its name.
pub struct Processes(BTreeMap<u32, (String, u64)>);

impl Processes {
    pub fn read(procfs_root: &Path) -> Self {
        let entries = std::fs::read_dir(procfs_root).into_iter().flatten().flatten();
        let read = |entry: std::fs::DirEntry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            // A process may have ended since.
            let stat = std::fs::read(entry.path().join("stat")).ok()?;
            Some((pid, parse_stat(&String::from_utf8_lossy(&stat))?))
        };
        Self(entries.filter_map(read).collect())
    }

    /// The processes but this one that have used most since `earlier`, which was so long ago.
    pub fn busiest_since(&self, earlier: &Self, time: Duration) -> Busiest {
        let used = |(pid, (name, ticks)): (&u32, &(String, u64))| {
            let before = earlier.0.get(pid).filter(|(known, _)| known == name).map_or(0, |(_, ticks)| *ticks);
            let seconds = ticks.saturating_sub(before) as f64 / rustix::param::clock_ticks_per_second() as f64;
            (name.clone(), *pid, seconds / time.as_secs_f64())
        };
        let own = std::process::id();
        let all = self.0.iter().filter(|(pid, _)| **pid != own).map(used);
        let mut busiest: Vec<_> = all.filter(|(_, _, share)| *share >= SHARE_MIN).collect();
        busiest.sort_by(|a, b| b.2.total_cmp(&a.2));
        busiest.truncate(NAMED);
        Busiest(busiest)
    }
}

/// Processes with their names, numbers and the processors that they use, busiest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Busiest(pub Vec<(String, u32, f64)>);

impl fmt::Display for Busiest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("No single process stands out: they may be short, or in another container");
        }
        f.write_str("Busiest: ")?;
        for (number, (name, pid, share)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            // A process chooses its name.
            write!(f, "{comma}{} (process {pid}) {share:.2}", name.escape_debug())?;
        }
        Ok(())
    }
}

fn parse_stat(text: &str) -> Option<(String, u64)> {
    let (before, after) = text.rsplit_once(") ")?;
    let (_, name) = before.split_once('(')?;
    let mut times = after.split(' ').skip(11).map(str::parse::<u64>);
    Some((name.to_owned(), times.next()?.ok()?.checked_add(times.next()?.ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pid: u32, name: &str, user: u64, system: u64) -> String {
        format!("{pid} ({name}) R 1 2 3 4 5 6 7 8 9 10 {user} {system} 0 0 20 0 1 0 99 0 0\n")
    }

    #[test]
    fn names_may_hold_anything() {
        assert_eq!(parse_stat(&stat(7, "a) b (c", 30, 12)), Some(("a) b (c".into(), 42)));
        for text in ["", "7 (half", "7 (x) R 1 2 3", "7 (x) R 1 2 3 4 5 6 7 8 9 10 y 2"] {
            assert_eq!(parse_stat(text), None, "{text}");
        }
    }

    #[test]
    fn the_busiest_are_named_first() {
        let procfs = tempfile::tempdir().unwrap();
        let set = |pid: u32, name: &str, ticks: u64| {
            let folder = procfs.path().join(pid.to_string());
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("stat"), stat(pid, name, ticks, 0)).unwrap();
        };
        std::fs::create_dir_all(procfs.path().join("sys")).unwrap();
        for (pid, name) in [(11, "calm"), (12, "busy"), (13, "busier\n")] {
            set(pid, name, 1000);
        }
        let before = Processes::read(procfs.path());
        for (pid, name, ticks) in [(12, "busy", 1080), (13, "busier\n", 1190), (14, "new", 50)] {
            set(pid, name, ticks);
        }
        let busiest = Processes::read(procfs.path()).busiest_since(&before, Duration::from_secs(2));
        assert_eq!(
            busiest.to_string(),
            r"Busiest: busier\n (process 13) 0.95, busy (process 12) 0.40, new (process 14) 0.25"
        );
        assert!(Busiest::default().to_string().starts_with("No single process"));
    }
}
