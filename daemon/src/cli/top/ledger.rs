//! A daemon's ledger as it is read: `GET /energy`, and the moment at which it came.
//!
//! It is asked for again and again, although `/events` brings the accounts by itself: the ledger also holds how many calls
//! have been settled, exactly, while a burst of calls is told in part. A reading that is lost costs nothing but
//! its moment, for all that is in it are sums since the daemon started.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nebula_metering::Microjoules;
use serde::Deserialize;
use thiserror::Error;

use crate::cli::client::{Client, ClientError};

/// A daemon answers this from memory. One that is busy may take a while; one that takes longer is stuck.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

const PATH: &str = "/energy";

/// Why there is no ledger.
#[derive(Debug, Error)]
pub enum LedgerError {
    #[error(transparent)]
    Ask(#[from] ClientError),
    #[error(
        "{0}; totals are for operators: `nebula token NAME --role operate` makes a token for them, which is given with \
         NEBULA_TOKEN, --token-file or --token"
    )]
    Forbidden(ClientError),
    #[error("nothing is measured at {daemon}: {reason}; `nebula serve --source auto` takes the best source there is")]
    Off { daemon: String, reason: String },
}

/// Where joules come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Source {
    pub kind: String,
    pub measured: bool,
    pub description: Option<String>,
    /// Since when it is read: another moment is another source, or another daemon.
    pub since: Option<String>,
}

impl Source {
    /// What its joules are, in plain words.
    pub fn nature(&self) -> &'static str {
        match &*self.kind {
            _ if self.measured => "measured",
            "simulated" => "made up, not measured",
            _ => "estimated, not measured",
        }
    }
}

/// What each account has been charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    pub functions: Microjoules,
    pub runtime: Microjoules,
    pub host: Microjoules,
    pub base: Microjoules,
    pub gap: Microjoules,
}

/// What a function has been charged, and what is known of its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The function's account: its calls, those that still run among them, and its cold starts.
    pub active: Microjoules,
    pub base: Microjoules,
    pub calls: Calls,
}

/// Calls that have been settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Calls {
    pub settled: u64,
    #[serde(rename = "active_microjoules", deserialize_with = "microjoules")]
    pub active: Microjoules,
}

/// The ledger at one moment. All figures are sums since the daemon started.
#[derive(Clone, Debug)]
pub struct Reading {
    /// When it came.
    pub at: Instant,
    pub source: Source,
    pub accounts: Accounts,
    pub functions: BTreeMap<Arc<str>, Used>,
}

impl Reading {
    /// Asks for it.
    ///
    /// # Errors
    /// When there is none.
    pub fn ask(client: &Client) -> Result<Self, LedgerError> {
        let told = client.get(PATH, ANSWER_TIME_MAX)?.expect::<Told>();
        let at = Instant::now();
        match told {
            Ok(told) => told.read(at).map_err(|reason| LedgerError::Off { daemon: client.url(), reason }),
            Err(error) if error.is_forbidden() => Err(LedgerError::Forbidden(error)),
            Err(error) => Err(error.into()),
        }
    }
}

/// What the daemon says, as far as it is of use here.
#[derive(Debug, Deserialize)]
struct Told {
    source: Source,
    sums: Option<Sums>,
    calls: Option<BTreeMap<String, Calls>>,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Sums {
    function_microjoules: u64,
    runtime_microjoules: u64,
    host_microjoules: u64,
    base_microjoules: u64,
    gap_microjoules: u64,
    functions: BTreeMap<String, Account>,
}

#[derive(Debug, Deserialize)]
struct Account {
    active_microjoules: u64,
    base_microjoules: u64,
}

impl Told {
    /// The reading, or why there is none.
    fn read(self, at: Instant) -> Result<Reading, String> {
        let Some(sums) = self.sums else { return Err(self.reason.unwrap_or_else(|| "it does not say why".into())) };
        let accounts = Accounts {
            functions: Microjoules(sums.function_microjoules),
            runtime: Microjoules(sums.runtime_microjoules),
            host: Microjoules(sums.host_microjoules),
            base: Microjoules(sums.base_microjoules),
            gap: Microjoules(sums.gap_microjoules),
        };
        let mut functions = BTreeMap::<Arc<str>, Used>::new();
        for (name, Account { active_microjoules, base_microjoules }) in sums.functions {
            let used = functions.entry(name.into()).or_default();
            (used.active, used.base) = (Microjoules(active_microjoules), Microjoules(base_microjoules));
        }
        for (name, calls) in self.calls.unwrap_or_default() {
            functions.entry(name.into()).or_default().calls = calls;
        }
        Ok(Reading { at, source: self.source, accounts, functions })
    }
}

fn microjoules<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Microjoules, D::Error> {
    u64::deserialize(deserializer).map(Microjoules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(told: serde_json::Value) -> Result<Reading, String> {
        serde_json::from_value::<Told>(told).unwrap().read(Instant::now())
    }

    #[test]
    fn accounts_and_calls_are_joined_by_name() {
        let reading = read(json!({
            "source": { "kind": "model", "measured": false, "description": "a guess", "since": "then", "reason": "none else" },
            "sums": {
                "total_microjoules": 15, "function_microjoules": 5, "runtime_microjoules": 4, "host_microjoules": 3,
                "base_microjoules": 2, "gap_microjoules": 1,
                "functions": { "a": { "active_microjoules": 5, "active_joules": 5e-6, "base_microjoules": 2 } },
            },
            "calls": { "a": { "settled": 3, "active_microjoules": 4, "active_joules": 4e-6 },
                       "b": { "settled": 1, "active_microjoules": 0, "active_joules": 0.0 } },
        }))
        .unwrap();
        assert_eq!(reading.source.nature(), "estimated, not measured");
        let used = |name: &str| reading.functions[name];
        assert_eq!((used("a").active, used("a").base), (Microjoules(5), Microjoules(2)));
        assert_eq!(used("a").calls, Calls { settled: 3, active: Microjoules(4) });
        assert_eq!((used("b").active, used("b").calls.settled), (Microjoules::ZERO, 1));
        assert_eq!((reading.accounts.functions, reading.accounts.gap), (Microjoules(5), Microjoules(1)));
    }

    #[test]
    fn a_daemon_that_measures_nothing_says_why() {
        let off = json!({
            "source": { "kind": "off", "measured": false, "description": null, "reason": "switched off", "since": null },
            "zones": [], "sums": null, "calls": null, "reason": "switched off",
        });
        assert_eq!(read(off).unwrap_err(), "switched off");
    }

    #[test]
    fn what_joules_are_is_said_plainly() {
        let nature = |kind: &str, measured| Source { kind: kind.into(), measured, ..Source::default() }.nature();
        assert_eq!(nature("powercap", true), "measured");
        assert_eq!(nature("simulated", false), "made up, not measured");
        assert_eq!(nature("model", false), "estimated, not measured");
    }
}
