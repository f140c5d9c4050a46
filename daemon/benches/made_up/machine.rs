//! A made-up machine: a sysfs and a procfs in which only the daemon and one process of the host run, with an energy
//! counter that follows the CPU time that the two really use. Whatever else the real machine does is not part of it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::{ProcessCpu, Used};
use super::truth::{Joules, Truth};

/// Counters of energy advance about this often.
const UPDATE: Duration = Duration::from_millis(1);

/// What one step of the counter is, in microjoules, and where the counter and the CPU time start.
const QUANTUM: f64 = 61.0;
const COUNTER_START: u64 = 1_000_000;
const USAGE_START: Duration = Duration::from_secs(100);

/// The truth is remembered once in so many updates.
const REMEMBER_EVERY: u64 = 10;

pub struct Machine {
    root: TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    root: PathBuf,
    started: Instant,
}

#[derive(Default)]
struct State {
    truth: Truth,
    daemon: Option<ProcessCpu>,
    host: Option<ProcessCpu>,
    past: Vec<Past>,
    quality: Quality,
    stopped: bool,
}

/// How well the counter followed the truth.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quality {
    /// Mean and greatest age of what it showed, in seconds.
    pub age: f64,
    pub age_max: f64,
    /// Part of the functions' CPU time that was taken for another's until calls ended.
    pub misplaced: f64,
}

/// What the counter showed at a moment, and what was behind it.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// Seconds since the machine started.
    pub at: f64,
    /// Joules since then.
    pub shown: f64,
    pub truth: Joules,
    pub host_cpu: f64,
}

impl Machine {
    /// Starts the machine. It has as many processors as the real one, each a core of one package.
    pub fn start() -> anyhow::Result<Self> {
        let root = TempDir::new()?;
        for cpu in 0..thread::available_parallelism()?.get() {
            let topology = format!("devices/system/cpu/cpu{cpu}/topology");
            write(root.path(), &format!("{topology}/physical_package_id"), "0\n")?;
            write(root.path(), &format!("{topology}/core_id"), &format!("{cpu}\n"))?;
        }
        write(root.path(), "class/powercap/intel-rapl:0/name", "package-0\n")?;
        write(root.path(), "class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n")?;
        let files = Files::create(root.path())?;
        files.show(0.0, Duration::ZERO)?;
        let shared = Shared { state: Mutex::default(), root: root.path().to_owned(), started: Instant::now() };
        let shared = Arc::new(shared);
        let machine = shared.clone();
        thread::Builder::new().name("power".into()).spawn(move || {
            if let Err(error) = machine.run(&files) {
                eprintln!("the made-up machine has stopped: {error}");
            }
        })?;
        Ok(Self { root, shared })
    }

    /// The options that make a daemon run on this machine.
    pub fn options(&self) -> Vec<String> {
        let root = self.root.path().display();
        ["--source", "powercap", "--sysfs-root", &root.to_string(), "--procfs-root", &format!("{root}/proc")]
            .map(str::to_owned)
            .to_vec()
    }

    pub fn run_daemon(&self, pid: u32) {
        self.shared.state().daemon = Some(ProcessCpu::new(pid));
    }

    pub fn run_host(&self, pid: u32) {
        self.shared.state().host = Some(ProcessCpu::new(pid));
    }

    pub fn truth<T>(&self, with: impl FnOnce(&mut Truth) -> T) -> T {
        with(&mut self.shared.state().truth)
    }

    /// Seconds since it started.
    pub fn now(&self) -> f64 {
        self.shared.started.elapsed().as_secs_f64()
    }

    /// Everything that was remembered.
    pub fn past(&self) -> Vec<Past> {
        self.shared.state().past.clone()
    }

    pub fn quality(&self) -> Quality {
        let state = self.shared.state();
        Quality { age: state.quality.age / self.now(), misplaced: state.truth.misplaced(), ..state.quality }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, files: &Files) -> io::Result<()> {
        let (mut last, mut shown, mut usage) = (self.started, 0.0_f64, Duration::ZERO);
        for update in 0_u64.. {
            thread::sleep(UPDATE);
            let mut state = self.state();
            if state.stopped || !self.root.exists() {
                return Ok(());
            }
            let State { daemon, host, .. } = &mut *state;
            let [daemon, host] =
                [daemon, host].map(|process| process.as_mut().map_or_else(Used::default, ProcessCpu::used));
            let now = Instant::now();
            let time = now - std::mem::replace(&mut last, now);
            state.truth.advance(time, daemon, host.total());
            let seconds = time.as_secs_f64();
            state.quality.age += seconds * seconds / 2.0;
            state.quality.age_max = state.quality.age_max.max(seconds);
            let truth = state.truth.joules();
            // Corrections never take back what was shown.
            shown = shown.max(truth.total());
            usage += daemon.total() + host.total();
            files.show(shown, usage)?;
            if update % REMEMBER_EVERY == 0 {
                let (at, host_cpu) = ((now - self.started).as_secs_f64(), state.truth.host_cpu());
                state.past.push(Past { at, shown, truth, host_cpu });
            }
        }
        Ok(())
    }
}

/// The files that change.
struct Files {
    energy: File,
    usage: File,
    stat: File,
}

impl Files {
    fn create(root: &Path) -> io::Result<Self> {
        let create = |path: &str| {
            write(root, path, "")?;
            File::options().write(true).open(root.join(path))
        };
        Ok(Self {
            energy: create("class/powercap/intel-rapl:0/energy_uj")?,
            usage: create("fs/cgroup/cpuacct/cpuacct.usage")?,
            stat: create("proc/stat")?,
        })
    }

    fn show(&self, joules: f64, usage: Duration) -> io::Result<()> {
        let (steps, usage) = ((joules * 1e6 / QUANTUM).floor(), USAGE_START + usage);
        let energy = COUNTER_START + (steps * QUANTUM) as u64;
        // Each text is replaced in one write, so that nobody reads half of it.
        self.energy.write_all_at(format!("{energy:<24}\n").as_bytes(), 0)?;
        self.usage.write_all_at(format!("{:<24}\n", usage.as_nanos()).as_bytes(), 0)?;
        let ticks = usage.as_millis() / 10;
        self.stat.write_all_at(format!("cpu  {ticks:<20} 0 0 0 0 0 0 0 0 0\n").as_bytes(), 0)
    }
}

fn write(root: &Path, path: &str, text: &str) -> io::Result<()> {
    let path = root.join(path);
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text)
}
