//! The text of `/metrics`: its names, labels and manners.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::daemon::Daemon;
use crate::exposition::Exposition;
use crate::patience::until;
use crate::powercap_tree::Tree;
use crate::skipping::skipped;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.txt");

/// The text with `#` for every number.
fn masked(text: &str) -> String {
    let mask = |line: &str| match line.rsplit_once(' ') {
        Some((series, _)) if !line.starts_with('#') => format!("{series} #\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(mask).collect()
}

/// Everything that a daemon with a measured source and few labels shows after some calls.
static SHOWN: LazyLock<String> = LazyLock::new(|| {
    let tree = Tree::new();
    let mut counters = [
        tree.zone("intel-rapl:0", "package-0", 0),
        tree.zone("intel-rapl:0:0", "core", 0),
        tree.zone("intel-rapl:0:1", "dram", 0),
        tree.zone("intel-rapl:1", "psys", 0),
    ];
    let bounds = ["--power-max", "1kW", "--quota-joules-per-hour", "1kWh"];
    let options = ["--source", "powercap", "--sysfs-root", tree.root(), "--metrics-functions", "2"];
    let daemon = Daemon::start(&[&options[..], &bounds].concat());
    for function in ["add", "answer", "sudoku"] {
        daemon.get(&format!("/invoke/{function}"));
    }
    for counter in &mut counters {
        counter.advance(30_000);
    }
    let settled = |metrics: &Exposition| {
        let functions = metrics.find("nebula_function_energy_joules_total", &[("function", "other")]).count();
        let energies = metrics.sum("nebula_invocation_energy_joules_count", &[]);
        functions > 0 && energies >= 3.0
    };
    until("the calls are settled", || settled(&daemon.metrics()));
    daemon.metrics().text
});

#[test]
fn names_helps_types_and_labels_are_those_of_the_golden_file() {
    let shown = masked(&SHOWN);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(Path::new(GOLDEN).parent().unwrap()).unwrap();
        fs::write(GOLDEN, &shown).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    let differs = |(golden, shown): &(&str, &str)| golden != shown;
    let first = golden.lines().zip(shown.lines()).find(differs);
    let why = "UPDATE_GOLDEN=1 rewrites the file if the change is wanted";
    assert!(golden == shown, "the golden file and /metrics differ first in {first:#?}; {why}");
}

#[test]
fn functions_beyond_the_cap_share_the_label_other() {
    let daemon = Daemon::start(&["--source", "model", "--metrics-functions", "2"]);
    for (function, label) in [("add", "add"), ("answer", "answer"), ("echo", "other"), ("sudoku", "other")] {
        let count = || daemon.metrics().sum("nebula_invocations_total", &[("function", label)]);
        let before = count();
        daemon.get(&format!("/invoke/{function}"));
        assert_eq!(count(), before + 1.0, "{function}");
    }
    let metrics = daemon.metrics();
    let labels: std::collections::BTreeSet<_> =
        metrics.series().filter_map(|series| series.labels.get("function")).collect();
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), ["add", "answer", "other"]);
}

#[test]
fn counters_never_fall() {
    let daemon = Daemon::shared(&["--source", "model", "--window", "10ms"]);
    let mut before = daemon.metrics();
    for round in 0..40 {
        daemon.get(["/invoke/answer", "/invoke/unreachable", "/invoke/fibonacci-recursive?input=18"][round % 3]);
        let after = daemon.metrics();
        let mut rose = 0;
        for series in before.series().filter(|series| series.is_cumulative()) {
            let labels: Vec<_> = series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let next = after.find(&series.name, &labels).find(|next| next.labels == series.labels);
            let next = next.unwrap_or_else(|| panic!("{series:?} has gone"));
            assert!(next.value >= series.value, "{series:?} fell to {}", next.value);
            rose += usize::from(next.value > series.value);
        }
        assert!(rose > 0);
        before = after;
    }
}

#[test]
fn settled_energy_is_observed_once_for_each_call() {
    let daemon = Daemon::shared(&["--source", "model", "--window", "10ms"]);
    let count = || daemon.metrics().sum("nebula_invocation_energy_joules_count", &[("function", "prime-number")]);
    assert_eq!(count(), 0.0);
    // The first window of a source is its baseline; calls in it are not fully known.
    until("a window is closed", || daemon.get("/invoke/add?input=1,1").json()["energy"]["state"] == "estimated");
    for _ in 0..5 {
        daemon.get("/invoke/prime-number?input=600");
    }
    until("five calls are settled", || count() == 5.0);
    let joules = daemon.metrics().sum("nebula_invocation_energy_joules_sum", &[("function", "prime-number")]);
    let account = [("function", "prime-number"), ("component", "active")];
    let account = daemon.metrics().sum("nebula_function_energy_joules_total", &account);
    let cold_start = daemon.cold_start("prime-number");
    let all = joules + cold_start;
    assert!((all - account).abs() < 2e-6, "calls {joules} J, cold start {cold_start} J, the function {account} J");
}

#[test]
fn promtool_finds_nothing_to_complain_of() {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        skipped("promtool is not installed");
        return;
    };
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(SHOWN.as_bytes()).unwrap();
    drop(stdin);
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(String::from_utf8_lossy(&said), "");
    assert!(output.status.success());
}
