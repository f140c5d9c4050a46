//! Any machine, any readings, any slices of calls: the accounts balance after every window.

use std::collections::VecDeque;
use std::time::Duration;

use arbitrary::{Result, Unstructured};

use crate::readings::{reading, spec};
use nebula_metering::source::{CounterSpec, ReadError, Source, SourceKind};
use nebula_metering::work::topology::Topology;
use nebula_metering::work::{Events, Moment, Work};
use nebula_metering::{
    CallId, Charge, Domain, FunctionId, Meter, Microjoules, PostBox, Posting, Purpose, Settled, Slice, Zone,
};

/// More calls than the meter keeps in mind here, and more slices than fit into its queue.
const CALLS: u128 = 24;
const CALLS_MAX: usize = 16;
const POSTINGS_MAX: usize = 8;

type Readings = Vec<std::result::Result<Microjoules, ReadError>>;

/// A source whose counters and readings have been thought of before.
struct Planned {
    counters: Vec<CounterSpec>,
    /// How many have been found so far.
    found: usize,
    readings: VecDeque<Readings>,
}

impl Source for Planned {
    fn kind(&self) -> SourceKind {
        SourceKind::Powercap
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.counters[..self.found]
    }

    fn read(&mut self, _: &Moment, readings: &mut Readings) {
        *readings = self.readings.pop_front().unwrap_or_default();
        self.found = readings.len();
    }

    fn describe(&self) -> String {
        "made up".into()
    }
}

/// What happens between two readings.
struct Happening {
    now: Moment,
    postings: Vec<Posting<()>>,
}

pub(crate) fn meter(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    // Bytes that end early describe fewer windows.
    let _ = live(&mut input);
}

fn live(input: &mut Unstructured<'_>) -> Result<()> {
    // More packages than there is room for in a moment, too.
    let highest = *input.choose(&[0, 3, 11])?;
    let cpus = input.int_in_range(0..=16)?;
    let packages: Vec<u32> = (0..cpus).map(|_| input.int_in_range(0..=highest)).collect::<Result<_>>()?;
    let topology = Topology::new(&packages);
    let (source, happenings) = plan(input)?;

    let mut meter = Meter::new(Box::new(source), topology, CALLS_MAX);
    let posts = PostBox::new(1, POSTINGS_MAX);
    let mut settled = Vec::new();
    for Happening { now, postings } in happenings {
        for posting in postings {
            // What does not fit is lost, as it is where it comes from.
            let _ = posts.post(posting);
        }
        meter.close_window(&now, &posts, &mut settled);
        check(&meter);
    }
    meter.finish(&mut settled);
    check(&meter);
    check_charges(&meter, &settled);
    Ok(())
}

fn check(meter: &Meter<()>) {
    for zone in meter.report() {
        assert_eq!(zone.accounts.residual(), 0, "the accounts of {} add up to what was measured", zone.zone);
        let powers = [zone.base, zone.watts].into_iter().flatten();
        powers.for_each(|power| assert!(power.0.is_finite() && power.0 >= 0.0, "{} draws {power}", zone.zone));
    }
    let calibration = meter.calibration();
    for cpu in [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(1)] {
        let Ok(estimate) = calibration.estimate(FunctionId(0), &Work::of_cpu(cpu)) else { continue };
        let base = estimate.base.map_or(0.0, |base| base.0);
        for joules in [estimate.active.0, estimate.uncertainty.total().0, base] {
            assert!(joules.is_finite() && joules >= 0.0, "{cpu:?}: {estimate:?}");
        }
    }
}

/// Calls are charged what they say by zone, and no more than their functions.
fn check_charges(meter: &Meter<()>, settled: &[Settled<()>]) {
    let charges: Vec<&Charge> = settled.iter().filter_map(|call| call.charge.as_ref()).collect();
    for charge in &charges {
        assert_eq!(charge.zones.iter().map(|(_, energy)| *energy).sum::<Microjoules>(), charge.active);
        assert!(charge.uncertainty.total().0.is_finite() && charge.uncertainty.total().0 >= 0.0, "{charge:?}");
    }
    let calls: Microjoules = charges.iter().map(|charge| charge.active).sum();
    let functions = meter.report().iter().map(|zone| zone.accounts.functions_total()).sum();
    assert!(calls <= functions, "calls were charged {calls}, and their functions {functions}");
}

fn plan(input: &mut Unstructured<'_>) -> Result<(Planned, Vec<Happening>)> {
    let counters: Vec<CounterSpec> = (0..input.int_in_range(0..=6)?)
        .map(|_| zone(input).and_then(|zone| spec(input, zone)))
        .collect::<Result<_>>()?;
    let mut raws = vec![0; counters.len()];
    let mut found = input.int_in_range(0..=counters.len())?;
    let (mut readings, mut happenings, mut now) = (VecDeque::new(), Vec::new(), Moment::default());
    while !input.is_empty() {
        if input.ratio(1, 8)? {
            found = counters.len();
        }
        readings.push_back(raws[..found].iter_mut().map(|raw| reading(input, raw)).collect::<Result<_>>()?);
        advance(input, &mut now)?;
        let postings = (0..input.int_in_range(0..=6)?).map(|_| posting(input, now.monotonic)).collect::<Result<_>>()?;
        happenings.push(Happening { now, postings });
    }
    Ok((Planned { counters, found: 0, readings }, happenings))
}

fn zone(input: &mut Unstructured<'_>) -> Result<Zone> {
    let domain = input.choose(&[Domain::Package, Domain::Dram, Domain::Core, Domain::Psys])?.clone();
    Ok(Zone::new(domain, input.choose(&["", "0", "1", "9", "11", "0-die-1", "x"])?))
}

/// Mostly a window of some milliseconds; at times an hour, or none at all.
fn advance(input: &mut Unstructured<'_>, now: &mut Moment) -> Result<()> {
    let time = if input.ratio(1, 16)? { micros(input.arbitrary::<u32>()?) } else { micros(input.arbitrary::<u16>()?) };
    let asleep = if input.ratio(1, 16)? { micros(input.arbitrary::<u32>()?) } else { Duration::ZERO };
    now.monotonic += time;
    now.boottime += time + asleep;
    let process = micros(input.arbitrary::<u16>()?);
    now.process += process;
    now.busy += process + micros(input.arbitrary::<u16>()?);
    for package in &mut now.packages {
        *package += micros(input.arbitrary::<u8>()?);
    }
    Ok(())
}

fn posting(input: &mut Unstructured<'_>, now: Duration) -> Result<Posting<()>> {
    let call = CallId(input.int_in_range(0..=CALLS)?);
    // A call is of one function, and every seventh prepares it.
    let function = FunctionId(call.0 as u32 % 5);
    let purpose = if call.0 % 7 == 6 { Purpose::Preparing } else { Purpose::Call };
    let ends = input.ratio(1, 4)?;
    if ends && input.arbitrary()? {
        return Ok(Posting::End { call, function, last: None, end: () });
    }
    // It ended about now, seldom before the last window, or, as it was collected, after this one.
    let end = (now + micros(input.arbitrary::<u16>()?)).saturating_sub(micros(input.arbitrary::<u16>()?));
    let cpu = if input.ratio(1, 8)? { micros(input.arbitrary::<u32>()?) } else { micros(input.arbitrary::<u16>()?) };
    let work = Work { cpu, events: events(input)?, efficient: events(input)? };
    let slice = Slice { call, function, purpose, end, cpu: input.arbitrary::<u8>()?.into(), work };
    Ok(match (ends, input.arbitrary()?) {
        (false, _) => Posting::Slice(slice),
        (true, false) => Posting::End { call, function, last: Some(slice), end: () },
        (true, true) => Posting::Whole(slice, ()),
    })
}

fn events(input: &mut Unstructured<'_>) -> Result<Option<Events>> {
    if input.ratio(3, 4)? {
        return Ok(None);
    }
    let mut count = || Ok::<u64, arbitrary::Error>(input.arbitrary::<u32>()?.into());
    Ok(Some(Events { instructions: count()?, cycles: count()?, ref_cycles: count()?, cache_misses: count()? }))
}

fn micros(micros: impl Into<u64>) -> Duration {
    Duration::from_micros(micros.into())
}
