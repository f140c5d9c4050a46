//! Closes windows: reads the source, collects what was posted, splits the energy, settles the calls that have ended.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::Base;
use crate::calibration::{Calibration, ZoneCalibration};
use crate::calls::{Calls, Charge, Settled};
use crate::counter::{Counter, GapReason, Observation};
use crate::learning::Learned;
use crate::ledger::{Accounts, Charges, Consumers};
use crate::post::{CallId, FunctionId, PostBox, Posting, Slice};
use crate::rate::Rate;
use crate::remainder::Remainder;
use crate::source::{Moment, ReadError, Source, SourceKind};
use crate::units::{Microjoules, Watts};
use crate::zone::{CounterSpec, Zone};

/// The meter of one machine: one source, its zones, their accounts. `E` is given back when a call is settled.
pub struct Meter<E> {
    source: Box<dyn Source>,
    cpus: usize,
    zones: Vec<ZoneMeter>,
    readings: Vec<Result<Microjoules, ReadError>>,
    span: Option<Span>,
    calls: Calls<E>,
    calls_cpu: Duration,
    functions_cpu: BTreeMap<FunctionId, Duration>,
    runtime: Remainder,
    host: Remainder,
    gaps: [Duration; GapReason::ALL.len()],
}

/// The time that the meter has seen.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: Moment,
    last: Moment,
}

/// What one zone looks like from outside.
#[derive(Clone, Debug)]
pub struct ZoneReport {
    /// Where its readings come from.
    pub source: SourceKind,
    /// The zone.
    pub zone: Zone,
    /// Its accounts. Of a zone that is not additive only the total and the gaps are kept.
    pub accounts: Accounts,
    /// Mean power of the last window that had energy.
    pub watts: Option<Watts>,
    /// Base power, once known.
    pub base: Option<Watts>,
    /// What work costs in it; `None` for a zone that charges nobody.
    pub learned: Option<Learned>,
    /// Why the last reading failed, if it did.
    pub failure: Option<String>,
}

impl<E> Meter<E> {
    /// A meter that reads `source`, on a machine of `cpus` processors, and keeps at most `calls_max` calls in mind.
    #[must_use]
    pub fn new(source: Box<dyn Source>, cpus: usize, calls_max: usize) -> Self {
        Self {
            source,
            cpus,
            zones: Vec::new(),
            readings: Vec::new(),
            span: None,
            calls: Calls::new(calls_max),
            calls_cpu: Duration::ZERO,
            functions_cpu: BTreeMap::new(),
            runtime: Remainder::default(),
            host: Remainder::default(),
            gaps: Default::default(),
        }
    }

    /// The source that is read.
    #[must_use]
    pub fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// Closes the window that ends at `now`: every microjoule that the source accounts for since the last one is
    /// charged to somebody. Calls that are settled thereby are added to `settled`.
    pub fn close_window(&mut self, now: &Moment, posts: &PostBox<E>, settled: &mut Vec<Settled<E>>) {
        let mut readings = std::mem::take(&mut self.readings);
        self.source.read(now, &mut readings);
        self.meet_new_zones();

        self.calls.begin_window();
        posts.collect(|posting| match posting {
            Posting::Slice(Slice { call, function, work, .. }) => {
                self.calls_cpu += work.cpu;
                self.calls.slice(call, function, work.cpu);
            }
            Posting::End { call, function, end } => self.calls.end(call, function, end),
        });

        let span = self.span.unwrap_or(Span { start: *now, last: *now });
        let functions = self.calls.functions();
        for &(function, cpu) in &functions {
            *self.functions_cpu.entry(function).or_default() += Duration::from_nanos(cpu);
        }
        let window = Window {
            now: *now,
            time: now.monotonic.saturating_sub(span.last.monotonic),
            busy: now.busy.saturating_sub(span.last.busy),
            cpus: self.cpus,
            consumers: self.consumers(&span.start, now, functions),
        };
        let mut gaps = [Duration::ZERO; GapReason::ALL.len()];
        for (zone, reading) in self.zones.iter_mut().zip(&readings) {
            match zone.close(&window, reading) {
                Closed::Charged(charges) => self.calls.charge(&window.consumers.functions, &charges),
                Closed::Baseline => self.calls.mark_incomplete(),
                Closed::Gap(reason, time) => {
                    self.calls.mark_incomplete();
                    let gap = &mut gaps[reason as usize];
                    *gap = time.max(*gap);
                }
                Closed::Observed => {}
            }
        }
        self.gaps.iter_mut().zip(gaps).for_each(|(sum, gap)| *sum += gap);
        self.calls.settle(self.source.kind(), settled);
        self.span = Some(Span { start: span.start, last: *now });
        self.readings = readings;
    }

    /// What is known of the machine now, for estimates.
    #[must_use]
    pub fn calibration(&self) -> Calibration {
        let additive = self.zones.iter().filter(|zone| zone.spec().zone.is_additive());
        let zones = additive.map(|zone| ZoneCalibration {
            zone: zone.spec().zone.clone(),
            base: zone.base.watts(),
            rate: zone.rate.clone(),
            quantum: zone.spec().quantum,
            relative_error: zone.spec().relative_error,
        });
        Calibration { source: self.source.kind(), zones: zones.collect() }
    }

    /// What a call that still runs has been charged by the windows that have closed; `None` where nothing is known of
    /// it.
    #[must_use]
    pub fn running(&self, call: CallId) -> Option<Charge> {
        self.calls.running(call, self.source.kind())
    }

    /// Every zone with its accounts.
    #[must_use]
    pub fn report(&self) -> Vec<ZoneReport> {
        let report = |zone: &ZoneMeter| ZoneReport {
            source: zone.spec().source,
            learned: None,
            zone: zone.spec().zone.clone(),
            accounts: zone.accounts.clone(),
            watts: zone.watts,
            base: zone.base.watts(),
            failure: zone.failure.clone(),
        };
        self.zones.iter().map(report).collect()
    }

    /// Time in which some additive zone had no energy of its own, by reason. A time that several zones miss for the same
    /// reason counts once.
    pub fn gaps(&self) -> impl Iterator<Item = (GapReason, Duration)> + '_ {
        GapReason::ALL.into_iter().map(|reason| (reason, self.gaps[reason as usize]))
    }

    /// CPU time of each function's calls.
    pub fn functions_cpu(&self) -> impl Iterator<Item = (FunctionId, Duration)> + '_ {
        self.functions_cpu.iter().map(|(&function, &cpu)| (function, cpu))
    }

    fn meet_new_zones(&mut self) {
        for spec in &self.source.counters()[self.zones.len()..] {
            let base = Base::new(spec.base);
            self.zones.push(ZoneMeter::new(spec.clone(), base));
        }
    }

    fn consumers(&mut self, start: &Moment, now: &Moment, functions: Vec<(FunctionId, u64)>) -> Consumers {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let process = now.process.saturating_sub(start.process);
        let busy = now.busy.saturating_sub(start.busy);
        let runtime = nanos(self.runtime.take(process, self.calls_cpu));
        let host = nanos(self.host.take(busy, process));
        Consumers { functions, runtime, host }
    }
}

/// What is true of a window in every zone.
struct Window {
    now: Moment,
    time: Duration,
    busy: Duration,
    cpus: usize,
    consumers: Consumers,
}

/// What became of a window in one zone.
enum Closed {
    /// Its energy was charged.
    Charged(Charges),
    /// It has no energy of its own, since it is the zone's first.
    Baseline,
    /// It has no energy of its own for another reason.
    Gap(GapReason, Duration),
    /// The zone is shown and never added; it charges nobody.
    Observed,
}

/// One counter with everything that is derived from it.
#[derive(Debug)]
struct ZoneMeter {
    counter: Counter,
    base: Base,
    rate: Rate,
    accounts: Accounts,
    watts: Option<Watts>,
    failure: Option<String>,
}

impl ZoneMeter {
    fn new(spec: CounterSpec, base: Base) -> Self {
        Self {
            counter: Counter::new(spec),
            base,
            rate: Rate::default(),
            accounts: Accounts::default(),
            watts: None,
            failure: None,
        }
    }

    fn spec(&self) -> &CounterSpec {
        self.counter.spec()
    }

    fn close(&mut self, window: &Window, reading: &Result<Microjoules, ReadError>) -> Closed {
        self.failure = reading.as_ref().err().map(ToString::to_string);
        let additive = self.spec().zone.is_additive();
        let closed = match self.counter.observe(reading, &window.now) {
            Observation::Baseline => Closed::Baseline,
            Observation::Gap { reason, time, found } => {
                self.accounts.book_gap(reason, time, found);
                Closed::Gap(reason, time)
            }
            Observation::Window(energy) => {
                self.watts = energy.over(window.time);
                if additive {
                    return Closed::Charged(self.charge(window, energy));
                }
                self.accounts.book(energy, energy, &Consumers::default());
                Closed::Observed
            }
        };
        if additive { closed } else { Closed::Observed }
    }

    fn charge(&mut self, window: &Window, energy: Microjoules) -> Charges {
        self.base.learn(energy, window.time, window.busy, window.cpus);
        let base = self.base.part_of(energy, window.time);
        let charges = self.accounts.book(energy, base, &window.consumers);
        self.rate.learn(charges.active, charges.base, window.consumers.total(), window.time);
        charges
    }
}
