//! What preparing a function takes, and instances that are reused.

use crate::prelude::*;

/// Counts its calls in a global, and gives the count.
const COUNTER: &str = r#"(module
  (global $calls (mut i32) (i32.const 0))
  (func (export "run") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (global.get $calls)))"#;

#[test]
fn preparing_a_function_is_charged_to_it() {
    let folder = temporary_folder();
    let state = folder.path().join("state");
    let options = ["--window 20ms --state", state.to_str().unwrap()];
    for compiled in [true, false] {
        let daemon = Daemon::start(&options);
        let cold_start = eventually("the cold start is charged", || {
            let cold_start = daemon.get("/functions/hello-world").json()["cold_start"].clone();
            cold_start["energy_joules"].as_f64().is_some().then_some(cold_start)
        });
        assert_eq!(cold_start["compiled"], compiled, "{cold_start}");
        assert_eq!(cold_start["source"], "model");
        let (wall, cpu) = (cold_start["duration_us"].as_u64().unwrap(), cold_start["cpu_us"].as_u64().unwrap());
        assert!(cpu > 0 && wall > 0, "{cold_start}");
        // Nobody has called it: all that it was charged is for preparing it.
        let metrics = daemon.metrics();
        let labels = [("function", "hello-world")];
        let of = |component| metrics.microjoules(FUNCTION_ENERGY, &[labels[0], ("component", component)]);
        let prepared = (cold_start["energy_joules"].as_f64().unwrap() * 1e6).round() as u64;
        assert_eq!((of("active"), of("base")), (0, 0));
        // Counters go on from what the first daemon stored.
        assert!(of("preparing") == prepared || !compiled && of("preparing") > prepared, "{prepared}");
        assert_eq!(metrics.sum("nebula_function_cpu_seconds_total", &labels), 0.0);
        assert!(metrics.sum("nebula_cold_start_energy_joules_total", &labels) > 0.0 || !compiled);
        assert_eq!(metrics.sum("nebula_invocation_energy_joules_count", &labels), 0.0);
        assert!(metrics.sum("nebula_cold_start_duration_seconds", &labels) > 0.0);
        daemon.stop();
    }
}

#[test]
fn without_a_meter_only_the_time_of_a_cold_start_is_known() {
    let daemon = Daemon::start(&["--source off"]);
    let cold_start = daemon.get("/functions/hello-world").json()["cold_start"].clone();
    assert!(cold_start["duration_us"].as_u64().unwrap() > 0);
    assert!(cold_start["cpu_us"].is_null() && cold_start["energy_joules"].is_null());
    assert_eq!(cold_start["reason"], "metering is switched off");
}

#[test]
fn an_instance_is_reused_only_if_the_manifest_asks_for_it() {
    let daemon = Daemon::with_files(
        &[
            ("fresh.wat", COUNTER),
            ("serial.wat", COUNTER),
            ("serial.toml", "reuse = 'serial'\nlimits.concurrency = 1"),
            ("hello-world.toml", "reuse = 'serial'"),
            ("http-echo.toml", "reuse = 'serial'"),
        ],
        &[],
    );
    let outputs = |name: &str| [(); 3].map(|()| daemon.get(&format!("/fn/{name}")).text().trim().to_owned());
    assert_eq!(outputs("fresh"), ["1", "1", "1"]);
    assert_eq!(outputs("serial"), ["1", "2", "3"]);
    assert_eq!(daemon.get("/functions/serial").json()["manifest"]["reuse"], "serial");
    for number in 0..50 {
        let input = format!("call {number}");
        let answer = daemon.post("/invoke/http-echo", &input).json();
        assert_has(&answer, &json!({ "output": input, "status": 200 }));
    }
    assert_eq!(daemon.get("/fn/hello-world").status, 404, "a command cannot be entered twice");
    assert!(daemon.stop().contains("reuse"));
}
