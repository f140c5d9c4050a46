//! Everything except calls: lists, probes, pages and allowed methods.

use crate::client::Response;
use crate::daemon::Daemon;

const OPTIONS: &[&str] = &["--source", "model"];

#[test]
fn functions_are_listed_and_described() {
    let daemon = Daemon::shared(OPTIONS);
    let list = daemon.get("/functions").json();
    let list = list["functions"].as_array().unwrap();
    let names: Vec<_> = list.iter().map(|function| function["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted() && names.contains(&"sudoku") && names.contains(&"sleeper"), "{names:?}");
    for (name, kind, origin) in
        [("add", "command", "built-in"), ("answer", "numeric", "built-in"), ("flood", "command", "file")]
    {
        let described = daemon.get(&format!("/functions/{name}")).json();
        let listed = list.iter().find(|function| function["name"] == name).unwrap().as_object().unwrap();
        assert!(listed.iter().all(|(key, value)| described[key] == *value), "{listed:?} {described}");
        assert_eq!((&described["kind"], &described["origin"]), (&kind.into(), &origin.into()), "{name}");
        assert!(described["size_bytes"].as_u64() > Some(0));
        assert_ne!(daemon.get(described["invoke"].as_str().unwrap()).status, 404);
    }
    assert_eq!(daemon.get("/functions/nobody").problem()["type"], "urn:nebula:unknown-function");
}

#[test]
fn the_probes_answer() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!((daemon.get("/healthz").status, daemon.get("/healthz").text()), (200, "ok\n"));
    assert_eq!((daemon.get("/readyz").status, daemon.get("/readyz").text()), (200, "ready\n"));
}

#[test]
fn the_first_page_shows_every_function_and_where_joules_come_from() {
    let daemon = Daemon::shared(OPTIONS);
    let page = daemon.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for part in ["<!DOCTYPE html>", "<strong>estimated</strong>", "action=\"/invoke/fibonacci\"", "Last calls"] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
}

#[test]
fn whoever_prefers_html_gets_it() {
    let daemon = Daemon::shared(OPTIONS);
    let browse = |target: &str| daemon.request("GET", target, &["accept: text/html,*/*;q=0.8"], b"");
    let is_html = |response: &Response| response.header("content-type") == Some("text/html; charset=utf-8");
    for target in ["/api/fibonacci/5", "/wasm/fibonacci/5", "/invoke/fibonacci?input=5"] {
        let page = browse(target);
        assert!(page.status == 200 && is_html(&page), "{page:?}");
        assert!(page.text().contains("[0, 1, 1, 2, 3]") && page.text().contains("Energy"), "{}", page.text());
    }
    let missing = browse("/api/nobody/1");
    assert!(missing.status == 404 && is_html(&missing), "{missing:?}");
    let trapped = browse("/invoke/unreachable");
    assert!(trapped.status == 500 && is_html(&trapped) && trapped.text().contains("Energy"), "{trapped:?}");
}

#[test]
fn what_a_caller_or_a_guest_says_is_text_on_a_page_and_no_markup() {
    let daemon = Daemon::shared(OPTIONS);
    let attack = "%3Cscript%3Ealert(1)%3C/script%3E";
    for target in
        [format!("/invoke/echo?input={attack}"), format!("/api/{attack}/1"), format!("/invoke/complain?input={attack}")]
    {
        let page = daemon.request("GET", &target, &["accept: text/html"], b"");
        assert!(!page.text().contains("<script"), "{}", page.text());
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn other_methods_are_refused_and_the_right_ones_named() {
    let daemon = Daemon::shared(OPTIONS);
    for (method, target, allowed) in [
        ("DELETE", "/invoke/add", "GET, POST"),
        ("PUT", "/api/add/1,1", "GET, POST"),
        ("POST", "/hello-world", "GET"),
        ("POST", "/metrics", "GET"),
        ("POST", "/functions", "GET"),
        ("POST", "/healthz", "GET"),
        ("POST", "/readyz", "GET"),
        ("POST", "/", "GET"),
    ] {
        let response = daemon.request(method, target, &[], b"");
        assert_eq!((response.status, response.header("allow")), (405, Some(allowed)), "{method} {target}");
        assert_eq!(response.problem()["type"], "urn:nebula:method-not-allowed");
    }
}

#[test]
fn a_head_is_a_get_without_its_body() {
    let daemon = Daemon::shared(OPTIONS);
    for target in ["/", "/healthz", "/functions", "/metrics", "/invoke/answer", "/answer"] {
        let response = daemon.request("HEAD", target, &[], b"");
        assert_eq!(response.status, 200, "{target}");
        assert!(response.body.is_empty() && response.header("content-length") != Some("0"), "{response:?}");
    }
}
