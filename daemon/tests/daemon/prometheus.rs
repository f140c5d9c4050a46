//! A real Prometheus scrapes the daemon.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Response, connect, read_to_end, request};
use crate::daemon::Daemon;
use crate::patience::until;
use crate::skipping::skipped;

/// A Prometheus that scrapes one daemon every second.
struct Prometheus {
    child: Child,
    address: SocketAddr,
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
        command.arg("--web.listen-address=127.0.0.1:0").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address =
            lines.find_map(|line| line.split_once("\"Listening on\" address=").map(|(_, end)| end.to_owned()));
        // It goes on writing, and must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.unwrap().trim().parse().unwrap();
        Some(Self { child, address, _folder: folder })
    }

    /// The results of a query: labels and value of each.
    fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let body = format!("query={}", query.replace('%', "%25").replace('+', "%2B").replace('&', "%26"));
        let form = ["content-type: application/x-www-form-urlencoded"];
        let mut stream = connect(self.address).unwrap();
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

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
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
