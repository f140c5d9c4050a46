//! What was used within the last hour, minute by minute.

use std::time::Duration;

use nebula_metering::Microjoules;

const MINUTE_SECONDS: u64 = 60;

/// The current minute and the sixty before it: energy is forgotten when all of its minute is an hour old. So no hour, wherever
/// it begins, has more than the limit in it, and energy counts for up to a minute longer than an hour. Sixty minutes would
/// let two hours' worth be used within 59 minutes and a second.
const MINUTES: u64 = 61;

/// A minute, counted from the start of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minute(u64);

/// Energy by minute, in a ring.
#[derive(Debug)]
pub struct LastHour {
    /// Each minute is at its number modulo their count.
    minutes: [u64; MINUTES as usize],
    sum: u64,
    latest: u64,
}

impl Default for LastHour {
    fn default() -> Self {
        Self { minutes: [0; MINUTES as usize], sum: 0, latest: 0 }
    }
}

impl LastHour {
    /// Adds energy that was used just now, and returns the minute that it is booked in.
    pub fn book(&mut self, now: Duration, energy: Microjoules) -> Minute {
        self.advance(now);
        let minute = Minute(self.latest);
        self.correct(minute, Microjoules::ZERO, energy);
        minute
    }

    /// Replaces what was booked in a minute by `energy`, unless the minute is forgotten by now.
    pub fn correct(&mut self, Minute(minute): Minute, booked: Microjoules, energy: Microjoules) {
        if minute + MINUTES <= self.latest {
            return;
        }
        let slot = self.slot(minute);
        let corrected = slot.saturating_add(energy.0).saturating_sub(booked.0);
        let before = std::mem::replace(slot, corrected);
        self.sum = (self.sum - before).saturating_add(corrected);
    }

    pub fn used(&mut self, now: Duration) -> Microjoules {
        self.advance(now);
        Microjoules(self.sum)
    }

    /// When less than `limit` will be in it if nothing is added; zero if it is less already.
    pub fn until_below(&mut self, limit: Microjoules, now: Duration) -> Duration {
        self.advance(now);
        let mut left = self.sum;
        if left < limit.0 {
            return Duration::ZERO;
        }
        let (oldest, latest) = (self.latest.saturating_sub(MINUTES - 1), self.latest);
        let falls_out = (oldest..=latest).find(|minute| {
            left -= *self.slot(*minute);
            left < limit.0
        });
        // A limit is above zero, and in the end nothing is left.
        let falls_out = falls_out.unwrap_or(latest) + MINUTES;
        Duration::from_secs(falls_out * MINUTE_SECONDS).saturating_sub(now)
    }

    fn slot(&mut self, minute: u64) -> &mut u64 {
        &mut self.minutes[(minute % MINUTES) as usize]
    }

    /// Forgets what is older than an hour.
    fn advance(&mut self, now: Duration) {
        let minute = now.as_secs() / MINUTE_SECONDS;
        if minute <= self.latest {
            // Another thread read the clock later and was here sooner.
            return;
        }
        let first = (self.latest + 1).max((minute + 1).saturating_sub(MINUTES));
        for minute in first..=minute {
            let forgotten = std::mem::take(self.slot(minute));
            self.sum -= forgotten;
        }
        self.latest = minute;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(minute: u64, second: u64) -> Duration {
        Duration::from_secs(minute * 60 + second)
    }

    #[test]
    fn energy_counts_for_an_hour_and_up_to_a_minute_more() {
        let mut hour = LastHour::default();
        hour.book(at(5, 59), Microjoules(7));
        assert_eq!(hour.used(at(5, 59)), Microjoules(7));
        assert_eq!(hour.used(at(65, 59)), Microjoules(7), "an hour later to the second");
        assert_eq!(hour.used(at(66, 0)), Microjoules(0));
        hour.book(at(66, 1), Microjoules(3));
        assert_eq!(hour.used(at(1_000_000, 0)), Microjoules(0));
    }

    #[test]
    fn a_settled_charge_replaces_its_estimate_in_the_same_minute() {
        let mut hour = LastHour::default();
        let minute = hour.book(at(0, 59), Microjoules(100));
        hour.book(at(1, 0), Microjoules(10));
        hour.correct(minute, Microjoules(100), Microjoules(40));
        assert_eq!(hour.used(at(60, 59)), Microjoules(50));
        assert_eq!(hour.used(at(61, 0)), Microjoules(10), "it is forgotten together with the minute of its estimate");
        hour.correct(minute, Microjoules(40), Microjoules(1_000));
        assert_eq!(hour.used(at(61, 0)), Microjoules(10), "a forgotten minute is not corrected");
    }

    #[derive(Clone, Debug)]
    enum Event {
        Time(u64),
        Book(u64),
        /// The booking so many back, to this energy.
        Settle(usize, u64),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0_u64..400).prop_map(Event::Time),
            (0_u64..20_000).prop_map(Event::Time),
            (0_u64..1_000_000).prop_map(Event::Book),
            (0_usize..8, 0_u64..1_000_000).prop_map(|(back, energy)| Event::Settle(back, energy)),
        ]
    }

    proptest! {
        #[test]
        fn the_ring_agrees_with_a_list_of_bookings(events in prop::collection::vec(event(), 0..200), limit in 1_u64..3_000_000) {
            let (mut hour, mut seconds) = (LastHour::default(), 0);
            let mut list: Vec<(Minute, u64)> = Vec::new();
            for event in events {
                let now = Duration::from_secs(seconds);
                match event {
                    Event::Time(more) => seconds += more,
                    Event::Book(energy) => list.push((hour.book(now, Microjoules(energy)), energy)),
                    Event::Settle(back, energy) => {
                        if let Some((minute, booked)) = list.iter_mut().rev().nth(back) {
                            hour.used(now);
                            hour.correct(*minute, Microjoules(*booked), Microjoules(energy));
                            // The list forgets nothing; old bookings count in neither.
                            *booked = energy;
                        }
                    }
                }
                let used = |at: u64| -> u64 {
                    let counts = |minute: u64| minute + 60 >= at / 60;
                    list.iter().filter(|(Minute(minute), _)| counts(*minute)).map(|(_, energy)| energy).sum()
                };
                prop_assert_eq!(hour.used(Duration::from_secs(seconds)).0, used(seconds));
                let until = hour.until_below(Microjoules(limit), Duration::from_secs(seconds)).as_secs();
                prop_assert!(used(seconds + until) < limit);
                prop_assert!(until == 0 || used(seconds + until - 1) >= limit);
            }
        }
    }
}
