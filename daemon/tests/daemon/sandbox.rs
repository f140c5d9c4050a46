//! What a guest can reach: what its call gave it, and nothing else.

use crate::prelude::*;

const OPTIONS: &[&str] = &[];

#[test]
fn the_environment_is_the_query_and_nothing_of_the_daemons() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.output("environment"), "");
    assert_eq!(daemon.output("environment?LEVEL=9&input=x"), "LEVEL=9\0");
}

#[test]
fn no_directory_file_or_socket_is_open() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.output("reach"), "0\n");
}

#[test]
fn every_call_has_an_instance_of_its_own() {
    let daemon = Daemon::shared(OPTIONS);
    for _ in 0..3 {
        assert_eq!(daemon.output("memory?input=10"), "1\n", "one page, whatever was before");
    }
}
