//! Requests that functions send: only to hosts that their manifests list.

use crate::prelude::*;

fn with_manifest(manifest: &str) -> Daemon {
    Daemon::with_files(&[("http-echo.toml", manifest)], &["--outbound-private 127.0.0.0/8"])
}

/// A daemon whose `http-echo` may send requests to `peer` only.
fn allowing(peer: &Daemon) -> Daemon {
    with_manifest(&format!("outbound = [\"{}\"]\n", peer.url()))
}

/// Has `http-echo` fetch an address, and gives the status and the output.
fn fetch(daemon: &Daemon, url: &str) -> (u64, String) {
    let url = url.replace(':', "%3A").replace('/', "%2F");
    let answer = daemon.get(&format!("/invoke/http-echo?url={url}")).json();
    (answer["status"].as_u64().unwrap(), answer["output"].as_str().unwrap().to_owned())
}

#[test]
fn a_function_reaches_only_the_hosts_that_its_manifest_lists() {
    let [peer, stranger, without] = [(); 3].map(|()| Daemon::start(&[]));
    let daemon = allowing(&peer);
    assert_eq!(fetch(&daemon, &(peer.url() + "/fn/hello-http")), (200, "Hello, World!\n".into()));
    assert_eq!(fetch(&daemon, &(stranger.url() + "/fn/hello-http")).0, 403);
    assert_eq!(fetch(&without, &peer.url()).0, 403, "without a manifest there are none");
    let log = daemon.stop();
    assert!(log.contains("http-echo") && log.contains("outbound") && log.contains(&stranger.url()), "{log}");
}

#[test]
fn a_host_that_is_gone_fails_only_the_request() {
    let peer = Daemon::start(&[]);
    let (daemon, gone) = (allowing(&peer), peer.url());
    peer.stop();
    assert_eq!(fetch(&daemon, &gone).0, 502);
    assert_eq!(daemon.get("/fn/hello-http").status, 200);
}

#[test]
fn a_manifest_with_impossible_hosts_is_refused_with_every_mistake() {
    let daemon = with_manifest("outbound = [\"ftp://a\", \"http://b:99999\", \"https://c\"]\n");
    assert_eq!(daemon.get("/fn/http-echo").status, 404);
    assert_eq!(daemon.get("/fn/hello-http").status, 200);
    let log = daemon.stop();
    assert!(log.contains("ftp://a") && log.contains("99999"), "{log}");
}
