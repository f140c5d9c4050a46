//! Lists, probes, pages and allowed methods.

use crate::prelude::*;

#[test]
fn functions_are_listed_and_described() {
    let daemon = Daemon::shared(&[]);
    let list = daemon.get("/functions").json();
    let list = list["functions"].as_array().unwrap();
    let names = daemon.function_names();
    assert!(names.is_sorted() && names.contains(&"sudoku".into()) && names.contains(&"sleeper".into()), "{names:?}");
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
fn the_first_page_shows_every_function_and_where_joules_come_from() {
    let daemon = Daemon::shared(&[]);
    let page = daemon.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for part in [
        "<!DOCTYPE html>",
        "<strong>estimated</strong>",
        "ranks by CPU time",
        "action=\"/invoke/fibonacci\"",
        "Last calls",
    ] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
}

#[test]
fn browsers_get_html() {
    let daemon = Daemon::shared(&[]);
    let browse = |target: &str| daemon.get_with(target, &["accept: text/html,*/*;q=0.8"]);
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
fn inputs_and_outputs_are_escaped_on_pages() {
    let daemon = Daemon::shared(&[]);
    let attack = "%3Cscript%3Ealert(1)%3C/script%3E";
    for target in
        [format!("/invoke/echo?input={attack}"), format!("/api/{attack}/1"), format!("/invoke/complain?input={attack}")]
    {
        let page = daemon.get_with(&target, &["accept: text/html"]);
        assert!(!page.text().contains("<script"), "{}", page.text());
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn other_methods_are_refused_with_the_allowed_ones() {
    let daemon = Daemon::shared(&[]);
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
        response.expect_problem(405, "method-not-allowed");
        assert_eq!(response.header("allow"), Some(allowed), "{method} {target}");
    }
}

#[test]
fn a_head_is_a_get_without_its_body() {
    let daemon = Daemon::shared(&[]);
    for target in ["/", "/healthz", "/functions", "/metrics", "/invoke/answer", "/answer"] {
        let response = daemon.request("HEAD", target, &[], b"");
        assert_eq!(response.status, 200, "{target}");
        assert!(response.body.is_empty() && response.header("content-length") != Some("0"), "{response:?}");
    }
    let command = daemon.request("HEAD", "/fn/hello-world", &[], b"");
    assert_eq!((command.status, command.body.len(), command.header("content-length")), (200, 0, Some("14")));
    assert_eq!(["/healthz", "/readyz"].map(|probe| daemon.get(probe).body), [&b"ok\n"[..], b"ready\n"]);
}
