//! A whole meter on simulated machines with known energy.

#![allow(clippy::unwrap_used, reason = "a test ends where something is wrong")]

use std::time::Duration;

use nebula_metering::{Domain, FunctionId, GapReason, LearningState, Meter, Microjoules, PostBox, Settled, ZoneReport};
use nebula_simulator::{EndedCall, Faults, Function, HostClock, HostLoad, Length, Machine, Settings, Simulation, Task};

const WINDOW: Duration = Duration::from_millis(100);
const LIGHT: Task = Task::new(0.7, 1.0);
const HEAVY: Task = Task::new(2.6, 0.5);

/// A machine with a meter, and the settled calls.
struct Life {
    simulation: Simulation,
    meter: Meter<f64>,
    posts: PostBox<f64>,
    now: Duration,
    settled: Vec<Settled<f64>>,
}

impl Life {
    fn new(settings: Settings) -> Self {
        let simulation = Simulation::new(settings);
        let meter = Meter::new(simulation.source(), simulation.topology(), 100_000);
        Self { meter, simulation, posts: PostBox::new(1, 1 << 18), now: Duration::ZERO, settled: Vec::new() }
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.now += WINDOW;
            let truth = &mut |call: &EndedCall| call.truth.active.sum();
            let moment = self.simulation.run_until(self.now, &self.posts, truth);
            self.meter.close_window(&moment, &self.posts, &mut self.settled);
            for zone in self.meter.report() {
                assert_eq!(zone.accounts.residual(), 0, "{zone:?}");
            }
        }
    }

    /// Changing mixtures of load, so that there is something to learn.
    fn live(&mut self) {
        self.run(5);
        for (light, heavy, host) in [(3, 0, 0.0), (0, 3, 0.2), (8, 2, 0.4), (2, 8, 0.0), (0, 0, 0.6), (1, 1, 0.0)] {
            self.simulation.set_functions(&[function(0, LIGHT, light), function(1, HEAVY, heavy)]);
            self.simulation.set_host(HostLoad { wander: 0.05, ..HostLoad::steady(host) });
            self.run(5);
        }
    }

    fn finish(&mut self) {
        self.simulation.set_functions(&[]);
        self.simulation.drain();
        self.run(1);
        self.meter.finish(&mut self.settled);
    }

    fn zone(&self, domain: &Domain, package: &str) -> ZoneReport {
        let found = |zone: &ZoneReport| zone.zone.domain == *domain && *zone.zone.package == *package;
        self.meter.report().into_iter().find(found).unwrap()
    }
}

fn function(id: u32, task: Task, concurrency: usize) -> Function {
    let gap = Length::around(Duration::from_millis(30), 0.9);
    let call_length = Length::around(Duration::from_millis(20), 0.9);
    Function { concurrency, call_length, gap, ..Function::new(id, task, WINDOW) }
}

fn assert_near(what: &str, value: f64, truth: f64, tolerance: f64) {
    assert!((value / truth - 1.0).abs() < tolerance, "{what}: {value} is not {truth}");
}

#[test]
fn each_package_charges_those_who_ran_on_it() {
    let mut life = Life::new(Settings::new(3, Machine::server_of_two_packages()));
    life.live();
    life.finish();
    for package in 0..2 {
        let accounts = life.zone(&Domain::Package, &package.to_string()).accounts;
        let truth = life.simulation.totals_of(package);
        for id in [0, 1] {
            let charged = accounts.functions[id as usize].active.joules().0;
            let true_energy = truth.functions[&FunctionId(id)].energy.package;
            // Half a minute from a cold start: on other seeds it is up to 11 % off, either way.
            assert_near(&format!("function {id} on package {package}"), charged, true_energy, 0.12);
        }
        assert_near(&format!("host on package {package}"), accounts.host.joules().0, truth.host.energy.package, 0.08);
    }
}

#[test]
fn settled_calls_make_up_their_functions_and_lie_in_their_intervals() {
    let mut life = Life::new(Settings::new(4, Machine::server()));
    life.live();
    life.finish();
    let accounts: Microjoules = life.meter.report().iter().map(|zone| zone.accounts.functions_total()).sum();
    let charges = || life.settled.iter().filter_map(|call| call.charge.as_ref().map(|charge| (charge, call.end)));
    assert_eq!(charges().map(|(charge, _)| charge.active).sum::<Microjoules>(), accounts);
    for (charge, _) in charges() {
        assert_eq!(charge.zones.iter().map(|(_, energy)| *energy).sum::<Microjoules>(), charge.active);
    }
    let covered =
        charges().filter(|(charge, truth)| (charge.active.joules().0 - truth).abs() <= charge.uncertainty.total().0);
    let coverage = covered.count() as f64 / charges().count() as f64;
    assert!(coverage > 0.9, "{coverage} of {} calls", charges().count());
}

#[test]
fn what_work_costs_is_learned_and_told() {
    let mut life = Life::new(Settings::new(5, Machine::server()));
    assert!(life.meter.report().is_empty());
    life.live();
    let learned = life.zone(&Domain::Package, "0").learned.unwrap();
    assert!(matches!(learned.state, LearningState::Learning | LearningState::Frozen), "{learned:?}");
    let activation = learned.coefficients[1].value;
    assert_near("activation", activation, Machine::server().activation_watts, 0.15);
    let base = life.zone(&Domain::Package, "0").base.unwrap().0;
    assert_near("base", base, Machine::server().idle_watts, 0.02);
}

#[test]
fn ticks_of_ten_milliseconds_are_precise_enough_for_totals() {
    let ticks = Settings { host_clock: HostClock::Ticks, ..Settings::new(6, Machine::server()) };
    let mut life = Life::new(ticks);
    life.live();
    life.finish();
    let accounts = life.zone(&Domain::Package, "0").accounts;
    let truth = life.simulation.totals();
    for id in [0, 1] {
        let true_energy = truth.functions[&FunctionId(id)].energy.package;
        assert_near("function", accounts.functions[id as usize].active.joules().0, true_energy, 0.08);
    }
}

#[test]
fn a_suspended_machine_and_failing_readings_cost_no_microjoule_of_balance() {
    let faults = Faults { error: 0.02, unplug: 0.002, ..Faults::default() };
    let mut life = Life::new(Settings { faults, ..Settings::new(7, Machine::laptop()) });
    life.run(3);
    life.simulation.set_functions(&[function(0, LIGHT, 3)]);
    life.run(5);
    life.simulation.suspend(Duration::from_secs(3600));
    life.run(5);
    life.finish();
    let gaps: Vec<GapReason> =
        life.meter.gaps().filter(|(_, time)| !time.is_zero()).map(|(reason, _)| reason).collect();
    assert!(gaps.contains(&GapReason::Suspended) && gaps.contains(&GapReason::Lost), "{gaps:?}");
    let unknown = life.settled.iter().filter(|call| call.charge.is_none()).count();
    assert!(unknown > 0, "calls of windows without energy are not charged a made-up one");
}
