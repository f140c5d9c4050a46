//! Simulated machines against the recordings of the servers to which they were fitted.

#![allow(clippy::expect_used, reason = "a test ends where something is wrong")]

use std::time::Duration;

use nebula_metering::PostBox;
use nebula_simulator::{HostLoad, Recorded, Settings, Simulation, Task};

/// Power of packages and of memory, in watts.
type Watts = [f64; 2];

/// What the recording says of a test at a load.
fn recorded(recording: &str, test: &str, load_percent: u32) -> Watts {
    let rows = include_str!("fixtures/turbostress/power.csv").lines().map(|row| row.split(',').collect::<Vec<_>>());
    let load = load_percent.to_string();
    let row = rows.into_iter().find(|row| row[0] == recording && row[5] == test && row[6] == load);
    let row = row.expect("the recording has every test and load");
    [row[7].parse().expect("watts"), row[8].parse().expect("watts")]
}

/// Power of the machine in a second of this load, after it has settled for a fifth.
fn simulated(server: &Recorded, task: Task, load_percent: u32) -> Watts {
    let mut settings = Settings::new(1, server.machine.clone());
    settings.runtime.steady = 0.0;
    settings.host = HostLoad { task, pinned: true, ..HostLoad::steady(f64::from(load_percent) / 100.0) };
    let mut simulation = Simulation::new(settings);
    let posts: PostBox<()> = PostBox::new(1, 1);
    simulation.run_until(Duration::from_millis(200), &posts, &mut |_| ());
    let before = simulation.totals().sum();
    simulation.run_until(Duration::from_millis(1200), &posts, &mut |_| ());
    let after = simulation.totals().sum();
    [after.package - before.package, after.dram - before.dram]
}

fn servers() -> [Recorded; 3] {
    [Recorded::i3(), Recorded::m5zn(), Recorded::z1d()]
}

#[test]
fn power_by_load_is_that_of_the_recording() {
    for server in servers() {
        for load in (0..=100).step_by(10) {
            let recorded = recorded(server.recording, "CPUStress", load);
            let simulated = simulated(&server, server.ordinary, load);
            println!("{} {load:3} %: {recorded:6.0?} W recorded, {simulated:6.0?} simulated", server.recording);
            let tolerances = [0.06, 0.07];
            for ((recorded, simulated), tolerance) in recorded.iter().zip(simulated).zip(tolerances) {
                assert!((simulated / recorded - 1.0).abs() < tolerance, "{} at {load} %", server.recording);
            }
        }
    }
}

#[test]
fn power_is_concave_as_in_the_recording() {
    for server in servers() {
        let above_line = |watts: &dyn Fn(u32) -> f64, load: u32| {
            let (rest, full) = (watts(0), watts(100));
            (watts(load) - rest) / (full - rest) - f64::from(load) / 100.0
        };
        let truth = |load| recorded(server.recording, "CPUStress", load)[0];
        let model = |load| simulated(&server, server.ordinary, load)[0];
        for load in [40, 50, 60] {
            let (truth, model) = (above_line(&truth, load), above_line(&model, load));
            println!(
                "{} at {load} %: {truth:.2} of the rise above the line recorded, {model:.2} simulated",
                server.recording
            );
            assert!((0.14..0.26).contains(&model) && (truth - model).abs() < 0.05);
        }
    }
}

#[test]
fn kinds_of_stress_differ_as_in_the_recording() {
    for server in servers() {
        let kinds = [("ipsec", server.vectors), ("VMStress", server.memory), ("maximize", server.everything)];
        for (test, task) in kinds {
            let recorded = recorded(server.recording, test, 100);
            let simulated = simulated(&server, task, 100);
            println!("{} {test}: {recorded:.0?} W recorded, {simulated:.0?} simulated", server.recording);
            for (recorded, simulated) in recorded.iter().zip(simulated) {
                assert!((simulated / recorded - 1.0).abs() < 0.06, "{test} on {}", server.recording);
            }
        }
    }
}
