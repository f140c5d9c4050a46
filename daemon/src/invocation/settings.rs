//! The options of admission: how many calls run and wait, and on how many threads.

use std::thread::available_parallelism;
use std::time::Duration;

use crate::settings::{UP_TO_A_DAY, duration_in, number_in, options};

options! {
    #[derive(Clone, Copy, Debug)]
    pub struct Settings {
        /// Calls that run at once
        concurrency: u32 => "limits.concurrency", COUNT = "256", number_in(1..=10_000);
        /// Calls that wait for others to end
        queue: usize => "limits.queue", COUNT = "1024", number_in(0..=1_000_000);
        /// Time that a call may wait for others to end
        queue_wait: Duration => "limits.queue-wait", DURATION = "10s", duration_in(UP_TO_A_DAY);
        /// Callers that wait at once for a settled charge (?settle=true)
        settle_waiters: usize => "meter.waiters", COUNT = "1024", number_in(0..=1 << 20);
        /// Run calls on this many threads; by default one for each processor
        workers: usize => "runtime.workers", COUNT, number_in(1..=1024),
            or available_parallelism().map_or(1, usize::from);
    }
}
