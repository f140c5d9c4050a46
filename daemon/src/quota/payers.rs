//! Payers by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Quota;
use super::payer::Payer;

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
