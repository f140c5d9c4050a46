//! Requests that functions send: to whom their manifest says, and to nobody else.

use std::fs;

use crate::daemon::Daemon;

/// A daemon whose `http-echo` may ask `peer` and nobody else.
fn asking(peer: &Daemon) -> Daemon {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!("outbound = [\"http://{}\"]\n", peer.address());
    fs::write(folder.path().join("http-echo.toml"), manifest).unwrap();
    Daemon::start(&["--source", "model", "--functions", folder.path().to_str().unwrap()])
}

fn url(peer: &Daemon, path: &str) -> String {
    format!("http%3A%2F%2F{}{}", peer.address().to_string().replace(':', "%3A"), path.replace('/', "%2F"))
}

#[test]
fn a_function_reaches_the_hosts_that_its_manifest_lists() {
    let peer = Daemon::start(&["--source", "model"]);
    let daemon = asking(&peer);
    let collected = daemon.get(&format!("/invoke/http-echo?url={}", url(&peer, "/fn/hello-http"))).json();
    assert_eq!((&collected["output"], &collected["status"]), (&"Hello, World!\n".into(), &200.into()));
    daemon.stop();
    peer.stop();
}

#[test]
fn everybody_else_is_refused_in_the_guest_and_in_the_log() {
    let (peer, stranger) = (Daemon::start(&["--source", "model"]), Daemon::start(&["--source", "model"]));
    let daemon = asking(&peer);
    let answer = daemon.get(&format!("/invoke/http-echo?url={}", url(&stranger, "/fn/hello-http"))).json();
    assert_eq!(answer["status"], 403, "{answer:?}");
    let without = Daemon::start(&["--source", "model"]);
    assert_eq!(without.get(&format!("/invoke/http-echo?url={}", url(&peer, "/"))).json()["status"], 403);
    let log = daemon.stop();
    let told = format!("http://{}", stranger.address());
    assert!(log.contains("http-echo") && log.contains("outbound") && log.contains(&told), "{log}");
    for daemon in [without, peer, stranger] {
        daemon.stop();
    }
}

#[test]
fn a_host_that_is_gone_is_an_error_in_the_guest_alone() {
    let peer = Daemon::start(&["--source", "model"]);
    let daemon = asking(&peer);
    let gone = format!("/invoke/http-echo?url={}", url(&peer, "/"));
    peer.stop();
    assert_eq!(daemon.get(&gone).json()["status"], 502);
    assert_eq!(daemon.get("/fn/hello-http").status, 200);
    daemon.stop();
}

#[test]
fn a_manifest_with_hosts_that_cannot_be_is_told_in_full() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("http-echo.toml"), "outbound = [\"ftp://a\", \"http://b:99999\", \"https://c\"]\n")
        .unwrap();
    let daemon = Daemon::start(&["--source", "model", "--functions", folder.path().to_str().unwrap()]);
    assert_eq!(daemon.get("/fn/http-echo").status, 404);
    assert_eq!(daemon.get("/fn/hello-http").status, 200);
    let log = daemon.stop();
    assert!(log.contains("ftp://a") && log.contains("99999"), "{log}");
}
