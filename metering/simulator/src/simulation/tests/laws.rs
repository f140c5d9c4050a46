//! What the additional laws do, each seen alone.

use super::*;
use crate::laws::{Laws, Leakage, Licences, Sleep, Uncore, VoltageCurve};

/// A busy server with these laws, after ten seconds.
fn served(laws: Laws) -> Simulation {
    let mut simulation = Simulation::new(busy_settings(Machine::server().with_laws(laws)));
    run(&mut simulation, 100);
    simulation
}

fn quiet(machine: Machine) -> Settings {
    let mut settings = Settings::new(4, machine);
    (settings.runtime.per_call, settings.runtime.steady) = (Duration::ZERO, 0.0);
    settings
}

#[test]
fn each_law_changes_what_the_same_work_costs() {
    let plain = served(Laws::default());
    let with = |laws| served(laws).totals();
    let voltage = with(Laws { voltage: Some(VoltageCurve::ryzen_1700x(2.5)), ..Laws::default() });
    assert!((voltage.host.energy.package / plain.totals().host.energy.package - 1.0).abs() > 0.02);
    let leakage = with(Laws { leakage: Some(Leakage::server()), ..Laws::default() });
    assert!(leakage.idle.package > 1.005 * plain.totals().idle.package);
    assert_eq!(leakage.host, plain.totals().host);
    let sleep = with(Laws { sleep: Some(Sleep::skylake_server()), ..Laws::default() });
    assert!(sleep.runtime.energy.package > 1.02 * plain.totals().runtime.energy.package);
    let uncore = with(Laws { uncore: Some(Uncore::skylake_server()), ..Laws::default() });
    assert!(uncore.activation.sum() < 0.99 * plain.totals().activation.sum());
}

#[test]
fn wide_instructions_slow_a_core_down_while_they_run_and_for_a_while_after() {
    let ghz = |gap: Duration| {
        let laws = Laws { licences: Some(Licences::skylake_server()), ..Laws::default() };
        let mut settings = quiet(Machine { cores: 1, smt: 1, ..Machine::server() }.with_laws(laws));
        let (wide, narrow) = (Task::new(1.0, 0.0).wide(), Task::new(1.0, 0.0));
        settings.functions = vec![
            Function { gap: Length::fixed(gap), ..Function::new(0, wide, Duration::from_micros(100)) },
            Function { gap: Length::fixed(gap), ..Function::new(1, narrow, Duration::from_micros(100)) },
        ];
        let (posted, _) = run(&mut Simulation::new(settings), 10);
        [0, 1].map(|function| {
            let of = || ends(&posted).filter(|end| end.function == FunctionId(function));
            let cycles: u64 = of().map(|end| end.work.events.unwrap().cycles).sum();
            cycles as f64 / of().map(|end| end.work.cpu.as_nanos() as f64).sum::<f64>()
        })
    };
    let [wide, beside] = ghz(Duration::ZERO);
    assert!((wide - 3.5 * 0.875).abs() < 0.01 && (beside - 3.5 * 0.875).abs() < 0.01, "{wide} {beside}");
    let [wide, rarely_beside] = ghz(40 * MS);
    assert!((wide - 3.5 * 0.875).abs() < 0.01 && rarely_beside > 3.3, "{wide} {rarely_beside}");
}

#[test]
fn whoever_wakes_a_core_pays_for_it() {
    let joules = |sleep| {
        let mut settings = quiet(Machine::server().with_laws(Laws { sleep, ..Laws::default() }));
        let gap = Length::fixed(10 * MS);
        settings.functions = vec![Function { gap, ..Function::new(0, Task::new(1.0, 1.0), MS) }];
        let mut simulation = Simulation::new(settings);
        let (posted, _) = run(&mut simulation, 10);
        let calls = ends(&posted).count();
        assert_eq!(calls, 91);
        ends(&posted).map(|end| end.truth.active.package).sum::<f64>() / 91.0
    };
    let more = joules(Some(Sleep::skylake_server())) - joules(None);
    assert!((more - 0.5 * 600e-6).abs() < 1e-6, "{more}");
}

#[test]
fn power_beside_the_processors_steps_up_and_down() {
    let mut simulation = Simulation::new(quiet(Machine::server()));
    let mut watts = Vec::new();
    for extra in [0.0, 15.0, 0.0] {
        simulation.set_extra_watts(extra);
        let before = simulation.zones()[0].1;
        run(&mut simulation, 10);
        watts.push(simulation.zones()[0].1 - before);
    }
    let expected = [12.0, 27.0, 12.0];
    assert!(watts.iter().zip(expected).all(|(watts, expected)| (watts - expected).abs() < 1e-6), "{watts:?}");
    assert!((simulation.totals().idle.package - 51.0).abs() < 1e-6);
}

#[test]
fn neighbours_are_in_the_counter_and_on_no_clock() {
    let mut simulation = Simulation::new(quiet(Machine::guest_of_server()));
    let (_, moments) = run(&mut simulation, 600);
    assert_eq!(moments[599].busy, Duration::ZERO);
    assert!(moments.iter().all(|moment| moment.frequency_ppm.is_none()));
    let totals = simulation.totals();
    assert!((7.0..30.0).contains(&(totals.neighbours.package / 60.0)), "{totals:?}");
    assert!((simulation.zones()[0].1 - totals.sum().package).abs() < 1e-6);
}
