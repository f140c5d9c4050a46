//! Grams of CO2e beside joules.

use std::fs;
use std::sync::{Arc, Mutex};

use crate::prelude::*;
use crate::stub_server::stub_server;

const CALL: &str = "/invoke/fibonacci-recursive?input=22";
const SETTLED: &str = "/invoke/fibonacci-recursive?input=22&settle=true";

const INTENSITY: &str = "nebula_carbon_intensity_grams_per_kilowatt_hour";

fn start(options: &[&str]) -> Daemon {
    Daemon::with_guests(&[&["--window 20ms"], options].concat())
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
fn grams_stand_wherever_joules_do() {
    let daemon = start(&["--carbon-intensity 300 --pue 1.2", "--price", "0.30 EUR"]);
    let envelope = daemon.settled(SETTLED);
    checked(&envelope);
    checked(&daemon.invocation(&envelope));
    checked(&daemon.get("/invoke/unreachable").problem());
    let plain = daemon.get("/fn/fibonacci-recursive?settle=true");
    let header = |name: &str| plain.header(name).unwrap().parse::<f64>().unwrap();
    let (joules, grams) = (header("nebula-energy-joules"), header("nebula-carbon-grams"));
    assert!((grams - joules * GRAMS_PER_JOULE).abs() <= grams * 1e-5, "{plain:?}");
    let ledger = daemon.get("/energy").json();
    assert_eq!((&ledger["carbon"]["origin"], &ledger["carbon"]["pue"]), (&"constant".into(), &1.2.into()));
    assert_eq!((&ledger["price"]["per_kwh"], &ledger["price"]["currency"]), (&0.3.into(), &"EUR".into()));

    let output = run(nebula().args(["invoke", "fibonacci-recursive", "--input", "20", "--daemon", &daemon.url()]));
    assert!(stderr(&output).contains("g CO2e; "), "{}", stderr(&output));
}

#[test]
fn functions_grams_are_those_of_their_settled_joules() {
    for (policy, components) in [("active", &["active", "preparing"][..]), ("usage", &["active", "preparing", "base"])]
    {
        let daemon = start(&["--carbon-intensity 300 --pue 1.2 --policy", policy]);
        daemon.get(CALL);
        let of_function = [("function", "fibonacci-recursive")];
        let metrics = eventually("energy has become grams, and nothing more comes", || {
            let metrics = daemon.metrics();
            let joules = |component: &&str| {
                let labels = [of_function[0], ("component", component)];
                metrics.sum(FUNCTION_ENERGY, &labels)
            };
            let expected = components.iter().map(joules).sum::<f64>() * GRAMS_PER_JOULE;
            let grams = metrics.sum("nebula_function_carbon_grams_total", &of_function);
            (grams > 0.0 && (grams - expected).abs() <= grams * 1e-9).then_some(metrics)
        });
        assert!(metrics.text.contains(&format!("(policy {policy})")), "{}", metrics.text);
        assert_eq!((metrics.sum(INTENSITY, &[]), metrics.sum("nebula_carbon_unknown_joules_total", &[])), (300.0, 0.0));
        assert_eq!(metrics.find("nebula_carbon_intensity_age_seconds", &[]).count(), 1);
    }
}

#[test]
fn grams_are_rounded_and_withheld_as_joules_are() {
    let rounding = start(&["--carbon-intensity 300 --pue 1.2 --energy-resolution 1mJ"]);
    let steps = checked(&rounding.get(CALL).json()) / GRAMS_PER_JOULE / 1e-3;
    assert!((steps - steps.round()).abs() < 1e-4, "{steps}");

    let daemon = start(&["--carbon-intensity 300 --energy-expose operators --admin-listen 127.0.0.1:0"]);
    let energy = daemon.get(CALL).json()["energy"].clone();
    assert!(energy["carbon_grams"].is_null() && energy["carbon_reason"].is_string(), "{energy}");
    assert_eq!(daemon.get("/fn/fibonacci-recursive").header("nebula-carbon-grams"), None);
}

#[test]
fn without_an_intensity_nothing_mentions_carbon() {
    let daemon = start(&[]);
    let energy = daemon.get(CALL).json()["energy"].clone();
    assert!(energy.get("carbon_grams").is_none() && energy.get("carbon_reason").is_none(), "{energy}");
    assert_eq!(daemon.get("/fn/fibonacci-recursive").header("nebula-carbon-grams"), None);
    let text = daemon.metrics().text;
    assert!(!text.contains("carbon"), "{text}");
    assert!(daemon.get("/energy").json().get("carbon").is_none());
}

#[test]
fn a_changed_schedule_is_reloaded_and_a_broken_one_is_not_used() {
    let folder = temporary_folder();
    let path = folder.path().join("grid.csv");
    let write = |figure: &str| {
        let beside = folder.path().join("grid.new");
        fs::write(&beside, format!("start,g_per_kwh\n00:00,{figure}\n")).unwrap();
        fs::rename(&beside, &path).unwrap();
    };
    write("100");
    let daemon = start(&["--carbon-intensity", path.to_str().unwrap()]);
    let intensity = || daemon.get(CALL).json()["energy"]["carbon_intensity_g_per_kwh"].as_f64();
    assert_eq!(intensity(), Some(100.0));
    write("200");
    until("the new one is used", || intensity() == Some(200.0));
    write("much");
    until("the broken one is logged", || daemon.log().contains("the previous carbon intensities stay in use"));
    assert_eq!(intensity(), Some(200.0));
    assert!(daemon.log().contains("line 2: `much` is not valid"), "{}", daemon.log());
}

#[test]
fn a_wrong_schedule_stops_the_start_and_an_old_one_gives_no_grams() {
    let folder = temporary_folder();
    let path = folder.path().join("grid.csv");
    fs::write(&path, "start,g_per_kwh\n25:00,1\n12:00,-1\n").unwrap();
    let error = start_error(&["--carbon-intensity", path.to_str().unwrap()], 64);
    assert!(error.contains("line 2: `25:00` is neither") && error.contains("line 3: `-1` is not valid"), "{error}");

    fs::write(&path, "start,g_per_kwh\n2020-01-01T00:00:00Z,100\n2020-01-02T00:00:00Z,200\n").unwrap();
    let daemon = start(&["--carbon-intensity", path.to_str().unwrap()]);
    let energy = daemon.get(CALL).json()["energy"].clone();
    assert!(energy["carbon_grams"].is_null() && energy["carbon_intensity_g_per_kwh"].is_null(), "{energy}");
    assert!(energy["carbon_reason"].as_str().unwrap().contains("`carbon.stale`"), "{energy}");
    until("joules without grams are counted", || daemon.metric("nebula_carbon_unknown_joules_total", &[]) > 0.0);
    assert_eq!(daemon.metrics().find(INTENSITY, &[]).count(), 0);
}

#[test]
fn an_endpoint_is_polled_and_each_failure_is_logged_once() {
    let folder = temporary_folder();
    let token = folder.path().join("token");
    fs::write(&token, "for-the-grid\n").unwrap();
    let body = Arc::new(Mutex::new(r#"{"error":"no data"}"#));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (given, received) = (body.clone(), requests.clone());
    let grid = stub_server(move |head, _| {
        received.lock().unwrap().push(head.to_owned());
        let body = *given.lock().unwrap();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    });
    let url = format!("http://{grid}/v3/carbon-intensity/latest?zone=DE");
    let options = ["--carbon-intensity", &url, "--carbon-poll 1s --carbon-stale 3s", "--carbon-token-file"];
    let daemon = start(&[&options[..], &[token.to_str().unwrap()]].concat());
    let energy = || daemon.get(CALL).json()["energy"].clone();
    until("it was asked twice", || daemon.metric("nebula_carbon_poll_failures_total", &[]) >= 2.0);
    let unknown = energy();
    assert!(unknown["carbon_grams"].is_null(), "{unknown}");
    assert!(unknown["carbon_reason"].as_str().unwrap().contains("had not answered"), "{unknown}");
    *body.lock().unwrap() = r#"{"zone":"DE","carbonIntensity":302}"#;
    until("it answers", || energy()["carbon_intensity_g_per_kwh"] == 302.0);
    assert_eq!(daemon.get("/energy").json()["carbon"]["origin"], "endpoint");
    *body.lock().unwrap() = "nonsense";
    until("its last answer is stale", || {
        energy()["carbon_reason"].as_str().is_some_and(|why| why.contains("`carbon.stale`"))
    });
    assert!(requests.lock().unwrap().iter().all(|head| head.contains("auth-token: for-the-grid\r\n")));
    let log = daemon.stop();
    assert_eq!(log.matches("cannot get the carbon intensity").count(), 2, "once for each silence: {log}");
    assert!(!log.contains("for-the-grid"), "{log}");
}
