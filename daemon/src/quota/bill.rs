//! A call and those who pay for it, from its admission until it is settled.

use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock;
use nebula_metering::{Joules, Microjoules};

use super::clock::Uptime;
use super::exceeded::{Exceeded, Limit, Whose};
use super::hour::Minute;
use super::payer::Payer;
use super::whole;

/// A call's place in the quotas that it counts against, given back when this is dropped.
#[derive(Debug)]
pub struct Entry<C: Clock<Instant = Duration> + Clone = Uptime> {
    function: Option<Arc<Payer<C>>>,
    caller: Option<Arc<Payer<C>>>,
}

/// What was booked for a call that has ended, to be corrected when it is settled.
#[derive(Debug)]
pub struct Bill<C: Clock<Instant = Duration> + Clone = Uptime> {
    function: Option<(Arc<Payer<C>>, Minute)>,
    caller: Option<(Arc<Payer<C>>, Minute)>,
    booked: Microjoules,
}

impl<C: Clock<Instant = Duration> + Clone> Entry<C> {
    /// Lets a call in, or says which quota it would exceed.
    ///
    /// # Errors
    /// Then nothing is used up, except that a call which the function is too busy for is one of the caller's of this
    /// second.
    pub fn enter(function: Option<&Arc<Payer<C>>>, caller: Option<Arc<Payer<C>>>) -> Result<Self, Exceeded> {
        let mut entry = Self { function: None, caller: None };
        if let Some(payer) = caller {
            asked(Whose::Token, &payer, Payer::join)?;
            entry.caller = Some(payer);
        }
        if let Some(payer) = function {
            asked(Whose::Function, payer, Payer::join)?;
            entry.function = Some(payer.clone());
        }
        for ask in [Payer::check_energy, Payer::take_call] {
            // The caller first: one who may call no more takes nothing from the function's other callers.
            for (whose, payer) in [(Whose::Token, &entry.caller), (Whose::Function, &entry.function)] {
                if let Some(payer) = payer {
                    asked(whose, payer, ask)?;
                }
            }
        }
        Ok(entry)
    }

    /// Books what the call is expected to have used, at its end; nothing where nothing is expected. No bill where
    /// nobody's quota counts it.
    #[must_use]
    pub fn book(&self, estimate: Option<Joules>) -> Option<Box<Bill<C>>> {
        if self.function.is_none() && self.caller.is_none() {
            return None;
        }
        let booked = estimate.map_or(Microjoules::ZERO, whole);
        let book = |payer: &Option<Arc<Payer<C>>>| payer.as_ref().map(|payer| (payer.clone(), payer.book(booked)));
        Some(Box::new(Bill { function: book(&self.function), caller: book(&self.caller), booked }))
    }
}

impl<C: Clock<Instant = Duration> + Clone> Drop for Entry<C> {
    fn drop(&mut self) {
        [&self.function, &self.caller].into_iter().flatten().for_each(|payer| payer.leave());
    }
}

impl<C: Clock<Instant = Duration> + Clone> Bill<C> {
    /// Puts what the call was charged in the place of what was booked. One that is never settled keeps its estimate.
    pub fn settle(&self, charged: Microjoules) {
        for (payer, minute) in [&self.function, &self.caller].into_iter().flatten() {
            payer.correct(*minute, self.booked, charged);
        }
    }
}

fn asked<C: Clock<Instant = Duration> + Clone>(
    whose: Whose,
    payer: &Payer<C>,
    ask: impl Fn(&Payer<C>) -> Result<(), (Limit, Duration)>,
) -> Result<(), Exceeded> {
    ask(payer).map_err(|(limit, wait)| Exceeded { whose, name: payer.name().into(), limit, wait })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Quota;
    use crate::quota::clock::given::Given;

    const SECOND: Duration = Duration::from_secs(1);

    fn payer(clock: &Given, quota: Quota) -> Arc<Payer<Given>> {
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

    fn enter(payer: &Arc<Payer<Given>>) -> Result<Entry<Given>, Exceeded> {
        Entry::enter(Some(payer), None)
    }

    #[test]
    fn a_second_has_so_many_calls_and_the_next_waits_for_its_part_of_a_second() {
        let clock = Given::default();
        for count in [1, 5, 1000] {
            let payer = payer(&clock, rate(count));
            let part = SECOND / count;
            for call in 0..count {
                assert!(enter(&payer).is_ok(), "{call} of {count}");
            }
            let refused = enter(&payer).unwrap_err();
            assert_eq!((refused.limit, refused.wait), (Limit::CallsPerSecond(count), part));
            clock.advance(part - Duration::from_nanos(1));
            assert_eq!(enter(&payer).unwrap_err().wait, Duration::from_nanos(1));
            clock.advance(Duration::from_nanos(1));
            assert!(enter(&payer).is_ok());
            assert!(enter(&payer).is_err());
            clock.advance(SECOND);
            let again = (0..=count).filter(|_| enter(&payer).is_ok()).count();
            assert_eq!(again, count as usize, "a quiet second brings all of them back, and no more");
        }
    }

    #[test]
    fn so_many_calls_at_once_and_a_place_is_given_back() {
        let payer = payer(&Given::default(), concurrency(2));
        let (first, second) = (enter(&payer).unwrap(), enter(&payer).unwrap());
        let refused = enter(&payer).unwrap_err();
        assert_eq!((refused.limit, refused.wait), (Limit::Concurrency(2), SECOND));
        assert_eq!(
            refused.to_string(),
            "the function `shop` has 2 calls running or waiting for their turn, as many as it may (`quota.concurrency`)"
        );
        assert_eq!(payer.usage().calls, 2, "the refused one has no place");
        drop(first);
        let third = enter(&payer).unwrap();
        assert!(enter(&payer).is_err());
        drop((second, third));
        assert_eq!(payer.usage().calls, 0);
    }

    #[test]
    fn joules_are_used_up_exactly_at_the_limit_until_they_are_an_hour_old() {
        let clock = Given::default();
        let payer = payer(&clock, joules(1.0));
        clock.advance(30 * SECOND);
        drop(enter(&payer).unwrap().book(Some(Joules(0.999_999))));
        assert!(enter(&payer).is_ok(), "a microjoule is left");
        drop(enter(&payer).unwrap().book(Some(Joules(0.000_001))));
        let refused = enter(&payer).unwrap_err();
        let limit = Limit::JoulesPerHour { limit: Joules(1.0), used: Some(Joules(1.0)) };
        assert_eq!((refused.limit, refused.wait), (limit, (61 * 60 - 30) * SECOND));
        assert_eq!(
            refused.to_string(),
            "the function `shop` has used 1.000 J of the 1.000 J of active energy that it may within an hour \
             (`quota.joules_per_hour`)"
        );
        clock.advance(refused.wait - Duration::from_millis(1));
        assert_eq!(enter(&payer).unwrap_err().wait, SECOND, "never less than a second");
        clock.advance(Duration::from_millis(1));
        assert!(enter(&payer).is_ok());
    }

    #[test]
    fn a_call_that_runs_when_the_hour_is_used_up_finishes_and_counts() {
        let payer = payer(&Given::default(), joules(1.0));
        let (one, two) = (enter(&payer).unwrap(), enter(&payer).unwrap());
        let _ = one.book(Some(Joules(0.7)));
        let _ = two.book(Some(Joules(0.7)));
        assert_eq!(payer.usage().energy, Microjoules(1_400_000));
        assert_eq!(payer.usage().of(Joules(1.0)), 1.4);
        assert!(enter(&payer).is_err());
    }

    #[test]
    fn a_settled_charge_corrects_its_estimate_both_ways() {
        let payer = payer(&Given::default(), joules(1.0));
        let bill = enter(&payer).unwrap().book(Some(Joules(1.5))).unwrap();
        assert!(enter(&payer).is_err());
        bill.settle(Microjoules(999_999));
        let second = enter(&payer).unwrap();
        let unknown = second.book(None).unwrap();
        assert_eq!(payer.usage().energy, Microjoules(999_999), "without an estimate nothing is booked");
        unknown.settle(Microjoules(1));
        assert_eq!(payer.usage().energy, Microjoules(1_000_000));
        assert!(enter(&payer).is_err());
    }

    #[test]
    fn both_pay_and_whoever_is_refused_takes_nothing_from_the_other() {
        let clock = Given::default();
        let (function, token) = (payer(&clock, rate(3)), Payer::with_clock("alice", concurrency(1), clock.clone()));
        let first = Entry::enter(Some(&function), Some(token.clone())).unwrap();
        for _ in 0..5 {
            let refused = Entry::enter(Some(&function), Some(token.clone())).unwrap_err();
            assert_eq!((refused.whose, &*refused.name), (Whose::Token, "alice"));
        }
        assert_eq!((function.usage().calls, token.usage().calls), (1, 1));
        let bill = first.book(Some(Joules(0.5))).unwrap();
        drop(first);
        bill.settle(Microjoules(300_000));
        assert_eq!([&function, &token].map(|payer| payer.usage().energy), [Microjoules(300_000); 2]);
        assert!((0..2).all(|_| Entry::enter(Some(&function), Some(token.clone())).is_ok()));
        assert_eq!(Entry::enter(Some(&function), Some(token)).unwrap_err().whose, Whose::Function);
    }

    #[test]
    fn another_quota_forgets_nothing_that_was_used() {
        let clock = Given::default();
        let payer = payer(&clock, Quota { calls_per_second: Some(3), ..joules(1.0) });
        let first = enter(&payer).unwrap();
        let bill = first.book(Some(Joules(0.4))).unwrap();
        let renewed = payer.renewed(Quota { calls_per_second: Some(3), concurrency: Some(1), ..joules(0.5) });
        assert_eq!(enter(&renewed).unwrap_err().limit, Limit::Concurrency(1), "the call of before still runs");
        drop(first);
        bill.settle(Microjoules(500_000));
        assert!(matches!(enter(&renewed).unwrap_err().limit, Limit::JoulesPerHour { .. }));
        let wider = renewed.renewed(rate(3));
        assert!(enter(&wider).is_ok() && enter(&wider).is_ok());
        assert_eq!(enter(&wider).unwrap_err().limit, Limit::CallsPerSecond(3), "one of three went before");
        assert!(enter(&wider.renewed(rate(4))).is_ok());
    }

    #[test]
    fn whom_no_quota_counts_costs_nothing() {
        let entry = Entry::<Given>::enter(None, None).unwrap();
        assert!(entry.book(Some(Joules(1.0))).is_none());
    }
}
