//! A call's place in the quotas that it counts against, from its admission until it is settled.

use std::sync::Arc;
use std::time::Duration;

use nebula_metering::{Joules, Microjoules};

use super::exceeded::{Limit, QuotaExceeded, QuotaOwner};
use super::hour::Minute;
use super::payer::Payer;
use super::whole;

/// A call's place in the quotas of its function and its caller. Dropping it gives the place back.
#[derive(Debug)]
pub struct QuotaPermit {
    /// The caller first: one that is over its quota takes nothing from the function's other callers.
    payers: Vec<(QuotaOwner, Arc<Payer>)>,
}

/// What was booked for a call that has ended. It is corrected when the call is settled.
#[derive(Debug)]
pub struct Booking {
    payers: Vec<(Arc<Payer>, Minute)>,
    booked: Microjoules,
}

impl QuotaPermit {
    /// Admits a call, or says which quota it would exceed. A refused call uses nothing up, with one exception: if the
    /// function's quota refuses it, it still counts as one of the caller's calls of this second.
    pub fn acquire(function: Option<&Arc<Payer>>, caller: Option<Arc<Payer>>) -> Result<Self, QuotaExceeded> {
        let caller = caller.map(|payer| (QuotaOwner::Token, payer));
        let function = function.map(|payer| (QuotaOwner::Function, payer.clone()));
        let mut permit = Self { payers: Vec::new() };
        for (owner, payer) in caller.into_iter().chain(function) {
            ask(owner, &payer, Payer::join)?;
            permit.payers.push((owner, payer));
        }
        for limit in [Payer::check_energy, Payer::take_call] {
            permit.payers.iter().try_for_each(|(owner, payer)| ask(*owner, payer, limit))?;
        }
        Ok(permit)
    }

    /// Books the energy that the call is estimated to have used, or none if there is no estimate. `None` if no quota counts
    /// the call.
    #[must_use]
    pub fn book(&self, estimate: Option<Joules>) -> Option<Box<Booking>> {
        let booked = estimate.map_or(Microjoules::ZERO, whole);
        let payers: Vec<_> = self.payers.iter().map(|(_, payer)| (payer.clone(), payer.book(booked))).collect();
        (!payers.is_empty()).then(|| Box::new(Booking { payers, booked }))
    }
}

impl Drop for QuotaPermit {
    fn drop(&mut self) {
        self.payers.iter().for_each(|(_, payer)| payer.leave());
    }
}

impl Booking {
    /// Replaces what was booked by what the call was charged. A call that is never settled keeps its estimate.
    pub fn settle(&self, charged: Microjoules) {
        for (payer, minute) in &self.payers {
            payer.correct(*minute, self.booked, charged);
        }
    }
}

fn ask(
    owner: QuotaOwner,
    payer: &Payer,
    limit: impl Fn(&Payer) -> Result<(), (Limit, Duration)>,
) -> Result<(), QuotaExceeded> {
    limit(payer).map_err(|(limit, wait)| QuotaExceeded { owner, name: payer.name().into(), limit, wait })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Quota;
    use crate::quota::clock::Uptime;

    const SECOND: Duration = Duration::from_secs(1);

    fn payer(clock: &Uptime, quota: Quota) -> Arc<Payer> {
        Payer::with_clock("shop", quota, clock.clone())
    }

    fn joules(limit: f64) -> Quota {
        Quota { joules_per_hour: Some(Joules(limit)), ..Quota::default() }
    }

    fn rate(calls_per_second: u32) -> Quota {
        Quota { calls_per_second: Some(calls_per_second), ..Quota::default() }
    }

    fn concurrency(concurrency: u32) -> Quota {
        Quota { concurrency: Some(concurrency), ..Quota::default() }
    }

    fn acquire(payer: &Arc<Payer>) -> Result<QuotaPermit, QuotaExceeded> {
        QuotaPermit::acquire(Some(payer), None)
    }

    #[test]
    fn calls_per_second_are_limited_and_the_next_call_waits_its_part_of_a_second() {
        let clock = Uptime::stopped();
        for count in [1, 5, 1000] {
            let payer = payer(&clock, rate(count));
            let part = SECOND / count;
            for call in 0..count {
                assert!(acquire(&payer).is_ok(), "{call} of {count}");
            }
            let refused = acquire(&payer).unwrap_err();
            assert_eq!((refused.limit, refused.wait), (Limit::CallsPerSecond(count), part));
            clock.advance(part - Duration::from_nanos(1));
            assert_eq!(acquire(&payer).unwrap_err().wait, Duration::from_nanos(1));
            clock.advance(Duration::from_nanos(1));
            assert!(acquire(&payer).is_ok());
            assert!(acquire(&payer).is_err());
            clock.advance(SECOND);
            let again = (0..=count).filter(|_| acquire(&payer).is_ok()).count();
            assert_eq!(again, count as usize, "a quiet second brings all of them back, and no more");
        }
    }

    #[test]
    fn concurrent_calls_are_limited_and_a_place_is_given_back() {
        let payer = payer(&Uptime::stopped(), concurrency(2));
        let (first, second) = (acquire(&payer).unwrap(), acquire(&payer).unwrap());
        let refused = acquire(&payer).unwrap_err();
        assert_eq!((refused.limit, refused.wait), (Limit::Concurrency(2), SECOND));
        assert_eq!(
            refused.to_string(),
            "the function `shop` has 2 calls running or waiting, its limit (`quota.concurrency`)"
        );
        assert_eq!(payer.usage().calls, 2, "the refused one has no place");
        drop(first);
        let third = acquire(&payer).unwrap();
        assert!(acquire(&payer).is_err());
        drop((second, third));
        assert_eq!(payer.usage().calls, 0);
    }

    #[test]
    fn joules_run_out_exactly_at_the_limit_until_they_are_an_hour_old() {
        let clock = Uptime::stopped();
        let payer = payer(&clock, joules(1.0));
        clock.advance(30 * SECOND);
        drop(acquire(&payer).unwrap().book(Some(Joules(0.999_999))));
        assert!(acquire(&payer).is_ok(), "a microjoule is left");
        drop(acquire(&payer).unwrap().book(Some(Joules(0.000_001))));
        let refused = acquire(&payer).unwrap_err();
        let limit = Limit::JoulesPerHour { limit: Joules(1.0), used: Some(Joules(1.0)) };
        assert_eq!((refused.limit, refused.wait), (limit, (61 * 60 - 30) * SECOND));
        assert_eq!(
            refused.to_string(),
            "the function `shop` has used 1.000 J of its 1.000 J of active energy per hour (`quota.joules_per_hour`)"
        );
        clock.advance(refused.wait - Duration::from_millis(1));
        assert_eq!(acquire(&payer).unwrap_err().wait, SECOND, "at least a second");
        clock.advance(Duration::from_millis(1));
        assert!(acquire(&payer).is_ok());
    }

    #[test]
    fn a_call_that_runs_when_the_hour_is_used_up_finishes_and_counts() {
        let payer = payer(&Uptime::stopped(), joules(1.0));
        let (one, two) = (acquire(&payer).unwrap(), acquire(&payer).unwrap());
        let _ = one.book(Some(Joules(0.7)));
        let _ = two.book(Some(Joules(0.7)));
        assert_eq!(payer.usage().energy, Microjoules(1_400_000));
        assert_eq!(payer.usage().of(Joules(1.0)), 1.4);
        assert!(acquire(&payer).is_err());
    }

    #[test]
    fn a_settled_charge_corrects_its_estimate_both_ways() {
        let payer = payer(&Uptime::stopped(), joules(1.0));
        let booking = acquire(&payer).unwrap().book(Some(Joules(1.5))).unwrap();
        assert!(acquire(&payer).is_err());
        booking.settle(Microjoules(999_999));
        let second = acquire(&payer).unwrap();
        let unknown = second.book(None).unwrap();
        assert_eq!(payer.usage().energy, Microjoules(999_999), "without an estimate nothing is booked");
        unknown.settle(Microjoules(1));
        assert_eq!(payer.usage().energy, Microjoules(1_000_000));
        assert!(acquire(&payer).is_err());
    }

    #[test]
    fn function_and_token_both_pay_and_a_refusal_by_one_takes_nothing_from_the_other() {
        let clock = Uptime::stopped();
        let (function, token) = (payer(&clock, rate(3)), Payer::with_clock("alice", concurrency(1), clock.clone()));
        let first = QuotaPermit::acquire(Some(&function), Some(token.clone())).unwrap();
        for _ in 0..5 {
            let refused = QuotaPermit::acquire(Some(&function), Some(token.clone())).unwrap_err();
            assert_eq!((refused.owner, &*refused.name), (QuotaOwner::Token, "alice"));
        }
        assert_eq!((function.usage().calls, token.usage().calls), (1, 1));
        let booking = first.book(Some(Joules(0.5))).unwrap();
        drop(first);
        booking.settle(Microjoules(300_000));
        assert_eq!([&function, &token].map(|payer| payer.usage().energy), [Microjoules(300_000); 2]);
        assert!((0..2).all(|_| QuotaPermit::acquire(Some(&function), Some(token.clone())).is_ok()));
        assert_eq!(QuotaPermit::acquire(Some(&function), Some(token)).unwrap_err().owner, QuotaOwner::Function);
    }

    #[test]
    fn a_changed_quota_forgets_nothing_that_was_used() {
        let clock = Uptime::stopped();
        let payer = payer(&clock, Quota { calls_per_second: Some(3), ..joules(1.0) });
        let first = acquire(&payer).unwrap();
        let booking = first.book(Some(Joules(0.4))).unwrap();
        let renewed = payer.renewed(Quota { calls_per_second: Some(3), concurrency: Some(1), ..joules(0.5) });
        assert_eq!(acquire(&renewed).unwrap_err().limit, Limit::Concurrency(1), "the earlier call still runs");
        drop(first);
        booking.settle(Microjoules(500_000));
        assert!(matches!(acquire(&renewed).unwrap_err().limit, Limit::JoulesPerHour { .. }));
        let wider = renewed.renewed(rate(3));
        assert!(acquire(&wider).is_ok() && acquire(&wider).is_ok());
        assert_eq!(acquire(&wider).unwrap_err().limit, Limit::CallsPerSecond(3), "one of the three was used before");
        assert!(acquire(&wider.renewed(rate(4))).is_ok());
    }

    #[test]
    fn a_call_that_no_quota_counts_is_not_booked() {
        let permit = QuotaPermit::acquire(None, None).unwrap();
        assert!(permit.book(Some(Joules(1.0))).is_none());
    }
}
