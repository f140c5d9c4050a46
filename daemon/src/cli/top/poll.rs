//! Asks a daemon for its ledger, again and again, on a thread of its own.

use std::io;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use super::ledger::{LedgerError, Reading};
use super::screen::Event;
use crate::cli::client::Client;

/// Rates need two readings, and nobody should look at an empty screen for long.
const SECOND_WITHIN: Duration = Duration::from_secs(1);

/// A clock that ticks every interval, and lets ticks pass that come too late.
#[derive(Debug)]
pub struct Ticks {
    next: Instant,
    interval: Duration,
}

impl Ticks {
    /// The first comes after an interval.
    pub fn new(interval: Duration) -> Self {
        Self { next: Instant::now() + interval, interval }
    }

    /// The first comes after an interval, or after a second if that is sooner.
    fn soon(interval: Duration) -> Self {
        Self { next: Instant::now() + interval.min(SECOND_WITHIN), interval }
    }

    /// Waits for the next one.
    pub fn wait(&mut self) {
        let now = Instant::now();
        thread::sleep(self.next.saturating_duration_since(now));
        self.next = (self.next + self.interval).max(now);
    }
}

/// Sends a reading, or why there is none, at every tick, for as long as somebody listens.
///
/// # Errors
/// When there is no thread for it.
pub fn poll(client: Client, interval: Duration, readings: Sender<Event>) -> io::Result<()> {
    let mut ticks = Ticks::soon(interval);
    let ask = move || {
        loop {
            ticks.wait();
            let reading: Result<_, LedgerError> = Reading::ask(&client);
            if readings.send(Event::Reading(reading.map(Box::new))).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("poll".into()).spawn(ask).map(drop)
}
