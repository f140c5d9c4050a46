//! A real Prometheus scrapes the daemon.

use std::fs;
use std::io::Write;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Response, connect, read_to_end, request};
use crate::daemon::Daemon;
use crate::patience::until;
use crate::peer::Peer;
use crate::skipping::skipped;

/// A Prometheus that scrapes one daemon every second.
struct Prometheus {
    peer: Peer,
    _folder: TempDir,
}

impl Prometheus {
    /// `None` where it is not installed.
    fn scraping(daemon: &Daemon) -> Option<Self> {
        let folder = TempDir::with_prefix_in("prometheus-", env!("CARGO_TARGET_TMPDIR")).unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: nebula, static_configs: [{{targets: ['{}']}}]}}]\n",
            daemon.address()
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        Peer::start(&mut command).map(|peer| Self { peer, _folder: folder })
    }

    /// The results of a query: labels and value of each.
    fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let body = format!("query={}", query.replace('%', "%25").replace('+', "%2B").replace('&', "%26"));
        let form = ["content-type: application/x-www-form-urlencoded"];
        let mut stream = connect(self.peer.address()).unwrap();
        stream.write_all(&request("POST", "/api/v1/query", &form, body.as_bytes())).unwrap();
        let response = Response::parse(&read_to_end(&mut stream)).0;
        // It answers 503 until it has read its storage.
        if response.status == 503 {
            return Vec::new();
        }
        let answer = response.json();
        assert_eq!(answer["status"], "success", "{answer}");
        let results = answer["data"]["result"].as_array().unwrap().iter();
        results
            .map(|result| (result["metric"].clone(), result["value"][1].as_str().unwrap().parse().unwrap()))
            .collect()
    }
}

#[test]
fn prometheus_sees_the_joules_of_each_function_and_that_nothing_is_missing() {
    let daemon = Daemon::start(&["--source", "model"]);
    let Some(prometheus) = Prometheus::scraping(&daemon) else {
        skipped("prometheus is not installed");
        return;
    };
    until("prometheus sees the joules", || {
        daemon.get("/invoke/fibonacci-recursive?input=24");
        let functions = prometheus.query("sum by (function)(nebula_function_energy_joules_total)");
        functions.iter().any(|(labels, joules)| labels["function"] == "fibonacci-recursive" && *joules > 0.0)
    });
    let up = prometheus.query("up");
    assert_eq!(
        up.iter().map(|(labels, value)| (&labels["job"], *value)).collect::<Vec<_>>(),
        [(&"nebula".into(), 1.0)]
    );
    let unaccounted = prometheus.query(
        "sum by (zone, source)(nebula_zone_energy_joules_total) - sum by (zone, source)(nebula_account_energy_joules_total)",
    );
    assert!(!unaccounted.is_empty());
    for (zone, joules) in unaccounted {
        assert!(joules.abs() < 5e-7, "{joules} J of {zone} are in no account");
    }
}
