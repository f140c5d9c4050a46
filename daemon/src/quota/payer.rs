//! One whose quota calls count against, and what was used of it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use nebula_metering::{Joules, Microjoules};
use parking_lot::{Mutex, MutexGuard};

use super::clock::Uptime;
use super::exceeded::Limit;
use super::hour::{Hour, Minute};
use super::{COUNT_MAX, Quota, whole};

/// After how long it is worth looking whether another call has ended, which nobody can foretell.
const CALL: Duration = Duration::from_secs(1);

/// The least that callers are told to wait for energy: less is no more than the time of a few calls.
const ENERGY_WAIT_MIN: Duration = Duration::from_secs(1);

/// How many calls a second: the generic cell rate algorithm, whose cells are single calls.
type Rate<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<Duration>>;

/// Whoever has a quota: a function, or a token. What was used outlives a change of the quota ([`Payer::renewed`]).
#[derive(Debug)]
pub struct Payer<C: Clock<Instant = Duration> = Uptime> {
    name: Box<str>,
    quota: Quota,
    clock: C,
    rate: Option<Arc<Rate<C>>>,
    used: Arc<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// Calls that run or wait.
    calls: AtomicU32,
    /// Held for some tens of nanoseconds: by calls of this payer as they come and end, and by the sampler as it settles
    /// them.
    hour: Mutex<Hour>,
}

/// What is used of a quota at this moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Calls that run or wait.
    pub calls: u32,
    /// Active energy of the last hour.
    pub energy: Microjoules,
    /// After how long there is energy for calls again; no time where there is some.
    pub resumes_in: Duration,
}

impl Payer {
    /// One that has used nothing.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, quota: Quota) -> Arc<Self> {
        Self::with_clock(name, quota, Uptime)
    }
}

impl<C: Clock<Instant = Duration> + Clone> Payer<C> {
    /// One that has used nothing, on this clock.
    #[must_use]
    pub fn with_clock(name: impl Into<Box<str>>, quota: Quota, clock: C) -> Arc<Self> {
        let rate = rate(&quota, &clock);
        Arc::new(Self { name: name.into(), quota, clock, rate, used: Arc::default() })
    }

    /// The same with another quota: what was used within the hour, and the calls that run, still count.
    #[must_use]
    pub fn renewed(&self, quota: Quota) -> Arc<Self> {
        let same = quota.calls_per_second == self.quota.calls_per_second;
        let rate = if same { self.rate.clone() } else { rate(&quota, &self.clock) };
        Arc::new(Self { name: self.name.clone(), quota, clock: self.clock.clone(), rate, used: self.used.clone() })
    }

    /// The name of the function, or of the token.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What may be used.
    #[must_use]
    pub fn quota(&self) -> &Quota {
        &self.quota
    }

    /// What is used.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let now = self.clock.now();
        let (mut hour, calls) = (self.hour(), self.used.calls.load(Ordering::Relaxed));
        let limit = self.quota.joules_per_hour.map(whole);
        let resumes_in = limit.map_or(Duration::ZERO, |limit| hour.until_below(limit, now));
        Usage { calls, energy: hour.used(now), resumes_in }
    }

    /// Counts another call, if there may be one. [`Payer::leave`] gives its place back.
    pub(super) fn join(&self) -> Result<(), (Limit, Duration)> {
        let limit = self.quota.concurrency.unwrap_or(u32::MAX);
        let more = |calls: u32| (calls < limit).then_some(calls + 1);
        let joined = self.used.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        joined.map(drop).map_err(|_| (Limit::Concurrency(limit), CALL))
    }

    pub(super) fn leave(&self) {
        self.used.calls.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether there is energy for another call. How much it will take nobody knows: it is let in as long as some is left.
    pub(super) fn check_energy(&self) -> Result<(), (Limit, Duration)> {
        let Some(limit) = self.quota.joules_per_hour else { return Ok(()) };
        let (now, most) = (self.clock.now(), whole(limit));
        let mut hour = self.hour();
        let used = hour.used(now);
        if used < most {
            return Ok(());
        }
        let wait = hour.until_below(most, now).max(ENERGY_WAIT_MIN);
        Err((Limit::JoulesPerHour { limit, used: Some(used.joules()) }, wait))
    }

    /// Takes one call from those of this second, if one is left.
    pub(super) fn take_call(&self) -> Result<(), (Limit, Duration)> {
        let Some(rate) = &self.rate else { return Ok(()) };
        let limit = Limit::CallsPerSecond(self.quota.calls_per_second.unwrap_or_default());
        rate.check().map_err(|not_until| (limit, not_until.wait_time_from(self.clock.now())))
    }

    /// Notes what a call is expected to have used, and gives the minute in which that stands.
    pub(super) fn book(&self, energy: Microjoules) -> Minute {
        let now = self.clock.now();
        self.hour().book(now, energy)
    }

    /// Puts what a call was charged in the place of what was booked.
    pub(super) fn correct(&self, minute: Minute, booked: Microjoules, charged: Microjoules) {
        self.hour().correct(minute, booked, charged);
    }

    fn hour(&self) -> MutexGuard<'_, Hour> {
        self.used.hour.lock()
    }
}

fn rate<C: Clock<Instant = Duration> + Clone>(quota: &Quota, clock: &C) -> Option<Arc<Rate<C>>> {
    let count = quota.calls_per_second.and_then(|count| NonZeroU32::new(count.min(COUNT_MAX)))?;
    Some(Arc::new(RateLimiter::direct_with_clock(governor::Quota::per_second(count), clock.clone())))
}

impl Usage {
    /// What part of a limit is used: 1 is all of it, and a call that was let in may use more.
    #[must_use]
    pub fn of(&self, limit: Joules) -> f64 {
        self.energy.joules().0 / limit.0
    }
}
