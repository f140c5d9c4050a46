use super::*;
use crate::work::Events;

const WINDOW: Duration = Duration::from_millis(100);
const LIGHT: FunctionId = FunctionId(0);
const HEAVY: FunctionId = FunctionId(1);

/// A machine whose consumers cost what is stated here, in watts.
struct Truth {
    activation: f64,
    light: f64,
    heavy: f64,
    host: f64,
}

const TRUTH: Truth = Truth { activation: 8.0, light: 4.0, heavy: 8.0, host: 5.0 };

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
    let others = truth.activation * consumption.awake.as_secs_f64() + truth.host * consumption.host.as_secs_f64();
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

/// Charged over true cost of the light and of the heavy function.
fn charged(learner: &mut Learner, mixture: &Consumption) -> [f64; 2] {
    let dynamic = cost(&TRUTH, mixture);
    let weights = learner.weigh(mixture, dynamic, 1e-6, WINDOW);
    let all = weights.functions.iter().sum::<u64>() + weights.runtime + weights.host + weights.activation;
    [(0, TRUTH.light), (1, TRUTH.heavy)].map(|(index, watts)| {
        let charged = dynamic.0 * weights.functions[index] as f64 / all as f64;
        charged / (watts * mixture.functions[index].work.cpu.as_secs_f64())
    })
}

fn assert_near(ratios: [f64; 2], tolerance: f64) {
    assert!(ratios.iter().all(|ratio| (ratio - 1.0).abs() < tolerance), "{ratios:?}");
}

#[test]
fn functions_of_unequal_power_are_told_apart_by_cpu_time_once_their_mixture_has_changed() {
    let mut learner = Learner::new(false, false);
    live(&mut learner, 300, false);
    assert_near(charged(&mut learner, &consumption(150.0, 150.0, 200.0, false)), 0.02);
    assert_eq!(learner.report().state, LearningState::Learning);
}

#[test]
fn functions_that_always_run_together_are_not_told_apart_and_the_interval_says_so() {
    let mut learner = Learner::new(false, false);
    for step in 0..300 {
        let mixture = consumption(300.0 * noise(step, 0.618), 300.0 * noise(step, 0.618), 0.0, false);
        learner.weigh(&mixture, cost(&TRUTH, &mixture), 1e-6, WINDOW);
    }
    let [light, heavy] = charged(&mut learner, &consumption(150.0, 150.0, 0.0, false));
    assert!(light > 1.2 && heavy < 0.8, "{light} {heavy}");
    let second = work(HEAVY, Duration::from_secs(1), false);
    let expected = learner.expect(HEAVY, &second).unwrap().0;
    let deviation = learner.variance(HEAVY, &second, true).unwrap().sqrt();
    assert!((expected - TRUTH.heavy).abs() < 1.96 * deviation, "{expected} ± {deviation}");
}

#[test]
fn hardware_events_tell_functions_apart_that_always_run_together() {
    let mut learner = Learner::new(false, false);
    live(&mut learner, 300, true);
    for step in 0..100 {
        let mixture = consumption(200.0 * noise(step, 0.618), 200.0 * noise(step, 0.618), 50.0, true);
        learner.weigh(&mixture, cost(&TRUTH, &mixture), 1e-6, WINDOW);
    }
    assert_near(charged(&mut learner, &consumption(150.0, 150.0, 50.0, true)), 0.01);
}

#[test]
fn a_host_whose_power_wanders_does_not_move_what_functions_are_charged() {
    let mut learner = Learner::new(false, false);
    live(&mut learner, 300, true);
    let (mut charges, mut truths) = ([0.0; 2], [0.0; 2]);
    for step in 0..200 {
        let truth = Truth { host: TRUTH.host * (0.9 + 0.2 * noise(step, 0.037)), ..TRUTH };
        let mixture = consumption(80.0, 80.0, 1200.0, true);
        let dynamic = cost(&truth, &mixture);
        let weights = learner.weigh(&mixture, dynamic, 1e-6, WINDOW);
        let all = weights.functions.iter().sum::<u64>() + weights.runtime + weights.host + weights.activation;
        for (function, watts) in [TRUTH.light, TRUTH.heavy].into_iter().enumerate() {
            charges[function] += dynamic.0 * weights.functions[function] as f64 / all as f64;
            truths[function] += watts * 0.08;
        }
    }
    assert_near([charges[0] / truths[0], charges[1] / truths[1]], 0.02);
}

#[test]
fn what_a_source_states_is_not_learned() {
    let mut learner = Learner::new(true, false);
    live(&mut learner, 100, true);
    assert_eq!(learner.report(), Learned { state: LearningState::Stated, coefficients: Vec::new() });
    let weights = learner.weigh(&consumption(10.0, 30.0, 60.0, true), Joules(1.0), 0.0, WINDOW);
    assert_eq!(weights.functions, [10_000_000, 30_000_000]);
    assert_eq!((weights.host, weights.activation), (60_000_000, 0));
}

#[test]
fn nothing_is_expected_before_there_is_an_order_of_magnitude() {
    let mut learner = Learner::new(false, false);
    let one = consumption(1.0, 1.0, 1.0, false);
    learner.weigh(&one, Joules(0.05), 1e-6, WINDOW);
    assert_eq!(learner.expect(LIGHT, &one.functions[0].work), None);
    assert_eq!(learner.report().state, LearningState::Waiting);
}

#[test]
fn base_that_becomes_known_is_no_longer_activation() {
    let mut learner = Learner::new(false, false);
    live(&mut learner, 300, false);
    let watts = |learner: &Learner| learner.report().coefficients[0].value;
    let before = watts(&learner);
    assert!((before - TRUTH.activation).abs() < 0.5, "{before}");
    learner.take_off(3.0);
    assert!((before - watts(&learner) - 3.0).abs() < 1e-9);
}

/// A learner that knows what calls cost, after this many windows under these conditions and one under ordinary ones.
fn after(windows: usize, conditions: Conditions) -> Learner {
    let mut learner = Learner::new(false, false);
    live(&mut learner, 300, false);
    (0..windows).for_each(|_| learner.past.add(WINDOW, conditions));
    learner.past.add(WINDOW, Conditions::default());
    learner
}

fn deviation(learner: &Learner, cpu: Duration, is_settled: bool) -> f64 {
    let work = Work::of_cpu(cpu);
    learner.variance(HEAVY, &work, is_settled).unwrap().sqrt() / learner.expect(HEAVY, &work).unwrap().0
}

#[test]
fn a_long_call_is_expected_to_cost_what_its_windows_say_and_a_short_one_what_the_last_says() {
    let crowded = Conditions { beside: 1.0, ..Conditions::default() };
    let watts = |learner: &Learner, cpu: Duration| {
        learner.expect(HEAVY, &Work::of_cpu(cpu)).unwrap().0 / cpu.as_secs_f64() / TRUTH.heavy
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
    assert!(deviation(&calls, long, true) < deviation(&quiet, long, true) * 1.05, "beside whom it ran has been seen");
}
