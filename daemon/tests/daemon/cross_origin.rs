//! Pages in somebody's browser: what they may change, and whose may use the answers.

use std::collections::BTreeSet;

use crate::client::Response;
use crate::daemon::Daemon;

const OPTIONS: &[&str] = &["--source", "model"];
const LISTED: &[&str] = &["--source", "model", "--cors-origins", "https://a.example,https://b.example"];

fn remove(daemon: &Daemon, headers: &str) -> Response {
    let head = format!("DELETE /functions/nobody HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
    Response::parse(&daemon.send(head.as_bytes())).0
}

fn kind(response: &Response) -> String {
    response.problem()["type"].as_str().unwrap().to_owned()
}

#[test]
fn a_page_of_another_origin_changes_nothing() {
    let daemon = Daemon::shared(OPTIONS);
    let own = format!(
        "host: {0}\r\norigin: http://{0}\r\nnebula-page: {1}\r\n",
        daemon.address(),
        proof(&daemon, &[]).unwrap()
    );
    assert_ne!(remove(&daemon, &own).status, 403);
    for origin in ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1"] {
        let refused = remove(&daemon, &format!("host: {}\r\norigin: {origin}\r\n", daemon.address()));
        assert_eq!((refused.status, kind(&refused)), (403, "urn:nebula:foreign-origin".into()), "{origin}");
    }
    // It cannot read what comes back, and to call a function is what functions are for.
    assert_eq!(daemon.request("POST", "/invoke/answer", &["origin: https://evil.example"], b"").status, 200);
    let listed = Daemon::shared(LISTED);
    assert_ne!(remove(&listed, "host: localhost\r\norigin: https://a.example\r\n").status, 403);
    assert_eq!(remove(&listed, "host: localhost\r\norigin: https://c.example\r\n").status, 403);
}

/// What the daemon's page shows where it changes something, if it is asked for like this.
fn proof(daemon: &Daemon, headers: &[&str]) -> Option<String> {
    let page = daemon.request("GET", "/", headers, b"");
    let (_, from) = page.text().split_once("<meta name=\"nebula-page\" content=\"")?;
    from.split_once('"').map(|(proof, _)| proof.to_owned())
}

#[test]
fn a_page_that_a_guest_answers_changes_nothing() {
    let daemon = Daemon::shared(OPTIONS);
    // A function that repeats its input repeats what a page of anywhere had it sent.
    let page =
        daemon.request("POST", "/fn/echo", &["origin: https://evil.example"], b"content-type: text/html\n\n<script>");
    assert_eq!((page.header("content-type"), page.text()), (Some("text/html"), "<script>"));
    let own = format!("host: {0}\r\norigin: http://{0}\r\n", daemon.address());
    let refused = remove(&daemon, &own);
    assert_eq!((refused.status, kind(&refused)), (403, "urn:nebula:not-our-page".into()));
    assert_eq!(kind(&remove(&daemon, &format!("{own}nebula-page: nebula_guessed\r\n"))), "urn:nebula:not-our-page");
    assert!(proof(&daemon, &["sec-fetch-dest: document"]).is_some());
    for scripted in ["empty", "iframe", "worker"] {
        assert_eq!(proof(&daemon, &[&format!("sec-fetch-dest: {scripted}")]), None, "{scripted}");
    }
    // Programs say nothing of a page, and need nothing of it.
    assert_ne!(remove(&daemon, &format!("host: {}\r\n", daemon.address())).status, 403);
}

#[test]
fn a_guest_gets_no_nearer_to_the_page_than_its_folder() {
    let daemon = Daemon::shared(OPTIONS);
    let script = b"content-type: text/javascript\nservice-worker-allowed: /\ncross-origin-opener-policy: same-origin\nx-own: 1\n\n//";
    for (target, status) in [("/echo", 400), ("/fn/echo", 400), ("/fn/echo/worker.js", 200)] {
        let answer = daemon.request("GET", target, &["service-worker: script"], b"");
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
fn a_name_that_is_made_to_lead_here_changes_nothing() {
    let daemon = Daemon::shared(OPTIONS);
    let refused = remove(&daemon, "host: evil.example\r\norigin: http://evil.example\r\n");
    assert_eq!((refused.status, kind(&refused)), (403, "urn:nebula:foreign-host".into()));
    assert_eq!(remove(&daemon, "host: evil.example\r\n").status, 403);
    for ours in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:1"] {
        assert_ne!(remove(&daemon, &format!("host: {ours}\r\n")).status, 403, "{ours}");
    }
    let read = daemon.send(b"GET /functions HTTP/1.1\r\nhost: nebula.test\r\nconnection: close\r\n\r\n");
    assert_eq!(Response::parse(&read).0.status, 200);
}

#[test]
fn nothing_is_said_of_origins_unless_some_are_configured() {
    let daemon = Daemon::shared(OPTIONS);
    let asks = ["origin: https://a.example", "access-control-request-method: POST"];
    let response = daemon.request("OPTIONS", "/invoke/answer", &asks, b"");
    assert_eq!(response.status, 405);
    let response = daemon.request("GET", "/invoke/answer", &asks[..1], b"");
    let said = |name: &str| name.starts_with("access-control-") || name == "vary";
    assert!(!response.headers.iter().any(|(name, _)| said(name)), "{response:?}");
}

#[test]
fn pages_of_configured_origins_may_use_the_answers() {
    let daemon = Daemon::shared(LISTED);
    let asks = [
        "origin: https://a.example",
        "access-control-request-method: PUT",
        "access-control-request-headers: authorization, content-type",
    ];
    let answer = daemon.request("OPTIONS", "/functions/x", &asks, b"");
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
        let answer = daemon.request("GET", target, &["origin: https://b.example"], b"");
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://b.example"), "{target}");
        assert!(answer.header("access-control-expose-headers").unwrap().contains("nebula-energy-joules"));
        assert_eq!((answer.header("vary"), answer.header("access-control-allow-credentials")), (Some("origin"), None));
        let answer = daemon.request("GET", target, &["origin: https://c.example"], b"");
        assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (None, Some("origin")));
    }
}

#[test]
fn pages_may_read_every_header_that_the_daemon_sets_about_a_call() {
    let daemon = Daemon::with_guests(&[LISTED, &["--carbon-intensity", "100"]].concat());
    let answers: Vec<_> = ["/fn/answer", "/fn/hello-world", "/fn/hello-http", "/invoke/answer"]
        .map(|target| daemon.request("GET", target, &["origin: https://a.example"], b""))
        .into();
    let exposed: BTreeSet<&str> = answers[0].header("access-control-expose-headers").unwrap().split(", ").collect();
    let is_ours = |name: &&str| name.starts_with("nebula-") || ["server-timing", "x-request-id"].contains(name);
    let names = answers.iter().flat_map(|answer| answer.headers.iter().map(|(name, _)| name.as_str()));
    let carried: BTreeSet<&str> = names.filter(is_ours).collect();
    assert!(carried.contains("nebula-carbon-grams"), "{carried:?}");
    assert_eq!(exposed.iter().copied().filter(is_ours).collect::<BTreeSet<_>>(), carried);
}

#[test]
fn a_function_decides_for_itself_whose_pages_may_use_its_answers() {
    let daemon = Daemon::shared(LISTED);
    let output = b"access-control-allow-origin: https://its.own\ncontent-type: text/plain\n\nhello";
    let answer = daemon.request("POST", "/fn/echo", &["origin: https://a.example"], output);
    let allowed: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "access-control-allow-origin").collect();
    assert_eq!(allowed.len(), 1);
    assert_eq!((answer.text(), &*allowed[0].1), ("hello", "https://its.own"));
}
