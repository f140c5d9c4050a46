//! When power and accounts are told, and what they are compared with.

use std::time::{Duration, Instant};

use super::watts::Watts;
use crate::meter::Snapshot;

/// Time between two tellings of power.
const WATTS: Duration = Duration::from_secs(1);

/// Time between two tellings of the accounts.
const ACCOUNTS: Duration = Duration::from_secs(5);

/// Windows close a little before or after their time: one that is this early will do.
const EARLY: Duration = Duration::from_millis(50);

/// What was told last.
#[derive(Default)]
pub struct Pace {
    /// The accounts when power was last told, or began to be looked at.
    watts: Option<(Instant, Snapshot)>,
    accounts: Option<Instant>,
}

impl Pace {
    /// Nobody listens: whoever comes next begins anew.
    pub fn rest(&mut self) {
        *self = Self::default();
    }

    /// Somebody new wants to see the accounts, and not in five seconds.
    pub fn accounts_at_once(&mut self) {
        self.accounts = None;
    }

    /// What is to be told now of power and accounts, if anybody wants it.
    pub fn due(
        &mut self,
        now: Instant,
        (watts, accounts): (bool, bool),
        snapshot: impl Fn() -> Snapshot,
    ) -> (Option<Watts>, Option<Snapshot>) {
        let since = |since: Instant| now.saturating_duration_since(since);
        let is_over = |at: Instant, time: Duration| since(at) + EARLY >= time;
        let power = match &self.watts {
            _ if !watts => {
                self.watts = None;
                None
            }
            Some((at, _)) if !is_over(*at, WATTS) => None,
            before => {
                let snapshot = snapshot();
                let power = before.as_ref().map(|(at, before)| Watts::between(before, &snapshot, since(*at)));
                self.watts = Some((now, snapshot));
                power
            }
        };
        let due = accounts && self.accounts.is_none_or(|at| is_over(at, ACCOUNTS));
        if due {
            self.accounts = Some(now);
        }
        (power, due.then(snapshot))
    }
}
