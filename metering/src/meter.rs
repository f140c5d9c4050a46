//! The meter: closes windows by reading the source and collecting slices, then splits their energy and settles calls.
//!
//! A window is *closed* when its end has been read, and *settled* when the next one is closed. By then every slice that
//! ran in it has been posted. A slice that ran in two windows is charged in both.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bucket::{Bucket, Entry, Owner, cut};
use crate::calibration::Calibration;
use crate::calls::{Calls, Charge, OpenCall, Settled, ZoneCharge, deal};
use crate::counter::GapReason;
use crate::learning::{Consumption, Doubt, Knowledge};
use crate::ledger::{Accounts, FunctionEnergy};
use crate::post::{CallId, FunctionId, PostBox, Posting, Purpose, Slice};
use crate::presence::{Seen, together};
use crate::remainder::Remainder;
use crate::source::{ReadError, Source, SourceKind};
use crate::uncertainty::Uncertainty;
use crate::units::Microjoules;
use crate::whole::WholeCharges;
use crate::work::topology::Topology;
use crate::work::{Moment, PACKAGES_MAX};
use crate::zone_meter::{Package, Reading, ZoneMeter, ZoneReport};

/// The meter of one machine: its source, zones and accounts. `E` is what a call posts with its end and gets back with
/// its charge.
pub struct Meter<E> {
    source: Box<dyn Source>,
    topology: Topology,
    zones: Vec<ZoneMeter>,
    /// What an earlier process learned.
    known: Vec<Knowledge>,
    readings: Vec<Result<Microjoules, ReadError>>,
    start: Option<Moment>,
    last: Moment,
    /// The window that is closed but not settled.
    closed: Option<Window<E>>,
    /// Number of closed windows.
    number: u64,
    /// Source of the window that was settled last.
    settled_source: SourceKind,
    /// Slices, or parts of them, that ran after the last window.
    later: Vec<Slice>,
    calls: Calls<E>,
    /// CPU time of all slices, including those of preparing.
    calls_cpu: Duration,
    functions_cpu: BTreeMap<FunctionId, Duration>,
    /// Uncertainty of the settled calls of each function together.
    functions_uncertainty: BTreeMap<FunctionId, Uncertainty>,
    runtime: Remainder,
    host: Remainder,
    gaps: [Duration; GapReason::ALL.len()],
}

/// A window whose end has been read.
struct Window<E> {
    end: Moment,
    time: Duration,
    packages: [Duration; PACKAGES_MAX],
    bucket: Bucket,
    /// What the whole calls of the bucket posted with their ends, in their order.
    ends: Vec<E>,
    /// The reading of each zone.
    readings: Vec<Reading>,
    source: SourceKind,
}

impl<E> Meter<E> {
    /// A meter that reads `source` on a machine with this topology, and keeps at most `calls_max` calls.
    #[must_use]
    pub fn new(source: Box<dyn Source>, topology: Topology, calls_max: usize) -> Self {
        let settled_source = source.kind();
        Self {
            source,
            topology,
            zones: Vec::new(),
            known: Vec::new(),
            readings: Vec::new(),
            start: None,
            last: Moment::default(),
            closed: None,
            number: 0,
            settled_source,
            later: Vec::new(),
            calls: Calls::new(calls_max),
            calls_cpu: Duration::ZERO,
            functions_cpu: BTreeMap::new(),
            functions_uncertainty: BTreeMap::new(),
            runtime: Remainder::default(),
            host: Remainder::default(),
            gaps: Default::default(),
        }
    }

    /// Takes up what an earlier process learned about this machine, zone by zone. Zones that the source finds later are
    /// included. What contradicts the first windows is dropped again.
    pub fn recall(&mut self, known: Vec<Knowledge>) {
        self.zones.iter_mut().for_each(|zone| zone.recall(&known));
        self.known = known;
    }

    /// What has been learned, for [`Meter::recall`] of a later process on the same machine.
    #[must_use]
    pub fn knowledge(&self) -> Vec<Knowledge> {
        self.zones.iter().filter_map(ZoneMeter::knowledge).collect()
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// Closes the window that ends at `now` and settles the one before: every microjoule that the source counted in it
    /// is charged. Adds the calls that were settled to `settled`.
    pub fn close_window(&mut self, now: &Moment, posts: &PostBox<E>, settled: &mut Vec<Settled<E>>) {
        let mut readings = std::mem::take(&mut self.readings);
        self.source.read(now, &mut readings);
        for spec in &self.source.counters()[self.zones.len()..] {
            let mut zone = ZoneMeter::new(spec.clone(), &self.topology);
            zone.recall(&self.known);
            self.zones.push(zone);
        }

        let last = if self.start.is_none() { *now } else { self.last };
        self.start.get_or_insert(*now);
        let time = now.monotonic.saturating_sub(last.monotonic);
        let observed = self.zones.iter_mut().zip(&readings).map(|(zone, reading)| zone.observe(reading, now, time));
        let mut window = Window {
            end: *now,
            time,
            packages: std::array::from_fn(|package| now.packages[package].saturating_sub(last.packages[package])),
            bucket: Bucket::new(last.monotonic, now.monotonic),
            ends: Vec::new(),
            readings: observed.collect(),
            source: self.source.kind(),
        };
        self.readings = readings;
        self.last = *now;
        self.number += 1;

        let mut before = self.closed.take();
        for slice in std::mem::take(&mut self.later) {
            self.place(&slice, before.as_mut(), &mut window);
        }
        posts.collect(|posting| match posting {
            Posting::Slice(slice) => self.place(&slice, before.as_mut(), &mut window),
            Posting::End { call, function, last, end } => {
                if let Some(slice) = last {
                    self.place(&slice, before.as_mut(), &mut window);
                }
                self.calls.end(call, function, end, self.number);
            }
            Posting::Whole(slice, end) => self.place_whole(&slice, end, before.as_mut(), &mut window),
        });
        if let Some(before) = before {
            self.settle_window(before, settled);
            self.settle_calls(self.number, settled);
        }
        self.closed = Some(window);
    }

    /// Settles the last window and the calls that have ended, without another window. For shutdown, when nothing runs
    /// any more.
    pub fn finish(&mut self, settled: &mut Vec<Settled<E>>) {
        if let Some(window) = self.closed.take() {
            self.settle_window(window, settled);
            self.number += 1;
            self.settle_calls(self.number, settled);
        }
    }

    /// What estimates need to know about the machine.
    #[must_use]
    pub fn calibration(&self) -> Calibration {
        let kind = self.source.kind();
        let additive = self.zones.iter().filter(|zone| zone.spec().zone.is_additive() && zone.spec().source == kind);
        let zones = additive.map(|zone| zone.calibration(self.share(zone)));
        Calibration { source: kind, zones: zones.collect() }
    }

    /// What a call in progress has been charged by settled windows; `None` if unknown.
    #[must_use]
    pub fn running(&self, call: CallId) -> Option<Charge> {
        let charge = |open: &OpenCall| self.charge(open.function, open.zones.iter().copied(), self.settled_source);
        self.calls.running(call).map(charge)
    }

    /// Every zone with its accounts.
    #[must_use]
    pub fn report(&self) -> Vec<ZoneReport> {
        self.zones.iter().map(ZoneMeter::report).collect()
    }

    /// Settled energy of each function, by its number, in all additive zones. Only one source charges at a time, so the
    /// energies by several sources add up.
    #[must_use]
    pub fn energy_by_function(&self) -> Vec<FunctionEnergy> {
        let additive = self.zones.iter().filter(|zone| zone.spec().zone.is_additive());
        additive.map(|zone| &zone.accounts).sum::<Accounts>().functions
    }

    /// Energy of the calls and preparing of all functions, in all additive zones.
    #[must_use]
    pub fn functions_energy(&self) -> Microjoules {
        let additive = self.zones.iter().filter(|zone| zone.spec().zone.is_additive());
        additive.map(|zone| zone.accounts.functions_total()).sum()
    }

    /// Time in which some additive zone had no energy, by reason. Time that several zones miss for the same reason
    /// counts once.
    pub fn gaps(&self) -> impl Iterator<Item = (GapReason, Duration)> + '_ {
        GapReason::ALL.into_iter().map(|reason| (reason, self.gaps[reason as usize]))
    }

    /// CPU time of the calls of each function, without preparing.
    pub fn functions_cpu(&self) -> impl Iterator<Item = (FunctionId, Duration)> + '_ {
        self.functions_cpu.iter().map(|(&function, &cpu)| (function, cpu))
    }

    /// The uncertainty of the active energy of all settled calls of each function.
    pub fn functions_uncertainty(&self) -> impl Iterator<Item = (FunctionId, Uncertainty)> + '_ {
        self.functions_uncertainty.iter().map(|(&function, &uncertainty)| (function, uncertainty))
    }

    /// Adds a settled call.
    fn settle(&mut self, call: Settled<E>, settled: &mut Vec<Settled<E>>) {
        if let Some(charge) = &call.charge {
            *self.functions_uncertainty.entry(call.function).or_default() += charge.uncertainty;
        }
        settled.push(call);
    }

    /// Puts a slice into the windows in which it ran.
    fn place(&mut self, slice: &Slice, before: Option<&mut Window<E>>, window: &mut Window<E>) {
        let (now, later) = cut(slice, window.end.monotonic);
        if let Some(later) = later {
            self.calls.touch(later.call, later.function, self.number + 1);
            self.later.push(later);
        }
        let Some(slice) = now else { return };
        let (early, now) = match &before {
            Some(before) => cut(&slice, before.end.monotonic),
            None => (None, Some(slice)),
        };
        if let (Some(early), Some(before)) = (early, before) {
            self.calls.touch(early.call, early.function, self.number - 1);
            before.bucket.add(&early, &self.topology);
        }
        if let Some(now) = now {
            self.calls.touch(now.call, now.function, self.number);
            window.bucket.add(&now, &self.topology);
        }
    }

    /// Puts a call that was a single slice into the window in which it ran, or its parts into several.
    fn place_whole(&mut self, slice: &Slice, end: E, before: Option<&mut Window<E>>, window: &mut Window<E>) {
        let ran_in = |window: &Window<E>| {
            let start = window.end.monotonic.saturating_sub(window.time);
            slice.end <= window.end.monotonic && slice.end.saturating_sub(slice.work.cpu) >= start
        };
        let only = match before {
            Some(before) if ran_in(before) => before,
            _ if ran_in(window) => window,
            before => {
                self.place(slice, before, window);
                self.calls.end(slice.call, slice.function, end, self.number);
                return;
            }
        };
        only.bucket.add_whole(slice, &self.topology);
        only.ends.push(end);
    }

    /// Charges what each zone used in a window, hands it on to the calls, and settles those that were whole.
    fn settle_window(&mut self, window: Window<E>, settled: &mut Vec<Settled<E>>) {
        let mut entries = window.bucket.entries(&self.topology);
        for entry in &entries {
            self.calls_cpu += entry.work.cpu;
            if entry.purpose == Purpose::Call {
                *self.functions_cpu.entry(entry.function).or_default() += entry.work.cpu;
            }
        }
        let packages = self.consumption(&window, &mut entries);
        let machine = together(&packages);
        let mut whole = WholeCharges::new(window.ends.len(), self.zones.len());
        for (zone, reading) in window.readings.iter().enumerate() {
            if let Reading::Energy(energy) = *reading {
                self.charge_zone(zone, energy, &window, (&packages, &machine), &entries, &mut whole);
            }
        }
        let is_complete = self.count_gaps(&window.readings);
        self.settled_source = window.source;
        if !is_complete {
            for entry in &entries {
                if let Owner::Call(call) = entry.owner {
                    self.calls.mark_incomplete(call);
                }
            }
        }
        self.settle_whole(window, &whole, is_complete, settled);
    }

    /// Charges what a zone used in a window to its consumers, and hands the charge of each on to its calls.
    fn charge_zone(
        &mut self,
        index: usize,
        energy: Microjoules,
        window: &Window<E>,
        (packages, machine): (&[Consumption], &Consumption),
        entries: &[Entry],
        whole: &mut WholeCharges,
    ) {
        let zone = &mut self.zones[index];
        let package = zone.package(&self.topology);
        let consumption = package.map_or(machine, |package| &packages[package]);
        let charges = zone.charge(energy, &Package { consumption, time: window.time });
        let mut charges = charges.functions.iter();
        let learner = &zone.learner;
        for entries in entries.chunk_by(|a, b| a.consumer() == b.consumer()) {
            let here = |entry: &&Entry| package.is_none_or(|package| entry.package == package);
            let entries: Vec<&Entry> = entries.iter().filter(here).collect();
            let Some(&&Entry { function, .. }) = entries.first() else { continue };
            let charge = charges.next().copied().unwrap_or_default();
            let weight = |entry: &Entry| learner.weight(function, &entry.work, entry.beside);
            let calls = &mut self.calls;
            deal(&entries, charge, weight, |entry, charged| match entry.owner {
                Owner::Call(call) => calls.charge(call, index, charged, entry.work),
                Owner::Whole(call) => whole.charge(call, index, charged),
            });
        }
    }

    /// Adds up the time without energy, by reason. Returns whether every zone that charges had energy.
    fn count_gaps(&mut self, readings: &[Reading]) -> bool {
        let mut is_complete = true;
        let mut gaps = [Duration::ZERO; GapReason::ALL.len()];
        for reading in readings {
            match *reading {
                Reading::Baseline => is_complete = false,
                Reading::Gap(reason, time) => {
                    is_complete = false;
                    // Zones that miss the same time for the same reason count once.
                    let gap = &mut gaps[reason as usize];
                    *gap = time.max(*gap);
                }
                Reading::Energy(_) | Reading::Uncharged => {}
            }
        }
        self.gaps.iter_mut().zip(gaps).for_each(|(sum, gap)| *sum += gap);
        is_complete
    }

    /// Settles the calls that were a single slice within this window.
    fn settle_whole(
        &mut self,
        window: Window<E>,
        whole: &WholeCharges,
        is_complete: bool,
        settled: &mut Vec<Settled<E>>,
    ) {
        settled.reserve(window.ends.len());
        for ((place, slice), end) in window.bucket.whole().iter().enumerate().zip(window.ends) {
            let part = |(zone, charged)| ZoneCharge { zone, charged, work: slice.work, windows: 1 };
            let mut parts = whole.of(place).map(part).peekable();
            let is_known = is_complete && parts.peek().is_some();
            let charge = is_known.then(|| self.charge(slice.function, parts, window.source));
            self.settle(Settled { call: slice.call, function: slice.function, charge, end }, settled);
        }
    }

    fn settle_calls(&mut self, seen: u64, settled: &mut Vec<Settled<E>>) {
        let mut calls = std::mem::replace(&mut self.calls, Calls::new(0));
        calls.take_settled(seen, self.number - 1, |call, function, open, end| {
            let charge = open.map(|open| self.charge(function, open.zones.into_iter(), self.settled_source));
            self.settle(Settled { call, function, charge, end }, settled);
        });
        self.calls = calls;
    }

    /// What ran on each package during a window.
    fn consumption(&mut self, window: &Window<E>, entries: &mut [Entry]) -> Vec<Consumption> {
        let start = self.start.unwrap_or_default();
        let process = window.end.process.saturating_sub(start.process);
        let busy = window.end.busy.saturating_sub(start.busy);
        let machine = window.end.frequency_ppm.unwrap_or(1_000_000);
        let seen = Seen {
            topology: &self.topology,
            bucket: &window.bucket,
            time: window.time,
            packages: window.packages,
            frequencies: window.end.packages_ppm.map(|ppm| f64::from(if ppm > 0 { ppm } else { machine }) / 1e6),
            runtime: self.runtime.take(process, self.calls_cpu),
            host: self.host.take(busy, process),
        };
        seen.by_package(entries)
    }

    /// Part of the work of a call that is expected to run in a zone.
    fn share(&self, zone: &ZoneMeter) -> f64 {
        let packages = self.topology.packages().len();
        if packages > 1 && zone.package(&self.topology).is_some() { 1.0 / packages as f64 } else { 1.0 }
    }

    /// The charge of a call of `function` from its `parts`. `source` is used if no zone charged it.
    fn charge(&self, function: FunctionId, parts: impl Iterator<Item = ZoneCharge>, source: SourceKind) -> Charge {
        let mut charge = Charge {
            active: Microjoules::ZERO,
            base: Microjoules::ZERO,
            uncertainty: Uncertainty::default(),
            zones: Vec::with_capacity(self.zones.len()),
            source,
        };
        let (mut doubt, mut systematic, mut worst) = (Doubt::default(), 0.0, None);
        for part in parts {
            let zone = &self.zones[part.zone];
            // A call that waited while sources changed may have been charged by both. The lesser one counts.
            worst = worst.max(Some(zone.spec().source));
            charge.active += part.charged.active;
            charge.base += part.charged.base;
            let of_zone = zone.settled_doubt(function, &part.work, part.windows);
            doubt.common += of_zone.common;
            doubt.own += of_zone.own;
            systematic += zone.spec().relative_error * part.charged.active.joules().0;
            let domain = &zone.spec().zone.domain;
            match charge.zones.iter_mut().find(|(known, _)| known == domain) {
                Some((_, energy)) => *energy += part.charged.active,
                None => charge.zones.push((domain.clone(), part.charged.active)),
            }
        }
        charge.source = worst.unwrap_or(source);
        charge.uncertainty = Uncertainty::new(doubt, systematic);
        charge
    }
}
