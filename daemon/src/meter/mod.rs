//! Joins calls and power: brackets each call, samples the source, hands out estimates at once and settled charges later.

mod ended;
mod metering;
mod own_cost;
mod sampler;
mod settings;
mod sources;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use nebula_metering::source::{Moment, SourceKind, Switch};
use nebula_metering::work::host::{HostClock, OpenError};
use nebula_metering::work::reader::WorkReader;
use nebula_metering::work::topology::Topology;
use nebula_metering::work::{NoEvents, Work};
use nebula_metering::{
    Bracket, Calibration, CallId, Charge, Estimate, Full, FunctionEnergy, FunctionId, GapReason, Meter, Microjoules,
    PostBox, Settled, Tally, ZoneReport,
};

pub use ended::{CallEnd, ColdStartCharge, Ended, NoCharge, NotEstimated, OFF, Off, Seat, Witness};
pub use metering::{Budget, Exceeded, Metering};
pub use own_cost::OwnCost;
pub use sampler::{Sampler, SamplerError};
pub use settings::{OPTIONS, Settings};
pub use sources::{Choice, OpenedSource, SourceError, open as open_source};

/// The sampler has stopped when it has missed so many windows, and some more time for a machine that is overloaded.
const STALLED_WINDOWS: u32 = 10;
const STALLED_SLACK: Duration = Duration::from_secs(5);

/// The meter of this daemon.
pub struct EnergyMeter {
    reader: WorkReader,
    posts: Arc<PostBox<CallEnd>>,
    calibration: ArcSwap<Calibration>,
    /// Held by the sampler while it closes a window, and by those who look at the accounts. No call waits for it.
    meter: Mutex<Meter<CallEnd>>,
    own_cost: Mutex<OwnCost>,
    /// When the last window was closed, in milliseconds since `created`.
    last_closed: AtomicU64,
    created: Instant,
    /// Why the source is read, as long as it does not tell itself.
    source_reason: &'static str,
    tenure: Mutex<Tenure>,
    window: Duration,
    /// Why hardware events are not counted, if they are not.
    no_events: Option<(NoEvents, Box<str>)>,
}

/// Since when the source is read that is read now.
struct Tenure {
    since: SystemTime,
    /// How many switches came before.
    switches: u64,
}

/// The source that is read.
#[derive(Clone, Debug)]
pub struct SourceNow {
    /// Which.
    pub kind: SourceKind,
    /// What its figures rest on, in a sentence.
    pub description: String,
    /// Why it is read, and no better one.
    pub reason: String,
    /// Since when.
    pub since: SystemTime,
}

/// The meter's state at one moment.
pub struct Snapshot {
    /// The source that is read.
    pub source: SourceNow,
    /// Every zone with its accounts.
    pub zones: Vec<ZoneReport>,
    /// Time without energy, by reason.
    pub gaps: Vec<(GapReason, Duration)>,
    /// CPU time of each function's calls.
    pub function_cpu: Vec<(FunctionId, Duration)>,
    /// What the sampler itself takes.
    pub own_cost: OwnCost,
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
    /// A meter that reads `source`, for calls that run on `threads` threads. Nothing is read before a [`Sampler`] is started.
    #[must_use]
    pub fn new(source: OpenedSource, settings: &Settings, threads: usize) -> Self {
        let (reader, no_events) = WorkReader::probe(&settings.sysfs_root);
        let meter = Meter::new(source.source, topology(&settings.sysfs_root), settings.calls);
        Self {
            reader,
            posts: Arc::new(PostBox::new(threads, settings.postings)),
            calibration: ArcSwap::from_pointee(meter.calibration()),
            meter: Mutex::new(meter),
            own_cost: Mutex::new(OwnCost::new(Instant::now())),
            last_closed: AtomicU64::new(0),
            created: Instant::now(),
            source_reason: source.reason,
            tenure: Mutex::new(Tenure { since: SystemTime::now(), switches: 0 }),
            window: settings.window,
            no_events: no_events
                .map(|error| (NoEvents::from_error(&error), format!("no hardware counters: {error}").into())),
        }
    }

    /// What the work of calls is measured with: a line for people.
    #[must_use]
    pub fn describe_work(&self) -> String {
        self.reader.describe()
    }

    /// An account for `call`.
    pub fn tally(&self, call: CallId, function: FunctionId) -> Tally<CallEnd> {
        Tally::new(call, function, self.reader, self.posts.clone())
    }

    /// Measures the slices of `call`.
    pub fn bracket<F: Future>(&self, call: CallId, function: FunctionId, future: F) -> Bracket<F, CallEnd> {
        Bracket::new(future, self.tally(call, function))
    }

    /// Says that a call has ended whose tally is gone, and has posted all its slices.
    ///
    /// # Errors
    /// When the queue is full: the call will never be settled.
    pub fn end(&self, call: CallId, function: FunctionId, end: CallEnd) -> Result<(), Full> {
        self.posts.end(call, function, None, end)
    }

    /// What calls that run have been charged by the windows that have closed, as far as it is known.
    #[must_use]
    pub fn running(&self, calls: impl IntoIterator<Item = CallId>) -> Vec<Option<Charge>> {
        let mut calls = calls.into_iter().peekable();
        // Whoever asks for none need not wait for the sampler.
        if calls.peek().is_none() {
            return Vec::new();
        }
        let meter = self.lock();
        calls.map(|call| meter.running(call)).collect()
    }

    /// What a call of `function` that did `work` is expected to have cost.
    ///
    /// # Errors
    /// While nothing is known of this machine.
    pub fn estimate(&self, function: FunctionId, work: &Work) -> Result<Estimate, NotEstimated> {
        Ok(self.calibration.load().estimate(function, work)?)
    }

    /// What is known of the machine now.
    #[must_use]
    pub fn calibration(&self) -> Arc<Calibration> {
        self.calibration.load_full()
    }

    /// Why hardware events are not counted, if they are not.
    #[must_use]
    pub fn no_events(&self) -> Option<&str> {
        self.no_events.as_ref().map(|(_, reason)| &**reason)
    }

    /// The same reason as one word of a closed set, such as `no_pmu`.
    #[must_use]
    pub fn no_events_word(&self) -> Option<&'static str> {
        self.no_events.as_ref().map(|(word, _)| word.as_str())
    }

    /// For how long no window was closed, if that is much too long: the sampler has stopped.
    #[must_use]
    pub fn stalled(&self) -> Option<Duration> {
        let closed = Duration::from_millis(self.last_closed.load(Ordering::Relaxed));
        let since = self.created.elapsed().saturating_sub(closed);
        (since > self.window * STALLED_WINDOWS + STALLED_SLACK).then_some(since)
    }

    /// Time between two readings of the source.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// The source that is read.
    #[must_use]
    pub fn source(&self) -> SourceNow {
        self.source_now(&self.lock())
    }

    fn source_now(&self, meter: &Meter<CallEnd>) -> SourceNow {
        let source = meter.source();
        SourceNow {
            kind: source.kind(),
            description: source.describe(),
            reason: source.reason().unwrap_or_else(|| self.source_reason.to_owned()),
            since: self.tenure().since,
        }
    }

    /// Notes, and logs, that another source is read than before, if so.
    fn note_switch(&self, last: Option<&Switch>) {
        let mut tenure = self.tenure();
        let Some(Switch { number, from, to, is_better, cause }) = last.filter(|last| last.number > tenure.switches)
        else {
            return;
        };
        *tenure = Tenure { since: SystemTime::now(), switches: *number };
        if *is_better {
            tracing::info!("energy source: `{to}` in place of `{from}`, since {cause}");
        } else {
            tracing::warn!("energy source: `{to}` in place of `{from}`, which has failed: {cause}");
        }
    }

    fn tenure(&self) -> MutexGuard<'_, Tenure> {
        self.tenure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own_cost(&self) -> OwnCost {
        *self.own_cost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_own_cost(&self, cpu: Duration) {
        self.own_cost.lock().unwrap_or_else(PoisonError::into_inner).note(cpu, Instant::now());
    }

    /// The accounts as they stand.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let meter = self.lock();
        Snapshot {
            source: self.source_now(&meter),
            zones: meter.report(),
            gaps: meter.gaps().collect(),
            function_cpu: meter.functions_cpu().collect(),
            own_cost: self.own_cost(),
            postings_dropped: self.posts.dropped(),
        }
    }

    /// Settled energy of each function, by its number: in all zones that may be added, by whatever source.
    #[must_use]
    pub fn energy_by_function(&self) -> Vec<FunctionEnergy> {
        self.lock().energy_by_function()
    }

    /// Active energy of all functions' calls, cold starts included, since the daemon began.
    #[must_use]
    pub fn functions_energy(&self) -> Microjoules {
        self.lock().functions_energy()
    }

    fn close_window(&self, now: &Moment) -> Vec<Settled<CallEnd>> {
        let mut settled = Vec::new();
        let mut meter = self.lock();
        meter.close_window(now, &self.posts, &mut settled);
        self.note_switch(meter.source().last_switch());
        self.calibration.store(Arc::new(meter.calibration()));
        let now = u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_closed.store(now, Ordering::Relaxed);
        settled
    }

    /// Settles what the last window left open; nothing may run any more.
    fn finish(&self) -> Vec<Settled<CallEnd>> {
        let mut settled = Vec::new();
        let mut meter = self.lock();
        meter.finish(&mut settled);
        self.calibration.store(Arc::new(meter.calibration()));
        settled
    }

    fn lock(&self) -> MutexGuard<'_, Meter<CallEnd>> {
        // A panic while closing a window means that the accounts do not add up. They must not be used as if they did.
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
