//! Queries of many parameters, each of which becomes a variable or an argument of a function.

use crate::prelude::*;

#[test]
fn a_query_has_a_bounded_number_of_parameters() {
    let daemon = Daemon::shared(&[]);
    for path in ["/invoke/hello-world", "/fn/hello-world", "/fn/answer", "/hello-world"] {
        let most = daemon.get(&format!("{path}?{}", "&a=1".repeat(1000)));
        assert!(most.status != 400, "{path}: {most:?}");
        let more = daemon.get(&format!("{path}?{}", "a=1&".repeat(1001)));
        assert_detail(&more.expect_problem(400, "bad-request"), "at most 1000 parameters here (`limits.parameters`)");
    }
    // What a function reads itself is its own.
    assert_eq!(daemon.get(&format!("/fn/hello-http?{}", "a=1&".repeat(5000))).status, 200);
}
