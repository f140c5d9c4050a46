//! A guest that has answered has answered, whatever becomes of it afterwards.

use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::Bytes;

use crate::prelude::*;

#[test]
fn a_whole_answer_is_delivered_although_its_guest_fails_afterwards() {
    // Rare ticks keep short calls short, even on a busy machine.
    let daemon = Daemon::with_guests(&["--limits-wall 1s --runtime-tick 1s"]);
    for (path, outcome, why) in [("whole", "trap", "unreachable"), ("zealous", "timeout", "deadline")] {
        let before = daemon.calls("misbehave", outcome);
        let answer = block_on(async {
            let uri = format!("http://{}/fn/misbehave/{path}", daemon.address());
            let request = Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
            let answer = http2_connection(&daemon).await.send_request(request).await.unwrap();
            let status = answer.status().as_u16();
            (status, answer.collect().await.map(|body| body.to_bytes().len()).unwrap_or_default())
        });
        assert_eq!(answer, (200, 4096), "{path}");
        until("the call is counted", || daemon.calls("misbehave", outcome) == before + 1.0);
        let told = |line: &str| line.contains("it answered, and then failed") && line.contains(why);
        until("the log tells of it", || daemon.log().lines().any(told));
    }
    // Half an answer is none.
    daemon.get("/fn/misbehave/brief").expect_problem(500, "trap");
}
