//! `x-request-id`: in answers, logs and variables.

use crate::prelude::*;

fn get(target: &str, headers: &[&str]) -> Response {
    Daemon::shared(&[]).get_with(target, headers)
}

fn id(response: &Response) -> String {
    response.header("x-request-id").unwrap_or_else(|| panic!("{response:?}")).to_owned()
}

#[test]
fn every_answer_has_the_id_that_the_caller_gave() {
    for (target, status) in [
        ("/invoke/answer", 200),
        ("/fn/environment", 200),
        ("/fn/hello-http", 200),
        ("/invoke/unreachable", 500),
        ("/invoke/nobody", 404),
        ("/functions", 200),
        ("/metrics", 200),
        ("/invocations?limit=0", 400),
        ("/no/such/thing", 404),
    ] {
        let response = get(target, &["x-request-id: mine-7"]);
        assert_eq!((response.status, id(&response).as_str()), (status, "mine-7"), "{target}");
    }
    // Before a route is looked for.
    let answer = Daemon::shared(&[]).send(b"GET / HTTP/1.1\r\nx-request-id: mine-8\r\nconnection: close\r\n\r\n");
    assert_eq!(id(&Response::parse(&answer).0), "mine-8");
}

#[test]
fn without_a_valid_id_a_request_has_the_id_of_its_invocation() {
    let long = format!("x-request-id: {}", "x".repeat(129));
    let bad: [&[&str]; 5] =
        [&[], &["x-request-id: a b"], &["x-request-id: "], &[&long], &["x-request-id: 1", "x-request-id: 2"]];
    for headers in bad {
        let response = get("/invoke/answer", headers);
        assert_eq!(response.json()["invocation_id"], id(&response), "{headers:?}");
        let named = get("/fn/environment", headers);
        assert_eq!(named.header("nebula-invocation-id"), Some(id(&named).as_str()));
        assert!(named.text().contains(&format!("HTTP_X_REQUEST_ID={}\0", id(&named))), "{}", named.text());
    }
    assert_ne!(id(&get("/healthz", &[])), id(&get("/healthz", &[])));
    let given = get("/invoke/answer", &["x-request-id: 7"]);
    assert_ne!(given.json()["invocation_id"], "7");
}

#[test]
fn functions_and_their_log_lines_have_the_id() {
    let response = get("/invoke/environment?HTTP_X_REQUEST_ID=forged", &["x-request-id: mine-9"]);
    assert_eq!(response.output(), "HTTP_X_REQUEST_ID=mine-9\0");
    let daemon = Daemon::shared(&[]);
    daemon.request("POST", "/invoke/complain", &["x-request-id: mine-10"], b"it hurts");
    let logged = |line: &str| line.contains("it hurts") && line.contains("request_id=\"mine-10\"");
    until("it is logged", || daemon.log().lines().any(logged));
}
