//! A guest opens no socket that its manifest does not list, and no more than the operator allows.

use std::io::ErrorKind;
use std::net::TcpListener;

use crate::prelude::*;

/// A daemon with the guest `sockets`, which prints `.` for each step that succeeded and `a` where access was denied.
fn daemon(port: u16, steps: &str, network: &str, options: &[&str]) -> Daemon {
    let steps: Vec<_> = steps.chars().map(|step| format!("\"{step}\"")).collect();
    let manifest = format!("args = [\"{port}\", {}]\nnetwork = [{network}]\n", steps.join(", "));
    Daemon::with_files(&[("sockets.wat", guests::source("sockets")), ("sockets.toml", manifest)], options)
}

/// A port that somebody listens at, and whether anybody came.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn has_visitor(listener: &TcpListener) -> bool {
    match listener.accept() {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_guest_without_a_grant_opens_no_socket_and_looks_up_no_name() {
    let (listener, port) = listener();
    let private = format!("127.0.0.1:{port}");
    let daemon = daemon(port, "clumn", "", &["--outbound-private", &private]);
    assert_eq!(daemon.output("sockets"), "aaaaa");
    assert!(!has_visitor(&listener));
}

#[test]
fn a_grant_opens_one_door() {
    let (listener, port) = listener();
    let private = format!("127.0.0.1:{port}");
    let options = ["--outbound-private", &private];
    let granted = daemon(port, "clun", &format!("\"tcp:127.0.0.1:{port}\""), &options);
    assert_eq!(granted.output("sockets"), "...a.aa", "it connects; it may not listen, send datagrams or look up");
    assert!(has_visitor(&listener));

    let elsewhere = daemon(port, "c", "\"tcp:127.0.0.1:1\", \"tcp:127.0.0.2:*\", \"udp:*:*\"", &options);
    assert_eq!(elsewhere.output("sockets"), ".a", "another port, another address, another protocol");
    let log = elsewhere.stop();
    assert!(log.contains(&private) && log.contains("`network` does not list it"), "{log}");

    let named = daemon(port, "cn", &format!("\"tcp:localhost:{port}\""), &options);
    assert_eq!(named.output("sockets"), ".a...", "it may go where its name has led, not before");

    let (server, taken) = (daemon(port, "cl", "\"tcp-listen:127.0.0.1:*\"", &options), has_visitor(&listener));
    assert_eq!(server.output("sockets"), ".a.h", "it may bind, but the port is in use");
    assert!(taken && !has_visitor(&listener), "only the one that looked up the name came");
}

#[test]
fn private_addresses_are_the_operators_whatever_a_manifest_lists() {
    let (listener, port) = listener();
    let daemon = daemon(port, "cn", "\"tcp:*:*\"", &[]);
    assert_eq!(daemon.output("sockets"), ".a..a");
    assert!(!has_visitor(&listener));
    let log = daemon.stop();
    assert!(log.contains("a private address") && log.contains("`outbound.private`"), "{log}");
}

#[test]
fn sockets_are_bounded_by_call_and_in_all() {
    for option in ["--limits-files", "--limits-files-in-all"] {
        let daemon = daemon(9, "m", "\"tcp:*:9\"", &[option, "5"]);
        for _ in 0..3 {
            assert_eq!(daemon.output("sockets"), ".....o", "{option}: what one call opened is closed for the next");
        }
        let log = daemon.stop();
        assert!(log.contains("`limits.files`"), "{log}");
    }
}

#[test]
fn a_deployed_manifest_lists_only_sockets_that_the_operator_allows() {
    let put = |daemon: &Daemon, sockets: &str| {
        daemon.request("PUT", "/functions/sockets/manifest", &[], format!("network = [\"{sockets}\"]"))
    };
    let plain = daemon(9, "c", "", &[]);
    let refused = put(&plain, "tcp:10.0.0.1:80").expect_problem(422, "not-deployable");
    assert_detail(&refused, "`tcp:10.0.0.1:80`");
    assert_detail(&refused, "`deploy.network`");

    let daemon = daemon(9, "c", "", &["--deploy-network", "tcp:*.example.com:443,udp:*:53"]);
    for sockets in ["*", "tcp:*:443", "tcp:example.com:443", "tcp:a.example.com:80", "udp:*:*", "tcp-listen:*:443"] {
        assert_detail(&put(&daemon, sockets).expect_problem(422, "not-deployable"), sockets);
    }
    for sockets in ["tcp:a.example.com:443", "udp:9.9.9.9:53"] {
        assert_eq!(put(&daemon, sockets).status, 200, "{sockets}");
    }
    assert_detail(&put(&daemon, "smtp:a:25").expect_problem(422, "not-deployable"), "is not of the form");
}

#[test]
fn a_function_that_cannot_have_sockets_is_granted_none() {
    let manifest = "network = [\"tcp:127.0.0.1:80\"]";
    let files = [("arguments.wat", guests::source("arguments")), ("arguments.toml", manifest.into())];
    let daemon = Daemon::with_files(&files, &[]);
    assert_ne!(daemon.get("/invoke/arguments").status, 200);
    let log = daemon.stop();
    assert!(log.contains("arguments.wat`") && log.contains("only WASI 0.3 components"), "{log}");
}
