//! A `modules.toml` in WAGI's format.

use std::fs;

use crate::prelude::*;

const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wagi/modules.toml");

fn daemon() -> Daemon {
    Daemon::start(&["--modules", MODULES])
}

fn parts(response: &Response) -> Vec<&str> {
    assert_eq!(response.status, 200, "{response:?}");
    response.text().split_terminator('\0').collect()
}

#[test]
fn routes_lead_to_modules_and_their_entries() {
    let daemon = daemon();
    let root = daemon.get("/");
    assert_eq!((root.status, root.text(), root.header("content-type")), (200, "hello\n", Some("text/plain")));
    assert!(root.header("nebula-invocation-id").is_some(), "{root:?}");
    let goodbye = daemon.get("/hello/goodbye");
    assert_eq!((goodbye.status, goodbye.text(), goodbye.header("x-word")), (404, "goodbye\n", Some("bye")));
    // A slash at the end makes another route, and a name none.
    for none in ["/hello/goodbye/", "/slash", "/hello-goodbye"] {
        assert_eq!(daemon.get(none).status, 404, "{none}");
    }
    assert_eq!((daemon.get("/slash/").text(), daemon.get("/fn/slash").text()), ("hello\n", "hello\n"));
    let moved = daemon.post("/moved", "");
    assert_eq!((moved.status, moved.header("location")), (302, Some("https://example.com/there")));
    assert_eq!(daemon.get("/site").text(), "from a volume\n");
    // The daemon's own paths and its functions are where they were, and modules are functions too.
    assert_eq!(daemon.get("/healthz").text(), "ok\n");
    assert_eq!(daemon.output("add?input=2,3"), "5\n");
    let invoked = daemon.get("/invoke/hello").json();
    assert!(invoked["output"].as_str().unwrap().ends_with("hello\n"), "{invoked}");
}

#[test]
fn a_module_gets_its_request_as_wagi_passes_it() {
    let daemon = daemon();
    let response = daemon.request("POST", "/env/a%20b?x=1&settle=true", &["Content-Type: text/x"], b"12345");
    let got = variables(response.text());
    for (name, value) in [
        ("X_MATCHED_ROUTE", "/env/..."),
        ("X_FULL_URL", "http://localhost/env/a%20b?x=1&settle=true"),
        ("X_RAW_PATH_INFO", "/a%20b"),
        ("PATH_INFO", "/a b"),
        ("PATH_TRANSLATED", "/a b"),
        ("SCRIPT_NAME", "/env"),
        ("QUERY_STRING", "x=1&settle=true"),
        ("REQUEST_METHOD", "POST"),
        ("CONTENT_LENGTH", "5"),
        ("CONTENT_TYPE", "text/x"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("GREETING", "good morning"),
        ("SERVER_SOFTWARE", "WAGI/1"),
    ] {
        assert_eq!(got.get(name), Some(&value), "{name}: {got:#?}");
    }
    assert_eq!(got["SERVER_PORT"], daemon.address().port().to_string());
    assert!(!got.contains_key("x"), "a query is no more than arguments: {got:#?}");
    let named = daemon.send(b"GET /env HTTP/1.1\r\nhost: 127.0.0.1:81\r\nconnection: close\r\n\r\n");
    let (named, _) = Response::parse(&named);
    let got = variables(named.text());
    assert_eq!((got["SERVER_NAME"], got["SERVER_PORT"]), ("127.0.0.1", "81"));
    let bare = daemon.get("/env");
    let got = variables(bare.text());
    for name in ["PATH_INFO", "X_RAW_PATH_INFO", "CONTENT_TYPE", "AUTH_TYPE", "REMOTE_USER", "QUERY_STRING"] {
        assert_eq!(got.get(name), Some(&""), "{name}: {got:#?}");
    }
    assert_eq!(got["CONTENT_LENGTH"], "0");
}

#[test]
fn arguments_follow_the_template_or_are_the_script_and_the_query() {
    let daemon = daemon();
    assert_eq!(parts(&daemon.get("/args/below?a=1&b&c=%20")), ["/args", "a=1", "b", "c=%20"]);
    assert_eq!(parts(&daemon.get("/args")), ["/args"]);
    assert_eq!(parts(&daemon.get("/env/exact?x=1")), ["env", "--route", "/env/exact", "x=1"]);
}

#[test]
fn modules_that_cannot_be_served_are_left_out_and_listed() {
    let daemon = daemon();
    for route in ["/missing", "/remote", "/entry"] {
        daemon.get(route).expect_problem(502, "broken-module");
    }
    let listed = daemon.get("/functions").json().to_string();
    for (route, why) in [
        ("/missing", "cannot read it"),
        ("/remote", "modules must be files"),
        ("/entry", "exports no function `nowhere`"),
    ] {
        assert!(listed.contains(route) && listed.contains(why), "{route}: {listed}");
    }
    let described = json!({ "origin": "modules", "manifest": { "outbound": ["https://example.com"] } });
    assert_has(&daemon.get("/functions/env").json(), &described);
    let log = daemon.stop();
    assert!(log.contains("line 4: unknown key `default_host`"), "{log}");
    assert!(log.contains("line 65: invalid value `oci:example/remote:1.0.0` for `module`"), "{log}");
}

#[test]
fn a_module_declares_routes_of_its_own() {
    let daemon = daemon();
    for (path, printed) in [
        ("/parent", "main"),
        ("/parent/exact", "exact"),
        ("/parent/wildcard", "wild"),
        ("/parent/wildcard/fizz/buzz", "wild"),
        // The last line that matches wins, and the module's own wildcard comes after all.
        ("/parent/wildcard/main", "main"),
        ("/parent/else", "main"),
        ("/slashed/exact", "exact"),
        ("/slashed/", "main"),
    ] {
        assert_eq!(daemon.get(path).text(), format!("{printed}\n"), "{path}");
    }
    assert_eq!((daemon.get("/slashed/else").status, daemon.get("/slashed/exact/").status), (404, 404));
    let listed = daemon.get("/functions").json().to_string();
    assert!(listed.contains("\"parent-wildcard\"") && listed.contains("its `_routes` cannot be used: "), "{listed}");
    daemon.get("/trapping").expect_problem(502, "broken-module");
}

#[test]
fn a_module_that_cannot_be_served_keeps_its_route() {
    let folder = temporary_folder();
    let path = folder.path().join("modules.toml");
    fs::write(&path, "[[module]]\nroute = \"/\"\nmodule = \"missing.wasm\"\n").unwrap();
    let daemon = Daemon::start(&["--modules", path.to_str().unwrap()]);
    daemon.get_with("/", &["accept: text/html"]).expect_problem(502, "broken-module");
    assert_eq!((daemon.get("/nothing").status, daemon.get("/healthz").status), (404, 200));
}

#[test]
fn modules_of_the_file_cannot_be_deployed_over() {
    let functions = temporary_folder();
    let daemon = Daemon::start(&["--modules", MODULES, "--functions", functions.path().to_str().unwrap()]);
    for (method, target) in
        [("PUT", "/functions/hello"), ("DELETE", "/functions/hello"), ("POST", "/functions/hello/rollback")]
    {
        daemon.request(method, target, &[], "(module (func (export \"run\")))").expect_problem(409, "of-modules");
    }
    assert_eq!(daemon.get("/").text(), "hello\n");
}

#[test]
fn a_wrong_file_stops_the_start() {
    let folder = temporary_folder();
    let path = folder.path().join("modules.toml");
    for (text, why) in [
        (None, "cannot read the modules in"),
        (Some("[[module]\n"), "is not a list of modules: line 1:"),
        (Some("\nmodules = 1\n"), "line 2: unknown key `modules`"),
    ] {
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let error = start_error(&["--modules", path.to_str().unwrap()], 64);
        assert!(error.contains(why), "{why}\n{error}");
    }
}
