//! The last calls that were settled.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nebula_metering::{Charge, Settled};
use uuid::Uuid;

use crate::meter::CallEnd;
use crate::outcome::Outcome;

/// A settled call.
#[derive(Clone, Debug)]
pub struct RecentCall {
    /// Its identity.
    pub id: Uuid,
    /// The function's name.
    pub function: Box<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended.
    pub at: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// The active energy that was estimated at once, in joules.
    pub estimate: Option<f64>,
    /// What it was charged; `None` if not fully known.
    pub charge: Option<Charge>,
}

/// A bounded list; written by the sampler, read by those who look.
pub struct RecentCalls {
    max: usize,
    calls: Mutex<VecDeque<RecentCall>>,
}

impl RecentCalls {
    /// Keeps the last `max` calls.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, calls: Mutex::new(VecDeque::with_capacity(max)) }
    }

    /// Adds a call of the function of this name.
    pub fn push(&self, function: &str, settled: &Settled<CallEnd>) {
        if self.max == 0 {
            return;
        }
        let CallEnd { outcome, at, duration, estimate } = settled.end.clone();
        let (id, charge) = (Uuid::from_u128(settled.call.0), settled.charge.clone());
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.truncate(self.max - 1);
        calls.push_front(RecentCall { id, function: function.into(), outcome, at, duration, estimate, charge });
    }

    /// The last `count` calls, the latest first.
    #[must_use]
    pub fn last(&self, count: usize) -> Vec<RecentCall> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).iter().take(count).cloned().collect()
    }
}
