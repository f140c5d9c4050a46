//! Grams of CO2e beside joules.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Daemon, nebula, run, stderr};
use crate::exposition::Exposition;
use crate::waiting::{eventually, until};

const CALL: &str = "/invoke/fibonacci-recursive?input=22";
const SETTLED: &str = "/invoke/fibonacci-recursive?input=22&settle=true";

const GRAMS: &str = "nebula_function_carbon_grams_total";
const INTENSITY: &str = "nebula_carbon_intensity_grams_per_kilowatt_hour";

fn options<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["--source", "model", "--window", "20ms"], more].concat()
}

/// Grams of a joule at 300 g/kWh in a building that takes a fifth more.
const GRAMS_PER_JOULE: f64 = 300.0 * 1.2 / 3.6e6;

/// What an answer says, having checked that grams follow from joules.
fn checked(answer: &Value) -> f64 {
    let (joules, energy) = (answer["energy_joules"].as_f64().unwrap(), &answer["energy"]);
    let grams = energy["carbon_grams"].as_f64().unwrap_or_else(|| panic!("{answer}"));
    assert!((grams - joules * GRAMS_PER_JOULE).abs() <= grams * 1e-5, "{answer}");
    assert_eq!((&energy["carbon_intensity_g_per_kwh"], energy.get("carbon_reason")), (&300.0.into(), None));
    grams
}

#[test]
fn grams_follow_from_joules_wherever_those_are_told() {
    let daemon = Daemon::with_guests(&options(&["--carbon-intensity", "300", "--pue", "1.2", "--price", "0.30 EUR"]));
    let envelope = eventually("a call is settled", || {
        Some(daemon.get(SETTLED).json()).filter(|envelope| envelope["energy"]["state"] == "settled")
    });
    checked(&envelope);
    let id = envelope["invocation_id"].as_str().unwrap();
    checked(&daemon.get(&format!("/invocations/{id}")).json());
    checked(&daemon.get("/invoke/unreachable").problem());
    let plain = daemon.get("/fn/fibonacci-recursive?settle=true");
    let header = |name: &str| plain.header(name).unwrap().parse::<f64>().unwrap();
    let (joules, grams) = (header("nebula-energy-joules"), header("nebula-carbon-grams"));
    assert!((grams - joules * GRAMS_PER_JOULE).abs() <= grams * 1e-5, "{plain:?}");
    let ledger = daemon.get("/energy").json();
    assert_eq!((&ledger["carbon"]["origin"], &ledger["carbon"]["pue"]), (&"constant".into(), &1.2.into()));
    assert_eq!((&ledger["price"]["per_kwh"], &ledger["price"]["currency"]), (&0.3.into(), &"EUR".into()));

    let url = format!("http://{}", daemon.address());
    let told = run(nebula().args(["invoke", "fibonacci-recursive", "--input", "20", "--daemon", &url]));
    assert!(stderr(&told).contains("g CO2e; "), "{}", stderr(&told));
}

#[test]
fn functions_grams_are_those_of_their_settled_joules() {
    for (policy, components) in [("active", &["active", "preparing"][..]), ("usage", &["active", "preparing", "base"])]
    {
        let options = options(&["--carbon-intensity", "300", "--pue", "1.2", "--policy", policy]);
        let daemon = Daemon::start(&options);
        daemon.get(CALL);
        let metrics = eventually("energy has become grams, and nothing more comes", || {
            let metrics = daemon.metrics();
            let joules = |metrics: &Exposition| -> f64 {
                let of = |component: &&str| {
                    let labels = [("function", "fibonacci-recursive"), ("component", component)];
                    metrics.sum("nebula_function_energy_joules_total", &labels)
                };
                components.iter().map(of).sum()
            };
            let grams = metrics.sum(GRAMS, &[("function", "fibonacci-recursive")]);
            let same = (grams - joules(&metrics) * GRAMS_PER_JOULE).abs() <= grams * 1e-9;
            (grams > 0.0 && same).then_some(metrics)
        });
        assert!(metrics.text.contains(&format!("(policy {policy})")), "{}", metrics.text);
        assert_eq!((metrics.sum(INTENSITY, &[]), metrics.sum("nebula_carbon_unknown_joules_total", &[])), (300.0, 0.0));
        assert_eq!(metrics.find("nebula_carbon_intensity_age_seconds", &[]).count(), 1);
    }
}

#[test]
fn callers_grams_are_as_coarse_as_their_joules() {
    let options = options(&["--carbon-intensity", "300", "--pue", "1.2", "--energy-resolution", "1mJ"]);
    let daemon = Daemon::start(&options);
    let steps = checked(&daemon.get(CALL).json()) / GRAMS_PER_JOULE / 1e-3;
    assert!((steps - steps.round()).abs() < 1e-4, "{steps}");
}

#[test]
fn where_joules_are_withheld_grams_are() {
    let options =
        options(&["--carbon-intensity", "300", "--energy-expose", "operators", "--admin-listen", "127.0.0.1:0"]);
    let daemon = Daemon::start(&options);
    let energy = daemon.get(CALL).json()["energy"].clone();
    assert!(energy["carbon_grams"].is_null() && energy["carbon_reason"].is_string(), "{energy}");
    assert_eq!(daemon.get("/fn/fibonacci-recursive").header("nebula-carbon-grams"), None);
}

#[test]
fn nothing_is_said_about_carbon_unless_something_was() {
    let daemon = Daemon::start(&options(&[]));
    let energy = daemon.get(CALL).json()["energy"].clone();
    assert!(energy.get("carbon_grams").is_none() && energy.get("carbon_reason").is_none(), "{energy}");
    assert_eq!(daemon.get("/fn/fibonacci-recursive").header("nebula-carbon-grams"), None);
    let text = daemon.metrics().text;
    assert!(!text.contains("carbon"), "{text}");
    assert!(daemon.get("/energy").json().get("carbon").is_none());
}

#[test]
fn a_schedule_is_read_again_and_a_broken_one_leaves_the_last() {
    let folder = TempDir::with_prefix_in("carbon-", env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("grid.csv");
    let write = |figure: &str| {
        let beside = folder.path().join("grid.new");
        fs::write(&beside, format!("start,g_per_kwh\n00:00,{figure}\n")).unwrap();
        fs::rename(&beside, &path).unwrap();
    };
    write("100");
    let daemon = Daemon::start(&options(&["--carbon-intensity", path.to_str().unwrap()]));
    let intensity = || daemon.get(CALL).json()["energy"]["carbon_intensity_g_per_kwh"].as_f64();
    assert_eq!(intensity(), Some(100.0));
    write("200");
    until("the new one is used", || intensity() == Some(200.0));
    write("much");
    until("the broken one is told", || daemon.log().contains("the previous carbon intensities stay in use"));
    assert_eq!(intensity(), Some(200.0));
    assert!(daemon.log().contains("line 2: `much` is not valid"), "{}", daemon.log());
}

#[test]
fn a_schedule_that_is_no_good_or_long_past_is_told() {
    let folder = TempDir::with_prefix_in("carbon-", env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("grid.csv");
    fs::write(&path, "start,g_per_kwh\n25:00,1\n12:00,-1\n").unwrap();
    let output = run(nebula().args(["serve", "--listen", "127.0.0.1:0", "--carbon-intensity"]).arg(&path));
    assert_eq!(output.status.code(), Some(64));
    let told = stderr(&output);
    assert!(told.contains("line 2: `25:00` is neither") && told.contains("line 3: `-1` is not valid"), "{told}");

    fs::write(&path, "start,g_per_kwh\n2020-01-01T00:00:00Z,100\n2020-01-02T00:00:00Z,200\n").unwrap();
    let daemon = Daemon::start(&options(&["--carbon-intensity", path.to_str().unwrap()]));
    let energy = daemon.get(CALL).json()["energy"].clone();
    assert!(energy["carbon_grams"].is_null() && energy["carbon_intensity_g_per_kwh"].is_null(), "{energy}");
    assert!(energy["carbon_reason"].as_str().unwrap().contains("`carbon.stale`"), "{energy}");
    until("what has no grams is told", || daemon.metrics().sum("nebula_carbon_unknown_joules_total", &[]) > 0.0);
    assert_eq!(daemon.metrics().find(INTENSITY, &[]).count(), 0);
}

/// An endpoint whose answer the test sets.
struct Grid {
    address: SocketAddr,
    answer: Arc<Mutex<String>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Grid {
    fn answering(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(body.to_owned()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (told, heard) = (answer.clone(), requests.clone());
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (mut request, mut piece) = (Vec::new(), [0; 1024]);
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut piece) {
                        Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
                        _ => break,
                    }
                }
                heard.lock().unwrap().push(String::from_utf8(request).unwrap());
                let body = told.lock().unwrap().clone();
                let fields = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((fields + &body).as_bytes());
            }
        });
        Self { address, answer, requests }
    }

    fn now_answers(&self, body: &str) {
        body.clone_into(&mut self.answer.lock().unwrap());
    }
}

#[test]
fn an_endpoint_is_polled_and_its_silence_is_told_once() {
    let folder = TempDir::with_prefix_in("carbon-", env!("CARGO_TARGET_TMPDIR")).unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "for-the-grid\n").unwrap();
    let grid = Grid::answering(r#"{"error":"no data"}"#);
    let url = format!("http://{}/v3/carbon-intensity/latest?zone=DE", grid.address);
    let options = options(&[
        "--carbon-intensity",
        &url,
        "--carbon-token-file",
        token.to_str().unwrap(),
        "--carbon-poll",
        "1s",
        "--carbon-stale",
        "3s",
        "--log-level",
        "info",
    ]);
    let daemon = Daemon::start(&options);
    let energy = || daemon.get(CALL).json()["energy"].clone();
    until("it was asked twice", || daemon.metrics().sum("nebula_carbon_poll_failures_total", &[]) >= 2.0);
    let unknown = energy();
    assert!(unknown["carbon_grams"].is_null(), "{unknown}");
    assert!(unknown["carbon_reason"].as_str().unwrap().contains("had not answered"), "{unknown}");
    grid.now_answers(r#"{"zone":"DE","carbonIntensity":302}"#);
    until("it tells", || energy()["carbon_intensity_g_per_kwh"] == 302.0);
    assert_eq!(daemon.get("/energy").json()["carbon"]["origin"], "endpoint");
    grid.now_answers("nonsense");
    until("what it told has grown old", || {
        energy()["carbon_reason"].as_str().is_some_and(|why| why.contains("`carbon.stale`"))
    });
    assert!(grid.requests.lock().unwrap().iter().all(|request| request.contains("auth-token: for-the-grid\r\n")));
    let log = daemon.stop();
    assert_eq!(log.matches("cannot get the carbon intensity").count(), 2, "once for each silence: {log}");
    assert!(!log.contains("for-the-grid"), "{log}");
}
