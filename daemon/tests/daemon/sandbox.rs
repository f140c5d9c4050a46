//! What a guest can reach: what its call gave it, and nothing else.

use crate::daemon::Daemon;

const OPTIONS: &[&str] = &["--source", "model"];

#[test]
fn the_environment_is_the_query_and_nothing_of_the_daemons() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.get("/invoke/environment").json()["output"], "");
    assert_eq!(daemon.get("/invoke/environment?LEVEL=9&input=x").json()["output"], "LEVEL=9\0");
}

#[test]
fn no_directory_file_or_socket_is_open() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.get("/invoke/reach").json()["output"], "0\n");
}

#[test]
fn every_call_has_an_instance_of_its_own() {
    let daemon = Daemon::shared(OPTIONS);
    for _ in 0..3 {
        assert_eq!(daemon.get("/invoke/memory?input=10").json()["output"], "1\n", "one page, whatever was before");
    }
}
