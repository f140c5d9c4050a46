//! The plan on simulated machines, whose power is known: what it teaches on a quiet machine.

use std::time::{Duration, SystemTime};

use nebula_metering::source::SourceKind;
use nebula_metering::work::Work;
use nebula_metering::{Meter, PostBox};
use nebula_simulator::{EndedCall, Function, Length, Machine, Settings, Simulation, Task};

use super::{Experiment, Findings, Kernel, Plan};

const WINDOW: Duration = Duration::from_millis(100);

/// What each kernel looks like to the processor.
fn task(kernel: Kernel) -> Task {
    match kernel {
        Kernel::Integer | Kernel::Sleep => Task::new(2.4, 0.0),
        Kernel::Float => Task::new(2.0, 0.1).wide(),
        Kernel::Memory => Task::new(0.5, 30.0),
    }
}

fn calibrate(machine: Machine, pmu: bool) -> Findings {
    let processors = machine.cpus();
    let mut simulation = Simulation::new(Settings { pmu, ..Settings::new(7, machine) });
    let mut meter = Meter::new(simulation.source(), simulation.topology(), 100_000);
    let posts = PostBox::new(1, 1 << 16);
    let (mut now, mut settled) = (Duration::ZERO, Vec::new());
    let mut work = [Work::default(); Kernel::COUNT];
    let plan = Plan::new(processors, super::Conduct::TIME);
    for step in &plan.steps {
        let function = |kernel: Kernel| Function {
            concurrency: step.threads[kernel as usize],
            gap: Length::fixed(kernel.pause().unwrap_or_default()),
            ..Function::new(
                kernel as u32,
                task(kernel),
                Duration::from_millis(if kernel == Kernel::Sleep { 1 } else { 50 }),
            )
        };
        simulation.set_functions(&Kernel::all().map(function).collect::<Vec<_>>());
        let end = now + plan.length;
        while now < end {
            now = end.min(now + WINDOW);
            let mut note = |_: &EndedCall| ();
            let moment = simulation.run_until(now, &posts, &mut note);
            meter.close_window(&moment, &posts, &mut settled);
        }
    }
    meter.finish(&mut settled);
    for (function, cpu) in meter.functions_cpu() {
        work[function.0 as usize] = Work::of_cpu(cpu);
    }
    Findings::of(&Experiment {
        meter,
        kind: SourceKind::Simulated,
        begun: SystemTime::now(),
        time: plan.time(),
        work,
        others: 0.0,
        processors,
        knows_clock: true,
    })
}

#[test]
fn a_quiet_machine_is_known_after_half_a_minute() {
    for (name, machine) in
        [("server", Machine::server()), ("desktop", Machine::desktop()), ("laptop", Machine::laptop())]
    {
        let (idle, activation) = (machine.idle_watts, machine.activation_watts);
        let findings = calibrate(machine, false);
        let package = &findings.zones.iter().find(|zone| zone.zone == "package-0").unwrap();
        let (base, uncertainty) = (package.base_watts, package.base_uncertainty_watts);
        assert!((base - idle).abs() < uncertainty.max(0.05 * idle), "{name}: {findings}");
        assert!(uncertainty < 0.2 * idle, "{name}: {findings}");
        let (value, uncertainty) = (package.activation_watts.unwrap(), package.activation_uncertainty_watts.unwrap());
        assert!((value - activation).abs() < 2.0 * uncertainty, "{name}: {findings}");
        assert!(findings.charges.known_function.unwrap() < 0.25, "{name}: {findings}");
    }
}
