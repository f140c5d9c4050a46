//! Joins calls and power: brackets each call, samples the source, hands out estimates at once and settled charges later.

mod metering;
mod sampler;
mod sources;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use nebula_metering::work::Work;
use nebula_metering::work::host::{HostClock, OpenError};
use nebula_metering::work::reader::WorkReader;
use nebula_metering::work::topology::Topology;
use nebula_metering::{
    Bracket, Calibration, CallId, Estimate, FunctionId, GapReason, Meter, NoEstimate, PostBox, Posting, Settled, Tally,
    ZoneReport,
};

pub use metering::{Metering, NotEstimated, OFF, Off};
pub use sampler::{Sampler, SamplerError};
pub use sources::{Choice, OpenedSource, SourceError, open as open_source};

use crate::outcome::Outcome;

/// The sampler has stopped when it has missed so many windows, and some more time for a machine that is overloaded.
const STALLED_WINDOWS: u32 = 10;
const STALLED_SLACK: Duration = Duration::from_secs(5);

/// What is remembered of a call from its end until it is settled.
#[derive(Clone, Debug)]
pub struct CallEnd {
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended.
    pub at: SystemTime,
    /// How long it took, from its admission.
    pub duration: Duration,
    /// The active energy that was estimated at its end, in joules.
    pub estimate: Option<f64>,
}

/// The settings of the meter.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Time between two readings of the source.
    pub window: Duration,
    /// How many slices and ends each group of threads can post within a window.
    pub postings: usize,
    /// How many calls are kept in mind until they are settled.
    pub calls: usize,
    /// How many threads run calls.
    pub workers: usize,
}

/// The meter of this daemon.
pub struct EnergyMeter {
    reader: WorkReader,
    posts: Arc<PostBox<CallEnd>>,
    calibration: ArcSwap<Calibration>,
    /// Held by the sampler while it closes a window, and by those who look at the accounts. No call waits for it.
    meter: Mutex<Meter<CallEnd>>,
    sampler_cpu: AtomicU64,
    /// When the last window was closed, in milliseconds since `created`.
    last_closed: AtomicU64,
    created: Instant,
    settings: Settings,
    /// Why hardware events are not counted, if they are not.
    no_events: Option<Box<str>>,
}

/// The meter's state at one moment.
pub struct Snapshot {
    /// Every zone with its accounts.
    pub zones: Vec<ZoneReport>,
    /// Time without energy, by reason.
    pub gaps: Vec<(GapReason, Duration)>,
    /// CPU time of each function's calls.
    pub function_cpu: Vec<(FunctionId, Duration)>,
    /// CPU time of the sampler.
    pub sampler_cpu: Duration,
    /// Slices and ends that were given up because a queue was full.
    pub postings_dropped: u64,
}

/// The clock of the machine that is shown below the two roots.
pub fn open_clock(procfs_root: &Path, sysfs_root: &Path) -> Result<HostClock, OpenError> {
    HostClock::open(procfs_root, sysfs_root, topology(sysfs_root))
}

fn topology(sysfs_root: &Path) -> Topology {
    // Where the machine does not tell its topology there is nothing to tell packages apart by.
    let cpus = || std::thread::available_parallelism().map_or(1, usize::from);
    Topology::read(sysfs_root).unwrap_or_else(|_| Topology::one_package(cpus()))
}

impl EnergyMeter {
    /// A meter that reads `source`, and the work counters that the machine shows below `sysfs_root`. Nothing is read
    /// before a [`Sampler`] is started.
    #[must_use]
    pub fn new(source: OpenedSource, sysfs_root: &Path, settings: Settings) -> Self {
        let (reader, no_events) = WorkReader::probe(sysfs_root);
        let meter = Meter::new(source.source, topology(sysfs_root), settings.calls);
        Self {
            reader,
            posts: Arc::new(PostBox::new(settings.workers, settings.postings)),
            calibration: ArcSwap::from_pointee(meter.calibration()),
            meter: Mutex::new(meter),
            sampler_cpu: AtomicU64::new(0),
            last_closed: AtomicU64::new(0),
            created: Instant::now(),
            settings,
            no_events: no_events.map(|error| format!("no hardware counters: {error}").into()),
        }
    }

    /// What the work of calls is measured with: a line for people.
    #[must_use]
    pub fn describe_work(&self) -> String {
        self.reader.describe()
    }

    /// Measures the slices of `call`.
    pub fn bracket<F: Future>(&self, call: CallId, function: FunctionId, future: F) -> Bracket<F, CallEnd> {
        Bracket::new(future, Tally::new(call, function, self.reader, self.posts.clone()))
    }

    /// Says that a call has ended and all its slices have been posted.
    pub fn end(&self, call: CallId, function: FunctionId, end: CallEnd) {
        if self.posts.post(Posting::End { call, function, end }).is_err() {
            self.posts.count_dropped();
        }
    }

    /// What a call of `function` that did `work` is expected to have cost.
    ///
    /// # Errors
    /// While nothing is known of this machine.
    pub fn estimate(&self, function: FunctionId, work: &Work) -> Result<Estimate, NoEstimate> {
        self.calibration.load().estimate(function, work)
    }

    /// What is known of the machine now.
    #[must_use]
    pub fn calibration(&self) -> Arc<Calibration> {
        self.calibration.load_full()
    }

    /// Why hardware events are not counted, if they are not.
    #[must_use]
    pub fn no_events(&self) -> Option<&str> {
        self.no_events.as_deref()
    }

    /// For how long no window was closed, if that is much too long: the sampler has stopped.
    #[must_use]
    pub fn stalled(&self) -> Option<Duration> {
        let closed = Duration::from_millis(self.last_closed.load(Ordering::Relaxed));
        let since = self.created.elapsed().saturating_sub(closed);
        (since > self.settings.window * STALLED_WINDOWS + STALLED_SLACK).then_some(since)
    }

    /// Time between two readings of the source.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.settings.window
    }

    /// What the source's figures rest on, in a sentence.
    #[must_use]
    pub fn describe_source(&self) -> String {
        self.lock().source().describe()
    }

    /// The accounts as they stand.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let meter = self.lock();
        Snapshot {
            zones: meter.report(),
            gaps: meter.gaps().collect(),
            function_cpu: meter.functions_cpu().collect(),
            sampler_cpu: Duration::from_nanos(self.sampler_cpu.load(Ordering::Relaxed)),
            postings_dropped: self.posts.dropped(),
        }
    }

    fn close_window(&self, now: &nebula_metering::source::Moment) -> Vec<Settled<CallEnd>> {
        let mut settled = Vec::new();
        let mut meter = self.lock();
        meter.close_window(now, &self.posts, &mut settled);
        self.calibration.store(Arc::new(meter.calibration()));
        let now = u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_closed.store(now, Ordering::Relaxed);
        settled
    }

    /// Settles what the last window left open; nothing may run any more.
    fn finish(&self) -> Vec<Settled<CallEnd>> {
        let mut settled = Vec::new();
        self.lock().finish(&mut settled);
        settled
    }

    fn lock(&self) -> MutexGuard<'_, Meter<CallEnd>> {
        // A panic while closing a window means that the accounts do not add up. They must not be used as if they did.
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
