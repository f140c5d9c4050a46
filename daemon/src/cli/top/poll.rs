//! Polls a daemon's ledger on a thread of its own.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::ledger::{LedgerError, LedgerReading};
use crate::cli::client::Client;

/// Rates need two readings, so the second one comes early even if the interval is long.
const SECOND_WITHIN: Duration = Duration::from_secs(1);

/// Ticks at every interval; a tick that is late is skipped.
#[derive(Debug)]
pub struct Ticks {
    next: Instant,
    interval: Duration,
}

impl Ticks {
    /// The first tick comes after an interval.
    pub fn new(interval: Duration) -> Self {
        Self { next: Instant::now() + interval, interval }
    }

    pub fn wait(&mut self) {
        let now = Instant::now();
        thread::sleep(self.next.saturating_duration_since(now));
        self.next = (self.next + self.interval).max(now);
    }
}

/// Hands a reading, or why there is none, to `receive` at every tick, until it returns `false`.
pub fn poll(
    client: Client,
    interval: Duration,
    mut receive: impl FnMut(Result<LedgerReading, LedgerError>) -> bool + Send + 'static,
) -> io::Result<()> {
    let mut ticks = Ticks { next: Instant::now() + interval.min(SECOND_WITHIN), interval };
    let ask = move || {
        ticks.wait();
        while receive(LedgerReading::ask(&client)) {
            ticks.wait();
        }
    };
    thread::Builder::new().name("poll".into()).spawn(ask).map(drop)
}
