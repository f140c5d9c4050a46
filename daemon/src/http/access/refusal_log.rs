//! Logs refused requests at a bounded rate, so that nobody can fill the disk with them.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota};

const LINES_BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN;

pub struct RefusalLog {
    lines: DefaultDirectRateLimiter,
    /// Requests refused since the last line.
    unlogged: AtomicU64,
}

impl Default for RefusalLog {
    fn default() -> Self {
        let lines = Quota::per_second(LINES_PER_SECOND).allow_burst(LINES_BURST);
        Self { lines: DefaultDirectRateLimiter::direct(lines), unlogged: AtomicU64::new(0) }
    }
}

impl RefusalLog {
    pub fn note(&self, from: SocketAddr) {
        if self.lines.check().is_err() {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (requests, from) = (self.unlogged.swap(0, Ordering::Relaxed) + 1, from.ip());
        tracing::warn!(requests, "refused requests without a valid token, the last from {from}");
    }
}
