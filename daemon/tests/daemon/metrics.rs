//! The text of `/metrics`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::prelude::*;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.txt");

/// The text with `#` for every number.
fn masked(text: &str) -> String {
    let mask = |line: &str| match line.rsplit_once(' ') {
        Some((series, _)) if !line.starts_with('#') => format!("{series} #\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(mask).collect()
}

/// The whole text of a daemon with a measured source and few labels, after some calls.
static SHOWN: LazyLock<String> = LazyLock::new(|| {
    let tree = Tree::new();
    let mut counters = [
        tree.zone("intel-rapl:0", "package-0", 0),
        tree.zone("intel-rapl:0:0", "core", 0),
        tree.zone("intel-rapl:0:1", "dram", 0),
        tree.zone("intel-rapl:1", "psys", 0),
    ];
    let bounds = "--metrics-functions 2 --power-max 1kW --quota-joules-per-hour 1kWh --carbon-intensity 302";
    let daemon = Daemon::start(&["--source powercap --sysfs-root", tree.root(), bounds]);
    for function in ["add", "answer", "sudoku"] {
        daemon.get(&format!("/invoke/{function}"));
    }
    for counter in &mut counters {
        counter.advance(30_000);
    }
    until("the calls are settled", || {
        let metrics = daemon.metrics();
        let other = metrics.find(FUNCTION_ENERGY, &[("function", "other")]).count();
        other > 0 && metrics.sum("nebula_invocation_energy_joules_count", &[]) >= 3.0
    });
    daemon.metrics().text
});

#[test]
fn names_helps_types_and_labels_are_those_of_the_golden_file() {
    let shown = masked(&SHOWN);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(GOLDEN, &shown).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    let first = golden.lines().zip(shown.lines()).find(|(golden, shown)| golden != shown);
    let why = "UPDATE_GOLDEN=1 rewrites the file if the change is wanted";
    assert!(golden == shown, "the golden file and /metrics differ first in {first:#?}; {why}");
}

#[test]
fn functions_beyond_the_cap_share_the_label_other() {
    let daemon = Daemon::start(&["--metrics-functions 2"]);
    for (function, label) in [("add", "add"), ("answer", "answer"), ("echo", "other"), ("sudoku", "other")] {
        let count = || daemon.metric("nebula_invocations_total", &[("function", label)]);
        let before = count();
        daemon.get(&format!("/invoke/{function}"));
        assert_eq!(count(), before + 1.0, "{function}");
    }
    let metrics = daemon.metrics();
    let labels: BTreeSet<_> = metrics.series().filter_map(|series| series.labels.get("function")).collect();
    assert!(labels.into_iter().eq(["add", "answer", "other"]));
}

#[test]
fn counters_never_fall() {
    let daemon = Daemon::shared(&["--window 10ms"]);
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
fn each_settled_call_is_counted_once_in_the_histogram_and_in_the_ledger() {
    let daemon = Daemon::start(&["--window 10ms"]);
    let of_calls = |kind: &str| {
        let name = format!("nebula_invocation_energy_joules_{kind}");
        daemon.metric(&name, &[("function", "prime-number")])
    };
    assert_eq!(of_calls("count"), 0.0);
    daemon.await_estimates();
    for _ in 0..5 {
        daemon.get("/invoke/prime-number?input=600");
    }
    until("five calls are settled", || of_calls("count") == 5.0);
    let (joules, account) = (of_calls("sum"), daemon.active_joules("prime-number"));
    assert!((joules - account).abs() < 2e-6, "calls {joules} J, the function {account} J");
    let calls = daemon.get("/energy").json()["calls"]["prime-number"].clone();
    assert_eq!(calls["settled"], 5);
    assert!((calls["active_joules"].as_f64().unwrap() - joules).abs() < 1e-9, "{calls} and {joules} J");
    assert_eq!(calls["active_microjoules"].as_f64().unwrap() / 1e6, calls["active_joules"].as_f64().unwrap());
    let uncertainty = daemon.metric("nebula_function_energy_uncertainty_joules", &[("function", "prime-number")]);
    let near = (calls["active_joules_uncertainty"].as_f64().unwrap() - uncertainty).abs() < 2e-9;
    assert!(uncertainty > 0.0 && near, "{calls} and {uncertainty} J");
}

#[test]
fn promtool_accepts_the_text() {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut promtool) = promtool.spawn() else {
        return skipped("promtool is not installed");
    };
    promtool.stdin.take().unwrap().write_all(SHOWN.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()), "");
    assert!(output.status.success());
}

#[test]
fn an_exemplar_names_a_call_in_its_bucket() {
    let daemon = Daemon::start(&["--window 10ms"]);
    let (line, id, joules) = eventually("a bucket names a call", || {
        daemon.get("/invoke/prime-number?input=500");
        let accept = "accept: application/openmetrics-text; version=1.0.0, */*;q=0.1";
        let response = daemon.get_with("/metrics", &[accept]);
        assert_eq!(response.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
        assert!(response.text().ends_with("# EOF\n"));
        let bucket = "nebula_invocation_energy_joules_bucket{function=\"prime-number\"";
        response.text().lines().filter(|line| line.starts_with(bucket)).find_map(|line| {
            let (id, rest) = line.split_once(" # {invocation_id=\"")?.1.split_once("\"} ").unwrap();
            Some((line.to_owned(), id.to_owned(), rest.split(' ').next().unwrap().parse::<f64>().unwrap()))
        })
    });
    let call = daemon.get(&format!("/invocations/{id}")).json();
    assert_has(&call, &json!({ "function": "prime-number", "energy": { "active_joules": joules } }));
    let bound = line.split("le=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(joules <= bound.replace("+Inf", "inf").parse().unwrap(), "{line}");
}

#[test]
fn metrics_are_compressed_on_request() {
    let daemon = Daemon::shared(&["--window 10ms"]);
    let plain = daemon.get("/metrics");
    assert_eq!(plain.header("content-encoding"), None);
    let small = daemon.get_with("/metrics", &["accept-encoding: gzip"]);
    assert_eq!(small.header("content-encoding"), Some("gzip"));
    assert_eq!(small.header("vary"), Some("accept, accept-encoding"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*small.body).read_to_string(&mut text).unwrap();
    assert!(text.lines().count() > 100 && small.body.len() * 4 < text.len());
}

#[test]
fn functions_that_were_never_called_have_counters_but_no_histograms() {
    let daemon = Daemon::start(&[]);
    daemon.get("/invoke/answer");
    let metrics = daemon.metrics();
    let series = |name| ["add", "answer"].map(|function| metrics.find(name, &[("function", function)]).count());
    assert_eq!(series("nebula_invocations_total"), [7, 7]);
    assert_eq!(series("nebula_invocation_duration_seconds_count"), [0, 1]);
}

#[test]
fn the_process_and_its_pools_are_shown() {
    let daemon = Daemon::start(&[]);
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
    assert_eq!(asked[0] + asked[1], value("nebula_functions", &[]), "each function is looked up once");
    until("both connections are counted", || daemon.metric("nebula_connections", &[]) == 2.0);
    drop(idle);
    until("only the scrape's own is left", || daemon.metric("nebula_connections", &[]) == 1.0);
}
