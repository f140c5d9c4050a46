//! Runs a plan under a meter.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nebula_metering::source::{Source, SourceKind};
use nebula_metering::work::host::{HostClock, ReadHostError};
use nebula_metering::work::reader::WorkReader;
use nebula_metering::work::{Moment, Work};
use nebula_metering::{CallId, Meter, PostBox, Settled, Tally};

use super::failure::CalibrateError;
use super::kernels::{Bench, Kernel};
use super::plan::{Plan, Step};
use super::processes::Processes;
use crate::meter::{Settings, ZoneKnowledge, open_clock, topology};

/// For so long the machine is watched before anything runs.
const WATCH: Duration = Duration::from_secs(2);

/// Processors that others may use: a tenth of one, or of many processors a fiftieth. What they draw then is within the
/// error of what the kernels draw, since it changes little from step to step.
const OTHERS_MAX: f64 = 0.1;
const OTHERS_SHARE_MAX: f64 = 0.02;

/// Slices that a thread can post between two windows: ten windows of the default length with slices of 2 ms.
const POSTINGS: usize = 512;

/// How to calibrate.
#[derive(Clone, Copy, Debug)]
pub struct Conduct {
    /// How long the work takes.
    pub time: Duration,
    /// Calibrate a busy machine too.
    pub force: bool,
}

impl Conduct {
    /// How long the work takes, unless the user says otherwise.
    pub const TIME: Duration = Duration::from_secs(30);
}

/// What was done, and what the meter made of it.
pub struct Experiment {
    pub meter: Meter<()>,
    pub kind: SourceKind,
    pub begun: SystemTime,
    pub time: Duration,
    /// The work of each kernel.
    pub work: [Work; Kernel::COUNT],
    /// Processors that others used meanwhile, and how many there are.
    pub others: f64,
    pub processors: usize,
    /// Whether the frequency of the processors was known.
    pub knows_clock: bool,
}

impl Experiment {
    /// Watches the machine for a moment, and runs known work if it is quiet. `progress` is told how much of it is done,
    /// from 0 to 1.
    ///
    /// # Errors
    /// If the source measures nothing, if others use the machine, or if nothing could be learned.
    pub fn run(
        source: Box<dyn Source>,
        settings: &Settings,
        conduct: Conduct,
        mut progress: impl FnMut(f64),
    ) -> Result<Self, CalibrateError> {
        let kind = source.kind();
        if !kind.is_measured() {
            return Err(CalibrateError::NotMeasured { kind, reason: source.reason() });
        }
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let mut clock = open_clock(&settings.procfs_root, &settings.sysfs_root)?;
        watch(&mut clock, &settings.procfs_root, processors, conduct.force)?;

        let plan = Plan::new(processors, conduct.time);
        let calls = plan.steps.iter().map(|step| step.kernels().count()).sum();
        let mut laboratory = Laboratory {
            meter: Meter::new(source, topology(&settings.sysfs_root), calls),
            posts: Arc::new(PostBox::new(processors, POSTINGS)),
            reader: WorkReader::probe(&settings.sysfs_root).0,
            clock,
            window: settings.window,
            knows_clock: false,
            settled: Vec::new(),
            calls: 0,
        };
        let (begun, started) = (SystemTime::now(), Instant::now());
        let before = laboratory.close_window()?;
        let mut work = [Work::default(); Kernel::COUNT];
        for (number, step) in plan.steps.iter().enumerate() {
            laboratory.perform(step, plan.length, processors, &mut work)?;
            progress((number + 1) as f64 / plan.steps.len() as f64);
        }
        let after = laboratory.close_window()?;
        let Laboratory { mut meter, knows_clock, mut settled, .. } = laboratory;
        meter.finish(&mut settled);
        if meter.source().kind() != kind {
            return Err(CalibrateError::SourceFailed(kind));
        }
        if meter.knowledge().is_empty() {
            return Err(CalibrateError::NothingLearned(kind));
        }
        let (others, time) = (others(&before, &after), started.elapsed());
        Ok(Self { meter, kind, begun, time, work, others, processors, knows_clock })
    }

    /// What is known now, with `recalled` of other sources. Nothing of the known work but what all functions share.
    pub fn known(&self, recalled: &[ZoneKnowledge]) -> Vec<ZoneKnowledge> {
        let mut known = ZoneKnowledge::all(&self.meter, recalled, self.begun, |_| None);
        let own = known.iter_mut().filter(|known| known.knowledge.source == self.kind.as_str());
        own.for_each(|known| known.calibrated = Some(self.begun));
        known
    }
}

/// Processors that others used between two moments.
fn others(before: &Moment, after: &Moment) -> f64 {
    let busy = after.busy.saturating_sub(before.busy);
    let own = after.process.saturating_sub(before.process);
    let time = after.monotonic.saturating_sub(before.monotonic).as_secs_f64();
    busy.saturating_sub(own).as_secs_f64() / time.max(f64::MIN_POSITIVE)
}

/// Looks whether others use the machine.
fn watch(clock: &mut HostClock, procfs_root: &Path, processors: usize, force: bool) -> Result<(), CalibrateError> {
    if force {
        return Ok(());
    }
    let (before, processes) = (clock.now()?, Processes::read(procfs_root));
    thread::sleep(WATCH);
    let after = clock.now()?;
    let (used, most) = (others(&before, &after), OTHERS_MAX.max(OTHERS_SHARE_MAX * processors as f64));
    if used <= most {
        return Ok(());
    }
    let busiest = Processes::read(procfs_root).busiest_since(&processes, WATCH);
    Err(CalibrateError::Busy { used, most, processors, busiest })
}

/// The meter and what it needs.
struct Laboratory {
    meter: Meter<()>,
    posts: Arc<PostBox<()>>,
    reader: WorkReader,
    clock: HostClock,
    window: Duration,
    knows_clock: bool,
    settled: Vec<Settled<()>>,
    calls: u128,
}

impl Laboratory {
    fn close_window(&mut self) -> Result<Moment, ReadHostError> {
        let now = self.clock.now()?;
        self.knows_clock |= now.frequency_ppm.is_some();
        self.meter.close_window(&now, &self.posts, &mut self.settled);
        self.settled.clear();
        Ok(now)
    }

    /// Runs the kernels of a step side by side and closes windows meanwhile. Adds their work to `work`.
    fn perform(
        &mut self,
        step: &Step,
        length: Duration,
        processors: usize,
        work: &mut [Work; Kernel::COUNT],
    ) -> Result<(), ReadHostError> {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for kernel in step.kernels() {
                self.calls += 1;
                let tally = Tally::new(CallId(self.calls), kernel.function(), self.reader, self.posts.clone());
                let is_over = &is_over;
                threads.push((kernel, scope.spawn(move || labour(kernel, processors, tally, is_over))));
            }
            let measured = self.measure(length);
            is_over.store(true, Ordering::Relaxed);
            for (kernel, thread) in threads {
                // A thread that panicked has posted what it did.
                work[kernel as usize] += thread.join().unwrap_or_default();
            }
            measured
        })
    }

    /// Closes windows for so long.
    fn measure(&mut self, length: Duration) -> Result<(), ReadHostError> {
        let end = Instant::now() + length;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            thread::sleep(left.min(self.window));
            self.close_window()?;
        }
        Ok(())
    }
}

/// Works until `is_over` is set, as one call. Returns what was done.
fn labour(kernel: Kernel, threads: usize, mut tally: Tally<()>, is_over: &AtomicBool) -> Work {
    let mut bench = Bench::new(kernel, threads);
    while !is_over.load(Ordering::Relaxed) {
        tally.measure(|| bench.slice());
        tally.post();
        if let Some(pause) = kernel.pause() {
            thread::sleep(pause);
        }
    }
    let done = tally.total();
    // If its end finds no place, the call is not settled; its work is charged all the same.
    let _ = tally.end(());
    done
}
