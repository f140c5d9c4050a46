//! Commands at `/fn`: what they learn about a request, and what their output means.

use crate::prelude::*;

/// Rare ticks keep short calls short, even on a busy machine.
const OPTIONS: &[&str] = &["--runtime-tick 1s"];

/// The answer to a command that writes this.
fn answered(output: &str) -> Response {
    Daemon::shared(OPTIONS).post("/fn/echo", output)
}

#[test]
fn a_command_gets_its_request_as_variables() {
    let daemon = Daemon::shared(OPTIONS);
    let headers = ["content-type: text/csv", "x-list: 1", "x-list: 2", "cookie: a=b"];
    let target = "/fn/environment/a%20b/c?k=v%20w&level=9";
    let response = daemon.request("PUT", target, &headers, b"1,2");
    let got = variables(response.text());
    let port = daemon.address().port().to_string();
    for (name, value) in [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REQUEST_METHOD", "PUT"),
        ("REQUEST_URI", target),
        ("SCRIPT_NAME", "/fn/environment"),
        ("PATH_INFO", "/a b/c"),
        ("QUERY_STRING", "k=v%20w&level=9"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", &port),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("CONTENT_TYPE", "text/csv"),
        ("CONTENT_LENGTH", "3"),
        ("HTTP_HOST", "localhost"),
        ("HTTP_X_LIST", "1, 2"),
        ("HTTP_COOKIE", "a=b"),
        ("k", "v w"),
        ("level", "9"),
    ] {
        assert_eq!(got.get(name), Some(&value), "{name}");
    }
    let at_root = daemon.get("/environment?k=v");
    let at_root = variables(at_root.text());
    assert_eq!(at_root["SCRIPT_NAME"], "/environment");
    assert!(!at_root.contains_key("PATH_INFO") && !at_root.contains_key("CONTENT_LENGTH"), "{at_root:?}");
}

#[test]
fn credentials_and_proxy_headers_are_not_passed_to_commands() {
    let headers = [
        "authorization: Basic c2VjcmV0",
        "proxy-authorization: Basic c2VjcmV0",
        "proxy: http://attacker.test",
        "x_forwarded_for: 10.0.0.1",
    ];
    let response = Daemon::shared(OPTIONS).get_with("/fn/environment", &headers);
    let got = variables(response.text());
    let forbidden = ["HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION", "HTTP_PROXY", "HTTP_X_FORWARDED_FOR"];
    assert!(forbidden.iter().all(|name| !got.contains_key(name)), "{got:?}");
    assert!(got.values().all(|value| !value.contains("c2VjcmV0") && !value.contains("attacker")), "{got:?}");
}

#[test]
fn a_query_forges_no_variable_of_the_daemons() {
    let forged = "REMOTE_ADDR=10.0.0.1&HTTP_AUTHORIZATION=x&HTTP_PROXY=x&HTTPS=on&AUTH_TYPE=x&REMOTE_USER=root\
                  &PATH_TRANSLATED=/etc&CONTENT_LENGTH=9&PATH_INFO=/x";
    let response = Daemon::shared(OPTIONS).get(&format!("/fn/environment?{forged}&level=9&remote_addr=x"));
    let got = variables(response.text());
    // What only looks like a variable of the daemon's is the query's.
    assert_eq!((got["REMOTE_ADDR"], got["level"], got["remote_addr"]), ("127.0.0.1", "9", "x"));
    let names = "HTTP_AUTHORIZATION HTTP_PROXY HTTPS AUTH_TYPE REMOTE_USER PATH_TRANSLATED CONTENT_LENGTH PATH_INFO";
    assert!(names.split(' ').all(|name| !got.contains_key(name)), "{got:?}");
}

#[test]
fn arguments_are_the_path_and_the_pairs_of_the_query() {
    let daemon = Daemon::shared(OPTIONS);
    let arguments = |target: &str| daemon.get(target).text().to_owned();
    assert_eq!(arguments("/fn/arguments"), "arguments\0");
    assert_eq!(arguments("/fn/arguments/a%20b/c?k=v&n=1&k=w"), "arguments\0/a b/c\0k=v\0n=1\0k=w\0");
    assert_eq!(arguments("/fn/arguments?--help"), "arguments\0--help=\0", "nobody makes an option of a query");
    assert_eq!(daemon.get("/fn/arguments/%00").problem()["status"], 400);
    assert_eq!(daemon.get("/fn/arguments?a=%00").problem()["status"], 400);
    assert_eq!(daemon.output("arguments?k=v"), "arguments\0");
}

#[test]
fn fields_before_the_body_are_headers_with_either_end_of_line() {
    for end in ["\n", "\r\n"] {
        let fields =
            "Status: 418 Short and stout\nContent-Type: text/css\nSet-Cookie: a=1\nSet-Cookie: b=2; Path=/\n\n";
        let response = answered(&(fields.replace('\n', end) + "body\n"));
        assert_eq!((response.status, response.text()), (418, "body\n"));
        assert_eq!(response.header("content-type"), Some("text/css"));
        let cookies = response.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value);
        assert!(cookies.eq(["a=1", "b=2; Path=/"]), "{response:?}");
        assert_eq!(response.header("status"), None, "it is the status and no header");
    }
}

#[test]
fn a_location_redirects() {
    for (output, status, location, body) in [
        ("Location: /fn/hello-world?x=1\n\n", 302, "/fn/hello-world?x=1", ""),
        ("Status: 308 Elsewhere\nLocation: https://example.test/\n\nmoved", 308, "https://example.test/", "moved"),
    ] {
        let response = answered(output);
        assert_eq!((response.status, response.header("location"), response.text()), (status, Some(location), body));
    }
}

#[test]
fn output_without_fields_is_the_body() {
    for output in ["plain words", "Note: this is no field\n\nnor this", "", "\n", "Content-Type: text/css"] {
        let response = answered(output);
        assert_eq!((response.status, response.text()), (200, output), "{output:?}");
        assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"), "{output:?}");
    }
    let bytes = Daemon::shared(OPTIONS).post("/fn/echo", [0xff, 0xfe]);
    assert_eq!((bytes.header("content-type"), &bytes.body[..]), (Some("application/octet-stream"), &[0xff, 0xfe][..]));
}

#[test]
fn a_command_cannot_set_headers_of_the_daemon() {
    let response = answered(
        "Content-Type: text/css\nContent-Length: 999\nConnection: upgrade\nTransfer-Encoding: gzip\n\
         Nebula-Energy-Joules: 0\nNebula-Invocation-Id: mine\nX-Mine: yes\n\nbody",
    );
    assert_eq!((response.status, response.text(), response.header("x-mine")), (200, "body", Some("yes")));
    assert_eq!(response.header("transfer-encoding"), None);
    assert_eq!(response.header("nebula-invocation-id").map(str::len), Some(36));
    let count = |name: &str| response.headers.iter().filter(|(known, _)| known == name).count();
    assert_eq!((count("nebula-invocation-id"), count("nebula-energy-joules"), count("content-length")), (1, 1, 1));
    assert_ne!(response.header("nebula-energy-joules"), Some("0"));
}

#[test]
fn malformed_fields_are_a_bad_answer_with_its_energy() {
    for (output, why) in [
        ("Status: 99\n\n", "`99` in the answer is not a status"),
        ("Status: fine\n\n", "`fine` in the answer is not a status"),
        ("Status: 200\nStatus: 404\n\n", "the answer has more than one `status`"),
        ("Content-Type: text/css\nno field\n\n", "line 2 of the answer is not of the form `name: value`"),
        ("Content-Type: text/css\n folded\n\n", "line 2 of the answer begins with a space"),
        ("Location: elsewhere\n\n", "`elsewhere` in the answer is not a location"),
        ("Content-Type: text/css\nX-Bad: a\x01b\n\n", "the value of `x-bad` in the answer contains control characters"),
    ] {
        let response = answered(output);
        let problem = response.expect_problem(502, "bad-answer");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with(why)), "{problem}");
        assert_eq!((&problem["function"], &problem["exit_code"]), (&"echo".into(), &0.into()), "{problem}");
        assert!(problem["work"]["cpu_ns"].as_u64() > Some(0), "{problem}");
        assert_eq!(response.header("nebula-invocation-id"), problem["invocation_id"].as_str());
    }
}

#[test]
fn a_command_that_fails_is_a_problem_whatever_it_wrote() {
    let daemon = Daemon::shared(OPTIONS);
    let response = daemon.post("/fn/complain", "the disk is full");
    response.expect_problem(500, "exit");
    assert_eq!(response.header("nebula-energy-source"), Some("model"));
}
