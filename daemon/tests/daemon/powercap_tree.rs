//! A made-up sysfs whose energy counters a test moves.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::daemon::{Daemon, temporary_folder};

/// What the kernel states as the highest value of a counter of 2^32 steps of 61035 nJ.
pub const RANGE: u64 = 262_143_328_850;

/// What such a counter has counted when it starts again at zero, in microjoules: `RANGE` · 2^32 / (2^32 − 1).
pub const MODULUS: u64 = (61_035 << 32) / 1000;

pub struct Tree(TempDir);

pub struct Counter {
    path: PathBuf,
    file: File,
    /// Where it would stand if it never wrapped.
    position: u64,
}

impl Tree {
    pub fn new() -> Self {
        Self(temporary_folder())
    }

    pub fn root(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    /// A daemon that reads these counters, and serves the guests of this suite.
    pub fn daemon(&self, options: &[&str]) -> Daemon {
        Daemon::with_guests(&[&["--source powercap --sysfs-root", self.root()], options].concat())
    }

    /// Adds a zone whose counter stands at `start`.
    pub fn zone(&self, id: &str, name: &str, start: u64) -> Counter {
        let directory = self.0.path().join("class/powercap").join(id);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("name"), format!("{name}\n")).unwrap();
        fs::write(directory.join("max_energy_range_uj"), format!("{RANGE}\n")).unwrap();
        let path = directory.join("energy_uj");
        let counter = Counter { file: File::create(&path).unwrap(), path, position: start };
        counter.show();
        counter
    }
}

/// A counter that moves by itself until this is dropped.
pub struct Moving {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// CPU time of the whole machine, in seconds. Source: proc_stat(5); ticks are hundredths of a second.
fn machine_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let fields = stat.lines().next().unwrap().split_whitespace().skip(1);
    let ticks: Vec<u64> = fields.map(|field| field.parse().unwrap()).collect();
    // User, nice, system, and interrupts; neither idle nor waiting, and guests are in user.
    [0, 1, 2, 5, 6].into_iter().map(|field| ticks[field]).sum::<u64>() as f64 / 100.0
}

impl Counter {
    /// Draws `base` watts, and `each` more for every busy processor of this machine.
    pub fn follow_cpu(mut self, base: f64, each: f64) -> Moving {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let (mut time, mut cpu) = (Instant::now(), machine_cpu());
            while !stopped.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
                let (now, used) = (Instant::now(), machine_cpu());
                let joules = base * (now - time).as_secs_f64() + each * (used - cpu);
                (time, cpu) = (now, used);
                self.advance((joules * 1e6) as u64);
            }
        });
        Moving { stop, thread: Some(thread) }
    }

    pub fn advance(&mut self, microjoules: u64) {
        self.position += microjoules;
        self.show();
    }

    /// What it shows: its position, less its wraps.
    pub fn shown(&self) -> u64 {
        self.position % MODULUS
    }

    /// Counts on unseen, and shows something that is not a number.
    pub fn fail(&mut self, microjoules: u64) {
        self.position += microjoules;
        self.write("no number");
    }

    /// Counts on unseen while its file is gone. Whoever has it open reads nothing.
    pub fn vanish(&mut self, microjoules: u64) {
        self.position += microjoules;
        self.file.set_len(0).unwrap();
        fs::remove_file(&self.path).unwrap();
    }

    /// Comes back, in a new file.
    pub fn come_back(&mut self) {
        let made = self.path.with_extension("new");
        self.file = File::create(&made).unwrap();
        self.show();
        fs::rename(&made, &self.path).unwrap();
    }

    pub fn show(&self) {
        self.write(&self.shown().to_string());
    }

    /// Shows a number that does not follow from the last.
    pub fn jump(&mut self, position: u64) {
        self.position = position;
        self.show();
    }

    /// Replaces the whole text in one write, so that nobody reads half of it.
    fn write(&self, text: &str) {
        self.file.write_all_at(format!("{text:<24}\n").as_bytes(), 0).unwrap();
    }
}
