//! The text of `/metrics`: its names, labels and manners.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::daemon::Daemon;
use crate::exposition::Exposition;
use crate::powercap_tree::Tree;
use crate::skipping::skipped;
use crate::waiting::until;

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
    let bounds = ["--power-max", "1kW", "--quota-joules-per-hour", "1kWh", "--carbon-intensity", "302"];
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
    assert!((joules - account).abs() < 2e-6, "calls {joules} J, the function {account} J");
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

#[test]
fn a_bucket_names_a_call_that_was_in_it() {
    let daemon = Daemon::start(&["--source", "model", "--window", "10ms"]);
    let scrape =
        || daemon.request("GET", "/metrics", &["accept: application/openmetrics-text; version=1.0.0, */*;q=0.1"], b"");
    let exemplar = || {
        daemon.get("/invoke/prime-number?input=500");
        let response = scrape();
        assert_eq!(response.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
        let text = response.text().to_owned();
        assert!(text.ends_with("# EOF\n"));
        let bucket = "nebula_invocation_energy_joules_bucket{function=\"prime-number\"";
        let named = text.lines().find(|line| line.starts_with(bucket) && line.contains(" # {invocation_id=\""))?;
        let (series, exemplar) = named.split_once(" # {invocation_id=\"").unwrap();
        let (id, rest) = exemplar.split_once("\"} ").unwrap();
        let bound: f64 =
            series.split("le=\"").nth(1).unwrap().split('"').next().unwrap().replace("+Inf", "inf").parse().unwrap();
        let joules: f64 = rest.split(' ').next().unwrap().parse().unwrap();
        Some((id.to_owned(), joules, bound))
    };
    let mut found = None;
    until("a bucket names a call", || {
        found = exemplar();
        found.is_some()
    });
    let (id, joules, bound) = found.unwrap();
    let call = daemon.get(&format!("/invocations/{id}")).json();
    assert_eq!(
        (&call["function"], &call["energy"]["active_joules"]),
        (&"prime-number".into(), &joules.into()),
        "{call}"
    );
    assert!(joules <= bound);
}

#[test]
fn metrics_are_compressed_for_those_who_read_it() {
    let daemon = Daemon::shared(&["--source", "model", "--window", "10ms"]);
    let plain = daemon.get("/metrics");
    assert_eq!(plain.header("content-encoding"), None);
    let small = daemon.request("GET", "/metrics", &["accept-encoding: gzip"], b"");
    assert_eq!(
        (small.header("content-encoding"), small.header("vary")),
        (Some("gzip"), Some("accept, accept-encoding"))
    );
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*small.body).read_to_string(&mut text).unwrap();
    assert!(text.lines().count() > 100 && small.body.len() * 4 < text.len());
}

#[test]
fn functions_that_nobody_called_have_counters_and_no_histograms() {
    let daemon = Daemon::start(&["--source", "model"]);
    daemon.get("/invoke/answer");
    let metrics = daemon.metrics();
    let of = |function: &'static str, name: &'static str| metrics.find(name, &[("function", function)]).count();
    assert_eq!((of("add", "nebula_invocations_total"), of("answer", "nebula_invocations_total")), (7, 7));
    let histogram = "nebula_invocation_duration_seconds_count";
    let [uncalled, called] =
        ["add", "answer"].map(|function| metrics.find(histogram, &[("function", function)]).count());
    assert_eq!((uncalled, called), (0, 1));
}

#[test]
fn the_process_and_its_pools_are_shown() {
    let daemon = Daemon::start(&["--source", "model"]);
    let idle = daemon.connect();
    let metrics = daemon.metrics();
    let value = |name: &str, labels: &[(&str, &str)]| metrics.sum(name, labels);
    assert!(value("process_resident_memory_bytes", &[]) > 1e6);
    assert!(value("process_open_fds", &[]) > 3.0);
    let cpu = value("process_cpu_seconds_total", &[]);
    assert!(cpu > 0.0 && cpu.fract() > 0.0, "{cpu} s");
    assert_eq!(value("nebula_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert!(value("nebula_pool_slots", &[("pool", "memories")]) >= 1.0);
    assert_eq!(value("nebula_pool_slots_used", &[("pool", "memories")]), 0.0);
    let asked = ["hit", "miss"].map(|result| value("nebula_code_cache_requests_total", &[("result", result)]));
    assert!(asked[0] + asked[1] >= value("nebula_functions", &[]), "{asked:?}");
    until("both connections are counted", || daemon.metrics().sum("nebula_connections", &[]) == 2.0);
    drop(idle);
    until("only the scrape's own is left", || daemon.metrics().sum("nebula_connections", &[]) == 1.0);
}

#[test]
fn the_ledger_counts_the_settled_calls_of_each_function() {
    let daemon = Daemon::start(&["--source", "model", "--window", "10ms"]);
    until("a window is closed", || daemon.get("/invoke/add?input=1,1").json()["energy"]["state"] == "estimated");
    for _ in 0..3 {
        daemon.get("/invoke/prime-number?input=600");
    }
    let calls = || daemon.get("/energy").json()["calls"]["prime-number"].clone();
    until("three calls are settled", || calls()["settled"] == 3);
    let joules = daemon.metrics().sum("nebula_invocation_energy_joules_sum", &[("function", "prime-number")]);
    let calls = calls();
    assert!((calls["active_joules"].as_f64().unwrap() - joules).abs() < 1e-9, "{calls} and {joules} J");
    assert_eq!(calls["active_microjoules"].as_f64().unwrap() / 1e6, calls["active_joules"].as_f64().unwrap());
}
