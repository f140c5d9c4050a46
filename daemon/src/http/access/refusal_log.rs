//! Says in the log that requests were refused for want of a good token; not once a request, or whoever sends them would
//! fill the disk.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota};

/// Lines at once, and then one a second.
const LINES_BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN;

/// Requests that were refused for want of a good token.
pub struct Refusals {
    lines: DefaultDirectRateLimiter,
    untold: AtomicU64,
}

impl Default for Refusals {
    fn default() -> Self {
        let lines = Quota::per_second(LINES_PER_SECOND).allow_burst(LINES_BURST);
        Self { lines: DefaultDirectRateLimiter::direct(lines), untold: AtomicU64::new(0) }
    }
}

impl Refusals {
    /// One more, from there.
    pub fn note(&self, from: SocketAddr) {
        if self.lines.check().is_err() {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (requests, from) = (self.untold.swap(0, Ordering::Relaxed) + 1, from.ip());
        tracing::warn!(requests, "requests without a good token were refused, the last from {from}");
    }
}
