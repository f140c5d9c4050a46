//! The options of admission: how many calls run and wait, and on how many threads.

use std::thread::available_parallelism;
use std::time::Duration;

use crate::settings::{Checker, Setting, defaulted, optional, within};

pub const OPTIONS: &[Setting] = &[
    defaulted("limits.concurrency", "COUNT", "256", "Calls that run at once"),
    defaulted("limits.queue", "COUNT", "1024", "Calls that wait for others to end"),
    defaulted("limits.queue-wait", "DURATION", "10s", "Time that a call may wait for others to end"),
    defaulted("meter.waiters", "COUNT", "1024", "Callers that wait at once for a settled charge (?settle=true)"),
    optional("runtime.workers", "COUNT", "Run calls on this many threads; by default one for each processor"),
];

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub concurrency: u32,
    pub queue: usize,
    pub queue_wait: Duration,
    pub settle_waiters: usize,
    pub workers: usize,
}

impl Settings {
    pub fn check(check: &mut Checker<'_>) -> Self {
        Self {
            concurrency: check.number("limits.concurrency", 1..=10_000),
            queue: check.number("limits.queue", 0..=1_000_000),
            queue_wait: check.duration("limits.queue-wait", &(Duration::from_millis(1)..=Duration::from_secs(86_400))),
            settle_waiters: check.number("meter.waiters", 0..=1 << 20),
            workers: check
                .optional("runtime.workers", |text| within(text, &(1..=1024)))
                .unwrap_or_else(|| available_parallelism().map_or(1, usize::from)),
        }
    }
}
