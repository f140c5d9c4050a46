//! A real Prometheus scrapes the daemon.

use std::fs;
use std::io::Write;
use std::process::Command;

use tempfile::TempDir;

use crate::client::connect;
use crate::peer::Peer;
use crate::prelude::*;

/// A Prometheus that scrapes one daemon every second.
struct Prometheus {
    peer: Peer,
    _folder: TempDir,
}

impl Prometheus {
    /// `None`, and a note that the test is skipped, if it is not installed.
    fn scraping(daemon: &Daemon) -> Option<Self> {
        let folder = temporary_folder();
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: nebula, static_configs: [{{targets: ['{}']}}]}}]\n",
            daemon.address()
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        // It asks for OpenMetrics then.
        command.arg("--enable-feature=exemplar-storage");
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        let peer = Peer::start(&mut command);
        if peer.is_none() {
            skipped("prometheus is not installed");
        }
        Some(Self { peer: peer?, _folder: folder })
    }

    /// The results of a query: labels and value of each.
    fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let Some(data) = self.ask("query", query) else { return Vec::new() };
        let value = |result: &Value| result["value"][1].as_str().unwrap().parse().unwrap();
        data["result"].as_array().unwrap().iter().map(|result| (result["metric"].clone(), value(result))).collect()
    }

    /// The exemplars of a series.
    fn exemplars(&self, series: &str) -> Vec<Value> {
        let found = self.ask("query_exemplars", series).unwrap_or_default();
        let series = found.as_array().into_iter().flatten();
        series.flat_map(|series| series["exemplars"].as_array().unwrap().clone()).collect()
    }

    /// `None` while it reads its storage.
    fn ask(&self, what: &str, query: &str) -> Option<Value> {
        let query = query.replace('%', "%25").replace('+', "%2B").replace('&', "%26");
        let body = format!("query={query}&start=0&end=9999999999");
        let form = ["content-type: application/x-www-form-urlencoded"];
        let mut stream = connect(self.peer.address()).unwrap();
        stream.write_all(&request("POST", &format!("/api/v1/{what}"), &form, body.as_bytes())).unwrap();
        let response = answer(&mut stream);
        if response.status == 503 {
            return None;
        }
        let found = response.json();
        assert_eq!(found["status"], "success", "{found}");
        Some(found["data"].clone())
    }
}

#[test]
fn prometheus_sees_the_joules_of_each_function_and_nothing_is_missing() {
    let daemon = Daemon::start(&[]);
    let Some(prometheus) = Prometheus::scraping(&daemon) else { return };
    until("prometheus sees the joules", || {
        daemon.get("/invoke/fibonacci-recursive?input=24");
        let functions = prometheus.query("sum by (function)(nebula_function_energy_joules_total)");
        functions.iter().any(|(labels, joules)| labels["function"] == "fibonacci-recursive" && *joules > 0.0)
    });
    let up: Vec<_> = prometheus.query("up").into_iter().map(|(labels, value)| (labels["job"].clone(), value)).collect();
    assert_eq!(up, [("nebula".into(), 1.0)]);
    let unaccounted = prometheus.query(
        "sum by (zone, source)(nebula_zone_energy_joules_total) - sum by (zone, source)(nebula_account_energy_joules_total)",
    );
    assert!(!unaccounted.is_empty());
    for (zone, joules) in unaccounted {
        assert!(joules.abs() < 5e-7, "{joules} J of {zone} are in no account");
    }
}

#[test]
fn prometheus_keeps_a_call_for_a_bucket_of_joules() {
    let daemon = Daemon::start(&[]);
    let Some(prometheus) = Prometheus::scraping(&daemon) else { return };
    let exemplar = eventually("prometheus has an exemplar", || {
        daemon.get("/invoke/fibonacci-recursive?input=24");
        let series = "nebula_invocation_energy_joules_bucket{function=\"fibonacci-recursive\"}";
        prometheus.exemplars(series).into_iter().next()
    });
    let id = exemplar["labels"]["invocation_id"].as_str().unwrap();
    assert_eq!(daemon.get(&format!("/invocations/{id}")).json()["function"], "fibonacci-recursive");
}
