//! `nebula calibrate` on a made-up powercap tree whose counter follows the real CPU use of this machine.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use crate::daemon::CACHE;
use crate::prelude::*;

/// Watts that the made-up machine draws at rest, and for each busy processor on top.
const BASE: f64 = 12.0;
const EACH: f64 = 5.0;

/// Processes that keep every processor busy.
struct Busy(Vec<Child>);

impl Busy {
    fn start() -> Self {
        let processors = thread::available_parallelism().unwrap().get();
        let spin = || Command::new("sh").args(["-c", "while :; do :; done"]).stdout(Stdio::null()).spawn().unwrap();
        Self((0..processors).map(|_| spin()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|child| drop((child.kill(), child.wait())));
    }
}

fn calibrate(tree: &Tree, state: &Path, options: &[&str]) -> Output {
    let state = state.to_str().unwrap();
    let command = ["calibrate", "--sysfs-root", tree.root(), "--state", state];
    run(nebula().args(command).args(options))
}

fn watts(found: &Value, name: &str) -> (f64, f64) {
    let member = |name: &str| found[name].as_f64().unwrap_or_else(|| panic!("no {name}: {found}"));
    (member(&format!("{name}watts")), member(&format!("{name}uncertainty_watts")))
}

#[test]
fn known_work_teaches_what_the_machine_draws_and_the_next_daemon_starts_from_it() {
    let tree = Tree::new();
    let _moving = tree.zone("intel-rapl:0", "package-0", 0).follow_cpu(BASE, EACH);
    let state = temporary_folder();
    // Other tests keep this machine busy.
    let output = calibrate(&tree, state.path(), &["--source", "powercap", "--time", "10s", "--force", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "", "there is no progress where there is no terminal");
    let found: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&found["source"], &found["zones"][0]["zone"]), (&json!("powercap"), &json!("package-0")));
    let (base, uncertainty) = watts(&found["zones"][0], "base_");
    assert!((base - BASE).abs() < 2.0 * uncertainty + 1.0, "{BASE} W are {base} W ± {uncertainty} W: {found}");
    for kernel in &found["kernels"].as_array().unwrap()[..3] {
        let (watts, uncertainty) = watts(kernel, "");
        assert!((watts - EACH).abs() < 2.0 * uncertainty + 1.0, "{EACH} W are {watts} W ± {uncertainty} W: {found}");
        assert!(kernel["cpu_seconds"].as_f64().unwrap() > 0.0, "{found}");
    }
    let names: Vec<&Value> = found["kernels"].as_array().unwrap().iter().map(|kernel| &kernel["kernel"]).collect();
    assert_eq!(names, ["integer", "float", "memory", "sleep"]);
    for charges in ["new_function", "known_function"] {
        assert!(found["charges"][charges].as_f64().unwrap() > 0.0, "{found}");
    }

    let doctor = run(nebula().args(["doctor", "--sysfs-root", tree.root(), "--state", state.path().to_str().unwrap()]));
    let report = stdout(&doctor);
    assert!(report.contains("package-0 from `powercap`: calibrated at 20"), "{report}");

    let options = ["--calibrate auto --state", state.path().to_str().unwrap(), "--cache-dir", CACHE];
    let daemon = tree.daemon(&options);
    let known = &daemon.get("/energy").json()["zones"][0]["calibration"];
    assert!(known["calibrated"].is_string() && known["learned_since"] == known["calibrated"], "{known}");
    assert!(!daemon.log().contains("calibrating"), "it is known already: {}", daemon.log());
}

#[test]
fn a_busy_machine_is_not_calibrated_and_the_error_names_who_is_busy() {
    let tree = Tree::new();
    let _moving = tree.zone("intel-rapl:0", "package-0", 0).follow_cpu(BASE, EACH);
    let state = temporary_folder();
    let _busy = Busy::start();
    let output = calibrate(&tree, state.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    for part in [
        "nebula: the machine is busy: others use ",
        "Busiest: ",
        " (process ",
        "pass --force to calibrate all the same",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!state.path().join("knowledge.json").exists());

    let daemon = tree.daemon(&["--calibrate auto --state", state.path().to_str().unwrap(), "--cache-dir", CACHE]);
    let log = daemon.log();
    assert!(log.contains("not calibrated: the machine is busy: others use "), "{log}");
    assert_eq!(daemon.get("/invoke/answer").status, 200, "it serves all the same");
}

#[test]
fn a_source_that_measures_nothing_leaves_nothing_to_calibrate() {
    let (tree, state) = (Tree::new(), temporary_folder());
    for source in ["model", "simulated", "off"] {
        let output = calibrate(&tree, state.path(), &["--source", source]);
        assert_eq!(output.status.code(), Some(64), "{source}: {}", stderr(&output));
        assert!(stderr(&output).contains("nebula: there is nothing to calibrate: "), "{source}: {}", stderr(&output));
    }
}

#[test]
fn a_directory_that_a_daemon_uses_is_refused() {
    let tree = Tree::new();
    let _counter = tree.zone("intel-rapl:0", "package-0", 0);
    let state = temporary_folder();
    let _daemon = tree.daemon(&["--state", state.path().to_str().unwrap(), "--cache-dir", CACHE]);
    let output = calibrate(&tree, state.path(), &["--force"]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(
        error.contains("nebula: a daemon (process ") && error.contains("stop it, calibrate, and start it again"),
        "{error}"
    );
}
