//! Sources that work, fail and return by a script, read through [`Fallback`] and charged by the meter.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::post::{CallId, FunctionId, PostBox, Posting, Purpose, Slice};
use crate::units::Watts;
use crate::work::Work;
use crate::work::topology::Topology;
use crate::zone::{Domain, Zone};
use crate::{GapReason, Meter, ZoneReport};

const WINDOW: Duration = Duration::from_millis(100);
/// Windows between two tries of better sources.
const TRY: usize = 50;

/// Behaviour of a scripted source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It works.
    Up,
    /// It opens but gives no reading.
    Silent,
    /// It gives no reading and cannot be opened.
    Gone,
    /// The open source gives no readings any more; opening it again helps.
    Stale(u32),
}

/// The outside of a scripted source.
#[derive(Debug)]
struct World {
    state: State,
    /// Value of its counter, read or not.
    raw: u64,
    opened: u32,
    read: u32,
}

#[derive(Clone)]
struct Scripted {
    spec: CounterSpec,
    world: Arc<Mutex<World>>,
    generation: u32,
}

impl Scripted {
    fn new(kind: SourceKind) -> Self {
        let spec = CounterSpec {
            source: kind,
            zone: Zone::new(Domain::Package, "0"),
            range: None,
            watts_max: Watts(400.0),
            quantum: Microjoules(1),
            relative_error: 0.0,
            base: None,
            stated: None,
        };
        let world = World { state: State::Up, raw: 1_000_000, opened: 0, read: 0 };
        Self { spec, world: Arc::new(Mutex::new(world)), generation: 0 }
    }

    fn set(&self, state: State) {
        self.world.lock().unwrap().state = state;
    }

    fn candidate(&self) -> Candidate {
        let this = self.clone();
        let open = move || -> Result<Box<dyn Source>, Box<dyn std::error::Error + Send + Sync>> {
            let mut world = this.world.lock().unwrap();
            if world.state == State::Gone {
                return Err("it is gone".into());
            }
            world.opened += 1;
            let generation = world.opened;
            Ok(Box::new(Self { generation, ..this.clone() }))
        };
        Candidate::new(self.spec.source, Box::new(open))
    }
}

impl Source for Scripted {
    fn kind(&self) -> SourceKind {
        self.spec.source
    }

    fn counters(&self) -> &[CounterSpec] {
        std::slice::from_ref(&self.spec)
    }

    fn read(&mut self, _: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        readings.clear();
        let mut world = self.world.lock().unwrap();
        world.read += 1;
        let answers = match world.state {
            State::Up => true,
            State::Stale(generation) => self.generation > generation,
            State::Silent | State::Gone => false,
        };
        readings.push(if answers { Ok(Microjoules(world.raw)) } else { Err(ReadError::ZoneGone) });
    }

    fn describe(&self) -> String {
        format!("a script of {}", self.spec.source)
    }
}

/// A meter with two measured sources and the model.
struct Bench {
    sources: [Scripted; 3],
    meter: Meter<()>,
    posts: PostBox<()>,
    now: Moment,
}

const KINDS: [SourceKind; 3] = [SourceKind::Powercap, SourceKind::Hwmon, SourceKind::Model];

impl Bench {
    fn new(states: [State; 3]) -> Self {
        let sources = KINDS.map(Scripted::new);
        sources.iter().zip(states).for_each(|(source, state)| source.set(state));
        let now = Moment::default();
        let fallback = Fallback::open(sources.iter().map(Scripted::candidate).collect(), &now).unwrap();
        let meter = Meter::new(Box::new(fallback), Topology::one_package(4), 100);
        Self { sources, meter, posts: PostBox::new(1, 1000), now }
    }

    /// Runs one window in which every source counts `energy` and a call runs.
    fn window(&mut self, energy: u64) -> SourceKind {
        self.now.monotonic += WINDOW;
        self.now.boottime += WINDOW;
        let work = Work::of_cpu(WINDOW / 2);
        self.now.process += work.cpu;
        self.now.busy += work.cpu;
        for source in &self.sources {
            source.world.lock().unwrap().raw += energy;
        }
        let (call, function, purpose) = (CallId(1), FunctionId(0), Purpose::Call);
        let slice = Slice { call, function, purpose, end: self.now.monotonic, cpu: 0, work };
        self.posts.post(Posting::Slice(slice)).unwrap();
        self.meter.close_window(&self.now, &self.posts, &mut Vec::new());
        self.kind()
    }

    fn windows(&mut self, count: usize) -> Vec<SourceKind> {
        (0..count).map(|_| self.window(100_000)).collect()
    }

    fn kind(&self) -> SourceKind {
        self.meter.source().kind()
    }

    fn zone(&self, kind: SourceKind) -> ZoneReport {
        let mut zones = self.meter.report().into_iter().filter(|zone| zone.source == kind);
        let zone = zones.next().unwrap_or_else(|| panic!("no zone of {kind}"));
        assert!(zones.next().is_none(), "{kind} has one counter, in its old place");
        zone
    }

    fn lost(&self) -> Duration {
        self.meter.gaps().find(|(reason, _)| *reason == GapReason::Lost).unwrap().1
    }
}

#[test]
fn the_first_that_answers_is_read_and_says_why_no_better_one() {
    use State::{Gone, Silent, Up};
    let cases = [
        ([Up, Up, Up], SourceKind::Powercap, BEST),
        ([Gone, Up, Up], SourceKind::Hwmon, "`powercap`: it is gone"),
        (
            [Gone, Silent, Up],
            SourceKind::Model,
            "`powercap`: it is gone; `hwmon`: it gives no reading: the zone is no longer there",
        ),
    ];
    for (states, kind, reason) in cases {
        let bench = Bench::new(states);
        let source = bench.meter.source();
        assert_eq!((source.kind(), source.reason().as_deref()), (kind, Some(reason)), "{states:?}");
        assert_eq!(source.describe(), format!("a script of {kind}"));
        assert_eq!(source.last_switch(), None);
        // Worse sources are not tried.
        let after = KINDS.iter().position(|of| *of == kind).unwrap() + 1;
        for source in &bench.sources[after..] {
            assert_eq!(source.world.lock().unwrap().opened, 0);
        }
    }
}

#[test]
fn where_none_answers_all_say_why() {
    let sources = KINDS.map(Scripted::new);
    for source in &sources {
        source.set(State::Gone);
    }
    let failed = Fallback::open(sources.iter().map(Scripted::candidate).collect(), &Moment::default());
    let error = failed.err().unwrap().to_string();
    assert!(error.ends_with("`powercap`: it is gone; `hwmon`: it is gone; `model`: it is gone"), "{error}");
}

#[test]
fn the_next_takes_over_after_three_windows_and_nobody_is_charged_for_its_past() {
    let mut bench = Bench::new([State::Up, State::Gone, State::Up]);
    bench.windows(10);
    bench.sources[0].set(State::Gone);
    assert_eq!(bench.windows(3), [SourceKind::Powercap, SourceKind::Powercap, SourceKind::Model]);
    assert_eq!(bench.zone(SourceKind::Model).accounts.total, Microjoules::ZERO);
    bench.windows(5);
    let (dead, model) = (bench.zone(SourceKind::Powercap), bench.zone(SourceKind::Model));
    assert_eq!(dead.accounts.total, Microjoules(900_000));
    assert_eq!((dead.watts, dead.failure), (None, None), "it stands by");
    // The last window is not settled yet.
    assert_eq!(model.accounts.total, Microjoules(400_000));
    assert_eq!(bench.lost(), WINDOW * DEAD_WINDOWS);
    let switch = bench.meter.source().last_switch().unwrap();
    assert_eq!((switch.number, switch.from, switch.to), (1, SourceKind::Powercap, SourceKind::Model));
    assert!(!switch.is_better && switch.cause.contains("the zone is no longer there"), "{switch:?}");
    let calibration = bench.meter.calibration();
    assert_eq!((calibration.source, calibration.zones.len()), (SourceKind::Model, 1));
}

#[test]
fn one_that_fails_twice_is_kept() {
    let mut bench = Bench::new([State::Up; 3]);
    for _ in 0..10 {
        bench.sources[0].set(State::Silent);
        bench.windows(2);
        bench.sources[0].set(State::Up);
        assert_eq!(bench.windows(1), [SourceKind::Powercap]);
    }
    assert_eq!(bench.zone(SourceKind::Powercap).failure, None);
}

#[test]
fn a_better_one_returns_after_two_tries_to_its_old_place_and_finds_what_it_counted() {
    for revived in [State::Up, State::Stale(1)] {
        let mut bench = Bench::new([State::Up, State::Gone, State::Up]);
        bench.windows(5);
        bench.sources[0].set(State::Gone);
        bench.windows(3);
        bench.sources[0].set(revived);
        let kinds = bench.windows(2 * TRY);
        let returned = kinds.iter().position(|kind| *kind == SourceKind::Powercap);
        assert_eq!(returned, Some(2 * TRY - 1), "{revived:?}");
        bench.windows(3);
        let powercap = bench.zone(SourceKind::Powercap).accounts;
        // The first of five windows is a baseline. Then three and a hundred were found. The last one is not settled
        // yet.
        let (found, settled) = (103 * 100_000, (4 + 2) * 100_000);
        assert_eq!((powercap.gap, powercap.total), (Microjoules(found), Microjoules(found + settled)), "{revived:?}");
        // The model was also read in the window of the return, and has been on standby since.
        let model = bench.zone(SourceKind::Model);
        assert_eq!((model.accounts.total, model.accounts.gap), (Microjoules(100 * 100_000), Microjoules::ZERO));
        assert_eq!((model.watts, model.failure), (None, None));
        assert!(bench.meter.source().last_switch().unwrap().is_better);
        assert_eq!(bench.meter.source().reason().as_deref(), Some(BEST));
    }
}

#[test]
fn one_that_comes_and_goes_does_not_return() {
    let mut bench = Bench::new([State::Gone, State::Gone, State::Up]);
    for round in 0..6 {
        bench.sources[0].set(if round % 2 == 0 { State::Up } else { State::Silent });
        assert!(bench.windows(TRY).iter().all(|kind| *kind == SourceKind::Model), "round {round}");
    }
}

#[test]
fn better_ones_are_tried_no_more_often_than_said() {
    let mut bench = Bench::new([State::Silent, State::Gone, State::Up]);
    let before = bench.sources[0].world.lock().unwrap().read;
    bench.windows(4 * TRY);
    assert_eq!(bench.sources[0].world.lock().unwrap().read - before, 4);
}

#[test]
fn where_all_are_dead_time_is_lost_until_the_first_comes_back() {
    let mut bench = Bench::new([State::Up; 3]);
    bench.windows(2);
    bench.sources.iter().for_each(|source| source.set(State::Gone));
    assert!(bench.windows(20).iter().all(|kind| *kind == SourceKind::Powercap));
    assert!(bench.zone(SourceKind::Powercap).failure.is_some());
    bench.sources[1].set(State::Up);
    let kinds = bench.windows(4);
    assert!(kinds.contains(&SourceKind::Hwmon), "{kinds:?}");
    assert!(bench.lost() >= WINDOW * 20);
    assert_eq!(bench.zone(SourceKind::Powercap).accounts.total, Microjoules(100_000));
}

#[test]
fn one_that_only_has_to_be_opened_anew_is_not_given_up() {
    let mut bench = Bench::new([State::Up; 3]);
    bench.windows(2);
    bench.sources[0].set(State::Stale(1));
    assert!(bench.windows(10).iter().all(|kind| *kind == SourceKind::Powercap));
    assert_eq!(bench.meter.source().last_switch(), None);
    let accounts = bench.zone(SourceKind::Powercap).accounts;
    assert_eq!((accounts.gap, accounts.total), (Microjoules(300_000), Microjoules(1_000_000)));
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![3 => Just(State::Up), 1 => Just(State::Silent), 2 => Just(State::Gone)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes and goes, the accounts of every source add up to what its own counter counted.
    #[test]
    fn no_source_is_charged_with_the_energy_of_another(
        script in prop::collection::vec((state(), state(), 1..120_usize, [0..9_u64, 0..9, 0..9]), 1..12),
    ) {
        let mut bench = Bench::new([State::Up; 3]);
        bench.windows(1);
        let start = bench.sources.each_ref().map(|source| source.world.lock().unwrap().raw);
        for (powercap, hwmon, windows, extra) in script {
            bench.sources[0].set(powercap);
            bench.sources[1].set(hwmon);
            for _ in 0..windows {
                // Each source counts a different amount, so energy in the wrong zone is noticed.
                for (source, extra) in bench.sources.iter().zip(extra) {
                    source.world.lock().unwrap().raw += extra * 1000;
                }
                bench.window(50_000);
                for zone in bench.meter.report() {
                    prop_assert_eq!(zone.accounts.residual(), 0);
                    let index = KINDS.iter().position(|kind| *kind == zone.source).unwrap();
                    let counted = bench.sources[index].world.lock().unwrap().raw - start[index];
                    prop_assert!(zone.accounts.total.0 <= counted, "{:?} of {}", zone, counted);
                }
            }
        }
        // Once all work, the best is back and has everything it counted since its first reading.
        bench.sources.iter().for_each(|source| source.set(State::Up));
        bench.windows(3 * TRY);
        prop_assert_eq!(bench.kind(), SourceKind::Powercap);
        bench.meter.finish(&mut Vec::new());
        let counted = bench.sources[0].world.lock().unwrap().raw - start[0];
        prop_assert_eq!(bench.zone(SourceKind::Powercap).accounts.total, Microjoules(counted));
    }
}

#[test]
fn the_ranking_goes_by_trustworthiness() {
    assert!(RANKED.is_sorted_by_key(|(kind, _)| *kind));
}
