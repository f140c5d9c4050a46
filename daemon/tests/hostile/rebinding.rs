//! A web page whose name was made to lead to 127.0.0.1 (DNS rebinding). Its browser takes the daemon for the page's own
//! origin, and would let it read every answer.

use crate::prelude::*;

const TARGETS: [&str; 11] = [
    "/energy",
    "/metrics",
    "/usage",
    "/events",
    "/functions",
    "/invocations",
    "/",
    "/invoke/hello-world",
    "/fn/hello-world",
    "/api/echo/x",
    "/openapi.json",
];

fn asked(daemon: &Daemon, target: &str, headers: &str) -> Response {
    let head = format!("GET {target} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
    Response::parse(&daemon.send(head.as_bytes())).0
}

#[test]
fn a_rebound_name_reads_nothing_and_calls_nothing() {
    let daemon = Daemon::shared(&[]);
    for host in ["evil.example", "localhost.evil.example", "192.0.2.1"] {
        for target in TARGETS {
            // Whoever sends a token that the daemon does not know sends none.
            for more in ["", "authorization: Bearer nebula_guessed\r\n"] {
                let headers = format!("host: {host}:{}\r\n{more}", daemon.address().port());
                asked(&daemon, target, &headers).expect_problem(403, "foreign-host");
            }
        }
    }
    assert_eq!(asked(&daemon, "/healthz", "host: evil.example\r\n").status, 200);
}

#[test]
fn names_of_this_machine_and_configured_ones_may_be_used() {
    let daemon = Daemon::start(&["--http-names", "nebula,Shop.example"]);
    for host in ["localhost", "127.0.0.1:1", "[::1]", "x.localhost", "nebula:8080", "shop.example.", "NEBULA", ""] {
        assert_eq!(asked(&daemon, "/invoke/hello-world", &format!("host: {host}\r\n")).status, 200, "{host}");
    }
    let refused = asked(&daemon, "/energy", "host: sub.shop.example\r\n");
    assert_detail(&refused.expect_problem(403, "foreign-host"), "`http.names`");
}

#[test]
fn a_token_may_be_sent_under_any_name() {
    let tokens = TokensFile::empty();
    let known = tokens.add("ops", &["--role", "operate"]);
    let daemon = Daemon::start(&["--tokens", &tokens.path_str()]);
    assert_eq!(asked(&daemon, "/energy", &format!("host: shop.example\r\n{known}\r\n")).status, 200);
    asked(&daemon, "/energy", "host: shop.example\r\n").expect_problem(403, "foreign-host");
}
