//! When power and accounts are published, and the power of the last minutes, for clients that want to see what happened
//! before they came.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::watts::Watts;
use crate::meter::{Off, Snapshot};

const WATTS_INTERVAL: Duration = Duration::from_secs(1);

const ACCOUNTS_INTERVAL: Duration = Duration::from_secs(5);

/// Samples of power that are kept: five minutes. Each has up to ten functions; all of them are at most half a megabyte.
const KEPT: usize = 300;

/// Windows close a little before or after their time. One that is this early will do.
const EARLY: Duration = Duration::from_millis(50);

#[derive(Default)]
pub struct Pace {
    /// The accounts when power was last computed.
    watts: Option<(Instant, Snapshot)>,
    accounts: Option<Instant>,
    past: VecDeque<(Instant, Arc<Watts>)>,
}

impl Pace {
    /// Makes the accounts due: a new client should not wait for them.
    pub fn accounts_at_once(&mut self) {
        self.accounts = None;
    }

    /// The power of the last minutes, the earliest first, and when it was.
    pub fn past(&self) -> impl Iterator<Item = (Instant, Arc<Watts>)> {
        self.past.iter().cloned()
    }

    /// The power and the accounts that are due now. Accounts are due only if a client wants them.
    pub fn due(
        &mut self,
        now: Instant,
        accounts: bool,
        snapshot: impl Fn() -> Result<Snapshot, Off>,
    ) -> Result<(Option<Arc<Watts>>, Option<Snapshot>), Off> {
        let since = |since: Instant| now.saturating_duration_since(since);
        let is_over = |at: Instant, time: Duration| since(at) + EARLY >= time;
        let power = match &self.watts {
            Some((at, _)) if !is_over(*at, WATTS_INTERVAL) => None,
            before => {
                let snapshot = snapshot()?;
                let power = before.as_ref().map(|(at, before)| Arc::new(Watts::between(before, &snapshot, since(*at))));
                self.watts = Some((now, snapshot));
                self.past.extend(power.iter().map(|power| (now, power.clone())));
                self.past.drain(..self.past.len().saturating_sub(KEPT));
                power
            }
        };
        let due = accounts && self.accounts.is_none_or(|at| is_over(at, ACCOUNTS_INTERVAL));
        if due {
            self.accounts = Some(now);
        }
        Ok((power, if due { Some(snapshot()?) } else { None }))
    }
}
