//! Rates: what happened between two readings of the ledger.

use std::array;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use nebula_metering::{Joules, Microjoules, Watts};

use super::account::{Account, PerAccount, total};
use super::ledger::{LedgerReading, Used};
use super::units;

/// Rates are means over this time, or over the time between two readings if that is longer. Energy moves when a window is
/// settled: over 5 s the default window of 100 ms makes 2 % of it, over a single second 10 %.
pub const MEAN_OVER: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub struct Readings {
    /// Oldest first: one that is at least [`MEAN_OVER`] older than the last, and all after it.
    readings: VecDeque<LedgerReading>,
}

impl Readings {
    /// Adds a reading. If a counter went back or the source changed, the daemon was restarted: the earlier readings are dropped,
    /// and this returns `false`.
    pub fn push(&mut self, reading: LedgerReading) -> bool {
        let continues = self.readings.back().is_none_or(|last| follows(last, &reading));
        if !continues {
            self.readings.clear();
        }
        let old = |second: &LedgerReading| reading.at.saturating_duration_since(second.at) >= MEAN_OVER;
        while self.readings.get(1).is_some_and(old) {
            self.readings.pop_front();
        }
        self.readings.push_back(reading);
        continues
    }

    /// Over all readings; `None` before there are two.
    pub fn rates(&self) -> Option<LiveRates> {
        LiveRates::between(self.readings.front()?, self.readings.back()?)
    }

    /// Since the newest reading that is at least `time` older than the last one, or since the oldest.
    pub fn rates_over(&self, time: Duration) -> Option<LiveRates> {
        let last = self.readings.back()?;
        let old = |reading: &&LedgerReading| last.at.saturating_duration_since(reading.at) >= time;
        let first = self.readings.iter().rev().find(old).or(self.readings.front())?;
        LiveRates::between(first, last)
    }
}

/// Whether the second reading can be of the same ledger as the first.
fn follows(first: &LedgerReading, second: &LedgerReading) -> bool {
    let grew = first.accounts.iter().zip(&second.accounts).all(|(before, after)| before <= after);
    let called = first.functions.iter().all(|(name, before)| {
        let after = second.functions.get(name);
        after.is_none_or(|after| before.settled <= after.settled && before.settled_active <= after.settled_active)
    });
    grew && called && first.source == second.source
}

/// Mean active energy of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PerCall {
    /// Of calls that settled between the two readings.
    Recent(Joules),
    /// None settled: of all calls since the daemon started.
    SinceStart(Joules),
    /// No call has been settled.
    Unknown,
}

impl PerCall {
    pub fn joules(self) -> Option<Joules> {
        match self {
            Self::Recent(joules) | Self::SinceStart(joules) => Some(joules),
            Self::Unknown => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct FunctionRates {
    pub name: Arc<str>,
    pub watts: Watts,
    /// Of the power of all functions, from 0 to 1.
    pub share: f64,
    pub per_call: PerCall,
    pub calls_per_second: f64,
    /// Active energy since the daemon started.
    pub joules: Joules,
    /// Half the width of the 95 % interval of the part of it that is settled calls', if the daemon tells it.
    pub uncertainty: Option<Joules>,
    /// Its share of base energy, by CPU time, since the daemon started.
    pub base: Joules,
    /// Settled calls since the daemon started.
    pub calls: u64,
}

#[derive(Clone, Debug)]
pub struct LiveRates {
    pub over: Duration,
    pub power: PerAccount<Watts>,
    /// Half the width of the 95 % interval of all power, as a part of it, if the source states it.
    pub relative_error: Option<f64>,
    pub calls_per_second: f64,
    pub functions: Vec<FunctionRates>,
}

impl LiveRates {
    /// What the machine draws, with its error.
    pub fn total(&self) -> String {
        let watts = units::watts(total(&self.power));
        match self.relative_error {
            Some(error) => format!("{watts} ±{}", units::percent(error)),
            None => watts,
        }
    }

    /// `None` if no time has passed.
    fn between(first: &LedgerReading, last: &LedgerReading) -> Option<Self> {
        let over = last.at.saturating_duration_since(first.at);
        if over.is_zero() {
            return None;
        }
        let watts = |energy: Microjoules| energy.over(over).unwrap_or_default();
        let grown: PerAccount<_> =
            array::from_fn(|account| difference(first.accounts[account], last.accounts[account]));
        let functions = grown[Account::Functions as usize];
        let power = grown.map(watts);
        let mut settled = 0;
        let function = |(name, now): (&Arc<str>, &Used)| {
            let before = first.functions.get(name).copied().unwrap_or_default();
            let active = difference(before.active, now.active);
            // More than all functions together: the account got another name between the two readings.
            let active = if active > functions { Microjoules::ZERO } else { active };
            let calls = now.settled.saturating_sub(before.settled);
            settled += calls;
            FunctionRates {
                name: name.clone(),
                watts: watts(active),
                share: if functions.0 > 0 { active.0 as f64 / functions.0 as f64 } else { 0.0 },
                per_call: per_call(&before, now),
                calls_per_second: calls as f64 / over.as_secs_f64(),
                joules: now.active.joules(),
                uncertainty: now.uncertainty,
                base: now.base.joules(),
                calls: now.settled,
            }
        };
        let functions = last.functions.iter().map(function).collect();
        let (relative_error, calls_per_second) = (last.relative_error, settled as f64 / over.as_secs_f64());
        Some(Self { over, power, relative_error, calls_per_second, functions })
    }
}

fn per_call(before: &Used, now: &Used) -> PerCall {
    let mean = |active: Microjoules, calls: u64| Joules(active.joules().0 / calls as f64);
    match (now.settled.saturating_sub(before.settled), now.settled) {
        (0, 0) => PerCall::Unknown,
        (0, all) => PerCall::SinceStart(mean(now.settled_active, all)),
        (lately, _) => PerCall::Recent(mean(difference(before.settled_active, now.settled_active), lately)),
    }
}

fn difference(before: Microjoules, after: Microjoules) -> Microjoules {
    Microjoules(after.0.saturating_sub(before.0))
}

#[cfg(test)]
mod tests;
