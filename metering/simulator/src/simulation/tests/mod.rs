//! What the simulation promises.

mod laws;
mod schedule;

use super::*;
use crate::laws::{Laws, Leakage, VoltageCurve};
use crate::settings::Length;
use crate::task::Task;
use crate::truth::Spent;
use nebula_metering::{Counter, Domain, FunctionId, Observation, Posting, Slice};

const MS: Duration = Duration::from_millis(1);

type Posted = Posting<EndedCall>;

/// A daemon under mixed load.
fn busy_settings(machine: Machine) -> Settings {
    let mut settings = Settings::new(11, machine);
    let short = Function {
        concurrency: 6,
        gap: Length::around(3 * MS, 0.5),
        call_length: Length::around(MS, 0.3),
        ..Function::new(0, Task::new(2.0, 1.0), MS)
    };
    let long = Function { concurrency: 2, ..Function::new(1, Task::new(0.6, 8.0), 23 * MS) };
    settings.functions = vec![short, long];
    settings.host = HostLoad { wander: 0.2, burstiness: 0.5, ..HostLoad::steady(0.2) };
    settings
}

fn all_laws() -> Machine {
    Machine::desktop().with_laws(Laws::all(VoltageCurve::ryzen_1700x(3.2), Leakage::desktop()))
}

/// Runs windows of a tenth of a second and gives everything that was posted, and the moments at their ends.
fn run(simulation: &mut Simulation, windows: u32) -> (Vec<Posted>, Vec<Moment>) {
    let posts = PostBox::new(1, 10_000);
    let (mut posted, mut moments) = (Vec::new(), Vec::new());
    let begin = simulation.moment().monotonic;
    for window in 1..=windows {
        moments.push(simulation.run_until(begin + 100 * MS * window, &posts, &mut |ended| *ended));
        posts.collect(|posting| posted.push(posting));
    }
    assert_eq!(posts.dropped(), 0);
    (posted, moments)
}

fn slices(posted: &[Posted]) -> impl Iterator<Item = &Slice> {
    posted.iter().filter_map(|posting| match posting {
        Posting::Slice(slice) | Posting::Whole(slice, _) => Some(slice),
        Posting::End { .. } => None,
    })
}

fn ends(posted: &[Posted]) -> impl Iterator<Item = &EndedCall> {
    posted.iter().filter_map(|posting| match posting {
        Posting::Slice(_) => None,
        Posting::End { end, .. } | Posting::Whole(_, end) => Some(end),
    })
}

/// Mean active power of a function's ended calls while they ran.
fn watts(posted: &[Posted], function: u32) -> f64 {
    let of = || ends(posted).filter(|end| end.function == FunctionId(function));
    let joules: f64 = of().map(|end| end.truth.active.sum()).sum();
    joules / of().map(|end| end.work.cpu.as_secs_f64()).sum::<f64>()
}

#[test]
fn the_parts_add_up_to_what_the_zones_used() {
    let machines = [
        Machine::server(),
        Machine::server_of_two_packages(),
        Machine::desktop(),
        Machine::laptop(),
        Machine::guest_of_server(),
        all_laws(),
    ];
    for machine in machines {
        let mut simulation = Simulation::new(busy_settings(machine));
        run(&mut simulation, 20);
        let zones = simulation.zones();
        for (package, zones) in zones.chunks(2).enumerate() {
            let sum = simulation.totals_of(package).sum();
            assert!((sum.package - zones[0].1).abs() < 1e-6, "{sum:?} {zones:?}");
            assert!((sum.dram - zones[1].1).abs() < 1e-6, "{sum:?} {zones:?}");
        }
        let all: f64 = zones.iter().map(|(_, joules)| joules).sum();
        assert!((simulation.totals().sum().sum() - all).abs() < 1e-5);
    }
}

#[test]
fn drained_calls_make_up_their_functions() {
    drained_calls_make_up_the_functions_of(Machine::server());
    drained_calls_make_up_the_functions_of(all_laws());
}

fn drained_calls_make_up_the_functions_of(machine: Machine) {
    let mut simulation = Simulation::new(busy_settings(machine));
    let (mut posted, _) = run(&mut simulation, 10);
    assert!(simulation.running() > 0);
    simulation.drain();
    posted.extend(run(&mut simulation, 3).0);
    assert_eq!(simulation.running(), 0);
    let totals = simulation.totals();
    for (&function, spent) in &totals.functions {
        let of = || ends(&posted).filter(|end| end.function == function);
        let package: f64 = of().map(|end| end.truth.active.package).sum();
        assert!((package - spent.energy.package).abs() < 1e-9, "{package} {spent:?}");
        assert_eq!(of().map(|end| end.work.cpu).sum::<Duration>(), spent.cpu);
        let slices = slices(&posted).filter(|slice| slice.function == function);
        assert_eq!(slices.map(|slice| slice.work.cpu).sum::<Duration>(), spent.cpu);
    }
    assert!(run(&mut simulation, 2).0.is_empty());
}

#[test]
fn shares_of_what_is_drawn_anyway_never_exceed_it() {
    let mut simulation = Simulation::new(busy_settings(Machine::server_of_two_packages()));
    let (posted, _) = run(&mut simulation, 20);
    let totals = simulation.totals();
    let activation: f64 = ends(&posted).map(|end| end.truth.activation.sum()).sum();
    let base: f64 = ends(&posted).map(|end| end.truth.base.sum()).sum();
    assert!(
        activation > 0.1 * totals.activation.sum() && activation < totals.activation.sum(),
        "{activation} {totals:?}"
    );
    assert!(base > 0.1 * totals.idle.sum() && base < totals.idle.sum(), "{base} {totals:?}");
}

#[test]
fn the_same_seed_gives_the_same_machine_and_another_seed_another() {
    let live = |seed, window: u32| {
        let mut simulation = Simulation::new(Settings { seed, ..busy_settings(Machine::server()) });
        let (posted, moments) = run(&mut simulation, window);
        (slices(&posted).copied().collect::<Vec<_>>(), moments, simulation.totals())
    };
    assert_eq!(live(11, 5), live(11, 5));
    assert_ne!(live(11, 5), live(12, 5));
}

#[test]
fn what_counters_make_of_the_readings_is_the_truth_of_the_last_update() {
    let mut simulation = Simulation::new(busy_settings(Machine::server()));
    // The package's register wraps after six joules.
    let package = Zone::new(Domain::Package, "0");
    simulation.script(&package, [Fault::Reset(u32::MAX - 100_000)]);
    let mut source = simulation.source();
    let mut counters: Vec<_> = source.counters().iter().cloned().map(Counter::new).collect();
    let posts = PostBox::new(1, 10_000);
    let (mut readings, mut sums, mut starts) = (Vec::new(), [0; 2], [0; 2]);
    for window in 0..30_u32 {
        let moment = simulation.run_until(77 * MS * window, &posts, &mut |_| ());
        posts.collect(drop);
        source.read(&moment, &mut readings);
        for (zone, reading) in readings.iter().enumerate() {
            let register = simulation.board.with(|board| board.register(zone).unwrap().clone());
            match counters[zone].observe(reading, &moment) {
                Observation::Baseline => starts[zone] = register.position(),
                Observation::Window(energy) => sums[zone] += u128::from(energy.0),
                Observation::Gap { .. } | Observation::Standby => panic!("{reading:?}"),
            }
            assert!((register.position() - starts[zone]).abs_diff(sums[zone]) <= 1);
            let hidden = register.total_nj() - register.total_shown_nj();
            assert!(hidden < 150_000_000, "{hidden} nJ in a millisecond");
        }
    }
    assert!(starts[0] + sums[0] > source.counters()[0].range.unwrap().0.into());
}

#[test]
fn the_power_of_the_host_wanders_as_far_as_it_is_told_to() {
    let mut settings = Settings::new(8, Machine::server());
    settings.host = HostLoad { wander: 0.2, ..HostLoad::steady(0.9) };
    let mut simulation = Simulation::new(settings);
    let mut watts = Vec::new();
    let mut last = Spent::default();
    for _ in 0..200 {
        run(&mut simulation, 1);
        let spent = simulation.totals().host;
        let seconds = (spent.cpu - last.cpu).as_secs_f64();
        watts.push((spent.energy.package - last.energy.package) / seconds);
        last = spent;
    }
    let mean = watts.iter().sum::<f64>() / 200.0;
    let deviation = (watts.iter().map(|watts| (watts / mean - 1.0).powi(2)).sum::<f64>() / 200.0).sqrt();
    assert!((0.1..0.3).contains(&deviation), "{deviation}");
}

#[test]
fn twice_the_work_costs_twice_the_power_and_the_counters_tell() {
    let mut settings = Settings::new(4, Machine::server());
    let light = Task::new(0.5, 0.2);
    // Cycles cost both the same; found by solving for instructions and misses.
    let heavy = Task::new(2.15, 0.75);
    settings.functions = vec![
        Function { concurrency: 4, ..Function::new(0, light, 2 * MS) },
        Function { concurrency: 4, ..Function::new(1, heavy, 2 * MS) },
    ];
    let (posted, _) = run(&mut Simulation::new(settings), 20);
    let ratio = watts(&posted, 1) / watts(&posted, 0);
    assert!((1.9..2.1).contains(&ratio), "{ratio}");
    let instructions = |function| {
        let of = ends(&posted).filter(|end| end.function == FunctionId(function));
        of.map(|end| end.work.events.unwrap().instructions).sum::<u64>() as f64
    };
    assert!((3.8..4.8).contains(&(instructions(1) / instructions(0))));
}

#[test]
fn without_a_pmu_the_same_calls_have_no_events() {
    let mut settings = busy_settings(Machine::server());
    settings.pmu = false;
    let (posted, _) = run(&mut Simulation::new(settings), 2);
    assert!(slices(&posted).all(|slice| slice.work.events.is_none()) && slices(&posted).count() > 10);
}

#[test]
fn crowded_cores_are_slower_and_cheaper_than_lone_ones() {
    let alone_and_crowded = [1, 16].map(|concurrency| {
        let mut settings = Settings::new(4, Machine::server());
        settings.functions = vec![Function { concurrency, ..Function::new(0, Task::new(1.5, 0.5), 2 * MS) }];
        let (posted, _) = run(&mut Simulation::new(settings), 10);
        let seconds: f64 = ends(&posted).map(|end| end.work.cpu.as_secs_f64()).sum();
        let events = ends(&posted).filter_map(|end| end.work.events);
        let (cycles, instructions) =
            events.fold((0, 0), |sum, events| (sum.0 + events.cycles, sum.1 + events.instructions));
        (cycles as f64 / seconds / 1e9, instructions as f64 / cycles as f64, watts(&posted, 0))
    });
    let [(turbo, ipc_alone, watts_alone), (all_cores, ipc_crowded, watts_crowded)] = alone_and_crowded;
    assert!((turbo - 3.5).abs() < 0.05 && (all_cores - 2.9).abs() < 0.05, "{turbo} {all_cores}");
    assert!((ipc_alone - 1.5).abs() < 0.03 && (ipc_crowded - 1.5 * 0.62).abs() < 0.05, "{ipc_alone} {ipc_crowded}");
    assert!(watts_crowded < 0.6 * watts_alone, "{watts_crowded} {watts_alone}");
}

#[test]
fn activation_lasts_as_long_as_any_processor_is_busy() {
    let mut settings = Settings::new(4, Machine::server());
    settings.runtime.steady = 0.0;
    settings.runtime.per_call = Duration::ZERO;
    let gap = Length::fixed(30 * MS);
    settings.functions = vec![Function { gap, ..Function::new(0, Task::new(1.0, 1.0), 10 * MS) }];
    let mut simulation = Simulation::new(settings);
    run(&mut simulation, 20);
    let totals = simulation.totals();
    let seconds = totals.functions_cpu().as_secs_f64();
    assert!((0.4..0.6).contains(&seconds));
    assert!((totals.activation.package - 8.0 * seconds).abs() < 1e-9, "{totals:?}");
}

#[test]
fn an_idle_machine_draws_what_it_draws_idle() {
    let mut settings = Settings::new(4, Machine::server());
    settings.runtime.steady = 0.0;
    let mut simulation = Simulation::new(settings);
    let (_, moments) = run(&mut simulation, 10);
    assert_eq!(moments[9].busy, Duration::ZERO);
    assert!((simulation.zones()[0].1 - 12.0).abs() < 1e-6);
    assert!((simulation.zones()[1].1 - 2.5).abs() < 1e-6);
}
