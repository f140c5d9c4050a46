use nebula_metering::simulator::*;
use nebula_metering::{FunctionId, Meter, PostBox};
use std::time::Duration;
fn main() {
    let task = Task { ipc: 1.5, misses_per_kilo_instruction: 1.0, factor: 1.0 };
    let settings = Settings { pmu: false, ..Settings::new(1, Machine::server()) };
    let mut simulation = Simulation::new(settings);
    let mut meter: Meter<f64> = Meter::new(simulation.source(), simulation.topology(), 1 << 20);
    let posts = PostBox::new(1, 1 << 20);
    let mut now = Duration::ZERO;
    let mut settled = Vec::new();
    let mut run = |simulation: &mut Simulation, meter: &mut Meter<f64>, secs: u64, label: &str| {
        let before = simulation.totals();
        let rep0: Vec<_> = meter.report().iter().map(|z| z.accounts.clone()).collect();
        for _ in 0..secs * 10 {
            now += Duration::from_millis(100);
            let m = simulation.run_until(now, &posts, &mut |call: &EndedCall| call.truth.active.sum());
            meter.close_window(&m, &posts, &mut settled);
        }
        let after = simulation.totals();
        println!("== {label}");
        println!(
            "truth act {:.2} W idle {:.2} host {:.2} W cpu {:.2}  rt {:.3} W cpu {:.3}",
            (after.activation - before.activation) / secs as f64,
            (after.idle.package - before.idle.package) / secs as f64,
            (after.host.energy.package - before.host.energy.package) / secs as f64,
            (after.host.cpu - before.host.cpu).as_secs_f64() / secs as f64,
            (after.runtime.energy.package - before.runtime.energy.package) / secs as f64,
            (after.runtime.cpu - before.runtime.cpu).as_secs_f64() / secs as f64
        );
        for f in [FunctionId(0), FunctionId(1)] {
            if let Some(s) = after.functions.get(&f) {
                let b = before.functions.get(&f).copied().unwrap_or_default();
                println!(
                    "  f{} {:.2} W cpu {:.2} => {:.2} W/cpu",
                    f.0,
                    (s.energy.package - b.energy.package) / secs as f64,
                    (s.cpu - b.cpu).as_secs_f64() / secs as f64,
                    (s.energy.package - b.energy.package) / (s.cpu - b.cpu).as_secs_f64()
                );
            }
        }
        for (i, z) in meter.report().iter().enumerate() {
            let a0 = rep0.get(i).cloned().unwrap_or_default();
            let f = |k: usize| {
                (z.accounts.functions.get(k).map_or(0, |f| f.active.0) - a0.functions.get(k).map_or(0, |f| f.active.0))
                    as f64
                    / 1e6
                    / secs as f64
            };
            println!(
                " {} base {:?} watts {:?} meter: f0 {:.2} f1 {:.2} rt {:.2} host {:.2} base {:.2} gap {:?}",
                z.zone,
                z.base,
                z.watts,
                f(0),
                f(1),
                (z.accounts.runtime.0 - a0.runtime.0) as f64 / 1e6 / secs as f64,
                (z.accounts.host.0 - a0.host.0) as f64 / 1e6 / secs as f64,
                (z.accounts.base.0 - a0.base.0) as f64 / 1e6 / secs as f64,
                z.accounts.gap
            );
            if let Some(l) = &z.learned {
                print!("   {:?}", l.state);
                for c in &l.coefficients {
                    print!(" {}={:.3}±{:.3}", c.feature.as_str(), c.value, c.deviation);
                }
                println!();
            }
        }
    };
    run(&mut simulation, &mut meter, 10, "quiet");
    for (a, b, host) in
        [(2, 0, 0.0), (0, 3, 0.1), (6, 1, 0.3), (1, 8, 0.0), (0, 0, 0.5), (4, 4, 0.8), (1, 0, 0.0), (0, 1, 0.2)]
    {
        let function = |id, task, concurrency| Function {
            concurrency,
            call_length: Length::around(Duration::from_millis(20), 0.9),
            gap: Length::around(Duration::from_millis(30), 0.9),
            ..Function::new(id, task, Duration::from_millis(1))
        };
        simulation.set_functions(&[function(0, task, a), function(1, task, b)]);
        simulation.set_host(HostLoad { wander: 0.05, burstiness: 0.2, ..HostLoad::steady(host) });
        run(&mut simulation, &mut meter, 8, &format!("{a} {b} {host}"));
    }
}
