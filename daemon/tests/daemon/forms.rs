//! Calls by HTML form: `POST /api/wasm`.

use std::collections::BTreeSet;
use std::io::Write;

use crate::prelude::*;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

fn form(daemon: &Daemon, body: &str) -> Response {
    daemon.request("POST", "/api/wasm", &[FORM], body.as_bytes())
}

fn report(daemon: &Daemon, body: &str) -> Value {
    let response = form(daemon, body);
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

#[test]
fn a_function_is_called_as_often_as_asked_and_each_call_is_reported() {
    let daemon = Daemon::with_guests(&["--window 20ms --carbon-intensity 300"]);
    let report = report(&daemon, "function_name=fibonacci-recursive&input=15&num_calls=5");
    assert_has(&report, &json!({ "function_name": "fibonacci-recursive", "num_calls": 5 }));
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 5, "{report}");
    let ids: BTreeSet<_> = results.iter().map(|result| result["invocation_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 5, "each call is one of its own: {report}");
    let (mut joules, mut total) = (0.0, 0);
    for result in results {
        assert_eq!(result["result"].as_str().unwrap().trim(), "610", "{result}");
        for time in ["queue_us", "startup_us", "execution_us", "total_us", "cpu_us"] {
            assert!(result["metrics"][time].is_u64(), "{time}: {result}");
        }
        assert!(result["energy"]["carbon_grams"].is_f64(), "{result}");
        joules += result["energy_joules"].as_f64().unwrap();
        total += result["metrics"]["total_us"].as_u64().unwrap();
    }
    let totals = &report["totals"];
    assert_has(totals, &json!({ "succeeded": 5, "failed": 0, "metrics": { "total_us": total } }));
    assert!((totals["energy_joules"].as_f64().unwrap() - joules).abs() < 1e-8, "{report}");
    assert!(totals["carbon_grams"].is_f64() && report.get("reason").is_none(), "{report}");
    assert_eq!(daemon.calls("fibonacci-recursive", "ok"), 5.0);
}

#[test]
fn every_kind_of_function_and_form_works() {
    let daemon = Daemon::shared(&["--source off"]);
    for (name, input, output) in [("add", "2,3", "5"), ("echo", "a+b%21", "a b!"), ("http-echo", "x", "x")] {
        let report = report(&daemon, &format!("function_name={name}&input={input}"));
        let result = &report["results"][0];
        assert!(result["result"].as_str().unwrap().contains(output), "{report}");
        // Nothing is measured here.
        assert!(result["energy_joules"].is_null() && result["energy"]["reason"].is_string(), "{report}");
        assert!(report["totals"]["energy_joules"].is_null() && report["totals"]["reason"].is_string(), "{report}");
    }
    let body = "--B\r\nContent-Disposition: form-data; name=\"function_name\"\r\n\r\necho\r\n\
                --B\r\nContent-Disposition: form-data; name=\"input\"; filename=\"f\"\r\n\r\n\u{0}x\r\n--B--\r\n";
    let kind = "Content-Type: multipart/form-data; boundary=B";
    let multipart = daemon.request("POST", "/api/wasm", &[kind], body);
    assert_eq!(multipart.json()["results"][0]["result"], "\u{0}x", "{}", multipart.text());
}

#[test]
fn a_failed_call_is_a_result_too() {
    let daemon = Daemon::with_guests(&["--window 20ms"]);
    let report = report(&daemon, "function_name=unreachable&num_calls=2");
    for result in report["results"].as_array().unwrap() {
        assert!(result["result"].is_null() && result["metrics"]["total_us"].is_u64(), "{report}");
        assert_has(result, &json!({ "error": { "type": "urn:nebula:trap", "status": 500 } }));
        assert!(result["energy_joules"].is_f64(), "{report}");
    }
    assert_has(&report, &json!({ "totals": { "succeeded": 0, "failed": 2 } }));
}

#[test]
fn malformed_forms_are_refused_and_the_number_of_calls_is_bounded() {
    let daemon = Daemon::start(&["--source off --api-calls 3"]);
    assert_eq!(form(&daemon, "function_name=add&input=1,1&num_calls=3").status, 200);
    for (body, status, why) in [
        ("function_name=add&num_calls=4", 400, "from 1 to 3 (`api.calls`)"),
        ("function_name=add&num_calls=0", 400, "from 1 to 3"),
        ("num_calls=1", 400, "`function_name` is missing"),
        ("function_name=nobody", 404, "there is no function `nobody`"),
        ("function_name=..%2f..%2fetc&num_calls=1", 404, "there is no function"),
    ] {
        let refused = form(&daemon, body);
        assert_eq!(refused.status, status, "{body}: {}", refused.text());
        assert_detail(&refused.problem(), why);
    }
    assert_eq!(daemon.get("/api/wasm").status, 405);
    assert_eq!(daemon.request("POST", "/api/wasm", &["Content-Type: application/json"], b"{}").status, 400);
}

#[test]
fn all_calls_together_have_a_time_limit() {
    let daemon = Daemon::with_guests(&["--source off --api-wall 300ms"]);
    let report = report(&daemon, "function_name=endless-loop&num_calls=5");
    assert_eq!(report["results"].as_array().unwrap().len(), 0, "{report}");
    assert!(report["reason"].as_str().unwrap().contains("`api.wall`"), "{report}");
    until("what was running is over", || daemon.in_flight() == 0.0);
}

#[test]
fn a_client_that_disconnects_ends_the_calls() {
    let daemon = Daemon::with_guests(&["--source off"]);
    let body = "function_name=endless-loop&num_calls=100";
    let mut stream = daemon.connect();
    let head =
        format!("POST /api/wasm HTTP/1.1\r\nHost: localhost\r\n{FORM}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    until("a call runs", || daemon.in_flight() == 1.0);
    drop(stream);
    let cancelled = [("function", "endless-loop"), ("outcome", "cancelled")];
    until("it is cancelled", || daemon.metric("nebula_invocations_total", &cancelled) == 1.0);
    assert_eq!(daemon.in_flight(), 0.0);
}
