//! Pages in a browser: what they may change, and which may read answers.

use std::collections::BTreeSet;

use crate::prelude::*;

const LISTED: &[&str] = &["--cors-origins https://a.example,https://b.example"];

fn remove(daemon: &Daemon, headers: &str) -> Response {
    let head = format!("DELETE /functions/nobody HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
    Response::parse(&daemon.send(head.as_bytes())).0
}

#[test]
fn a_page_of_another_origin_cannot_change_anything() {
    let daemon = Daemon::shared(&[]);
    let (address, key) = (daemon.address(), page_key(&daemon, &[]).unwrap());
    let own = format!("host: {address}\r\norigin: http://{address}\r\nnebula-page: {key}\r\n");
    assert_ne!(remove(&daemon, &own).status, 403);
    for origin in ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1"] {
        let foreign = format!("host: {address}\r\norigin: {origin}\r\n");
        remove(&daemon, &foreign).expect_problem(403, "foreign-origin");
    }
    // It cannot read what comes back, and to call a function is what functions are for.
    assert_eq!(daemon.request("POST", "/invoke/answer", &["origin: https://evil.example"], b"").status, 200);
    let listed = Daemon::shared(LISTED);
    assert_ne!(remove(&listed, "host: localhost\r\norigin: https://a.example\r\n").status, 403);
    assert_eq!(remove(&listed, "host: localhost\r\norigin: https://c.example\r\n").status, 403);
}

/// The key that the daemon's page shows when it changes something, if the page is asked for like this.
fn page_key(daemon: &Daemon, headers: &[&str]) -> Option<String> {
    let page = daemon.request("GET", "/", headers, b"");
    let (_, from) = page.text().split_once("<meta name=\"nebula-page\" content=\"")?;
    from.split_once('"').map(|(key, _)| key.to_owned())
}

#[test]
fn a_guests_page_cannot_change_anything() {
    let daemon = Daemon::shared(&[]);
    // A function that repeats its input repeats whatever a foreign page sends it.
    let page =
        daemon.request("POST", "/fn/echo", &["origin: https://evil.example"], b"content-type: text/html\n\n<script>");
    assert_eq!((page.header("content-type"), page.text()), (Some("text/html"), "<script>"));
    let own = format!("host: {0}\r\norigin: http://{0}\r\n", daemon.address());
    for guess in ["", "nebula-page: nebula_guessed\r\n"] {
        remove(&daemon, &format!("{own}{guess}")).expect_problem(403, "not-our-page");
    }
    assert!(page_key(&daemon, &["sec-fetch-dest: document"]).is_some());
    for scripted in ["empty", "iframe", "worker"] {
        assert_eq!(page_key(&daemon, &[&format!("sec-fetch-dest: {scripted}")]), None, "{scripted}");
    }
    // Programs say nothing of a page, and need nothing of it.
    assert_ne!(remove(&daemon, &format!("host: {}\r\n", daemon.address())).status, 403);
}

#[test]
fn a_guests_page_cannot_reach_the_daemons_page() {
    let daemon = Daemon::shared(&[]);
    let script = b"content-type: text/javascript\nservice-worker-allowed: /\ncross-origin-opener-policy: same-origin\nx-own: 1\n\n//";
    for (target, status) in [("/echo", 400), ("/fn/echo", 400), ("/fn/echo/worker.js", 200)] {
        let answer = daemon.get_with(target, &["service-worker: script"]);
        assert_eq!(answer.status, status, "{target}");
    }
    let answer = daemon.request("POST", "/fn/echo/worker.js", &[], script);
    assert_eq!((answer.header("content-type"), answer.header("x-own")), (Some("text/javascript"), Some("1")));
    for withheld in ["service-worker-allowed", "cross-origin-opener-policy"] {
        assert_eq!(answer.header(withheld), None);
    }
    assert_eq!(daemon.get("/").header("cross-origin-opener-policy"), Some("same-origin"));
}

#[test]
fn without_configured_origins_answers_have_no_cors_headers() {
    let daemon = Daemon::shared(&[]);
    let preflight = ["origin: https://a.example", "access-control-request-method: POST"];
    let response = daemon.request("OPTIONS", "/invoke/answer", &preflight, b"");
    assert_eq!(response.status, 405);
    let response = daemon.get_with("/invoke/answer", &preflight[..1]);
    let is_cors = |name: &str| name.starts_with("access-control-") || name == "vary";
    assert!(!response.headers.iter().any(|(name, _)| is_cors(name)), "{response:?}");
}

#[test]
fn pages_of_configured_origins_may_read_answers() {
    let daemon = Daemon::shared(LISTED);
    let preflight = [
        "origin: https://a.example",
        "access-control-request-method: PUT",
        "access-control-request-headers: authorization, content-type",
    ];
    let answer = daemon.request("OPTIONS", "/functions/x", &preflight, b"");
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    for (name, value) in [
        ("access-control-allow-origin", "https://a.example"),
        ("access-control-allow-headers", "authorization, content-type"),
        ("access-control-max-age", "600"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    assert!(answer.header("access-control-allow-methods").unwrap().contains("PUT"));
    for target in ["/invoke/answer", "/fn/hello-http", "/nothing/here"] {
        let answer = daemon.get_with(target, &["origin: https://b.example"]);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://b.example"), "{target}");
        assert!(answer.header("access-control-expose-headers").unwrap().contains("nebula-energy-joules"));
        assert_eq!((answer.header("vary"), answer.header("access-control-allow-credentials")), (Some("origin"), None));
        let answer = daemon.get_with(target, &["origin: https://c.example"]);
        assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (None, Some("origin")));
    }
}

#[test]
fn every_header_about_a_call_is_exposed_to_pages() {
    let daemon = Daemon::with_guests(&[LISTED, &["--carbon-intensity 100"]].concat());
    let answers: Vec<_> = ["/fn/answer", "/fn/hello-world", "/fn/hello-http", "/invoke/answer"]
        .map(|target| daemon.get_with(target, &["origin: https://a.example"]))
        .into();
    let exposed: BTreeSet<&str> = answers[0].header("access-control-expose-headers").unwrap().split(", ").collect();
    let is_ours = |name: &&str| name.starts_with("nebula-") || ["server-timing", "x-request-id"].contains(name);
    let names = answers.iter().flat_map(|answer| answer.headers.iter().map(|(name, _)| name.as_str()));
    let carried: BTreeSet<&str> = names.filter(is_ours).collect();
    assert!(carried.contains("nebula-carbon-grams"), "{carried:?}");
    assert_eq!(exposed.iter().copied().filter(is_ours).collect::<BTreeSet<_>>(), carried);
}

#[test]
fn a_function_sets_its_own_cors_headers() {
    let daemon = Daemon::shared(LISTED);
    let output = b"access-control-allow-origin: https://its.own\ncontent-type: text/plain\n\nhello";
    let answer = daemon.request("POST", "/fn/echo", &["origin: https://a.example"], output);
    let allowed: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "access-control-allow-origin").collect();
    assert_eq!(allowed.len(), 1);
    assert_eq!((answer.text(), &*allowed[0].1), ("hello", "https://its.own"));
}
