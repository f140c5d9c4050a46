//! Functions and tokens with a quota, and how much of it is used.

use std::collections::BTreeMap;
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
use super::hour::{LastHour, Minute};
use super::{COUNT_MAX, Quota, whole};

/// Suggested wait for another call to end, which is unpredictable.
const CALL: Duration = Duration::from_secs(1);

/// Shortest suggested wait for energy: less would be the time of a few calls.
const ENERGY_WAIT_MIN: Duration = Duration::from_secs(1);

/// Limits calls per second by the generic cell rate algorithm; a cell is a call.
type Rate = RateLimiter<NotKeyed, InMemoryState, Uptime, NoOpMiddleware<Duration>>;

/// A function or token with a quota. Its use outlives a change of the quota ([`Payer::renewed`]).
#[derive(Debug)]
pub struct Payer {
    name: Box<str>,
    quota: Quota,
    clock: Uptime,
    rate: Option<Arc<Rate>>,
    used: Arc<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// Calls that are running or waiting.
    calls: AtomicU32,
    /// Held for tens of nanoseconds: by this payer's calls as they begin and end, and by the sampler as it settles them.
    hour: Mutex<LastHour>,
}

/// How much of a quota is used now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaUsage {
    /// Calls that are running or waiting.
    pub calls: u32,
    /// Active energy within the last hour.
    pub energy: Microjoules,
    /// When there is energy for calls again; zero while there is.
    pub resumes_in: Duration,
}

impl Payer {
    /// A payer that has used nothing.
    pub fn new(name: impl Into<Box<str>>, quota: Quota) -> Arc<Self> {
        Self::with_clock(name, quota, Uptime::default())
    }

    pub(super) fn with_clock(name: impl Into<Box<str>>, quota: Quota, clock: Uptime) -> Arc<Self> {
        let rate = rate(&quota, &clock);
        Arc::new(Self { name: name.into(), quota, clock, rate, used: Arc::default() })
    }

    /// The same payer with another quota. The energy of the last hour and the running calls still count.
    pub fn renewed(&self, quota: Quota) -> Arc<Self> {
        let same = quota.calls_per_second == self.quota.calls_per_second;
        let rate = if same { self.rate.clone() } else { rate(&quota, &self.clock) };
        Arc::new(Self { name: self.name.clone(), quota, clock: self.clock.clone(), rate, used: self.used.clone() })
    }

    /// The name of the function, or of the token.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn quota(&self) -> &Quota {
        &self.quota
    }

    pub fn usage(&self) -> QuotaUsage {
        let now = self.clock.now();
        let (mut hour, calls) = (self.hour(), self.used.calls.load(Ordering::Relaxed));
        let limit = self.quota.joules_per_hour.map(whole);
        let resumes_in = limit.map_or(Duration::ZERO, |limit| hour.until_below(limit, now));
        QuotaUsage { calls, energy: hour.used(now), resumes_in }
    }

    /// Counts another call, if the quota allows one. [`Payer::leave`] gives its place back.
    pub(super) fn join(&self) -> Result<(), (Limit, Duration)> {
        let limit = self.quota.concurrency.unwrap_or(u32::MAX);
        let more = |calls: u32| (calls < limit).then_some(calls + 1);
        let joined = self.used.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        joined.map(drop).map_err(|_| (Limit::Concurrency(limit), CALL))
    }

    pub(super) fn leave(&self) {
        self.used.calls.fetch_sub(1, Ordering::Relaxed);
    }

    /// Checks that there is energy for another call. Nobody knows how much it will take: it is admitted while any is left.
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

    /// Takes one of this second's calls, if one is left.
    pub(super) fn take_call(&self) -> Result<(), (Limit, Duration)> {
        let Some(rate) = &self.rate else { return Ok(()) };
        let limit = Limit::CallsPerSecond(self.quota.calls_per_second.unwrap_or_default());
        rate.check().map_err(|not_until| (limit, not_until.wait_time_from(self.clock.now())))
    }

    /// Books what a call is estimated to have used, and returns the minute that it is booked in.
    pub(super) fn book(&self, energy: Microjoules) -> Minute {
        let now = self.clock.now();
        self.hour().book(now, energy)
    }

    /// Replaces what was booked by what the call was charged.
    pub(super) fn correct(&self, minute: Minute, booked: Microjoules, charged: Microjoules) {
        self.hour().correct(minute, booked, charged);
    }

    fn hour(&self) -> MutexGuard<'_, LastHour> {
        self.used.hour.lock()
    }
}

fn rate(quota: &Quota, clock: &Uptime) -> Option<Arc<Rate>> {
    let count = quota.calls_per_second.and_then(|count| NonZeroU32::new(count.min(COUNT_MAX)))?;
    Some(Arc::new(RateLimiter::direct_with_clock(governor::Quota::per_second(count), clock.clone())))
}

impl QuotaUsage {
    /// The part of a limit that is used. It can exceed 1: a call that was admitted may use more than was left.
    pub fn of(&self, limit: Joules) -> f64 {
        self.energy.joules().0 / limit.0
    }
}

/// Payers by name. One is kept from its first quota until the daemon ends, so that neither a changed quota nor a function or
/// token that is gone for a while brings back what was used. There are no more payers than names.
#[derive(Debug, Default)]
pub struct Payers(Mutex<BTreeMap<Box<str>, Arc<Payer>>>);

impl Payers {
    /// The payer of this name, with this quota from now on. `None` if it has no limit and never had one.
    pub fn of(&self, name: &str, quota: Quota) -> Option<Arc<Payer>> {
        let mut payers = self.0.lock();
        let payer = match payers.get(name) {
            Some(payer) if *payer.quota() == quota => return Some(payer.clone()),
            Some(payer) => payer.renewed(quota),
            None if quota.is_unlimited() => return None,
            None => Payer::new(name, quota),
        };
        payers.insert(name.into(), payer.clone());
        Some(payer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::QuotaPermit;
    use nebula_metering::{Joules, Microjoules};

    #[test]
    fn usage_stays_with_the_name() {
        let payers = Payers::default();
        let bounded = Quota { joules_per_hour: Some(Joules(1.0)), ..Quota::default() };
        assert!(payers.of("shop", Quota::default()).is_none());
        let first = payers.of("shop", bounded).unwrap();
        assert!(Arc::ptr_eq(&first, &payers.of("shop", bounded).unwrap()));
        drop(QuotaPermit::acquire(Some(&first), None).unwrap().book(Some(Joules(0.25))));
        let unbounded = payers.of("shop", Quota::default()).unwrap();
        drop(QuotaPermit::acquire(Some(&unbounded), None).unwrap().book(Some(Joules(0.25))));
        for quota in [bounded, Quota { concurrency: Some(1), ..bounded }] {
            assert_eq!(payers.of("shop", quota).unwrap().usage().energy, Microjoules(500_000));
        }
        assert_eq!(payers.of("other", bounded).unwrap().usage().energy, Microjoules(0));
    }
}
