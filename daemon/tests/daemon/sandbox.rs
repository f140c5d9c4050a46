//! What a guest can reach.

use crate::prelude::*;

#[test]
fn a_call_gets_a_fresh_instance_and_only_what_the_caller_gave() {
    let daemon = Daemon::shared(&[]);
    assert_eq!(daemon.output("environment"), "", "nothing of the daemon's environment");
    assert_eq!(daemon.output("environment?LEVEL=9&input=x"), "LEVEL=9\0");
    assert_eq!(daemon.output("reach"), "0\n", "no directory, file or socket is open");
    assert!(!daemon.log().contains("sock_"), "what a guest tries does not fill the log: {}", daemon.log());
    for _ in 0..3 {
        assert_eq!(daemon.output("memory?input=10"), "1\n", "one page, whatever was before");
    }
}
