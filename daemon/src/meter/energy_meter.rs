//! The meter of a daemon: the accounts under a lock, and around it what calls need without waiting for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use nebula_metering::source::{CounterSpec, Source, SourceKind, Switch};
use nebula_metering::work::Moment;
use nebula_metering::work::host::Children;
use nebula_metering::work::reader::{Ended, WorkReader};
use nebula_metering::work::thread::processor;
use nebula_metering::work::{NoEvents, Work};
use nebula_metering::{
    Bracket, Calibration, CallId, Charge, Estimate, Full, FunctionEnergy, FunctionId, GapReason, Meter, Microjoules,
    PostBox, Purpose, Settled, Slice, Tally, ZoneReport,
};
use parking_lot::{Mutex, MutexGuard};

use super::source_error::relative_error;
use super::{CallEnd, NotEstimated, Off, OwnCost, Settings, ZoneKnowledge, topology};

/// The sampler counts as stalled once it has missed this many windows, and some more time for an overloaded machine.
const STALLED_WINDOWS: u32 = 10;
const STALLED_SLACK: Duration = Duration::from_secs(5);

/// Why a source is read that does not give a reason: the user named it.
const ASKED_FOR: &str = "asked for";

pub struct EnergyMeter {
    reader: WorkReader,
    posts: Arc<PostBox<CallEnd>>,
    calibration: ArcSwap<Calibration>,
    /// CPU time of processes that work for this one.
    pub(super) children: Arc<Children>,
    /// Locked by the sampler while it closes a window, and by readers of the accounts. No call waits for this lock.
    meter: Mutex<Meter<CallEnd>>,
    /// What earlier processes learned.
    recalled: Mutex<Vec<ZoneKnowledge>>,
    /// Set by a panic of the sampler: the accounts may not add up, and must not be used any more.
    failed: AtomicBool,
    own_cost: Mutex<OwnCost>,
    /// When the last window was closed, in milliseconds since `created`.
    last_closed: AtomicU64,
    created: Instant,
    started: SystemTime,
    last_switch: Mutex<LastSwitch>,
    window: Duration,
    /// Why hardware events are not counted, if they are not.
    no_events: Option<(NoEvents, Box<str>)>,
}

/// When the current source took over, and after how many others.
struct LastSwitch {
    at: SystemTime,
    number: u64,
}

#[derive(Clone, Debug)]
pub struct SourceNow {
    pub kind: SourceKind,
    /// What its figures are based on, in a sentence.
    pub description: String,
    /// Why this source is read, and not a better one.
    pub reason: String,
    pub since: SystemTime,
}

pub struct Snapshot {
    pub source: SourceNow,
    pub zones: Vec<ZoneReport>,
    /// Half the width of the 95 % interval of the power in the last window, as a part of it, if the source states it.
    pub relative_error: Option<f64>,
    /// Time without energy, by reason.
    pub gaps: Vec<(GapReason, Duration)>,
    pub function_cpu: Vec<(FunctionId, Duration)>,
    pub own_cost: OwnCost,
    /// Slices and ends that were lost because a queue was full.
    pub postings_dropped: u64,
}

impl EnergyMeter {
    /// A meter that reads `source`, for calls that run on `threads` threads. Nothing is read before a
    /// [`Sampler`](super::Sampler) is started.
    pub fn new(source: Box<dyn Source>, settings: &Settings, threads: usize) -> Self {
        let (reader, no_events) = WorkReader::probe(&settings.sysfs_root);
        let meter = Meter::new(source, topology(&settings.sysfs_root), settings.calls);
        Self {
            reader,
            posts: Arc::new(PostBox::new(threads, settings.postings)),
            calibration: ArcSwap::from_pointee(meter.calibration()),
            children: Arc::default(),
            meter: Mutex::new(meter),
            recalled: Mutex::default(),
            failed: AtomicBool::new(false),
            own_cost: Mutex::new(OwnCost::new(Instant::now())),
            last_closed: AtomicU64::new(0),
            created: Instant::now(),
            started: SystemTime::now(),
            last_switch: Mutex::new(LastSwitch { at: SystemTime::now(), number: 0 }),
            window: settings.window,
            no_events: no_events
                .map(|error| (NoEvents::from_error(&error), format!("no hardware counters: {error}").into())),
        }
    }

    /// Takes up what earlier processes learned about this machine.
    pub fn recall(&self, known: Vec<ZoneKnowledge>) {
        *self.recalled.lock() = known;
        self.recall_functions(|_| None);
    }

    /// Takes it up again, with what was learned about functions that have a `number` now.
    pub fn recall_functions(&self, number: impl Fn(&str) -> Option<FunctionId>) {
        let known = self.recalled.lock().iter().map(|known| known.numbered(&number)).collect();
        self.meter.lock().recall(known);
    }

    /// Everything that is known of this machine, by all sources, and of functions, which `name` names.
    pub fn known(&self, name: impl Fn(FunctionId) -> Option<String>) -> Result<Vec<ZoneKnowledge>, Off> {
        Ok(ZoneKnowledge::all(&*self.accounts()?, &self.recalled.lock(), self.started, name))
    }

    /// The counters of the source.
    pub fn counters(&self) -> Vec<CounterSpec> {
        self.meter.lock().source().counters().to_vec()
    }

    pub fn describe_work(&self) -> String {
        self.reader.describe()
    }

    pub fn tally(&self, call: CallId, function: FunctionId) -> Tally<CallEnd> {
        Tally::new(call, function, self.reader, self.posts.clone())
    }

    pub fn bracket<F: Future>(&self, call: CallId, function: FunctionId, future: F) -> Bracket<F, CallEnd> {
        Bracket::new(future, self.tally(call, function))
    }

    /// Runs `start` on this thread. It reports the CPU time of other processes as they use it. The work of both is posted as
    /// that of preparing the function that `of` names when it is done, with `end`. If `start` panics, it stays with the
    /// runtime.
    pub fn prepare<T>(
        &self,
        call: CallId,
        end: CallEnd,
        start: impl FnOnce(&mut dyn FnMut(Duration)) -> T,
        of: impl FnOnce(&T) -> FunctionId,
    ) -> (T, Work) {
        let mut elsewhere = Duration::ZERO;
        let begun = self.reader.begin();
        let started = start(&mut |cpu| {
            elsewhere += cpu;
            self.children.add(cpu);
        });
        let Ended { mut work, monotonic } = self.reader.end(begun);
        work.cpu += elsewhere;
        let (function, purpose) = (of(&started), Purpose::Preparing);
        let slice = Slice { call, function, purpose, end: monotonic, cpu: processor(), work };
        // If the queue is full, nobody learns the charge, and the runtime bears it.
        let _ = self.posts.whole(slice, end);
        (started, work)
    }

    /// Posts the end of a call whose tally is gone and has posted all its slices.
    ///
    /// # Errors
    /// If the queue is full: the call will never be settled.
    pub fn end(&self, call: CallId, function: FunctionId, end: CallEnd) -> Result<(), Full> {
        self.posts.end(call, function, None, end)
    }

    /// What running calls have been charged by the windows that have closed, as far as that is known.
    pub fn running(&self, calls: impl IntoIterator<Item = CallId>) -> Vec<Option<Charge>> {
        let mut calls = calls.into_iter().peekable();
        // Without calls there is no need to wait for the sampler.
        if calls.peek().is_none() {
            return Vec::new();
        }
        let meter = self.accounts().ok();
        calls.map(|call| meter.as_ref()?.running(call)).collect()
    }

    /// What a call of `function` that did `work` is expected to have cost.
    ///
    /// # Errors
    /// As long as nothing has been learned about this machine.
    pub fn estimate(&self, function: FunctionId, work: &Work) -> Result<Estimate, NotEstimated> {
        Ok(self.calibration.load().estimate(function, work)?)
    }

    pub fn calibration(&self) -> Arc<Calibration> {
        self.calibration.load_full()
    }

    /// Why hardware events are not counted, if they are not.
    pub fn no_events(&self) -> Option<&str> {
        self.no_events.as_ref().map(|(_, reason)| &**reason)
    }

    /// The same reason as one word of a closed set, such as `no_pmu`.
    pub fn no_events_word(&self) -> Option<&'static str> {
        self.no_events.as_ref().map(|(word, _)| word.as_str())
    }

    /// For how long no window was closed, if that is so long that the sampler must have stopped.
    pub(super) fn stalled(&self) -> Option<Duration> {
        let closed = Duration::from_millis(self.last_closed.load(Ordering::Relaxed));
        let since = self.created.elapsed().saturating_sub(closed);
        (since > self.window * STALLED_WINDOWS + STALLED_SLACK).then_some(since)
    }

    /// Whether the accounts must not be used any more.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub fn window(&self) -> Duration {
        self.window
    }

    /// The source that is read.
    pub fn source(&self) -> Result<SourceNow, Off> {
        Ok(self.source_now(&*self.accounts()?))
    }

    fn source_now(&self, meter: &Meter<CallEnd>) -> SourceNow {
        let source = meter.source();
        SourceNow {
            kind: source.kind(),
            description: source.describe(),
            reason: source.reason().unwrap_or_else(|| ASKED_FOR.to_owned()),
            since: self.last_switch.lock().at,
        }
    }

    /// Notes and logs that another source took over, if one did.
    fn note_switch(&self, switch: Option<&Switch>) {
        let mut last = self.last_switch.lock();
        let Some(Switch { number, from, to, is_better, cause }) = switch.filter(|switch| switch.number > last.number)
        else {
            return;
        };
        *last = LastSwitch { at: SystemTime::now(), number: *number };
        if *is_better {
            tracing::info!("energy source: switched from `{from}` to `{to}`: {cause}");
        } else {
            tracing::warn!("energy source: `{from}` failed, switched to `{to}`: {cause}");
        }
    }

    pub(super) fn note_own_cost(&self, cpu: Duration) {
        self.own_cost.lock().note(cpu, Instant::now());
    }

    /// The accounts as they stand.
    pub fn snapshot(&self) -> Result<Snapshot, Off> {
        let meter = self.accounts()?;
        let zones = meter.report();
        Ok(Snapshot {
            source: self.source_now(&meter),
            relative_error: relative_error(meter.source().counters(), &zones),
            zones,
            gaps: meter.gaps().collect(),
            function_cpu: meter.functions_cpu().collect(),
            own_cost: *self.own_cost.lock(),
            postings_dropped: self.posts.dropped(),
        })
    }

    /// Settled energy of each function, by its number: in all zones that may be added, by whatever source.
    pub fn energy_by_function(&self) -> Result<Vec<FunctionEnergy>, Off> {
        Ok(self.accounts()?.energy_by_function())
    }

    /// Active energy of all functions' calls, cold starts included, since the daemon started.
    pub fn functions_energy(&self) -> Result<Microjoules, Off> {
        Ok(self.accounts()?.functions_energy())
    }

    pub(super) fn close_window(&self, now: &Moment) -> Result<Vec<Settled<CallEnd>>, Off> {
        self.update(|meter| {
            let mut settled = Vec::new();
            meter.close_window(now, &self.posts, &mut settled);
            self.note_switch(meter.source().last_switch());
            self.calibration.store(Arc::new(meter.calibration()));
            let now = u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last_closed.store(now, Ordering::Relaxed);
            settled
        })
    }

    /// Settles what the last window left open, once nothing runs any more.
    pub(super) fn finish(&self) -> Result<Vec<Settled<CallEnd>>, Off> {
        self.update(|meter| {
            let mut settled = Vec::new();
            meter.finish(&mut settled);
            self.calibration.store(Arc::new(meter.calibration()));
            settled
        })
    }

    fn accounts(&self) -> Result<MutexGuard<'_, Meter<CallEnd>>, Off> {
        let meter = self.meter.lock();
        if self.has_failed() { Err(Off::Failed) } else { Ok(meter) }
    }

    /// Changes the accounts. If `change` panics, they are never used again.
    fn update<T>(&self, change: impl FnOnce(&mut Meter<CallEnd>) -> T) -> Result<T, Off> {
        let mut meter = self.accounts()?;
        // Fails before the lock is released.
        Ok(self.or_fail(|| change(&mut meter)))
    }

    /// Does `work`. If it panics, nothing is measured any more.
    pub(super) fn or_fail<T>(&self, work: impl FnOnce() -> T) -> T {
        let on_panic = FailOnDrop(&self.failed);
        let done = work();
        std::mem::forget(on_panic);
        done
    }
}

struct FailOnDrop<'a>(&'a AtomicBool);

impl Drop for FailOnDrop<'_> {
    fn drop(&mut self) {
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "the meter failed in the middle of a window: its accounts may not add up and are no longer used; restart \
                 the daemon to measure again"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Metering, Unhealthy};
    use nebula_metering::source::ReadError;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Panics at its second reading.
    struct Panics(u32);

    impl Source for Panics {
        fn kind(&self) -> SourceKind {
            SourceKind::Simulated
        }

        fn counters(&self) -> &[CounterSpec] {
            &[]
        }

        fn read(&mut self, _: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
            self.0 += 1;
            assert!(self.0 < 2, "this source panics at its second reading");
            readings.clear();
        }

        fn describe(&self) -> String {
            "panics".into()
        }
    }

    #[test]
    fn accounts_are_not_used_after_a_panic() {
        let meter = Arc::new(EnergyMeter::new(Box::new(Panics(0)), &Settings::made_up(), 1));
        let metering = Metering::On(meter.clone());
        assert!(meter.close_window(&Moment::default()).is_ok());
        assert!(meter.snapshot().is_ok() && metering.health().is_ok());

        assert!(catch_unwind(AssertUnwindSafe(|| meter.close_window(&Moment::default()))).is_err());
        assert_eq!(metering.health(), Err(Unhealthy::Failed(Off::Failed)));
        assert_eq!(metering.meter().err(), Some(Off::Failed));
        assert_eq!(meter.snapshot().err(), Some(Off::Failed));
        assert_eq!(meter.energy_by_function().err(), Some(Off::Failed));
        assert_eq!(meter.close_window(&Moment::default()).err(), Some(Off::Failed));
        assert_eq!(meter.running([CallId(1)]), [None]);
    }
}
