//! Those who have quotas, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Quota;
use super::payer::Payer;

/// Payers by name, from the first time that something bounds them until the daemon ends: neither a change of a quota, nor
/// that a function or a token is gone for a while, brings back what was used. There are no more of them than names.
#[derive(Debug, Default)]
pub struct Payers(Mutex<BTreeMap<Box<str>, Arc<Payer>>>);

impl Payers {
    /// Whoever has this name, now with this quota. `None` where nothing bounds it, and never did.
    #[must_use]
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
    use crate::quota::Entry;
    use nebula_metering::{Joules, Microjoules};

    #[test]
    fn what_was_used_stays_with_the_name() {
        let payers = Payers::default();
        let bounded = Quota { joules_per_hour: Some(Joules(1.0)), ..Quota::default() };
        assert!(payers.of("shop", Quota::default()).is_none());
        let first = payers.of("shop", bounded).unwrap();
        assert!(Arc::ptr_eq(&first, &payers.of("shop", bounded).unwrap()));
        drop(Entry::enter(Some(&first), None).unwrap().book(Some(Joules(0.25))));
        let unbounded = payers.of("shop", Quota::default()).unwrap();
        drop(Entry::enter(Some(&unbounded), None).unwrap().book(Some(Joules(0.25))));
        for quota in [bounded, Quota { concurrency: Some(1), ..bounded }] {
            assert_eq!(payers.of("shop", quota).unwrap().usage().energy, Microjoules(500_000));
        }
        assert_eq!(payers.of("other", bounded).unwrap().usage().energy, Microjoules(0));
    }
}
