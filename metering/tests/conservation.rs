//! Invariant 1: in every zone and after every window, the accounts add up to the accepted energy, to the microjoule,
//! and the accepted energy is the truth whenever the counter could show it.

#![allow(clippy::unwrap_used, reason = "a test ends where something is wrong")]

use std::sync::Arc;
use std::time::Duration;

use nebula_metering::source::{CounterSpec, ReadError, Source, SourceKind};
use nebula_metering::work::topology::Topology;
use nebula_metering::work::{Moment, Work};
use nebula_metering::{
    CallId, Domain, FunctionId, Meter, Microjoules, PostBox, Posting, Purpose, Settled, Watts, Zone,
};
use proptest::prelude::*;

/// 2^32 units of 61035 nJ, as the kernel shows them.
const RANGE: u64 = 262_143_328_850;
const MODULUS_NJ: u128 = 61_035 << 32;
const WINDOW: Duration = Duration::from_millis(100);
const WATTS_MAX: f64 = 400.0;

/// What happens to a counter in one window.
#[derive(Clone, Debug)]
enum Event {
    /// The zone uses this energy.
    Use(u64),
    /// It uses this energy, and the reading fails.
    Fail(u64),
    /// Firmware sets the counter to this value.
    Reset(u64),
    /// One reading is nonsense.
    Spike(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (0..40_000_000_u64).prop_map(Event::Use),
        2 => Just(Event::Use(0)),
        2 => (0..40_000_000_u64).prop_map(Event::Fail),
        1 => (0..RANGE).prop_map(Event::Reset),
        1 => any::<u64>().prop_map(Event::Spike),
    ]
}

/// Counters that follow a script.
struct Scripted {
    specs: Vec<CounterSpec>,
    /// True position of each counter since its last reset, in nanojoules.
    positions: Vec<u128>,
    script: Vec<Vec<Event>>,
    window: usize,
}

impl Scripted {
    fn new(starts: &[u64], script: Vec<Vec<Event>>) -> Self {
        let zones = [Zone::new(Domain::Package, "0"), Zone::new(Domain::Dram, "0"), Zone::new(Domain::Psys, "")];
        let spec = |zone: &Zone| CounterSpec {
            source: SourceKind::Powercap,
            relative_error: 0.0,
            base: None,
            stated: None,
            zone: zone.clone(),
            range: Some(Microjoules(RANGE)),
            watts_max: Watts(WATTS_MAX),
            quantum: Microjoules(62),
        };
        let specs = zones.iter().take(starts.len()).map(spec).collect();
        let positions = starts.iter().map(|&start| u128::from(start) * 1000).collect();
        Self { specs, positions, script, window: 0 }
    }
}

impl Source for Scripted {
    fn kind(&self) -> SourceKind {
        SourceKind::Powercap
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.specs
    }

    fn read(&mut self, _: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        readings.clear();
        for (zone, position) in self.positions.iter_mut().enumerate() {
            let event = self.script.get(self.window).map_or(Event::Use(0), |window| window[zone].clone());
            let mut shown = None;
            match event {
                Event::Use(energy) => *position += u128::from(energy) * 1000,
                Event::Fail(energy) => {
                    *position += u128::from(energy) * 1000;
                    readings.push(Err(ReadError::ZoneGone));
                    continue;
                }
                Event::Reset(value) => *position = u128::from(value) * 1000,
                Event::Spike(value) => shown = Some(value),
            }
            let raw = ((*position % MODULUS_NJ) / 1000) as u64;
            readings.push(Ok(Microjoules(shown.unwrap_or(raw))));
        }
        self.window += 1;
    }

    fn describe(&self) -> String {
        "a script".into()
    }
}

/// A slice: one of a few calls of a few functions, and how long it ran.
type Slice = (u8, u8, u32);

fn slices() -> impl Strategy<Value = Vec<Slice>> {
    prop_oneof![1 => Just(vec![]), 3 => prop::collection::vec((0..6_u8, 0..4_u8, 0..100_000_000_u32), 0..12)]
}

/// What a call is for, by its identity: the last of the six prepares its function.
fn purpose(call: CallId) -> Purpose {
    if call.0 >> 8 == 5 { Purpose::Preparing } else { Purpose::Call }
}

/// Runs windows with these slices and other CPU time. Checks the invariant after each.
fn run(source: Scripted, windows: &[(Vec<Slice>, u32)]) -> (Meter<()>, Vec<Settled<()>>) {
    let mut meter = Meter::new(Box::new(source), Topology::one_package(4), 1000);
    let posts = Arc::new(PostBox::new(1, 1000));
    let (mut now, mut settled) = (Moment::default(), Vec::new());
    for (slices, other) in windows {
        now.monotonic += WINDOW;
        now.boottime += WINDOW;
        now.busy += Duration::from_nanos(u64::from(*other));
        for &(call, function, cpu) in slices {
            let work = Work::of_cpu(Duration::from_nanos(cpu.into()));
            now.process += work.cpu;
            now.busy += work.cpu;
            let (call, function) = (CallId(u128::from(call) << 8 | u128::from(function)), FunctionId(function.into()));
            let purpose = purpose(call);
            let slice = nebula_metering::Slice { call, function, purpose, end: now.monotonic, cpu: 0, work };
            // Some calls are a single slice. Some end with their last slice, and some after it.
            if cpu % 15 == 0 {
                posts.whole(slice, ()).unwrap();
                continue;
            }
            if cpu % 10 == 0 {
                posts.end(call, function, Some(slice), ()).unwrap();
                continue;
            }
            posts.post(Posting::Slice(slice)).unwrap();
            if cpu % 5 == 0 {
                posts.end(call, function, None, ()).unwrap();
            }
        }
        meter.close_window(&now, &posts, &mut settled);
        for zone in meter.report() {
            assert_eq!(zone.accounts.residual(), 0, "{zone:?}");
        }
    }
    meter.finish(&mut settled);
    (meter, settled)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn accounts_add_up_through_wraps_resets_spikes_and_losses(
        starts in prop::collection::vec(prop_oneof![0..RANGE, RANGE - 100_000_000..RANGE], 3),
        script in prop::collection::vec((prop::collection::vec(event(), 3), slices(), 0..200_000_000_u32), 1..80),
    ) {
        let windows: Vec<_> = script.iter().map(|(_, slices, other)| (slices.clone(), *other)).collect();
        let events = script.into_iter().map(|(events, ..)| events).collect();
        let (meter, _) = run(Scripted::new(&starts, events), &windows);
        for zone in meter.report() {
            let most = Watts(WATTS_MAX).during(WINDOW * (windows.len() as u32 + 2));
            prop_assert!(zone.accounts.total <= most, "{:?} in {} windows", zone, windows.len());
        }
    }

    #[test]
    fn a_counter_that_only_wraps_and_fails_to_answer_is_counted_whole(
        start in RANGE - 200_000_000..RANGE,
        energies in prop::collection::vec((0..40_000_000_u64, any::<bool>()), 2..80),
    ) {
        let mut script: Vec<_> = energies
            .iter()
            .map(|&(energy, fails)| vec![if fails { Event::Fail(energy) } else { Event::Use(energy) }])
            .collect();
        script.insert(0, vec![Event::Use(0)]);
        script.push(vec![Event::Use(0)]);
        let windows = vec![(vec![(0, 0, 1000)], 5_000_000); script.len()];
        let (meter, _) = run(Scripted::new(&[start], script), &windows);
        let truth: u64 = energies.iter().map(|(energy, _)| energy).sum();
        prop_assert!(meter.report()[0].accounts.total.0.abs_diff(truth) <= 1);
    }

    #[test]
    fn calls_and_preparing_that_are_all_known_make_up_each_function(
        script in prop::collection::vec((0..40_000_000_u64, slices(), 0..200_000_000_u32), 1..40),
    ) {
        let mut windows: Vec<_> = script.iter().map(|(_, slices, other)| (slices.clone(), *other)).collect();
        windows.insert(0, (vec![], 0));
        // All calls end, and two more windows settle them.
        let last = (0..6).flat_map(|call| (0..4).map(move |function| (call, function, 5))).collect();
        windows.extend([(last, 0), (vec![], 0), (vec![], 0)]);
        let mut events: Vec<_> = script.iter().map(|(energy, ..)| vec![Event::Use(*energy)]).collect();
        events.insert(0, vec![Event::Use(0)]);
        let (meter, settled) = run(Scripted::new(&[7], events), &windows);
        let accounts = &meter.report()[0].accounts;
        for (id, account) in (0..).map(FunctionId).zip(&accounts.functions) {
            let sum = |of: Purpose| {
                let of = settled.iter().filter(|call| call.function == id && purpose(call.call) == of);
                let charges = of.filter_map(|call| call.charge.as_ref());
                charges.fold([Microjoules::ZERO; 2], |[active, base], charge| [active + charge.active, base + charge.base])
            };
            prop_assert_eq!(sum(Purpose::Call), [account.active, account.base]);
            prop_assert_eq!(sum(Purpose::Preparing)[0], account.preparing);
        }
        prop_assert_eq!(accounts.residual(), 0);
    }
}

#[test]
fn the_first_reading_charges_nobody() {
    let (meter, _) = run(Scripted::new(&[240_422_366], vec![vec![Event::Use(5_000_000)]]), &[(vec![(0, 0, 1000)], 0)]);
    assert_eq!(meter.report()[0].accounts.total, Microjoules::ZERO);
}

#[test]
fn an_overlapping_zone_is_shown_and_charges_nobody() {
    let script = vec![vec![Event::Use(1_000_000); 3]; 3];
    let (meter, _) = run(Scripted::new(&[0, 0, 0], script), &vec![(vec![(0, 0, 50_000_000)], 0); 3]);
    let [package, dram, psys] = &meter.report()[..] else { panic!("three zones") };
    for zone in [package, dram] {
        let accounts = &zone.accounts;
        assert_eq!(accounts.functions_total() + accounts.base, Microjoules(2_000_000));
        assert!(accounts.functions_total() > Microjoules::ZERO, "{accounts:?}");
    }
    assert_eq!(psys.accounts.functions_total(), Microjoules::ZERO);
    assert_eq!(psys.accounts.total, Microjoules(2_000_000));
}

#[test]
fn a_call_whose_energy_is_not_known_is_settled_as_unknown() {
    let script = vec![vec![Event::Use(1_000)], vec![Event::Fail(1_000)], vec![Event::Use(0)]];
    let windows = [(vec![], 0), (vec![(0, 0, 1_000)], 0), (vec![], 0), (vec![], 0)];
    let (_, settled) = run(Scripted::new(&[0], script), &windows);
    assert_eq!(settled.len(), 1);
    assert_eq!(settled[0].charge, None);
}

#[test]
fn a_whole_call_is_charged_as_one_that_comes_in_parts() {
    let script = vec![vec![Event::Use(5_000_000); 2]; 4];
    let (whole, in_parts) = ((0, 0, 30_000_000), (1, 0, 30_000_005));
    let windows = [(vec![], 0), (vec![whole, in_parts], 40_000_000), (vec![], 0), (vec![], 0)];
    let (_, settled) = run(Scripted::new(&[0, 9], script), &windows);
    let [first, second] = [0, 1].map(|call| settled[call].charge.clone().unwrap());
    assert!(first.active.0 > 500_000 && first.active.0.abs_diff(second.active.0) <= 2, "{first:?} {second:?}");
    assert!(first.base.0.abs_diff(second.base.0) <= 2, "{first:?} {second:?}");
    assert_eq!((first.zones.len(), first.source), (second.zones.len(), second.source));
    assert!((first.uncertainty.total().0 / second.uncertainty.total().0 - 1.0).abs() < 1e-3, "{first:?} {second:?}");
}

#[test]
fn estimates_follow_the_charges_of_closed_windows() {
    let script = vec![vec![Event::Use(1_000_000)]; 50];
    let (meter, _) = run(Scripted::new(&[0], script), &vec![(vec![(0, 0, 60_000_000)], 40_000_000); 50]);
    let work = Work::of_cpu(Duration::from_millis(10));
    let estimate = meter.calibration().estimate(FunctionId(0), &work).unwrap();
    // The first window has no energy; the others have 60 ms of CPU time each.
    let charged = meter.report()[0].accounts.functions_total().joules().0 / 49.0 / 6.0;
    assert!((estimate.active.0 / charged - 1.0).abs() < 0.05, "{estimate:?}, charged {charged}");
}
