//! How far a client is behind the slowest pace at which it may read.

use std::time::{Duration, Instant};

/// The time that a client has let answers wait, less what it has earned by reading. What it reads too much is not kept for
/// later: a client that has read a lot may not stop for longer than others.
#[derive(Debug, Default)]
pub struct ReadingPace {
    /// Since when something waits for the client.
    since: Option<Instant>,
    behind: Duration,
}

impl ReadingPace {
    /// Something waits for the client from now on.
    pub fn start(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// Nothing waits for the client any more.
    pub fn pause(&mut self, now: Instant) {
        self.behind = self.behind(now);
        self.since = None;
    }

    /// The client has read what it may take this long for.
    pub fn earn(&mut self, now: Instant, time: Duration) {
        self.behind = self.behind(now).saturating_sub(time);
        self.since = self.since.map(|_| now);
    }

    pub fn behind(&self, now: Instant) -> Duration {
        self.behind + self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    pub fn is_waiting(&self) -> bool {
        self.since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_only_while_something_waits_and_reading_earns_no_credit() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let behind = |pace: &ReadingPace, seconds| pace.behind(at(seconds)).as_secs();
        let mut pace = ReadingPace::default();
        assert_eq!(behind(&pace, 5), 0);
        pace.start(at(10));
        pace.start(at(15));
        assert_eq!(behind(&pace, 20), 10);
        pace.earn(at(20), Duration::from_secs(4));
        assert_eq!(behind(&pace, 21), 7);
        pace.pause(at(22));
        assert_eq!((behind(&pace, 99), pace.is_waiting()), (8, false));
        pace.earn(at(99), Duration::from_secs(100));
        pace.start(at(100));
        assert_eq!(behind(&pace, 103), 3);
    }
}
