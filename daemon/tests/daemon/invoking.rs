//! `/invoke`, `/api`, `/wasm` and `/fn`: what calls take and answer.

use std::collections::BTreeSet;

use crate::prelude::*;

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// An envelope that has an estimate.
fn estimated(daemon: &Daemon, target: &str) -> Value {
    daemon.await_estimates();
    daemon.get(target).json()
}

#[test]
fn the_envelope_has_the_members_of_the_contract_and_no_others() {
    let daemon = Daemon::shared(&[]);
    let mut envelope = estimated(&daemon, "/invoke/fibonacci?input=5");
    let expected = json!({ "function": "fibonacci", "output": "[0, 1, 1, 2, 3]\n", "exit_code": 0 });
    assert_has(&envelope, &expected);
    assert_eq!(envelope["energy"]["state"], "estimated");
    // `reason` is there where a figure is null, and only there.
    for (part, figures) in [
        ("energy", &["uncertainty_joules", "active_joules", "base_joules"][..]),
        ("work", &["instructions", "cycles", "cache_misses"]),
    ] {
        let unknown = figures.iter().any(|figure| envelope[part][figure].is_null());
        let reason = envelope[part].as_object_mut().unwrap().remove("reason");
        assert_eq!(unknown, reason.is_some(), "{part}: {envelope}");
        let word = reason.as_ref().and_then(Value::as_str).unwrap_or_default();
        assert!(part != "work" || ["", "no_pmu", "not_permitted", "failed"].contains(&word), "{word}");
    }
    for (part, members) in [
        (&envelope, "energy energy_joules exit_code function invocation_id output timing work"),
        (&envelope["energy"], "active_joules base_joules policy source state uncertainty_joules work_model zones"),
        (&envelope["timing"], "cold_start cpu_us execution_us queue_us startup_us total_us"),
        (&envelope["work"], "cache_misses cpu_ns cycles instructions"),
    ] {
        assert_eq!(keys(part), members.split(' ').collect());
    }
}

#[test]
fn the_figures_of_an_envelope_fit_together() {
    let daemon = Daemon::shared(&[]);
    let envelope = estimated(&daemon, "/invoke/fibonacci-recursive?input=20");
    let number = |path: &str| envelope.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}"));
    let work_model = if envelope["work"]["instructions"].is_null() { "cpu_time" } else { "cpu_time_and_events" };
    assert_has(&envelope, &json!({ "energy": { "source": "model", "work_model": work_model, "policy": "active" } }));
    assert!(number("/energy_joules") > 0.0);
    assert_eq!(number("/energy_joules"), number("/energy/active_joules"));
    let zones = envelope["energy"]["zones"].as_object().unwrap().values().map(|joules| joules.as_f64().unwrap());
    assert!((zones.sum::<f64>() - number("/energy_joules")).abs() < 5e-9, "{envelope}");
    assert!(number("/energy/uncertainty_joules") > 0.0);
    assert!(number("/timing/total_us") >= number("/timing/startup_us") + number("/timing/execution_us"));
    assert_eq!(number("/timing/cpu_us"), (number("/work/cpu_ns") / 1e3).floor());
    let id = envelope["invocation_id"].as_str().unwrap();
    assert!(id.len() == 36 && id.as_bytes()[14] == b'7', "{id} is a UUID of version 7");
}

#[test]
fn the_policy_usage_adds_the_base_energy_and_only_the_first_call_is_a_cold_start() {
    let daemon = Daemon::start(&["--policy usage"]);
    let cold = [(); 3].map(|()| daemon.get("/invoke/add?input=1,1").json()["timing"]["cold_start"].clone());
    assert_eq!(cold, [true, false, false]);
    let envelope = estimated(&daemon, "/invoke/fibonacci-recursive?input=20");
    let number = |path: &str| envelope.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}"));
    let (active, base) = (number("/energy/active_joules"), number("/energy/base_joules"));
    assert_eq!(envelope["energy"]["policy"], "usage");
    assert!(base > 0.0 && (number("/energy_joules") - active - base).abs() < 3e-9, "{envelope}");
}

#[test]
fn the_input_is_the_body_or_in_the_query_or_in_the_path() {
    let daemon = Daemon::shared(&[]);
    for response in [
        daemon.post("/invoke/add", "20,22"),
        daemon.get("/invoke/add?input=20,22"),
        daemon.get("/invoke/add?input=20%2C22"),
        daemon.request("GET", "/invoke/add", &[], b"20,22"),
        daemon.get("/api/add/20,22"),
        daemon.get("/wasm/add/20%2c22"),
        daemon.get("/api/add/20%0A22"),
        daemon.request("POST", "/api/add", &[], b"20,22"),
    ] {
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.json()["output"], "42\n");
    }
    let long = "1,".repeat(50_000) + "0";
    assert_eq!(daemon.post("/invoke/add", long).output(), "50000\n");
    let chunked = daemon.send(
        b"POST /fn/echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
          5\r\nHello\r\n9\r\n, chunks!\r\n0\r\n\r\n",
    );
    assert!(chunked.ends_with(b"Hello, chunks!"), "{}", String::from_utf8_lossy(&chunked));
}

#[test]
fn an_input_given_twice_is_refused() {
    let daemon = Daemon::shared(&[]);
    for response in [
        daemon.get("/api/add/1,1?input=2,2"),
        daemon.post("/invoke/add?input=1,1", "2,2"),
        daemon.post("/api/add/1,1", "2,2"),
    ] {
        response.expect_problem(400, "bad-request");
    }
}

#[test]
fn other_query_parameters_are_environment_variables() {
    let daemon = Daemon::shared(&[]);
    assert_eq!(daemon.output("hello-world?name=Ada&input=x"), "Hello, Ada!\n");
    assert_eq!(daemon.get("/hello-world?name=Ada+L%C3%B6we").text(), "Hello, Ada Löwe!\n");
    assert_eq!(daemon.get("/fn/hello-world?name=Ada").text(), "Hello, Ada!\n");
    assert_eq!(daemon.get("/hello-world?name=Ada&name=Bob").text(), "Hello, Bob!\n");
    for query in ["1a=x", "a-b=x", "=x", "a%3Db=x", "a=x%00y"] {
        daemon.get(&format!("/invoke/hello-world?{query}")).expect_problem(400, "bad-request");
    }
    let puzzle = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79";
    assert!(daemon.get(&format!("/sudoku?puzzle={puzzle}")).text().starts_with("534678912\n672195348\n"));
}

#[test]
fn plain_answers_carry_their_energy_in_headers() {
    let daemon = Daemon::shared(&[]);
    daemon.await_estimates();
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "REPORT"] {
        let response = daemon.request(method, "/fn/add/any/rest", &[], b"20,22");
        assert_eq!((response.status, response.text()), (200, "42\n"), "{method}");
        assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
        let joules: f64 = response.header("nebula-energy-joules").unwrap().parse().unwrap();
        assert!(joules > 0.0);
        assert_eq!(response.header("nebula-energy-source"), Some("model"));
        assert_eq!(response.header("nebula-energy-state"), Some("estimated"));
        assert_eq!(response.header("nebula-invocation-id").map(str::len), Some(36));
        let timing = response.header("server-timing").unwrap();
        let names: Vec<_> = timing.split(", ").map(|metric| metric.split_once(";dur=").unwrap().0).collect();
        assert_eq!(names, ["queue", "startup", "execution", "cpu"]);
    }
    let failed = daemon.get("/fn/unreachable");
    failed.expect_problem(500, "trap");
    assert!(failed.header("nebula-energy-joules").unwrap().parse::<f64>().unwrap() > 0.0);
}

#[test]
fn binary_output_is_kept_to_the_byte() {
    let daemon = Daemon::shared(&[]);
    let envelope = daemon.post("/invoke/echo", [0xff, 0x00]).json();
    assert_eq!((&envelope["output_base64"], envelope.get("output")), (&"/wA=".into(), None));
    let plain = daemon.post("/fn/echo", [0xff, 0x00]);
    assert_eq!((plain.header("content-type"), &plain.body[..]), (Some("application/octet-stream"), &[0xff, 0x00][..]));
}

#[test]
fn a_function_of_numbers_takes_them_from_its_input() {
    let daemon = Daemon::shared(&[]);
    assert_eq!(daemon.output("scale?input=3,2.5"), "7.5\n");
    assert_eq!(daemon.post("/invoke/scale", " -3 , 1e-3\n").output(), "-0.003\n");
    assert_eq!(daemon.get("/api/answer/").output(), "42\n");
}
