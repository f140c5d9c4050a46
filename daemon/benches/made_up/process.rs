//! CPU time of another process, to the nanosecond or the tick.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// New threads are looked for this often.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Threads of the daemon that run no calls.
const NO_CALLS: [&str; 4] = ["sampler", "epoch", "usage", "usage-log"];

/// CPU time of a process in some time: of threads that may run calls, and of those that never do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    pub calls: Duration,
    pub others: Duration,
}

impl Used {
    pub fn total(self) -> Duration {
        self.calls + self.others
    }
}

/// The threads of a process and what each had used when it was last read.
///
/// Source: Linux `Documentation/scheduler/sched-stats.rst`: the first figure of `schedstat` is the time on a processor
/// in nanoseconds.
pub struct ProcessCpu {
    directory: String,
    threads: BTreeMap<String, Thread>,
    look_at: Instant,
}

struct Thread {
    schedstat: File,
    used: u64,
    is_for_calls: bool,
}

impl ProcessCpu {
    pub fn new(pid: u32) -> Self {
        Self { directory: format!("/proc/{pid}/task"), threads: BTreeMap::new(), look_at: Instant::now() }
    }

    /// What it used since this was last asked. Of threads that have ended since, the last bit is missing.
    pub fn used(&mut self) -> Used {
        if self.look_at <= Instant::now() {
            self.look_at = Instant::now() + LOOK_EVERY;
            self.look();
        }
        let mut used = Used::default();
        self.threads.retain(|_, thread| {
            let Some(now) = read(&thread.schedstat) else { return false };
            let more = Duration::from_nanos(now.saturating_sub(thread.used));
            thread.used = now.max(thread.used);
            *(if thread.is_for_calls { &mut used.calls } else { &mut used.others }) += more;
            true
        });
        used
    }

    fn look(&mut self) {
        for task in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let (name, path) = (task.file_name().to_string_lossy().into_owned(), task.path());
            // A new thread has its name some time after it has begun.
            let is_for_calls =
                !fs::read_to_string(path.join("comm")).is_ok_and(|name| NO_CALLS.contains(&name.trim_end()));
            if let Some(thread) = self.threads.get_mut(&name) {
                thread.is_for_calls = is_for_calls;
            } else if let Ok(schedstat) = File::open(path.join("schedstat")) {
                self.threads.insert(name, Thread { schedstat, used: 0, is_for_calls });
            }
        }
    }
}

fn read(file: &File) -> Option<u64> {
    let mut buffer = [0; 64];
    let length = file.read_at(&mut buffer, 0).ok()?;
    std::str::from_utf8(&buffer[..length]).ok()?.split(' ').next()?.parse().ok()
}
