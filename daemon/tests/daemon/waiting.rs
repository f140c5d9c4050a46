//! Waiting for a condition, but not for ever.

use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes on a machine that is busy with other tests.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(10);

/// Polls until there is an answer.
#[track_caller]
pub fn eventually<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONGEST_WAIT;
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {LONGEST_WAIT:?}: {what}");
        thread::sleep(PAUSE);
    }
}

/// Polls until the condition holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, || holds().then_some(()));
}
