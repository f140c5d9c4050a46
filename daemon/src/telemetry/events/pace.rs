//! When power and accounts are told, what they are compared with, and how power was in the last minutes: whoever begins to
//! listen now may want to see what was before.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::watts::Watts;
use crate::meter::{Off, Snapshot};

/// Time between two tellings of power.
const WATTS: Duration = Duration::from_secs(1);

/// Time between two tellings of the accounts.
const ACCOUNTS: Duration = Duration::from_secs(5);

/// How many tellings of power are kept: five minutes. Each has up to ten functions, and all of them up to half a megabyte.
const KEPT: usize = 300;

/// Windows close a little before or after their time: one that is this early will do.
const EARLY: Duration = Duration::from_millis(50);

/// What was told last.
#[derive(Default)]
pub struct Pace {
    /// The accounts when power was last told, or began to be looked at.
    watts: Option<(Instant, Snapshot)>,
    accounts: Option<Instant>,
    past: VecDeque<(Instant, Arc<Watts>)>,
}

impl Pace {
    /// Somebody new wants to see the accounts, and not in five seconds.
    pub fn accounts_at_once(&mut self) {
        self.accounts = None;
    }

    /// Power as it was told, or would have been, the earliest first, and when.
    pub fn past(&self) -> impl Iterator<Item = (Instant, Arc<Watts>)> {
        self.past.iter().cloned()
    }

    /// What is to be told now of power, and of accounts, if anybody wants them.
    pub fn due(
        &mut self,
        now: Instant,
        accounts: bool,
        snapshot: impl Fn() -> Result<Snapshot, Off>,
    ) -> Result<(Option<Arc<Watts>>, Option<Snapshot>), Off> {
        let since = |since: Instant| now.saturating_duration_since(since);
        let is_over = |at: Instant, time: Duration| since(at) + EARLY >= time;
        let power = match &self.watts {
            Some((at, _)) if !is_over(*at, WATTS) => None,
            before => {
                let snapshot = snapshot()?;
                let power = before.as_ref().map(|(at, before)| Arc::new(Watts::between(before, &snapshot, since(*at))));
                self.watts = Some((now, snapshot));
                self.past.extend(power.iter().map(|power| (now, power.clone())));
                self.past.drain(..self.past.len().saturating_sub(KEPT));
                power
            }
        };
        let due = accounts && self.accounts.is_none_or(|at| is_over(at, ACCOUNTS));
        if due {
            self.accounts = Some(now);
        }
        Ok((power, if due { Some(snapshot()?) } else { None }))
    }
}
