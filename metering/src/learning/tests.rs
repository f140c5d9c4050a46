use std::time::Duration;

use super::inputs::{ACTIVATION, BASE};
use super::*;
use crate::post::{FunctionId, Purpose};
use crate::source::{CounterSpec, SourceKind};
use crate::units::{Joules, Microjoules, Watts};
use crate::work::{Events, Work};
use crate::zone::{Domain, Zone};

const WINDOW: Duration = Duration::from_millis(100);
const LIGHT: FunctionId = FunctionId(0);
const HEAVY: FunctionId = FunctionId(1);

/// A machine whose consumers cost what is stated here, in watts.
struct Truth {
    base: f64,
    activation: f64,
    light: f64,
    heavy: f64,
    host: f64,
}

const TRUTH: Truth = Truth { base: 15.0, activation: 8.0, light: 4.0, heavy: 8.0, host: 5.0 };

fn learner(source: SourceKind) -> Learner {
    let spec = CounterSpec {
        source,
        zone: Zone::new(Domain::Package, "0"),
        range: None,
        watts_max: Watts(500.0),
        quantum: Microjoules(61),
        relative_error: 0.0,
        base: (source == SourceKind::Model).then_some(Watts(1.0)),
        stated: None,
    };
    Learner::new(&spec, 8.0)
}

fn milliseconds(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1e3)
}

/// A light function that stalls and a heavy one that does not. Hardware events explain the difference: 1 nJ per cycle
/// and 1.5 nJ per instruction.
fn work(function: FunctionId, cpu: Duration, with_events: bool) -> Work {
    let giga = if function == HEAVY { 11.0 / 3.0 } else { 1.0 };
    let count = |per_second: f64| (per_second * 1e9 * cpu.as_secs_f64()) as u64;
    let events = Events { instructions: count(giga), cycles: count(2.5), ..Events::default() };
    Work { cpu, events: with_events.then_some(events), efficient: None }
}

fn consumption(light_ms: f64, heavy_ms: f64, host_ms: f64, with_events: bool) -> Consumption {
    let part = |function, ms| {
        let work = work(function, milliseconds(ms), with_events);
        FunctionWork { function, purpose: Purpose::Call, work, beside: 0.0 }
    };
    let functions = [part(LIGHT, light_ms), part(HEAVY, heavy_ms)];
    let awake = milliseconds((light_ms + heavy_ms + host_ms).min(100.0));
    Consumption { functions: functions.to_vec(), host: milliseconds(host_ms), awake, ..Consumption::default() }
}

fn cost(truth: &Truth, consumption: &Consumption) -> Joules {
    let seconds = |function: usize| consumption.functions[function].work.cpu.as_secs_f64();
    let calls = truth.light * seconds(0) + truth.heavy * seconds(1);
    let base = truth.base * WINDOW.as_secs_f64();
    let others =
        base + truth.activation * consumption.awake.as_secs_f64() + truth.host * consumption.host.as_secs_f64();
    Joules(calls + others)
}

/// Repeatable noise from 0 to 1.
fn noise(step: usize, period: f64) -> f64 {
    (step as f64 * period).fract()
}

/// Runs windows with changing mixtures.
fn live(learner: &mut Learner, windows: usize, with_events: bool) {
    for step in 0..windows {
        let [light, heavy, host] = [0.618, 0.414, 0.732].map(|period| 300.0 * noise(step, period));
        let mixture = consumption(light, heavy, host * noise(step, 0.236), with_events);
        learner.weigh(&mixture, cost(&TRUTH, &mixture), 1e-6, WINDOW);
    }
}

fn sum(weights: &Weights) -> u64 {
    weights.functions.iter().sum::<u64>() + weights.runtime + weights.host + weights.base
}

/// Charged over true cost of the light and of the heavy function.
fn charged(learner: &mut Learner, mixture: &Consumption) -> [f64; 2] {
    let energy = cost(&TRUTH, mixture);
    let weights = learner.weigh(mixture, energy, 1e-6, WINDOW);
    let all = sum(&weights);
    [(0, TRUTH.light), (1, TRUTH.heavy)].map(|(index, watts)| {
        let charged = energy.0 * weights.functions[index] as f64 / all as f64;
        charged / (watts * mixture.functions[index].work.cpu.as_secs_f64())
    })
}

fn assert_near(ratios: [f64; 2], tolerance: f64) {
    assert!(ratios.iter().all(|ratio| (ratio - 1.0).abs() < tolerance), "{ratios:?}");
}

#[test]
fn functions_of_unequal_power_are_told_apart_by_cpu_time_once_their_mixture_has_changed() {
    let mut learner = learner(SourceKind::Powercap);
    live(&mut learner, 300, false);
    assert_near(charged(&mut learner, &consumption(150.0, 150.0, 200.0, false)), 0.02);
    assert_eq!(learner.report().state, LearningState::Learning);
}

#[test]
fn functions_that_always_run_together_are_not_told_apart_and_the_interval_says_so() {
    let mut learner = learner(SourceKind::Powercap);
    for step in 0..300 {
        let mixture = consumption(300.0 * noise(step, 0.618), 300.0 * noise(step, 0.618), 0.0, false);
        learner.weigh(&mixture, cost(&TRUTH, &mixture), 1e-6, WINDOW);
    }
    let [light, heavy] = charged(&mut learner, &consumption(150.0, 150.0, 0.0, false));
    assert!(light > 1.2 && heavy < 0.8, "{light} {heavy}");
    let second = work(HEAVY, Duration::from_secs(1), false);
    let (expected, Doubt { common, own }) = learner.expect(HEAVY, &second, true).unwrap();
    let (expected, deviation) = (expected.0, (common + own).sqrt());
    assert!((expected - TRUTH.heavy).abs() < 1.96 * deviation, "{expected} ± {deviation}");
}

#[test]
fn hardware_events_tell_functions_apart_that_always_run_together() {
    let mut learner = learner(SourceKind::Powercap);
    live(&mut learner, 300, true);
    for step in 0..100 {
        let mixture = consumption(200.0 * noise(step, 0.618), 200.0 * noise(step, 0.618), 50.0, true);
        learner.weigh(&mixture, cost(&TRUTH, &mixture), 1e-6, WINDOW);
    }
    assert_near(charged(&mut learner, &consumption(150.0, 150.0, 50.0, true)), 0.01);
}

#[test]
fn a_host_whose_power_wanders_does_not_move_what_functions_are_charged() {
    let mut learner = learner(SourceKind::Powercap);
    live(&mut learner, 300, true);
    let (mut charges, mut truths) = ([0.0; 2], [0.0; 2]);
    for step in 0..200 {
        let truth = Truth { host: TRUTH.host * (0.9 + 0.2 * noise(step, 0.037)), ..TRUTH };
        let mixture = consumption(80.0, 80.0, 1200.0, true);
        let dynamic = cost(&truth, &mixture);
        let weights = learner.weigh(&mixture, dynamic, 1e-6, WINDOW);
        let all = sum(&weights);
        for (function, watts) in [TRUTH.light, TRUTH.heavy].into_iter().enumerate() {
            charges[function] += dynamic.0 * weights.functions[function] as f64 / all as f64;
            truths[function] += watts * 0.08;
        }
    }
    assert_near([charges[0] / truths[0], charges[1] / truths[1]], 0.02);
}

#[test]
fn what_a_source_states_is_not_learned() {
    let mut learner = learner(SourceKind::Model);
    live(&mut learner, 100, true);
    assert_eq!(learner.report(), Learned { state: LearningState::Stated, coefficients: Vec::new() });
    let weights = learner.weigh(&consumption(10.0, 30.0, 60.0, true), Joules(1.0), 0.0, WINDOW);
    assert_eq!(weights.functions, [90_000_000_000, 270_000_000_000]);
    assert_eq!((weights.host, weights.base), (540_000_000_000, 100_000_000_000));
}

#[test]
fn the_first_half_second_already_says_something_and_the_interval_says_how_little() {
    let mut learner = learner(SourceKind::Powercap);
    assert_eq!((learner.report().state, learner.base()), (LearningState::Waiting, None));
    let first = consumption(40.0, 40.0, 20.0, false);
    for _ in 0..5 {
        learner.weigh(&first, cost(&TRUTH, &first), 1e-6, WINDOW);
    }
    let Work { cpu, .. } = first.functions[1].work;
    let (Joules(expected), Doubt { common, own }) = learner.expect(HEAVY, &Work::of_cpu(cpu), true).unwrap();
    let half = 1.96 * (common + own).sqrt();
    assert!((expected - TRUTH.heavy * cpu.as_secs_f64()).abs() < half && half < 3.0 * expected, "{expected} ± {half}");
    let (base, deviation) = learner.base().unwrap();
    assert!((base.0 - TRUTH.base).abs() < 1.96 * deviation.0, "{base:?} ± {deviation:?}");
}

#[test]
fn base_is_found_without_a_quiet_window() {
    let mut learner = learner(SourceKind::Powercap);
    for step in 0..600 {
        let [light, heavy, host] = [0.618, 0.414, 0.732].map(|period| 50.0 + 200.0 * noise(step, period));
        let busy = consumption(light, heavy, host, false);
        learner.weigh(&busy, cost(&TRUTH, &busy), 1e-6, WINDOW);
    }
    // Something always runs, so base and activation are one sum. Their split stays as uncertain as it was.
    let mean = |place: usize| learner.report().coefficients[place].value;
    let sum = mean(BASE) + mean(ACTIVATION);
    assert!((sum - TRUTH.base - TRUTH.activation).abs() < 0.5, "{sum}");
    let (base, deviation) = learner.base().unwrap();
    assert!(deviation.0 > 1.0 && (base.0 - TRUTH.base).abs() < 1.96 * deviation.0, "{base:?} ± {deviation:?}");
    assert_near(charged(&mut learner, &consumption(150.0, 150.0, 200.0, false)), 0.02);
}

#[test]
fn idle_power_that_steps_is_not_charged_to_functions() {
    let mut learner = learner(SourceKind::Powercap);
    live(&mut learner, 300, false);
    let (mut charges, mut truth) = (0.0, 0.0);
    for step in 0..300 {
        let mixture = consumption(80.0, 80.0, 100.0 * noise(step, 0.236), false);
        let energy = Joules(cost(&TRUTH, &mixture).0 + 15.0 * WINDOW.as_secs_f64());
        let weights = learner.weigh(&mixture, energy, 1e-6, WINDOW);
        charges += energy.0 * weights.functions[0] as f64 / sum(&weights) as f64;
        truth += TRUTH.light * 0.08;
    }
    let (base, _) = learner.base().unwrap();
    assert!((base.0 - TRUTH.base - 15.0).abs() < 1.0, "{base:?}");
    assert!((charges / truth - 1.0).abs() < 0.05, "{charges} for {truth}");
}

#[test]
fn what_was_learned_is_recalled_and_dropped_if_the_machine_is_another() {
    let mut before = learner(SourceKind::Powercap);
    live(&mut before, 300, false);
    let known = before.knowledge("package-0", "powercap").unwrap();
    let mut after = learner(SourceKind::Powercap);
    assert!(after.recall(&known));
    let mixture = consumption(150.0, 150.0, 200.0, false);
    let first = after.weigh(&mixture, cost(&TRUTH, &mixture), 1e-6, WINDOW);
    let active = first.functions.iter().sum::<u64>() as f64 / 1e12;
    assert!((active / (0.15 * (TRUTH.light + TRUTH.heavy)) - 1.0).abs() < 0.1, "{active}");

    let second = Work::of_cpu(Duration::from_secs(1));
    let watts = |known: &Knowledge| {
        let mut after = learner(SourceKind::Powercap);
        assert!(after.recall(known));
        after.expect(HEAVY, &second, true).unwrap().0.0
    };
    assert!((watts(&known) / TRUTH.heavy - 1.0).abs() < 0.05, "{}", watts(&known));
    let nobody = Knowledge { functions: vec![None; known.functions.len()], ..known.clone() };
    assert!(watts(&nobody) < 0.9 * TRUTH.heavy, "what all functions share: {}", watts(&nobody));

    let mut elsewhere = learner(SourceKind::Powercap);
    assert!(elsewhere.recall(&known));
    let dearer = |step| {
        let mixture = consumption(200.0 * noise(step, 0.618), 100.0, 100.0, false);
        let energy = Joules(4.0 * cost(&TRUTH, &mixture).0);
        (mixture, energy)
    };
    for step in 0..100 {
        let (mixture, energy) = dearer(step);
        elsewhere.weigh(&mixture, energy, 1e-6, WINDOW);
    }
    assert!(elsewhere.trial.is_none());
    let (mixture, energy) = dearer(7);
    let weights = elsewhere.weigh(&mixture, energy, 1e-6, WINDOW);
    let active = energy.0 * weights.functions.iter().sum::<u64>() as f64 / sum(&weights) as f64;
    let truth = 4.0 * (TRUTH.light * 0.2 * noise(7, 0.618) + TRUTH.heavy * 0.1);
    assert!((active / truth - 1.0).abs() < 0.3, "{active} for {truth}");

    let foreign = Knowledge { method: METHOD + 1, ..known.clone() };
    assert!(!learner(SourceKind::Powercap).recall(&foreign));
    assert!(!learner(SourceKind::Model).recall(&known));
}

/// A learner that knows what calls cost, after this many windows under these conditions and one under ordinary ones.
fn after(windows: usize, conditions: Conditions) -> Learner {
    let mut learner = learner(SourceKind::Powercap);
    live(&mut learner, 300, false);
    (0..windows).for_each(|_| learner.past.add(WINDOW, conditions));
    learner.past.add(WINDOW, Conditions::default());
    learner
}

fn deviation(learner: &Learner, cpu: Duration, is_settled: bool) -> f64 {
    let work = Work::of_cpu(cpu);
    let (expected, Doubt { common, own }) = learner.expect(HEAVY, &work, is_settled).unwrap();
    (common + own).sqrt() / expected.0
}

#[test]
fn a_long_call_is_expected_to_cost_what_its_windows_say_and_a_short_one_what_the_last_says() {
    let crowded = Conditions { beside: 1.0, ..Conditions::default() };
    let watts = |learner: &Learner, cpu: Duration| {
        let (expected, _) = learner.expect(HEAVY, &Work::of_cpu(cpu), true).unwrap();
        expected.0 / cpu.as_secs_f64() / TRUTH.heavy
    };
    let learner = after(99, crowded);
    assert!((watts(&learner, WINDOW) - 1.0).abs() < 0.05, "{}", watts(&learner, WINDOW));
    let long = watts(&learner, WINDOW * 100);
    assert!((0.5..0.65).contains(&long), "{long}");
}

#[test]
fn neighbours_leave_short_calls_in_doubt_and_long_ones_until_they_are_settled() {
    let quiet = after(20, Conditions::default());
    let others = after(20, Conditions { beside: 0.5, beside_others: 0.5, ..Conditions::default() });
    let calls = after(20, Conditions { beside: 0.5, ..Conditions::default() });
    let (short, long) = (WINDOW / 100, WINDOW * 20);
    assert!(deviation(&others, short, false) > 0.15 && deviation(&calls, short, false) > 0.15);
    assert!(deviation(&others, long, false) < deviation(&others, short, false) / 4.0, "others come and go");
    assert!(deviation(&calls, long, false) > 0.15, "a call may have stayed");
    let own = |learner: &Learner| learner.expect(HEAVY, &Work::of_cpu(long), true).unwrap().1.own.sqrt();
    assert!(own(&calls) < own(&quiet) * 1.05, "beside whom it ran has been seen");
}
